"""LinuxKit's examples, unmodified, with images from the library: they boot and do what they say."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from finback.app.cache.transfer import Export, write
from finback.app.component.build import build_components
from finback.app.machine import running as machines
from finback.app.machine import session
from finback.app.machine import start as run
from finback.app.machine.running import Running
from finback.app.machine.service_state import service_states
from finback.app.planning import Inputs, load_inputs
from finback.app.workspace import Workspace
from finback.backends import Disk, Forward
from finback.ground.diagnostic import FinbackError
from finback.ground.event import silent
from finback.host import probe
from finback.host.machine import host_platform
from finback.oci import manifest

EXAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "linuxkit"
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
GIB = 1 << 30
HOST = "127.0.0.1"

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


# In a shell of the guest.
NGINX = "$(pidof nginx | cut -d ' ' -f 1)"


@dataclass(frozen=True)
class Guest:
    """An example that runs."""

    machine: Running

    def say(self, *words: str, service: str = "", source: int | None = None) -> tuple[int, str]:
        """What comes of a command, in the machine or in a container: its status and all that it writes."""
        said = bytearray()
        request = session.Request(words=words, service=service, source=source, timeout=240)
        status = session.execute(self.machine, request, said.extend, said.extend)
        return status, said.decode("utf-8", "replace")

    def until(self, holds: Callable[[], object], seconds: float = 900) -> None:
        """Wait until *holds*."""
        limit = time.monotonic() + seconds
        while not holds():
            assert self.machine.alive, self.console
            assert "Kernel panic" not in self.console, self.console
            assert time.monotonic() < limit, self.console
            time.sleep(1)

    def shows(self, text: str, *words: str, service: str = "", seconds: float = 900) -> None:
        """Wait until a command ends well and says *text*."""
        last: list[object] = []

        def holds() -> bool:
            try:
                status, said = self.say(*words, service=service)
            except FinbackError as failure:
                last[:] = [failure]
                return False
            last[:] = [status, said]
            return status == 0 and text in said

        try:
            self.until(holds, seconds)
        except AssertionError as failure:
            raise AssertionError(f"{words}: {last}\n{failure}") from None

    def port(self, guest: int) -> int:
        """The port of this machine that leads to one of the guest."""
        return next(f.host for f in self.machine.forwards if f.guest == guest)

    @property
    def console(self) -> str:
        """The end of what the console shows."""
        return self.machine.console.read_text(errors="replace")[-6000:]


def build(folder: Path, name: str, *more: str) -> None:
    """Build the example *name* into *folder*, for a user whose home that is."""
    for path in EXAMPLES.glob(f"{name}*"):
        shutil.copy(path, folder)
    env = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": CACHE}
    command = [sys.executable, "-m", "finback", "build", "--library", "--format", "kernel+initrd", *more, f"{name}.yml"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def running(
    folder: Path, name: str, *, memory: int = 1024, disks: tuple[Disk, ...] = (), ports: tuple[int, ...] = (),
    data: bytes | None = None,
) -> Iterator[Guest]:  # fmt: skip
    """The example *name*, built and run until the block ends."""
    build(folder, name)
    request = run.Request(
        prefix=folder / name,
        memory=memory,
        disks=disks,
        forwards=tuple(Forward(host=probe.free_port(HOST), guest=p, address=HOST) for p in ports),
        accelerator="tcg",
        data=data,
        state=folder / "state",
    )
    machine = run.start(request, silent)
    try:
        yield Guest(machine)
    finally:
        machines.stop(machine, 0)


def test_redis_answers(tmp_path: Path) -> None:
    with running(tmp_path, "redis-os", ports=(6379,)) as guest:
        guest.until(lambda: probe.tcp(HOST, guest.port(6379), b"PING\r\n", b"PONG", 5)[0])


def test_sshd_lets_in_who_has_the_key(tmp_path: Path) -> None:
    keys = tmp_path / ".ssh"
    keys.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", keys / "id_rsa"], check=True)
    with running(tmp_path, "sshd", ports=(22,)) as guest:
        assert_login(guest, keys / "id_rsa")


def assert_login(guest: Guest, key: Path) -> None:
    """Make sure that *key* opens the guest, and no password nor another key does."""

    def ssh(*options: str) -> subprocess.CompletedProcess[str]:
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"]
        command = ["ssh", "-F", "none", "-p", str(guest.port(22)), *known, "-o", "BatchMode=yes", *options]
        return subprocess.run(
            [*command, f"root@{HOST}", "echo got in"], capture_output=True, text=True, timeout=120, check=False
        )

    guest.until(lambda: probe.tcp(HOST, guest.port(22), b"", b"SSH-2.0", 5)[0])
    done = ssh("-i", str(key))
    assert done.stdout == "got in\n", done.stderr
    other = key.parent / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    assert "Permission denied" in ssh("-i", str(other)).stderr


def export(archive: Path, component: str) -> None:
    """Write a component's image as `docker load` takes it."""
    workspace = Workspace(emit=silent)
    (built,) = build_components((component,), (host_platform(),), workspace)
    name = f"docker.io/finback/{component}:latest"
    what = Export(name=name, digest=built.digest, media_type=manifest.MANIFEST, platform=host_platform(), form="docker")
    with archive.open("wb") as out:
        write(what, out, workspace)


def test_docker_runs_a_container_of_an_image_that_is_loaded(tmp_path: Path) -> None:
    archive = tmp_path / "busybox.tar"
    export(archive, "busybox")
    with running(tmp_path, "docker", memory=2048, disks=(Disk(size=2 * GIB),)) as guest:
        guest.shows("Server Version", "docker", "info", service="docker", seconds=600)
        with archive.open("rb") as source:
            status, said = guest.say("docker", "load", service="docker", source=source.fileno())
        assert status == 0, said
        status, said = guest.say("docker", "run", "--rm", "finback/busybox", "echo", "in a container", service="docker")
        assert (status, "in a container" in said) == (0, True), said
        guest.shows(" /var/lib/docker ", "cat", "/proc/mounts")


def test_node_exporter_serves_metrics(tmp_path: Path) -> None:
    with running(tmp_path, "node_exporter", ports=(9100,)) as guest:

        def metrics() -> bool:
            found = probe.http(HOST, guest.port(9100), "/metrics", 10)
            return not isinstance(found, str) and b"node_memory_MemTotal_bytes" in found[1]

        guest.until(metrics)


def test_wireguards_services_talk_through_the_tunnel(tmp_path: Path) -> None:
    with running(tmp_path, "wireguard") as guest:
        # The network of the service getty is asked for the page of the service nginx, whose network is the other's.
        inside = ("nsenter", "--net=/run/netns/wg1")
        guest.shows("It works", *inside, "wget", "-T", "10", "-O", "-", "http://192.168.2.1/")
        status, said = guest.say(*inside, "ip", "-o", "link")
        assert (status, "wg1" in said, "eth0" in said) == (0, True, False), said
        guest.shows("net:", "sh", "-c", f"readlink /proc/{NGINX}/ns/net")


def test_swap_is_on_and_encrypted(tmp_path: Path) -> None:
    with running(tmp_path, "swap", disks=(Disk(size=2 * GIB),)) as guest:
        # The path is that of the container's own /dev.
        guest.shows("/mapper/swapfile", "cat", "/proc/swaps")
        guest.shows("CRYPT-", "cat", "/sys/block/dm-0/dm/uuid")


def test_dm_crypt_maps_the_disk(tmp_path: Path) -> None:
    with running(tmp_path, "dm-crypt", disks=(Disk(size=GIB, bus="scsi"),)) as guest:
        guest.shows("secret things", "cat", "/var/secure_storage/secrets")
        guest.shows("/dev/mapper/crypt_dev /var/secure_storage", "cat", "/proc/mounts")
    assert b"secret things" not in next((tmp_path / "state").glob("disk*")).read_bytes()


def test_dm_crypt_maps_a_file(tmp_path: Path) -> None:
    with running(tmp_path, "dm-crypt-loop", disks=(Disk(size=GIB, bus="scsi"),)) as guest:
        guest.shows("secret things", "cat", "/var/secure_storage/secrets")
        guest.shows("/dev/mapper/crypt_loop_dev /var/secure_storage", "cat", "/proc/mounts")


def test_logs_are_written(tmp_path: Path) -> None:
    with running(tmp_path, "logging") as guest:
        guest.shows("hello ", "cat", "/var/log/write-to-the-logs/current")
        guest.shows("Linux version", "cat", "/var/log/kmsg/current")
        guest.shows("hello ", "/usr/bin/logread")


def test_the_address_is_as_the_file_says(tmp_path: Path) -> None:
    with running(tmp_path, "static-ip") as guest:
        guest.shows("inet 10.10.1.225/24", "ip", "address", "show", "dev", "eth0")
        guest.shows("default via 10.10.1.100 dev eth0", "ip", "route")
        guest.shows("nameserver 10.10.1.101", "cat", "/etc/resolv.conf")


def test_volumes_are_blank_and_populated(tmp_path: Path) -> None:
    with running(tmp_path, "volumes") as guest:
        guest.shows("", "sh", "-c", "ls -d /run/containerd || ls -d /run/finback")
        guest.until(lambda: "nginx" in guest.say("ps")[1])
        root = "/containers/volumes"
        guest.shows("busybox", "ls", f"{root}/alpine/merged/usr/bin")
        guest.shows("/blank", "sh", "-c", f"cat /proc/{NGINX}/mounts")
        written = f"touch /proc/{NGINX}/root/blank/new /proc/{NGINX}/root/alpine/new"
        guest.shows("", "sh", "-c", written)
        guest.shows("new", "ls", f"{root}/blank/merged")
        guest.shows("new", "ls", f"{root}/alpine/merged")


# In the style of LinuxKit's test cases: a step checks something and prints that its suite passed, the last powers off.
HEAD = """\
kernel:
  image: linuxkit/kernel:6.12.52-367dfce300096c198d3333652b71beb68608a659
  cmdline: "console=ttyS0 console=ttyAMA0"
init:
  - linuxkit/init:26e546e4ef2669bd44d8c46e3164eb5ba7ae1a5c
  - linuxkit/runc:98ddef9b5b87cb44783566ed2a86cea95439a631
"""
ENDING = """
  - name: poweroff
    image: linuxkit/poweroff:4059858a555bed90c2280fa9b060b7a8f8de6d45
    command: ["/bin/sh", "/poweroff.sh", "3"]
files:
  - path: check.sh
    source: ./check.sh
"""
SUITE = (
    HEAD
    + """\
  - linuxkit/ca-certificates:422d213bd5fff6177be9219a1e0dfc39d9d75342
onboot:
  - name: sysctl
    image: linuxkit/sysctl:c6f23919b8610c7645a89a89f863c6209bc84bee
  - name: sysfs
    image: linuxkit/sysfs:ec174e06ca756f492e7a3fd6200d5c1672b97511
  - name: rngd1
    image: linuxkit/rngd:331294919ba6d953d261a2694019b659a98535a4
    command: ["/sbin/rngd", "-1"]
  - name: binfmt
    image: linuxkit/binfmt:68604c81876812ca1c9e2d9f098c28f463713e61
  - name: dhcpcd
    image: linuxkit/dhcpcd:e9e3580f2de00e73e7b316a007186d22fea056ee
    command: ["/sbin/dhcpcd", "--nobackground", "-f", "/dhcpcd.conf", "-1"]
  - name: test-ns
    image: linuxkit/test-ns:1c3ea708692196e144bebc48523fb8e24839f4d3
    command: ["/bin/sh", "/runp-runc-net.sh", "1", "-l", "2", "-i", "1", "-c", "2", "-p", "udp", "-ip", "6", "-s", "-r"]
    mounts: # for runc
    - type: cgroup
      options: ["rw"]
  - name: check
    image: alpine:3.21
    net: host
    pid: host
    capabilities:
      - all
    binds:
      - /check.sh:/check.sh
      - /etc:/host-etc
      - /proc/sys/fs/binfmt_misc:/binfmt_misc
      - /var/log:/var/log
      - /dev:/dev
    command: ["sh", "./check.sh"]
"""
    + ENDING
)
CHECK = """\
#!/bin/sh
function failed {
	printf "$1 suite FAILED\\n" >&1
	exit 1
}
[ "$(sysctl -n fs.inotify.max_user_watches)" -eq 524288 ] || failed sysctl
[ "$(sysctl -n net.ipv4.conf.default.accept_source_route)" -eq 0 ] || failed sysctl
grep -q '\\[madvise\\]' /sys/kernel/mm/transparent_hugepage/defrag || failed sysfs
grep -q 'exiting as oneshot' /var/log/onboot/onboot.002-rngd1.out.log || failed rngd
[ -e /binfmt_misc/qemu-aarch64 ] || failed binfmt
[ -e /binfmt_misc/qemu-ppc64le ] || failed binfmt
[ -f /host-etc/ssl/certs/ca-certificates.crt ] || failed ca-certificates
ADDR=$(echo `ifconfig eth0 2>/dev/null|awk '/inet addr:/ {print $2}'|sed 's/addr://'`)
[ -z "$(iplink | grep eth0 | grep UP)" ] && failed dhcpcd
[ -z "${ADDR}" ] && failed dhcpcd
[ $(netstat -lntup | wc -l) -le 2 ] || failed ports
mount | grep cgroup2 || failed cgroup2
[ -c /dev/mapper/control ] || failed dm-crypt
nsenter -t 1 -m -- /bin/ash -c 'ls /usr/bin/runc' || failed namespace
printf "all suite PASSED\\n" >&1
"""


def run_to_the_end(folder: Path, text: str, check: str) -> str:
    """What the console shows of a machine of LinuxKit's file *text*, untouched, which powers itself off."""
    (folder / "test.yml").write_text(text)
    (folder / "check.sh").write_text(check)
    env = {**os.environ, "XDG_CACHE_HOME": CACHE, "XDG_STATE_HOME": str(folder / "state")}
    tool = [sys.executable, "-m", "finback"]
    for command in (["build", "--library", "--format", "kernel+initrd", "test.yml"], ["run", "--mem", "1024", "test"]):
        done = subprocess.run(
            [*tool, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, (done.stdout[-4000:], done.stderr[-4000:])
    return done.stdout


def test_a_case_in_the_style_of_linuxkits_passes_and_powers_off(tmp_path: Path) -> None:
    console = run_to_the_end(tmp_path, SUITE, CHECK)
    assert "Welcome to LinuxKit" in console
    assert "netns test suite PASSED" in console
    assert "all suite PASSED" in console
    assert "FAILED" not in console
    assert "Power down" in console


LOGS = (
    HEAD
    + """\
  - linuxkit/memlogd:b15eb4d07ee3a50708a310ba62eb9330b61182e2
services:
  - name: kmsg
    image: linuxkit/kmsg:2cee55de43a863c9f1a28fe5a00e4730564e1826
  - name: fill-the-logs
    image: alpine
    command: ["/bin/sh", "-c", "while /bin/true; do echo hello $(date); sleep 0.1; done" ]
  - name: write-and-rotate-logs
    image: linuxkit/logwrite:678308bdb6421f32ff79b61ac2d95e9c8e41e080
    command: ["/usr/bin/logwrite", "-max-log-size", "1024"]
  - name: check-the-logs
    image: alpine:3.21
    binds:
      - /check.sh:/check.sh
      - /dev/console:/dev/console
      - /var/log:/var/log
    devices:
      - path: "/dev/console"
        type: c
        major: 5
        minor: 1
        mode: "0666"
    command: ["sh", "./check.sh"]
    pid: host
    capabilities:
      - CAP_SYS_BOOT
files:
  - path: check.sh
    source: ./check.sh
"""
)
CHECK_LOGS = """\
#!/bin/sh
for i in $(seq 1 120); do
	if [ -e /var/log/fill-the-logs.out.log.0 ] && grep -Eq "kmsg \\([0-9]+\\) - " /var/log/kmsg.log*; then
		printf "logwrite test suite PASSED\\n" > /dev/console
		/sbin/poweroff -f
	fi
	sleep 1
done
ls -l /var/log > /dev/console
printf "logwrite test suite FAILED\\n" > /dev/console
/sbin/poweroff -f
"""


def test_logs_have_the_names_that_linuxkits_users_tail(tmp_path: Path) -> None:
    console = run_to_the_end(tmp_path, LOGS, CHECK_LOGS)
    assert "logwrite test suite PASSED" in console
    assert "Power down" in console


# The hash is that of "abcdefgh"; no line's end, as LinuxKit's files have it.
SHADOW = (
    "root:$6$6tPd2uhHrecCEKug$8mKfcgfwguP7f.BLdZsT1Wz7WIIJOBY1oUFHzIv9/O71M2J0EPdtFqFGTxB1UK5ejqQxRFQ"
    ".ZSG9YXR0SNsc11:17322:0:::::"
)
GETTY = (
    HEAD
    + f"""\
services:
  - name: getty
    image: linuxkit/getty:70237b8ac2006b0177026520e7720fc574339298
files:
  - path: etc/getty.shadow
    contents: '{SHADOW}'
"""
)
# What appears on the console, and what is typed then.
DIALOGUE = (
    ("Welcome to LinuxKit", ""), ("ogin: ", "root\n"), ("assword: ", "wrong\n"), ("ogin: ", "root\n"),
    ("assword: ", "abcdefgh\n"), (":~# ", "runc list\n"), ("getty", ""), (":~# ", "poweroff -f\n"), ("Power down", ""),
)  # fmt: skip


def test_the_password_of_getty_shadow_lets_in_on_the_console(tmp_path: Path) -> None:
    (tmp_path / "test.yml").write_text(GETTY)
    env = {**os.environ, "XDG_CACHE_HOME": CACHE, "XDG_STATE_HOME": str(tmp_path / "state")}
    tool = [sys.executable, "-m", "finback"]
    command = [*tool, "build", "--library", "--format", "kernel+initrd", "test.yml"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, timeout=900)
    ours, theirs = pty.openpty()
    machine = subprocess.Popen(
        [*tool, "run", "test"],
        cwd=tmp_path,
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, limit = "", time.monotonic() + 300
    try:
        for text, typed in DIALOGUE:
            while text not in said:
                assert time.monotonic() < limit, (text, said)
                if select.select([ours], [], [], 1)[0]:
                    said += os.read(ours, 4096).decode("utf-8", "replace")
            said = said.partition(text)[2]
            if typed:
                # getty throws away what is typed before it has set the terminal.
                time.sleep(1)
                os.write(ours, typed.encode())
        machine.wait(60)
    finally:
        if machine.poll() is None:
            os.killpg(machine.pid, signal.SIGKILL)
        os.close(ours)


# What Debian does not have: kapacitor, telegraf and chronograf.
UNANSWERED = ("influxdb-os",)
# Laid over another, for another architecture.
OVERLAYS = ("platform-equinixmetal.arm64",)
ALL = sorted(p.name.removesuffix(".yml") for p in EXAMPLES.glob("*.yml"))


@pytest.mark.parametrize("name", [n for n in ALL if n not in (*UNANSWERED, *OVERLAYS)])
def test_an_example_builds(name: str, tmp_path: Path) -> None:
    build(tmp_path, name)
    assert (tmp_path / f"{name}-initrd.img").exists()


def test_an_overlay_builds_with_what_it_is_laid_over(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "platform-equinixmetal.yml", tmp_path)
    shutil.copy(EXAMPLES / "platform-equinixmetal.arm64.yml", tmp_path)
    command = [sys.executable, "-m", "finback", "build", "--library", "--arch", "arm64", "--format", "kernel+initrd"]
    files = ["platform-equinixmetal.yml", "platform-equinixmetal.arm64.yml"]
    done = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr


# Services that can't run in such a machine, and why.
ELSEWHERE = {
    "open-vm-tools": "VMware",
    "tss": "a TPM 1.2",
    "acpid": "a power button that the kernel shows",
    "host-timesync-daemon": "the hypervisor's clock",
    "docker-dfm": "a configuration that Docker Desktop gives",
    "trim-after-delete": "Docker",
    "vpnkit-forwarder": "AF_VSOCK of the host",
    "vsudd": "AF_VSOCK of the host",
}
# Logins whose keys come from a cloud's metadata server, and from there alone.
KEYLESS = ("openstack", "platform-vultr")
# The other clouds' files take keys from a disc, too.
KEYS = {"ssh": {"entries": {"authorized_keys": {"perm": "0600", "content": "ssh-ed25519 AAAA nobody"}}}}
NEEDED = {"cadvisor": (Disk(size=2 * GIB),), "docker-for-mac": (Disk(size=4 * GIB),)}
BOOTED = (
    "addbinds", "cadvisor", "containerd-debug", "docker-for-mac", "getty", "hostmount-writeable-overlay", "linuxkit",
    "minimal", "openstack", "platform-aws", "platform-azure", "platform-equinixmetal", "platform-gcp",
    "platform-hetzner", "platform-rt-for-vmware", "platform-scaleway", "platform-vmware", "platform-vultr", "tpm",
    "vpnkit-forwarder", "vsudd-containerd",
)  # fmt: skip


@pytest.mark.parametrize("name", BOOTED)
def test_an_example_starts_its_services(name: str, tmp_path: Path) -> None:
    spec = load_inputs(Inputs(files=(str(EXAMPLES / f"{name}.yml"),)), Workspace(emit=silent))
    wanted = {s.name for s in spec.services or ()} - set(ELSEWHERE) - ({"sshd"} if name in KEYLESS else set())
    data = json.dumps(KEYS).encode()
    # Others take the user's own.
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa.pub").write_text("ssh-rsa AAAA nobody\n")
    with running(tmp_path, name, memory=2048, disks=NEEDED.get(name, ()), data=data) as guest:

        def all_have_come_up() -> bool:
            states = service_states(guest.machine.events())
            return wanted <= {n for n, state in states.items() if state.been & {"up", "ready"}}

        guest.until(all_have_come_up, 600)
