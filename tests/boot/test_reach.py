"""What a service that asks for nothing can reach of the machine: what it can write has a reason, or the test fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SYSTEMS = Path(__file__).parent / "systems"

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.xdist_group("boot"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]

WRITABLE = {
    r"/dev/": "the container's own folder of devices, in memory; there is nothing to fill it with but files",
    r"/dev/(null|zero|full)": "they keep nothing",
    r"/dev/(random|urandom)": "what is written is mixed in, and counts as nothing without CAP_SYS_ADMIN",
    r"/dev/pts/ptmx": "terminals of the container's own",
    r"/proc/N/(task/N/)?attr/.*": "the security module's view of the process itself; it asks for its own capabilities",
    r"/proc/N/(task/N/)?(clear_refs|comm|coredump_filter|sched|autogroup|timerslack_ns)": "the process itself",
    r"/proc/N/(task/N/)?(mem|fail-nth|make-it-fail)": "the memory of processes that it may trace: its own",
    r"/proc/N/(task/N/)?(oom_adj|oom_score_adj)": "it can make itself the first to be killed; the other way takes "
    "CAP_SYS_RESOURCE",
    r"/proc/N/(task/N/)?loginuid": "once set, it stays, and only the audit log of the container's processes shows it",
    r"/proc/N/(task/N/)?(uid_map|gid_map|projid_map)": "of the process's user namespace, where they are set",
    r"/proc/N/(task/N/)?setgroups": "the same",
    r"/proc/N/timens_offsets": "of a new time namespace, which it can't make",
    r"/proc/pressure/(cpu|io|memory|irq)": "a wish to be told of pressure, which ends with the process",
    r"/proc/(interrupts|kcore|keys|timer_list|sched_debug|latency_stats|timer_stats)": "hidden: it is /dev/null",
}
"""What a container without privileges can open for writing, and why that is no harm."""

REFUSED = ("EPERM", "ENOSYS", "EACCES", "EROFS")
SOCKETS = {
    "tcp": "what services are for",
    "unix": "the same",
    "netlink": "routes and addresses can be read; changing them takes CAP_NET_ADMIN",
    "netfilter": "a rule takes CAP_NET_ADMIN",
    "audit": "a message takes CAP_AUDIT_WRITE",
    "uevent": "events of the kernel can be heard; sending takes CAP_NET_ADMIN",
}
"""Sockets that can be made, and why that is no harm."""
SHARED = {
    "net": "LinuxKit's meaning; `net: new` or `networks` ends it, and `plan --explain` says it",
    "uts": "LinuxKit's meaning; setting the name takes CAP_SYS_ADMIN",
    "user": "ids are the machine's; no process has a capability",
    "time": "clocks are the machine's; setting them takes CAP_SYS_TIME",
    "time_for_children": "the same",
}
"""Namespaces that are the machine's, and why."""

RUNTIMES = {
    "crun": (),
    "runc": (("  - finback/init\n", "  - finback/init\n  - finback/runc\n"), ("ttyS0", "ttyS0 finback.runtime=runc")),
    "containerd": (("  - finback/init\n", "  - finback/init\n  - finback/containerd\n"),),
}


class Machine:
    """The machine `reach`, by the command line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def call(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "finback", *arguments],
            cwd=self._folder,
            env={**os.environ, "XDG_STATE_HOME": str(self._folder / "s")},
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def shell(self, script: str) -> str:
        """What *script* prints, run in the machine outside all containers."""
        done = self.call("shell", "reach", given=script)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def reach(self, service: str) -> dict[str, Any]:
        """What a process in the container of *service* can reach."""
        done = self.call("exec", "reach", service, "--", "python3", "/srv/app/reach.py")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def exhaust(self) -> subprocess.Popen[str]:
        """Uses up, in the service `root`, what the kernel counts for the whole machine, and keeps it for a while."""
        words = ["exec", "reach", "root", "--", "python3", "/srv/app/exhaust.py"]
        return subprocess.Popen(
            [sys.executable, "-m", "finback", *words],
            cwd=self._folder,
            env={**os.environ, "XDG_STATE_HOME": str(self._folder / "s")},
            stdout=subprocess.PIPE,
            text=True,
        )

    def states(self) -> dict[str, str]:
        """The state of each service."""
        done = self.call("status", "--json", "reach")
        return {s["service"]: s["state"] for s in json.loads(done.stdout or "[]")}


@pytest.fixture(scope="module", params=RUNTIMES)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp(request.param)
    text = (SYSTEMS / "reach.yml").read_text()
    for old, new in RUNTIMES[request.param]:
        assert old in text
        text = text.replace(old, new)
    (folder / "reach.yml").write_text(text)
    for script in ("reach.py", "exhaust.py"):
        shutil.copy(SYSTEMS / script, folder)
    (folder / "trial").write_text("a secret that was given")
    (folder / "trial").chmod(0o600)
    made = Machine(folder)
    built = made.call("build", "reach.yml")
    assert built.returncode == 0, built.stderr
    run = made.call("run", "--detach", "--accel", "tcg", "--mem", "512", "--secret", "trial=trial", "reach")
    assert run.returncode == 0, run.stderr
    limit = time.monotonic() + 240
    while made.states() != {"root": "up", "person": "up", "other": "up", "brief": "failed"}:
        assert time.monotonic() < limit, made.states()
        time.sleep(1)
    yield made
    assert made.call("stop", "reach", "--timeout", "60").returncode == 0


@pytest.mark.parametrize("service", ["root", "person"])
def test_what_a_service_reaches(machine: Machine, service: str) -> None:
    found = machine.reach(service)
    unknown = [p for p in found["writable"] if not any(re.fullmatch(known, p) for known in WRITABLE)]
    assert unknown == []
    assert {k: v for k, v in found["calls"].items() if v not in REFUSED} == {}
    assert {k for k, v in found["sockets"].items() if v == "made"} == set(SOCKETS)
    assert (found["sight"], found["abstract"], found["queues"]) == ([], [], 1)
    machines = dict(
        line.split()
        for line in machine.shell("cd /proc/1/ns; for n in *; do echo $n $(readlink $n); done").splitlines()
    )
    assert {n for n, link in found["namespaces"].items() if machines[n] == link} == set(SHARED)
    stands = found["stands"]
    assert {stands[f"Cap{kind}"] for kind in ("Eff", "Bnd", "Prm", "Inh", "Amb")} == {"0" * 16}
    assert (stands["Seccomp"], stands["oom_score_adj"], stands["pids.max"]) == ("2", "0", "2048")
    assert 64 << 20 < int(stands["memory.max"]) < 512 << 20


def test_what_is_run_in_a_container_is_as_its_service(machine: Machine) -> None:
    root, person = (machine.reach(s)["stands"] for s in ("root", "person"))
    assert (root["NoNewPrivs"], root["cwd"]) == ("1", "/usr/lib")
    assert root["env"] == ["HOME=/nowhere", "OF=the service", "PATH=/usr/bin:/bin"]
    assert (person["NoNewPrivs"], person["cwd"], person["Uid"]) == ("0", "/srv/app", "\t".join(["1000"] * 4))
    assert person["Groups"] == "1001 1002"


def test_what_one_service_uses_up_others_of_its_user_have(machine: Machine) -> None:
    """Its control group counts what it uses as memory; nothing of it is counted for others."""
    with machine.exhaust() as running:
        assert running.stdout
        used = json.loads(running.stdout.readline())
        done = machine.call("exec", "reach", "other", "--", "python3", "/srv/app/exhaust.py", "once")
        running.terminate()
    assert set(json.loads(done.stdout).values()) == {1}, done.stdout
    assert used == {"file": 100_000, "inotify": 1000, "timer": 5000, "pipe": 2000, "watch": 50_000, "events": 100}


@pytest.mark.parametrize("node", ["kmsg, 0o20600, os.makedev(1, 11)", "loop, 0o60600, os.makedev(7, 0)"])
def test_a_node_that_a_container_makes_is_of_no_use(machine: Machine, node: str) -> None:
    name, _, about = node.partition(", ")
    script = f"import os; os.mknod('/{name}', {about}); print('made', flush=True); os.open('/{name}', os.O_RDONLY)"
    done = machine.call("exec", "reach", "other", "--", "python3", "-c", script)
    assert (done.returncode, done.stdout) == (1, "made\n"), done.stderr
    assert f"[Errno 1] Operation not permitted: '/{name}'" in done.stderr


@pytest.mark.parametrize(
    ("service", "command", "status", "said"),
    [
        ("root", ["nope"], 127, "not found in $PATH"),
        ("root", ["/no/such"], 127, "/no/such"),
        ("root", ["/etc/passwd"], 126, "/etc/passwd"),
        ("root", ["/etc"], 126, "/etc"),
        ("root", ["python3", "-c", "raise SystemExit(126)"], 126, ""),
        ("root", ["python3", "-c", "raise SystemExit(1)"], 1, ""),
        ("brief", ["true"], 125, "service brief is not running: it has ended with status 3 and is not started again"),
        ("none", ["true"], 125, "there is no service none"),
    ],
)
def test_exit_statuses(machine: Machine, service: str, command: list[str], status: int, said: str) -> None:
    done = machine.call("exec", "reach", service, "--", *command)
    assert (done.returncode, said in done.stderr, done.stdout) == (status, True, "")
    assert len(done.stderr.splitlines()) == (1 if said else 0)


def test_what_keeps_the_machine_going_is_not_killed(machine: Machine) -> None:
    script = """
    for process in /proc/[0-9]*; do
        read -r name <$process/comm && read -r score <$process/oom_score_adj && echo $name $score
    done 2>/dev/null
    read -r pid </run/service/root/pid
    read -r score </proc/$(awk '/^PPid:/ { print $2 }' /proc/$pid/status)/oom_score_adj
    echo parent $score
    """
    scores: dict[str, set[str]] = {}
    for line in machine.shell(script).splitlines():
        name, _, score = line.rpartition(" ")
        scores.setdefault(name, set()).add(score)
    for name in ("s6-svscan", "s6-supervise", "s6-log", "run"):
        assert scores[name] == {"-1000"}
    # The container's runtime, or a shim of containerd's.
    assert scores["parent"] <= {"-1000", "-999"}
    assert scores["python3"] == {"0"}


def test_secrets_are_out_of_sight_after_use(machine: Machine) -> None:
    """Even a service with every capability finds nothing in /sys; it would have to load the driver or use I/O ports."""
    assert (
        machine.shell("ls -d /sys/firmware/qemu_fw_cfg /sys/firmware/acpi 2>/dev/null || :") == "/sys/firmware/acpi\n"
    )
    done = machine.call("exec", "reach", "person", "--", "python3", "-c", "print(open('/run/secrets/trial').read())")
    assert done.stdout == "a secret that was given\n"
