"""Assemblies whose machines work together: a swarm, a mesh, monitoring, a registry, a router, a boot server."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from finback.app.cache.transfer import Export, write
from finback.app.component.build import build_components
from finback.app.workspace import Workspace
from finback.backends import Disk
from finback.ground.event import silent
from finback.host.machine import host_platform
from finback.oci import manifest
from finback.vm import Lab
from finback.vm.lab import Node

GIB = 1 << 30
LONG = 900.0

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def system(folder: Path, name: str, extension: str = "") -> Path:
    """The assembly *name*, with what is laid over it."""
    path = folder / f"{name}.yml"
    path.write_text(f"extends: finback/{name}\n{extension}")
    return path


def tell(lab: Lab, node: Node, data: object) -> Node:
    """*node* with metadata."""
    told = replace(node, vm=replace(node.vm, data=json.dumps(data).encode()))
    lab.nodes[lab.nodes.index(node)] = told
    return told


def swarm_data(**values: str) -> object:
    return {"swarm": {"entries": {name: {"content": value} for name, value in values.items()}}}


def test_a_swarm_of_three_puts_a_task_elsewhere_when_a_machine_dies(tmp_path: Path) -> None:
    yml = system(tmp_path, "docker-swarm")
    disks = (Disk(size=2 * GIB),)
    with Lab(tmp_path / "lab", "tcg") as lab:
        manager = lab.node("manager", yml, memory=1536, disks=disks)
        manager = tell(lab, manager, swarm_data(address=manager.address))
        lab.start(LONG)
        token = manager.wait_until_succeeds("cat /run/swarm/worker", timeout=LONG).strip()
        workers = []
        for name in ("one", "two"):
            node = lab.node(name, yml, memory=1536, disks=disks)
            told = swarm_data(address=node.address, join=f"{manager.address}:2377", token=token)
            workers.append(tell(lab, node, told))
        lab.start(LONG)

        def says(command: str, text: str, times: int) -> bool:
            done = manager.execute(f"docker {command}", service="docker")
            return done.status == 0 and done.text.split("\n").count(text) == times

        wait(lambda: says("node ls --format '{{.Status}}'", "Ready", 3))
        create = "service create --detach --name web --replicas 2 --constraint node.role==worker --no-resolve-image"
        manager.succeed(f"docker {create} finback/nginx", service="docker")
        tasks = "ps web --filter desired-state=running --format '{{.Node}} {{.CurrentState}}'"

        def running() -> int:
            done = manager.execute(f"docker service {tasks}", service="docker")
            return sum(" Running " in line for line in done.text.splitlines())

        wait(lambda: running() == 2)
        workers[0].vm.kill()
        wait(lambda: says("node ls --format '{{.Status}}'", "Down", 1))
        wait(lambda: running() == 2)
        assert says("node ls --format '{{.Status}}'", "Ready", 2)


def test_a_mesh_of_three_reaches_each_other_by_key(tmp_path: Path) -> None:
    yml = system(tmp_path, "wireguard-gateway")
    with Lab(tmp_path / "lab", "tcg") as lab:
        nodes = [lab.node(name, yml, memory=512) for name in "abc"]
        lab.start(LONG)
        keys = [
            n.wait_until_succeeds("wg show wg0 public-key", service="wireguard", timeout=LONG).strip() for n in nodes
        ]
        assert len(set(keys)) == len(nodes)
        for number, node in enumerate(nodes, 1):
            node.succeed(f"ip address flush dev wg0; ip address add 10.7.0.{number}/24 dev wg0")
            for other, key in enumerate(keys, 1):
                if other != number:
                    peer = f"peer {key} allowed-ips 10.7.0.{other}/32 endpoint {nodes[other - 1].address}:51820"
                    node.succeed(f"wg set wg0 {peer}", service="wireguard")
        for node in nodes:
            for other in range(1, 4):
                node.wait_until_succeeds(f"ping -c 1 -w 5 10.7.0.{other}", timeout=LONG)
        # Who is known by another key is a stranger, to one machine only.
        nodes[0].succeed(f"wg set wg0 peer {keys[1]} remove", service="wireguard")
        nodes[0].fail("ping -c 1 -w 5 10.7.0.2")
        nodes[0].succeed("ping -c 3 -w 20 10.7.0.3")


def test_prometheus_sees_another_machine_come_and_go(tmp_path: Path) -> None:
    targets = (
        "files.replace:\n  - {path: etc/prometheus/targets/nodes.yml, mode: '0644',\n"
        "     contents: '[{targets: [\"192.168.77.2:9100\"]}]'}\n"
    )
    with Lab(tmp_path / "lab", "tcg") as lab:
        server = lab.node(
            "server", system(tmp_path, "prometheus", targets), memory=768, ports=[9090], disks=(Disk(size=GIB),)
        )
        exporter = "services:\n  - {name: node-exporter, image: finback/node-exporter}\n"
        node = lab.node("node", system(tmp_path, "minimal", exporter), memory=256)
        lab.start(LONG)
        server.wait_for_port(9090, LONG)

        def is_up(value: str) -> bool:
            query = "/api/v1/query?query=up%7Binstance%3D%22192.168.77.2%3A9100%22%7D"
            return f'"{value}"]' in server.http(9090, query)[1].decode()

        wait(lambda: is_up("1"))
        node.vm.kill()
        wait(lambda: is_up("0"))


def wait(holds: Callable[[], bool], seconds: float = LONG) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(2)


@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
def test_a_registry_keeps_its_images_over_a_power_cut(tmp_path: Path) -> None:
    workspace = Workspace(emit=silent)
    (built,) = build_components(("busybox",), (host_platform(),), workspace)
    what = Export(
        name="busybox:1", digest=built.digest, media_type=manifest.MANIFEST, platform=host_platform(), form="oci"
    )
    archive = tmp_path / "busybox.tar"
    with archive.open("wb") as out:
        write(what, out, workspace)
    with Lab(tmp_path / "lab", "tcg") as lab:
        node = lab.node("registry", system(tmp_path, "registry"), memory=512, ports=[5000], disks=(Disk(size=GIB),))
        lab.start(LONG)
        node.wait_for_port(5000, LONG)
        skopeo(f"oci-archive:{archive}", f"docker://127.0.0.1:{node.vm.port(5000)}/busybox:1")
        node.vm.kill()
        lab.start(LONG)
        node.wait_for_port(5000, LONG)
        skopeo(f"docker://127.0.0.1:{node.vm.port(5000)}/busybox:1", f"oci:{tmp_path / 'back'}:1")
    assert (tmp_path / "back/blobs/sha256" / built.digest.encoded).is_file()


def skopeo(source: str, target: str) -> None:
    options = ["--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
    command = ["skopeo", "--insecure-policy", "copy", *options]
    done = subprocess.run([*command, source, target], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def test_the_router_gives_an_address_and_lets_nobody_in_from_outside(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab", "tcg") as lab:
        router = lab.node("router", system(tmp_path, "safe-net"), memory=384)
        client = lab.node("client", system(tmp_path, "minimal"), memory=256)
        lab.start(LONG)
        router.wait_for_service("erbium", LONG)
        script = "/tmp/lease"
        client.succeed(f"printf '#!/bin/sh\\n[ $1 = bound ] && ip address add $ip/24 dev $interface\\n' >{script}")
        client.succeed(f"chmod 755 {script}")
        client.wait_until_succeeds(f"udhcpc -i eth1 -n -q -s {script} && ip address show eth1 | grep -q 10.78.0.")
        client.succeed("ping -c 3 -w 20 10.78.0.1")
        client.fail("nc -w 3 10.78.0.1 9100 </dev/null")


def test_the_boot_server_hands_out_addresses_loader_and_system(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab", "tcg") as lab:
        server = lab.node("server", system(tmp_path, "pxe-server"), memory=384)
        client = lab.node("client", system(tmp_path, "minimal"), memory=256)
        lab.start(LONG)
        server.wait_for_service("pxe", LONG)
        script = "/tmp/lease"
        client.succeed(f"printf '#!/bin/sh\\n[ $1 = bound ] && ip address add $ip/24 dev $interface\\n' >{script}")
        client.succeed(f"chmod 755 {script}")
        client.wait_until_succeeds(f"udhcpc -i eth1 -n -q -s {script} && ip address show eth1 | grep -q 10.77.0.")
        client.succeed("cd /tmp && tftp -g -r undionly.kpxe 10.77.0.1 && tftp -g -r ipxe.efi 10.77.0.1")
        assert int(client.succeed("wc -c </tmp/undionly.kpxe")) > 50000
        assert "initrd.img" in client.succeed("wget -q -O - http://10.77.0.1/")
