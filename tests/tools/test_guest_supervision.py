"""The guest's own scripts under a real s6 on this machine, with a runtime that runs a shell script as the container."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from finback.app.machine.timeline import Report, parse
from finback.assemble.supervise import variables
from finback.ground.source import Source
from finback.resolve.plan import Container, ImagePin, SecretUse
from finback.resolve.supervision import supervision
from finback.spec.decode import load
from finback.spec.model import Settings, Spec

GUEST = Path(__file__).resolve().parents[2] / "components/init/rootfs/usr/lib/finback"
RUNTIME = """\
#!/bin/sh
# {root}: run [--preserve-fds N] --bundle B NAME; exec OPTIONS NAME COMMAND; kill NAME SIGNAL; delete -f NAME
case $1 in
run)
	shift
	[ "$1" != --preserve-fds ] || shift 2
	echo $$ >{root}/pid-$3
	printf '{{"id": "%s",\\n "pid": %d ,"x": 1}}' "$3" $$ | {root}/lib/started "$3"
	exec /bin/sh "$2/program"
	;;
exec)
	shift
	while :; do
		case $1 in
		--pid-file) echo $$ >"$2"; shift 2 ;;
		--cwd) shift 2 ;;
		--no-new-privs) shift ;;
		*) break ;;
		esac
	done
	shift
	exec "$@"
	;;
kill)
	echo "$@" >>{root}/runtime.log
	kill -s "${{3#SIG}}" "$(cat "{root}/pid-$2")"
	;;
*) echo "$@" >>{root}/runtime.log ;;
esac
"""

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not (shutil.which("s6-svscan") and shutil.which("busybox")), reason="no s6 or no busybox"),
]


class Guest:
    """Services below *root*, supervised."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("run/service", "run/finback", "containers/services", "bin", "log", "etc/finback"):
            (root / folder).mkdir(parents=True)
        shutil.copytree(GUEST, root / "lib")
        self.events = root / "run/finback/events"
        (root / "bin/crun").write_text(RUNTIME.format(root=root))
        (root / "bin/crun").chmod(0o755)
        for path in (root / "lib").rglob("*"):
            if path.is_file():
                path.write_text(self._here(path.read_text()))
        self.process: subprocess.Popen[bytes] | None = None

    def _here(self, text: str) -> str:
        """A script with this folder in the place of the machine's root, and a file in that of the pipe of events."""
        for path in ("/run/finback", "/run/service", "/containers", "/etc/finback", "/var/log"):
            text = text.replace(path, f"{self.root}{path.replace('/var', '')}")
        text = text.replace("/usr/lib/finback", f"{self.root}/lib").replace("/usr/bin/crun", f"{self.root}/bin/crun")
        text = text.replace(">/dev/kmsg", f">>{self.root}/kmsg").replace("[ -p ", "[ -e ").replace("1<>", "1>>")
        return text.replace("export PATH=", f"export PATH={os.path.dirname(shutil.which('s6-svc') or '')}:")

    def add(self, text: str, **programs: str) -> None:
        spec = load(Spec, Source("t.yml", f"services:\n{text}"))
        for index, item in enumerate(spec.services or ()):
            container = Container(
                section="services",
                index=index,
                name=item.name,
                image=ImagePin(reference="i"),
                settings=Settings(),
                supervision=supervision(item),
            )
            bundle = self.root / "containers/services" / item.name
            (bundle / "bundle").mkdir(parents=True)
            (bundle / "bundle/program").write_text(programs[item.name])
            container = replace(container, secrets=tuple(SecretUse(name=s) for s in item.secrets or ()))
            head = f"name={item.name} namespace=x\n" + "\n".join(variables(container))
            (bundle / "prepare").write_text(f"{head}\nprepare() {{ :; }}\ncleanup() {{ :; }}\n")
            shutil.copytree(self.root / "lib/service", self.root / "run/service" / item.name)

    def start(self, before: tuple[str, ...] = ()) -> None:
        self.events.touch()
        shutil.copytree(self.root / "lib/scan", self.root / "run/service/.s6-svscan", dirs_exist_ok=True)
        # In the guest that is PID 1's end; here the supervisor ends.
        finish = self.root / "run/service/.s6-svscan/finish"
        finish.write_text(f"#!/bin/sh\n: >{self.root}/finished\n")
        finish.chmod(0o755)
        # A shell that starts the tests in the background ignores some signals, and so would the services.
        defaults = ("env", "--default-signal=HUP,INT,QUIT")
        self.process = subprocess.Popen(
            [*defaults, *before, "s6-svscan", str(self.root / "run/service")],
            stdout=(self.root / "out").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self) -> None:
        if self.process is None:
            return
        for folder in (self.root / "run/service").iterdir():
            subprocess.run(["s6-svc", "-wD", "-T", "3000", "-xd", str(folder)], check=False, capture_output=True)
        subprocess.run(["s6-svscanctl", "-t", str(self.root / "run/service")], check=False, capture_output=True)
        try:
            self.process.wait(10)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def reports(self) -> tuple[Report, ...]:
        return parse(self.events.read_text())

    def seen(self, name: str) -> list[str]:
        return [r.event for r in self.reports() if r.name == name]

    def until(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        limit = time.monotonic() + seconds
        while not holds():
            said = (self.root / "out").read_text()
            logs = {p.parent.name: p.read_text() for p in (self.root / "log").glob("*/current")}
            assert time.monotonic() < limit, f"{self.events.read_text()}\n{said}\n{json.dumps(logs, indent=1)}"
            time.sleep(0.05)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    made = Guest(tmp_path)
    yield made
    made.stop()


FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


def test_a_service_waits_for_what_it_needs(guest: Guest) -> None:
    flag = guest.root / "flag"
    guest.add(
        f"  - {{name: web, image: i, needs: [db]}}\n  - {{name: db, image: i, ready: {{file: {flag}}}}}\n",
        web=FOREVER,
        db=f"sleep 1; : >{flag}; {FOREVER}",
    )
    guest.start()
    guest.until(lambda: "up" in guest.seen("web"))
    order = [(r.name, r.event) for r in guest.reports()]
    assert order.index(("db", "ready")) < order.index(("web", "started"))
    assert ("web", "waiting") in order
    assert guest.seen("db") == ["started", "up", "ready"]


def test_a_service_waits_for_its_secret_and_says_so(guest: Guest) -> None:
    guest.add("  - {name: app, image: i, secrets: [key]}\n", app=FOREVER)
    guest.start()
    kmsg = guest.root / "kmsg"
    guest.until(lambda: kmsg.exists() and "waits for the secret key, which nobody has given" in kmsg.read_text())
    time.sleep(1.5)
    assert guest.seen("app") == []
    (guest.root / "run/finback/credentials").mkdir()
    (guest.root / "run/finback/credentials/key").write_text("k")
    guest.until(lambda: "up" in guest.seen("app"))
    assert kmsg.read_text().count("waits for the secret") == 1


def test_a_container_gets_its_own_copy_of_a_secret(guest: Guest) -> None:
    (guest.root / "run/finback/credentials").mkdir()
    (guest.root / "run/finback/credentials/key").write_text("with\nlines")
    folder = guest.root / "run/finback/secrets/app"
    folder.mkdir(parents=True)
    owner = f"{os.getuid()}:{os.getgid()}"
    script = f". {guest.root}/lib/container; give_secret key {folder} {owner} 0440; give_secret none {folder} 0:0 0400"
    done = subprocess.run(["busybox", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "there is no secret none\n")
    assert (folder / "key").read_text() == "with\nlines"
    assert (folder / "key").stat().st_mode & 0o777 == 0o440
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_one_shot_service_fulfils_needs_and_stays_ended(guest: Guest) -> None:
    guest.add(
        "  - {name: web, image: i, needs: [setup]}\n  - {name: setup, image: i, restart: on-failure}\n",
        web=FOREVER,
        setup="exit 0",
    )
    guest.start()
    guest.until(lambda: "up" in guest.seen("web"))
    assert guest.seen("setup") == ["started", "up", "stopped", "done"]


def test_waits_double_and_the_limit_of_starts_holds(guest: Guest) -> None:
    guest.add("  - {name: bad, image: i, backoff: {most: 2}, startLimit: {starts: 4, within: 60}}\n", bad="exit 7")
    guest.start()
    guest.until(lambda: "failed" in guest.seen("bad"))
    assert guest.seen("bad") == ["started", "up", "stopped"] * 4 + ["failed"]
    begun = [r.uptime for r in guest.reports() if r.event == "started"]
    waits = [b - a for a, b in itertools.pairwise(begun)]
    # s6 itself waits a second after a start.
    assert 0.9 < waits[0] < 2.9
    assert all(1.9 < w < 4.5 for w in waits[1:])
    assert "FAILED with status 7" in (guest.root / "kmsg").read_text()
    time.sleep(2.5)
    assert guest.seen("bad").count("started") == 4


def test_a_service_that_may_not_restart_is_over(guest: Guest) -> None:
    guest.add("  - {name: once, image: i, restart: 'no'}\n", once="kill -9 $$")
    guest.start()
    guest.until(lambda: "failed" in guest.seen("once"))
    assert guest.seen("once") == ["started", "up", "stopped", "failed"]
    assert guest.reports()[-1].status == 137
    # Its runtime was killed, so the container is removed.
    assert "delete -f once" in (guest.root / "runtime.log").read_text()


def test_the_log_has_a_last_line_that_does_not_end(guest: Guest) -> None:
    guest.add(
        "  - {name: cut, image: i, startLimit: {starts: 2, within: 60}}\n  - {name: whole, image: i, restart: 'no'}\n",
        cut="printf 'one\\n\\nno end'; exit 7",
        whole="echo all; exit 7",
    )
    guest.start()
    guest.until(lambda: "failed" in guest.seen("cut") and "failed" in guest.seen("whole"))
    logs = guest.root / "log"
    said = {p.parent.name: [line[31:].rstrip() for line in p.open()] for p in logs.glob("*/current")}
    assert said == {"cut": ["one", "", "no end"] * 2, "whole": ["all"]}
    kmsg = (guest.root / "kmsg").read_text()
    assert "cut: no end" in kmsg
    assert "whole: all" in kmsg


def test_readiness_by_notification_command_and_port(guest: Guest) -> None:
    listen = "import socket,time\ns=socket.create_server(('127.0.0.1',0))\nprint(s.getsockname()[1],flush=True)\n"
    server = subprocess.Popen(
        ["python3", "-c", f"{listen}time.sleep(60)"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert server.stdout is not None
        number = int(server.stdout.readline())
        guest.add(
            "  - {name: told, image: i, ready: {notify: true}}\n"
            f"  - {{name: asked, image: i, ready: {{command: [test, -e, '{guest.root}/it is']}}}}\n"
            f"  - {{name: port, image: i, ready: {{tcp: {number}}}}}\n",
            told=f"sleep 1; echo >&3; {FOREVER}",
            asked=f": >'{guest.root}/it is'; {FOREVER}",
            port=FOREVER,
        )
        guest.start()
        for name in ("told", "asked", "port"):
            guest.until(lambda name=name: guest.seen(name)[-1:] == ["ready"])  # type: ignore[misc]
    finally:
        server.kill()
        server.wait()


def test_what_never_is_ready_has_failed(guest: Guest) -> None:
    guest.add(
        "  - {name: mute, image: i, restart: on-failure, startLimit: {starts: 1, within: 60},"
        " ready: {file: /nowhere, timeout: 1}}\n",
        mute=FOREVER,
    )
    guest.start()
    guest.until(lambda: "failed" in guest.seen("mute"))
    assert guest.seen("mute") == ["started", "up", "unready", "stopped", "failed"]
    assert guest.reports()[-1].status == 124


def test_an_ill_service_is_started_again(guest: Guest) -> None:
    flag, count = guest.root / "well", guest.root / "count"
    guest.add(
        "  - {name: web, image: i, restart: on-failure, health: {interval: 1, retries: 2, startPeriod: 1,"
        f" command: [test, -e, '{flag}']}}}}\n"
        f"  - {{name: said, image: i, health: {{interval: 1, retries: 1, file: {flag}, onFailure: report}}}}\n"
        "  - {name: hangs, image: i, restart: 'no',"
        " health: {interval: 1, timeout: 1, retries: 1, command: [sleep, '600']}}\n",
        web=f": >'{flag}'; echo x >>{count}; {FOREVER}",
        said=FOREVER,
        hangs=FOREVER,
    )
    guest.start()
    guest.until(lambda: "up" in guest.seen("web") and flag.exists())
    time.sleep(2.5)
    assert "stopped" not in guest.seen("web")
    flag.unlink()
    guest.until(lambda: "ill" in guest.seen("web") and "ill" in guest.seen("said"))
    guest.until(lambda: count.read_text() == "x\nx\n")
    assert guest.seen("web")[:6] == ["started", "up", "ill", "stopped", "started", "up"]
    guest.until(lambda: "well" in guest.seen("said"))
    assert guest.seen("said") == ["started", "up", "ill", "well"]
    guest.until(lambda: "failed" in guest.seen("hangs"))
    assert guest.seen("hangs") == ["started", "up", "ill", "stopped", "failed"]
    assert subprocess.run(["pgrep", "-f", "^sleep 600$"], check=False, capture_output=True).returncode == 1


def test_what_is_not_ready_and_deaf_is_killed(guest: Guest) -> None:
    guest.add(
        "  - {name: deaf, image: i, restart: 'no', ready: {tcp: 1, timeout: 1}, stop: {timeout: 1}}\n",
        deaf="trap '' TERM; while :; do sleep 0.1; done",
    )
    guest.start()
    guest.until(lambda: "failed" in guest.seen("deaf"))
    assert guest.seen("deaf") == ["started", "up", "unready", "stopped", "failed"]
    assert "delete -f deaf" in (guest.root / "runtime.log").read_text()


def test_what_closes_its_notification_is_not_ready(guest: Guest) -> None:
    guest.add(
        "  - {name: mute, image: i, restart: 'no', ready: {notify: true, timeout: 30}}\n", mute=f"exec 3>&-; {FOREVER}"
    )
    guest.start()
    guest.until(lambda: "failed" in guest.seen("mute"))
    assert "unready" in guest.seen("mute")


def test_shutdown_stops_in_order_with_signal_and_limit(guest: Guest) -> None:
    stopped = guest.root / "stopped"
    guest.add(
        "  - {name: web, image: i, needs: [db]}\n"
        "  - {name: db, image: i, stop: {signal: SIGUSR1, timeout: 9}}\n"
        "  - {name: deaf, image: i, stop: {timeout: 1}}\n",
        web=f"trap 'sleep 1; echo web >>{stopped}; exit 0' TERM; while :; do sleep 0.1; done",
        db=f"trap '' TERM; trap 'echo db >>{stopped}; exit 0' USR1; while :; do sleep 0.1; done",
        deaf="trap '' TERM; while :; do sleep 0.1; done",
    )
    (guest.root / "etc/finback/services").write_text("db deaf\nweb\n")
    guest.start()
    for name in ("web", "db", "deaf"):
        guest.until(lambda name=name: "up" in guest.seen(name))  # type: ignore[misc]
    begun = time.monotonic()
    subprocess.run([guest.root / "lib/shutdown"], check=True, timeout=30)
    assert time.monotonic() - begun < 8
    assert stopped.read_text() == "web\ndb\n"
    assert [r.status for r in guest.reports() if r.name == "deaf" and r.event == "stopped"] == [137]
    assert "delete -f deaf" in (guest.root / "runtime.log").read_text()
    assert guest.process is not None
    assert guest.process.wait(5) == 0
    assert (guest.root / "finished").exists()


@pytest.mark.parametrize(
    ("given", "number", "by_runtime"),
    [("SIGRTMIN+3", 37, False), ("quit", 3, False), ("9", 9, True), ("SIGWINCH", 28, True), ("SIGURG", 23, True)],
)
def test_the_stop_signal_reaches_the_program(guest: Guest, given: str, number: int, by_runtime: bool) -> None:
    """Runtimes keep some signals for themselves, as a shell without a terminal does."""
    program = f"trap 'echo got >{guest.root}/got; exit 0' {number if number != 9 else 1}; while :; do sleep 0.1; done"
    guest.add(f"  - {{name: web, image: i, stop: {{signal: '{given}', timeout: 20}}}}\n", web=program)
    (guest.root / "etc/finback/services").write_text("web\n")
    guest.start()
    guest.until(lambda: "up" in guest.seen("web"))
    begun = time.monotonic()
    subprocess.run([guest.root / "lib/shutdown"], check=True, timeout=30)
    assert time.monotonic() - begun < 5
    assert (guest.root / "got").exists() == (number != 9)
    log = guest.root / "runtime.log"
    assert ("kill web" in (log.read_text() if log.exists() else "")) == by_runtime


def test_shutdown_does_not_wait_for_what_waits(guest: Guest) -> None:
    guest.add(
        "  - {name: web, image: i, needs: [db]}\n  - {name: db, image: i, ready: {file: /nowhere}}\n"
        "  - {name: bad, image: i, backoff: {first: 60}}\n",
        web=FOREVER,
        db=FOREVER,
        bad="exit 1",
    )
    (guest.root / "etc/finback/services").write_text("db bad\nweb\n")
    guest.start()
    guest.until(lambda: "stopped" in guest.seen("bad") and "up" in guest.seen("db"))
    begun = time.monotonic()
    subprocess.run([guest.root / "lib/shutdown"], check=True, timeout=30)
    assert time.monotonic() - begun < 4
    assert "up" not in guest.seen("web")


ENTER = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.skipif(
    subprocess.run([*ENTER, "true"], capture_output=True, check=False).returncode != 0, reason="no user namespaces"
)
def test_a_full_folder_of_logs_stops_no_service(guest: Guest) -> None:
    count = guest.root / "count"
    guest.add(
        "  - {name: chatty, image: i}\n",
        chatty=f"n=0; while sleep 0.01; do n=$((n+1)); printf '%01000d\\n' $n; echo $n >{count}; done",
    )
    shutil.copytree(guest.root / "lib/logging", guest.root / "run/service/@logging")
    script = f'mount -t tmpfs -o size=600k log {guest.root}/log && exec "$@"'
    guest.start(before=(*ENTER, "sh", "-c", script, "sh"))
    assert guest.process is not None
    # What is mounted there.
    logs = Path(f"/proc/{guest.process.pid}/root{guest.root}/log")
    current = logs / "chatty/current"
    guest.until(lambda: bool(list(current.parent.glob("@*.s"))))

    def fill() -> None:
        with contextlib.suppress(OSError), (logs / "ballast").open("ab", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass

    def full() -> bool:
        # Again and again, for old logs make room.
        fill()
        kernel = guest.root / "kmsg"
        return kernel.exists() and "/log is full: what services say is lost" in kernel.read_text()

    guest.until(full, 60)
    # More than a pipe and the logger take: it does not wait for them.
    first = int(count.read_text())
    guest.until(lambda: int(count.read_text() or 0) > first + 300, 90)
    later = int(count.read_text() or 0)
    (logs / "ballast").unlink()
    guest.until(lambda: bool(text := current.read_text().split()) and int(text[-1]) > later, 60)
