"""LinuxKit's tools that are scripts here, on this machine: options, formats of lines, exit statuses.

Source: compat, tools 2, 4 and 7, as far as files rely on it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from finback.component.library import Library

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Library((ROOT / "components",))

pytestmark = [pytest.mark.tools, pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox")]
Tool = Callable[..., subprocess.CompletedProcess[str]]


def script(component: str, path: str, **replaced: str) -> str:
    """The text of a script of *component*, with some folders of the machine replaced by others."""
    (file,) = (f for f in LIBRARY.get(component).definition.files or () if f.path == path)
    text = file.contents or ""
    for name, value in replaced.items():
        (old,) = re.findall(rf"(?m)\b{name}=[^\s]+", text)[:1]
        text = text.replace(old, f"{name}={value}", 1)
    return text


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Runs a script of a component."""

    def run(
        component: str, path: str, *arguments: str, seconds: float = 60, **replaced: str
    ) -> subprocess.CompletedProcess[str]:
        at = tmp_path / f"{component}-script"
        at.write_text(script(component, path, **replaced))
        command = ["timeout", str(seconds), "busybox", "sh", str(at), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 30, check=False, start_new_session=True
        )

    return run


# By component and script: an option with a value that changes nothing.
GO = {
    ("sysctl", "/usr/bin/sysctl"): ("configDir", "{empty}"), ("sysfs", "/usr/bin/sysfs"): ("configDir", "{empty}"),
    ("memlogd", "/usr/bin/logread"): ("socket", "/none"),
}  # fmt: skip
SCRIPTS = [
    ("sysctl", "/usr/bin/sysctl"), ("sysfs", "/usr/bin/sysfs"), ("binfmt", "/usr/bin/binfmt"),
    ("kmsg", "/usr/bin/kmsg"), ("logwrite", "/usr/bin/logwrite"), ("memlogd", "/usr/bin/logread"),
    ("memlogd", "/usr/bin/logwrite"),
    ("rngd", "/usr/sbin/rngd"), ("trim-after-delete", "/usr/bin/trim-after-delete"), ("vsudd", "/vsudd"),
    ("vpnkit-forwarder", "/vpnkit-forwarder"), ("host-timesync-daemon", "/usr/bin/host-timesync-daemon"),
]  # fmt: skip


@pytest.mark.parametrize(("component", "path"), SCRIPTS)
def test_an_unknown_option_is_an_error_and_help_is_none(tool: Tool, component: str, path: str) -> None:
    unknown = tool(component, path, "-no-such-option", "x")
    assert (unknown.returncode, unknown.stdout, "usage: " in unknown.stderr) == (2, "", True)
    for option in ("-h", "--help"):
        given = tool(component, path, option)
        assert (given.returncode, "usage: " in given.stderr) == (0, True)


@pytest.mark.parametrize(("tool_of", "option"), GO.items())
@pytest.mark.parametrize("form", ["-{} {}", "--{} {}", "-{}={}", "--{}={}"])
def test_options_have_the_forms_of_go(
    tool: Tool, tmp_path: Path, tool_of: tuple[str, str], option: tuple[str, str], form: str
) -> None:
    (tmp_path / "empty").mkdir()
    name, value = option
    words = form.format(name, value.format(empty=tmp_path / "empty")).split()
    replaced = {"logs": str(tmp_path)} if tool_of[0] == "memlogd" else {}
    assert tool(*tool_of, *words, **replaced).returncode == 0


def keys(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("old\n")


def test_sysctl_applies_files_in_the_order_of_their_names(tool: Tool, tmp_path: Path) -> None:
    root, folder = tmp_path / "sys", tmp_path / "conf"
    keys(root, "net/ipv4/ip_forward", "kernel/a", "kernel/b", "net/ipv4/conf/eth0.100/rp_filter")
    folder.mkdir()
    (folder / "00-first.conf").write_text("# a comment\n; another\n\n  kernel.a = 1 2 \nnet/ipv4/ip_forward=1\n")
    (folder / "10-any.name").write_text("kernel.a =3\nkernel.none = 1\nkernel.b\nkernel.b = 1 = 2\n")
    (folder / "20").write_text("net/ipv4/conf/eth0.100/rp_filter = 2\nkernel/../kernel/b = 5")
    done = tool("sysctl", "/usr/bin/sysctl", "-configDir", str(folder), "-sysctlDir", str(root))
    assert done.returncode == 0
    assert (root / "kernel/a").read_text() == "3\n"
    assert (root / "kernel/b").read_text() == "old\n"
    assert (root / "net/ipv4/ip_forward").read_text() == "1\n"
    assert (root / "net/ipv4/conf/eth0.100/rp_filter").read_text() == "2\n"
    warned = [line for line in done.stdout.splitlines() if line.startswith("WARN: ")]
    assert len(warned) == 4
    assert any("Cannot parse kernel.b = 1 = 2" in w for w in warned)
    assert any("kernel.none" in w for w in warned)


def test_sysctl_ends_at_what_it_cant_read(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "conf" / "folder").mkdir(parents=True)
    assert tool("sysctl", "/usr/bin/sysctl", "-configDir", str(tmp_path / "conf")).returncode == 1
    assert tool("sysctl", "/usr/bin/sysctl", "-configDir", str(tmp_path / "none")).returncode == 1


@pytest.mark.parametrize("line", ["kernel/none = 1", "kernel/a", "kernel/a = 1 = 2", "kernel/../x = 1"])
def test_sysfs_takes_every_fault_for_an_error(tool: Tool, tmp_path: Path, line: str) -> None:
    root, folder = tmp_path / "sys", tmp_path / "conf"
    keys(root, "kernel/a", "x")
    folder.mkdir()
    (folder / "a").write_text("# about this\nkernel/a = 7\n")
    words = ("-configDir", str(folder), "-sysfsDir", str(root))
    assert tool("sysfs", "/usr/bin/sysfs", *words).returncode == 0
    assert (root / "kernel/a").read_text() == "7\n"
    (folder / "b").write_text(f"{line}\n")
    assert tool("sysfs", "/usr/bin/sysfs", *words).returncode == 1


def test_binfmt_registers_every_line_anew(tool: Tool, tmp_path: Path) -> None:
    folder, table = tmp_path / "conf", tmp_path / "table"
    folder.mkdir()
    table.mkdir()
    (table / "register").touch()
    (table / "qemu-old").write_text("enabled\n")
    (folder / "00_linuxkit.conf").write_text(r"""# a comment

:qemu-old:M::\x7fELF:\xff:/usr/bin/qemu-old:CF
""")
    words = ("-dir", str(folder), "-mount", str(table))
    assert tool("binfmt", "/usr/bin/binfmt", *words).returncode == 0
    assert (table / "qemu-old").read_text() == "-1\n"
    assert (table / "register").read_text() == r":qemu-old:M::\x7fELF:\xff:/usr/bin/qemu-old:CF"
    (folder / "bad").write_text("::M\n")
    assert tool("binfmt", "/usr/bin/binfmt", *words).returncode == 1


def test_kmsg_gives_number_time_and_text_of_each_message_on_standard_error(tool: Tool, tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text("6,0,0,-;Linux version 6\n4,339,5140900,-;SCSI; subsystem initialized\n SUBSYSTEM=acpi\n")
    done = tool("kmsg", "/usr/bin/kmsg", log=str(log))
    assert (done.returncode, done.stdout) == (0, "")
    first, second = done.stderr.splitlines()
    stamp = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
    assert re.fullmatch(rf"\(0\) - {stamp}: Linux version 6", first)
    assert re.fullmatch(rf"\(339\) - {stamp}: SCSI; subsystem initialized", second)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder as /var/log is."""
    for name, second, text in (("web", 5, "hello; you"), ("a;b", 4, "earlier"), ("logwrite-x", 6, "mine")):
        folder = tmp_path / "log" / name
        folder.mkdir(parents=True)
        (folder / "current").write_text(f"2026-11-28 09:03:0{second}.123456789  {text}\n")
    (tmp_path / "log/web/@old.s").write_text("2026-11-28 09:03:01.000000000  oldest\n")
    return tmp_path / "log"


DUMP = [
    "2026-11-28T09:03:01.000000000Z;web;oldest", r"2026-11-28T09:03:04.123456789Z;a\;b;earlier",
    "2026-11-28T09:03:05.123456789Z;web;hello; you", "2026-11-28T09:03:06.123456789Z;logwrite-x;mine",
]  # fmt: skip


@pytest.mark.parametrize(("option", "old", "new"), [("", True, False), ("-F", True, True), ("-f", False, True)])
def test_logread_dumps_follows_or_both(
    tool: Tool, logs: Path, tmp_path: Path, option: str, old: bool, new: bool
) -> None:
    at = tmp_path / "logread"
    at.write_text(script("memlogd", "/usr/bin/logread", logs=str(logs)))
    words = ["busybox", "sh", str(at), *option.split()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        time.sleep(2)
        with (logs / "web/current").open("a") as file:
            file.write("2026-11-28 09:03:09.000000000  newest\n")
        time.sleep(3)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        said = process.stdout.read().splitlines()
    newest = ["2026-11-28T09:03:09.000000000Z;web;newest"]
    assert said == [*(DUMP if old else []), *(newest if new else [])]


def test_logwrite_runs_a_command_and_keeps_what_it_prints(tool: Tool, logs: Path) -> None:
    done = tool(
        "memlogd", "/usr/bin/logwrite", "-n", "job", "sh", "-c", "echo out; echo err >&2; exit 7", logs=str(logs)
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    for name, text in (("job.out", "out"), ("job", "err")):
        assert (logs / name / "current").read_text().endswith(f"  {text}\n")
        assert (logs / f"{name}.log").resolve() == logs / name / "current"
    assert tool("memlogd", "/usr/bin/logwrite", "-n", "job").returncode == 1


def test_logwrite_copies_and_rotates_under_linuxkits_names(tool: Tool, logs: Path) -> None:
    lines = [f"2026-11-28 09:03:05.123456789  hello {n}\n" for n in range(100)]
    (logs / "fill-the-logs").mkdir()
    (logs / "fill-the-logs/current").write_text("".join(lines))
    # As the init makes them.
    (logs / "fill-the-logs.out.log").symlink_to("fill-the-logs/current")
    (logs / "web.log").symlink_to("web/current")
    words = ("-log-dir", str(logs), "-max-log-size=1024", "--max-log-files", "3")
    tool("logwrite", "/usr/bin/logwrite", *words, seconds=6)
    assert (logs / "web.log").read_text() == "2026-11-28T09:03:05Z web hello; you\n"
    assert not (logs / "web.log").is_symlink()
    assert (logs / "web.log").stat().st_mode & 0o777 == 0o644
    assert (logs / "fill-the-logs.log").read_text().endswith("2026-11-28T09:03:05Z fill-the-logs hello 99\n")
    assert sorted(p.name for p in logs.glob("fill-the-logs.log*")) == ["fill-the-logs.log", *OLD]
    for name in OLD:
        assert 1024 < (logs / name).stat().st_size <= 1024 + 50
        assert (logs / name.replace(".log", ".out.log")).read_text() == (logs / name).read_text()
    assert not (logs / "logwrite-x.log").exists()


OLD = ["fill-the-logs.log.0", "fill-the-logs.log.1", "fill-the-logs.log.2"]


def test_trim_after_delete_asks_for_a_program(tool: Tool) -> None:
    assert tool("trim-after-delete", "/usr/bin/trim-after-delete", "-delay", "10s").returncode == 1


@pytest.mark.parametrize("given", ["1024:tcp:/x", "1024"])
def test_vsudd_leads_to_sockets_of_the_machine_only(tool: Tool, given: str) -> None:
    assert tool("vsudd", "/vsudd", "-inport", given).returncode == 1


TOML = """# about this
cliopts="--log-level trace"   # all of it
 stdout = '/var/log/containerd.out.log'
stderr= "stderr"
[other]
cliopts = "no"
"""


def test_the_settings_of_containerds_start_are_toml(tmp_path: Path) -> None:
    text = (ROOT / "components/init/rootfs/usr/lib/finback/containerd/run").read_text()
    function = text[text.index("setting() {") : text.index("\nif [ -r ")]
    (tmp_path / "runtime-config.toml").write_text(TOML)
    function = function.replace("/etc/containerd/runtime-config.toml", str(tmp_path / "runtime-config.toml"))
    done = subprocess.run(
        ["busybox", "sh", "-c", f"{function}\nsetting cliopts; setting stdout; setting stderr; setting none"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["--log-level trace", "/var/log/containerd.out.log", "stderr"]
