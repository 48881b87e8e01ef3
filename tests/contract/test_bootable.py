"""Images that can't boot are refused before anything is written, with the line of the spec and a remedy."""

from __future__ import annotations

import shlex
import struct
from dataclasses import dataclass, field, replace

import pytest

from finback.app.build import Target, check, choose_formats
from finback.app.workspace import Workspace
from finback.assemble import build as assembling
from finback.assemble.bootable import CHECKS
from finback.assemble.bootable.drivers import modprobed
from finback.assemble.contents import StoreContents
from finback.codec import tar
from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.digest import Digest
from finback.ground.event import Event, Warned
from finback.ground.platform import Platform
from finback.ground.source import Origin, Source, Span
from finback.host.store import Store
from finback.oci import flatten, image
from finback.resolve.plan import Container, Driver, FilePlan, ImagePin, KernelPlan, Plan
from finback.spec.model import IDMapping, Interface, Mount, Runtime, Settings
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Directory, File, Symlink

LINES = ("kernel:", "cmdline:", "init:", "image:", "command:", "binds:", "uid:", "runtime:", "files:", "tmpfs:")
SOURCE = Source("t.yml", "\n".join(LINES))
MODULES = "usr/lib/modules/6"
BUILT_IN = ("8250/8250", "overlayfs/overlay", "squashfs/squashfs", "isofs/isofs", "block/virtio_blk")


def at(word: str) -> Span:
    return Span(SOURCE, LINES.index(f"{word}:"), 0)


def origin(line: str, *keys: str) -> Origin:
    return Origin(at(line), {(k,): at(k) for k in keys})


def program(machine: int = 62, interpreter: str = "", needed: tuple[str, ...] = ()) -> bytes:
    """A little ELF file: headers and what the loader reads."""
    strings = b"\0" + b"".join(n.encode() + b"\0" for n in needed)
    count = 1 + bool(interpreter) + bool(needed)
    where = 64 + 56 * count
    loader = interpreter.encode() + b"\0" if interpreter else b""
    table = where + len(loader)
    offsets = [1 + sum(len(n) + 1 for n in needed[:i]) for i in range(len(needed))]
    rows = [(1, o) for o in offsets] + [(5, table), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *row) for row in rows)
    total = table + len(strings) + len(dynamic)
    segments = [(1, 0, 0, total)]
    if interpreter:
        segments.append((3, where, where, len(loader)))
    if needed:
        segments.append((2, table + len(strings), table + len(strings), len(dynamic)))
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
    body = b"".join(struct.pack("<IIQQQQQQ", k, 5, o, a, a, s, s, 1) for k, o, a, s in segments)
    return head + body + loader + strings + dynamic


def executable(path: str, content: bytes | None = None, mode: int = 0o755) -> File:
    return File(path=path, mode=mode, content=Inline(program() if content is None else content))


def built_in(*names: str) -> File:
    return File(path=f"{MODULES}/modules.builtin", content=Inline("".join(f"kernel/{n}.ko\n" for n in names).encode()))


@dataclass
class Bench:
    """A system in the making. Each of its parts can be spoilt."""

    store: Store
    kernel: list[AnyEntry] = field(
        default_factory=lambda: [File(path="kernel", content=Inline(b"K" * 3000)), built_in(*BUILT_IN)]
    )
    init: list[AnyEntry] = field(
        default_factory=lambda: [
            executable("init", b"#!/bin/sh\n"), executable("usr/bin/sh"), Symlink(path="bin", target="usr/bin"),
            Symlink(path="sbin", target="usr/sbin"), Symlink(path="usr/sbin/init", target="../../init"),
            Directory(path="etc/web"), Symlink(path="lib", target="usr/lib"), Directory(path="usr/lib"),
        ]
    )  # fmt: skip
    web: list[AnyEntry] = field(default_factory=lambda: [executable("usr/bin/web")])
    cmdline: str = "console=ttyS0 console=ttyAMA0"
    settings: Settings = Settings(command=("/usr/bin/web",))
    files: tuple[FilePlan, ...] = ()
    formats: tuple[str, ...] = ("kernel+initrd",)
    more: tuple[Container, ...] = ()
    drivers: tuple[Driver, ...] = ()
    events: list[Event] = field(default_factory=list)

    def pin(self, name: str, entries: list[AnyEntry], line: str) -> ImagePin:
        with self.store.ingest() as ingest:
            for chunk in tar.encode(entries, read_inline):
                ingest.write(chunk)
        digest = image.write(self.store, [ingest.digest], {"os": "linux", "architecture": "amd64"})
        return ImagePin(reference=f"docker.io/test/{name}", digest=digest, origin=origin(line))

    def container(self, name: str, settings: Settings, index: int = 0) -> Container:
        keys = ("image", "command", "binds", "uid", "runtime", "tmpfs")
        return Container(
            section="services", index=index, name=name, image=self.pin("web", self.web, "image"), settings=settings,
            origin=origin("image", *(k for k in keys if k != "command" or settings.command)),
        )  # fmt: skip

    def plan(self) -> Plan:
        return Plan(
            name="t", platform=Platform(), epoch=1000,
            kernel=KernelPlan(
                image=self.pin("kernel", self.kernel, "kernel"), cmdline=self.cmdline,
                origin=origin("kernel", "cmdline"),
            ),
            init=(self.pin("init", self.init, "init"),) if self.init else (),
            services=(self.container("web", self.settings), *(c for c in self.more if c.section == "services")),
            onshutdown=tuple(c for c in self.more if c.section == "onshutdown"), files=self.files,
            early=tuple(c for c in self.more if c.section == "early"), drivers=self.drivers,
        )  # fmt: skip

    def run(self, *, enabled: bool = True, optional: tuple[str, ...] = ()) -> None:
        plan = self.plan()
        contents = StoreContents(self.store, plan, self.events.append)
        target = Target(formats=self.formats, check=enabled)
        workspace = Workspace(emit=self.events.append, cache=self.store.root)
        check(assembling.build(plan, self.store), choose_formats(plan, target), contents, target, workspace, optional)

    def refused(self) -> Diagnostic:
        with pytest.raises(FinbackError) as caught:
            self.run()
        (found,) = caught.value.diagnostics
        assert found.help
        assert found.span is not None
        return found

    def warnings(self) -> list[Diagnostic]:
        self.run()
        return [e.diagnostic for e in self.events if isinstance(e, Warned)]


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


ALL = ("kernel+initrd", "kernel+squashfs", "kernel+iso", "raw", "tar")


def test_a_sound_system_is_not_refused_and_nothing_is_said(bench: Bench) -> None:
    bench.formats = ALL
    assert bench.warnings() == []


def test_the_checks_are_found_by_name() -> None:
    assert set(CHECKS.names()) >= {
        "binds", "bound-programs", "console", "drivers", "hidden-files", "init", "memory", "mount-points", "programs",
        "sections", "users",
    }  # fmt: skip
    assert all(CHECKS.summary(name).endswith(".") for name in CHECKS.names())


def test_what_was_learnt_of_an_image_is_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.formats = ALL
    bench.settings = replace(bench.settings, readonly=True, binds=("/etc/web:/etc",))
    bench.run()

    def read(*_: object) -> list[AnyEntry]:
        raise AssertionError("an image was read again")

    monkeypatch.setattr(flatten, "entries", read)
    bench.run()


@pytest.mark.parametrize(
    ("formats", "missing", "says"),
    [
        ("kernel+squashfs", "squashfs/squashfs", "squashfs"),
        ("kernel+iso", "isofs/isofs", "iso9660"),
        ("kernel+squashfs", "block/virtio_blk", "disk"),
        ("kernel+initrd", "overlayfs/overlay", "overlay"),
    ],
)
def test_a_driver_is_missing(bench: Bench, formats: str, missing: str, says: str) -> None:
    bench.kernel[1] = built_in(*(n for n in BUILT_IN if n != missing))
    bench.formats = (formats,)
    found = bench.refused()
    assert (found.code, found.span) == ("F194", at("kernel"))
    assert says in found.message


def test_a_driver_may_be_a_module(bench: Bench) -> None:
    bench.kernel[1] = built_in(*(n for n in BUILT_IN if n != "overlayfs/overlay"))
    bench.kernel.append(File(path=f"{MODULES}/modules.dep", content=Inline(b"kernel/fs/overlay.ko.xz:\n")))
    bench.run()


def test_nothing_is_said_of_a_kernel_that_does_not_say_what_it_has(bench: Bench) -> None:
    del bench.kernel[1]
    bench.formats = ALL
    assert bench.warnings() == []


def test_too_little_memory(bench: Bench) -> None:
    bench.init.append(File(path="large", content=Inline(bytes(9 << 20))))
    bench.cmdline += " mem=16M"
    found = bench.refused()
    assert (found.code, found.span) == ("F197", at("cmdline"))
    assert "mem=16M" in found.message
    bench.cmdline = bench.cmdline.replace("16M", "20M")
    bench.run()
    # A ramfs may take all of it.
    bench.cmdline = bench.cmdline.replace("20M", "16M root=/dev/vda")
    bench.run()


def test_a_program_for_another_machine(bench: Bench) -> None:
    bench.web = [executable("usr/bin/web", program(183))]
    found = bench.refused()
    assert (found.code, found.span) == ("F191", at("image"))
    assert "arm64" in found.message
    assert "amd64" in found.message


def test_an_init_for_another_machine(bench: Bench) -> None:
    bench.init[0] = executable("init", program(183))
    assert bench.refused().code == "F190"


def test_programs_of_other_machines_where_something_runs_them(bench: Bench) -> None:
    bench.web = [executable("usr/bin/web", program(183))]
    helper = bench.container("binfmt", Settings(), 1)
    bench.more = (replace(helper, image=replace(helper.image, reference="docker.io/linuxkit/binfmt:x")),)
    assert [w.code for w in bench.warnings()] == ["F191"]


def test_no_console(bench: Bench) -> None:
    bench.kernel[1] = built_in(*(n for n in BUILT_IN if "8250" not in n))
    found = bench.refused()
    assert (found.code, found.span) == ("F195", at("cmdline"))
    bench.cmdline += " console=tty0"
    bench.run()


@pytest.mark.parametrize("formats", ["kernel+initrd", "kernel+squashfs"])
def test_no_init(bench: Bench, formats: str) -> None:
    bench.init = [e for e in bench.init if "init" not in e.path]
    bench.formats = (formats,)
    found = bench.refused()
    assert (found.code, found.span) == ("F190", at("init"))
    bench.formats = ("tar",)
    bench.run()


def test_no_init_images_at_all(bench: Bench) -> None:
    bench.init = []
    found = bench.refused()
    assert (found.code, found.span) == ("F190", at("kernel"))


def test_another_init_is_named(bench: Bench) -> None:
    bench.init = [e for e in bench.init if "init" not in e.path]
    bench.cmdline += " rdinit=/bin/sh"
    bench.run()


@pytest.mark.parametrize("path", ["init", "/init"])
def test_init_is_not_executable(bench: Bench, path: str) -> None:
    bench.init[0] = executable("init", mode=0o644)
    assert (bench.refused().code, bench.refused().span) == ("F190", at("init"))
    bench.init[0] = executable("init")
    content = bench.store.put(b"#!/bin/sh\n")
    item = FilePlan(index=0, path=path, content=content, size=10, mode=0o600, origin=origin("files"))
    bench.files = (item,)
    assert (bench.refused().code, bench.refused().span) == ("F190", at("files"))
    bench.files = (replace(item, mode=0o700),)
    bench.run()


@pytest.mark.parametrize("content", [program(interpreter="/lib/ld.so"), b"#!/bin/sh\n", b"#!/usr/bin/env sh\n"])
def test_an_interpreter_is_missing(bench: Bench, content: bytes) -> None:
    bench.web = [executable("usr/bin/web", content)]
    found = bench.refused()
    assert (found.code, found.span) == ("F191", at("image"))
    assert "interpreter" in found.message


def test_a_library_is_missing(bench: Bench) -> None:
    needy = program(interpreter="/lib/ld.so", needed=("libone.so", "libtwo.so"))
    own = [executable("usr/bin/web", needy), executable("lib/ld.so"), executable("opt/libone.so")]
    bench.web = [*own]
    found = bench.refused()
    assert (found.code, found.span) == ("F191", at("image"))
    assert "libtwo.so" in found.message
    bench.web = [*own, executable("opt/libtwo.so", program(needed=("libdeep.so",)))]
    assert "libdeep.so" in bench.refused().message
    bench.web = [*bench.web, Symlink(path="lib/libdeep.so", target="/opt/libone.so")]
    bench.run()


def test_musl_stands_for_libraries_of_glibc(bench: Bench) -> None:
    needy = program(interpreter="/lib/ld-musl-x86_64.so.1", needed=("libpthread.so.0",))
    bench.web = [executable("usr/bin/web", needy), executable("lib/ld-musl-x86_64.so.1")]
    bench.run()


def test_a_program_of_the_machine_finds_no_libraries_in_the_container(bench: Bench) -> None:
    needy = program(interpreter="/lib64/ld.so", needed=("libseccomp.so.2", "libc.so.6"))
    bench.init += [executable("usr/bin/runc", needy), executable("lib64/ld.so"), executable("usr/bin/static")]
    bench.init += [executable("usr/lib/libseccomp.so.2"), executable("usr/lib/libc.so.6")]
    bench.settings = replace(bench.settings, binds=("/usr/bin/static:/usr/bin/static",))
    assert bench.warnings() == []
    bench.settings = replace(bench.settings, binds=("/usr/bin/runc:/usr/bin/runc",), sysctl={"net.core.somaxconn": "1"})
    (found,) = bench.warnings()
    assert (found.code, found.span) == ("F191", at("binds"))
    assert "/lib64/ld.so, libseccomp.so.2, libc.so.6" in found.message
    bench.events.clear()
    bench.web += [executable("lib64/ld.so"), executable("usr/lib/libseccomp.so.2"), executable("usr/lib/libc.so.6")]
    assert bench.warnings() == []


def test_a_bind_has_no_source(bench: Bench) -> None:
    bench.settings = replace(bench.settings, binds=("/etc/wbe:/etc/web",))
    found = bench.refused()
    assert (found.code, found.span) == ("F192", at("binds"))
    assert "/etc/wbe" in found.message


def test_an_optional_file_was_left_out(bench: Bench) -> None:
    bench.settings = replace(bench.settings, binds=("/root/.ssh:/root/.ssh",))
    bench.run(optional=("root/.ssh/authorized_keys",))
    assert [e.diagnostic.code for e in bench.events if isinstance(e, Warned)] == ["F192"]
    assert bench.refused().code == "F192"


@pytest.mark.parametrize(
    "bind",
    ["/etc/web:/a", "/bin:/a", "/var/x/y:/a", "/run/x:/a", "/var/run/docker.sock:/a", "/lib/modules:/a", "/:/a",
     "/etc/resolv.conf:/a", "/dev/x:/a"],
)  # fmt: skip
def test_what_may_be_there_is_not_missed(bench: Bench, bind: str) -> None:
    bench.settings = replace(bench.settings, binds=(bind,))
    bench.run()


def test_what_brings_the_source_of_a_bind(bench: Bench) -> None:
    given = replace(bench.settings, binds=("/srv/data:/data",))
    bench.settings = replace(given, runtime=Runtime(mkdir=("/srv/data/deep",)))
    bench.run()
    bench.settings = replace(given, runtime=Runtime(mounts=(Mount(destination="/srv", type="tmpfs"),)))
    bench.run()
    bench.settings = given
    bench.files = (FilePlan(index=0, path="srv/data", directory=True),)
    bench.run()
    bench.files = (FilePlan(index=0, path="srv", symlink="/var/srv"),)
    bench.run()
    bench.files = (FilePlan(index=0, path="srv", directory=True),)
    bench.more = (bench.container("other", replace(bench.settings, binds=("/srv:/srv",)), 1),)
    bench.run()
    bench.more = (bench.container("other", replace(bench.settings, binds=("/srv:/srv:ro",)), 1),)
    assert bench.refused().code == "F192"


@pytest.mark.parametrize("command", ["/usr/bin/wbe", "wbe", "./web"])
def test_a_program_that_the_image_has_not(bench: Bench, command: str) -> None:
    bench.settings = replace(bench.settings, command=(command,))
    found = bench.refused()
    assert (found.code, found.span) == ("F191", at("command"))
    assert "web" in found.message


@pytest.mark.parametrize(
    "settings",
    [
        Settings(command=("web",)),
        Settings(command=("./web",), cwd="/usr/bin"),
        Settings(command=("web",), env=("PATH=/a:/usr/bin",)),
        Settings(command=("/opt/x",), binds=("/bin:/opt",)),
        Settings(command=("x",), env=("PATH=/opt",), mounts=(Mount(destination="/opt", type="tmpfs"),)),
    ],
)
def test_a_program_is_found_or_may_be_mounted(bench: Bench, settings: Settings) -> None:
    bench.settings = settings
    bench.run()


SCRIPT = File(path="start.sh", mode=0o644, content=Inline(b"exec web\n"))


@pytest.mark.parametrize(
    "command",
    ["sh /start.sh 3", "/bin/sh start.sh", "sh -eu -o pipefail ./start.sh x", "sh -- /start.sh", "busybox sh /start.sh",
     "tini -s -- sh /start.sh", "env A=b -u C /bin/sh /start.sh", "sh -c /elsewhere.sh", "sh -s /elsewhere.sh", "sh",
     "sh -c 'x y' /elsewhere.sh", "sh web"],
)  # fmt: skip
def test_a_script_that_a_shell_is_told_to_read_is_there(bench: Bench, command: str) -> None:
    bench.web += [executable("usr/bin/sh"), executable("usr/bin/busybox"), executable("usr/bin/tini"), SCRIPT]
    bench.web += [executable("usr/bin/env"), Symlink(path="bin", target="usr/bin")]
    bench.settings = replace(bench.settings, command=tuple(shlex.split(command)))
    bench.run()


@pytest.mark.parametrize(
    ("command", "missing"),
    [("/bin/sh /poweroff.sh 3", "/poweroff.sh"), ("sh ./check.sh", "./check.sh"), ("sh -x check.sh", "check.sh"),
     ("busybox ash -e /x", "/x"), ("tini -s -- /usr/bin/wbe", "/usr/bin/wbe"), ("env A=b sh -o errexit /x", "/x")],
)  # fmt: skip
def test_a_script_or_a_wrapped_program_is_missing(bench: Bench, command: str, missing: str) -> None:
    names = ("sh", "busybox", "tini", "env")
    bench.web += [*(executable(f"usr/bin/{n}") for n in names), SCRIPT, Symlink(path="bin", target="usr/bin")]
    bench.settings = replace(bench.settings, command=tuple(shlex.split(command)))
    found = bench.refused()
    assert (found.code, found.span) == ("F191", at("command"))
    assert f"runs {missing}, which" in found.message
    assert "/usr/bin/web" in (found.help or "")


def test_a_script_may_be_bound_over(bench: Bench) -> None:
    bench.web += [executable("usr/bin/sh")]
    bench.files = (FilePlan(index=0, path="check.sh", content=Digest.of(b"x"), size=1),)
    bench.settings = replace(bench.settings, command=("sh", "./check.sh"), binds=("/check.sh:/check.sh",))
    bench.run()


def test_the_same_name_elsewhere_is_what_is_meant(bench: Bench) -> None:
    bench.web += [executable("usr/sbin/tool")]
    bench.settings = replace(bench.settings, command=("/usr/bin/tool",))
    assert "it has /usr/sbin/tool: name one of them" in (bench.refused().help or "")


@pytest.mark.parametrize("place", ["/usr/bin/web", "/usr/bin/web/deep"])
def test_a_file_is_in_the_way_of_a_mount(bench: Bench, place: str) -> None:
    bench.web.append(executable("opt/tool"))
    bench.settings = Settings(command=("/opt/tool",), tmpfs=("/new/folder", "/usr/bin", "/usr/bin/x", "/mnt"))
    bench.run()
    bench.settings = replace(bench.settings, tmpfs=(f"{place}:rw",))
    assert (bench.refused().code, bench.refused().span) == ("F193", at("tmpfs"))


def test_what_only_a_label_asks_for_is_a_warning(bench: Bench) -> None:
    bench.settings = replace(bench.settings, binds=("/root/none:/a", "/root/added:/b"))
    web = bench.container("web", bench.settings)
    added = Origin(at("image"), {("binds.add",): at("binds"), ("binds.add", 0): at("binds")})
    bench.settings = replace(bench.settings, binds=None)
    bench.more = (replace(web, origin=added, index=1, name="two"),)
    assert (bench.refused().span, "/root/added" in bench.refused().message) == (at("binds"), True)
    (first, *_) = [e.diagnostic for e in bench.events if isinstance(e, Warned)]
    assert (first.code, "/root/none" in first.message) == ("F192", True)


def test_the_shutdown_keeps_no_machine_from_its_work(bench: Bench) -> None:
    last = replace(bench.container("last", Settings(command=("none",)), 1), section="onshutdown")
    bench.more = (last,)
    assert [w.code for w in bench.warnings()] == ["F191"]


def test_a_user_that_is_not_mapped(bench: Bench) -> None:
    ranges = (IDMapping(container_id=0, host_id=1000, size=10),)
    bench.settings = replace(bench.settings, userns="new", uid=10, uid_mappings=ranges)
    assert (bench.refused().code, bench.refused().span) == ("F196", at("uid"))
    bench.settings = replace(bench.settings, uid=9)
    bench.run()


@pytest.mark.parametrize("path", ["var/lib/web/page", "/run/page", "tmp/page"])
def test_a_file_that_the_boot_hides(bench: Bench, path: str) -> None:
    with bench.store.ingest() as ingest:
        ingest.write(b"page")
    seen = FilePlan(index=0, path="etc/page", content=ingest.digest, size=4, origin=origin("files"))
    bench.files = (seen, FilePlan(index=1, path="var/lib/empty", directory=True, origin=origin("files")))
    assert bench.warnings() == []
    bench.files = (replace(seen, path=path),)
    (warning,) = bench.warnings()
    assert (warning.code, warning.span) == ("F184", at("files"))


def test_a_watchdog_without_a_driver(bench: Bench) -> None:
    bench.cmdline += " finback.watchdog=60"
    (warning,) = bench.warnings()
    assert (warning.code, warning.span) == ("F194", at("cmdline"))
    bench.kernel.append(
        File(path=f"{MODULES}/modules.dep", content=Inline(b"kernel/drivers/watchdog/softdog.ko.xz:\n"))
    )
    bench.events.clear()
    assert bench.warnings() == []


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("modprobe vcan", ["vcan"]),
        ("/sbin/modprobe -a vcan iproc-rng200 softdog", ["vcan", "iproc-rng200", "softdog"]),
        ("modprobe --all vcan overlay", ["vcan", "overlay"]),
        ("modprobe -qa vcan", ["vcan"]),
        # Further words are settings of the module.
        ("modprobe vcan debug=1", ["vcan"]),
        ("modprobe -r vcan", []),
        ("modprobe -d /opt vcan", []),
        ("modprobe --show-depends vcan", []),
        ("modprobe fs-ext4", []),
        ("modprobe pci:v00008086d000010D3sv*", []),
        ("modprobe", []),
        ("/usr/bin/web vcan", []),
        ("", []),
    ],
)
def test_modules_that_a_command_loads(command: str, missing: list[str]) -> None:
    assert modprobed(command.split()) == missing


def test_a_module_that_the_kernel_has_not(bench: Bench) -> None:
    bench.web = [executable("sbin/modprobe")]
    bench.settings = replace(bench.settings, command=("/sbin/modprobe", "-a", "overlay", "8021q"))
    (warning,) = bench.warnings()
    assert (warning.code, warning.span) == ("F194", at("command"))
    assert "no 8021q, which" in warning.message
    bench.kernel.append(File(path=f"{MODULES}/modules.dep", content=Inline(b"kernel/net/8021q/8021q.ko.xz:\n")))
    bench.events.clear()
    assert bench.warnings() == []


def test_an_interface_without_a_driver(bench: Bench) -> None:
    bench.settings = replace(bench.settings, runtime=Runtime(interfaces=(Interface(name="w", add="wireguard"),)))
    (warning,) = bench.warnings()
    assert (warning.code, warning.span) == ("F194", at("runtime"))


def test_a_section_without_its_driver(bench: Bench) -> None:
    bench.drivers = (Driver(name="8021q", user="the interface lan.5", origin=origin("kernel")),)
    assert "the interface lan.5" in bench.refused().message
    bench.kernel.append(built_in("8250/8250", "overlayfs/overlay", "8021q/8021q"))
    bench.run()


def test_an_init_that_knows_nothing_of_sections(bench: Bench) -> None:
    bench.more = (replace(bench.container("network", bench.settings), section="early"),)
    assert bench.refused().code == "F199"


def test_all_findings_come_at_once(bench: Bench) -> None:
    bench.init = [Directory(path="etc")]
    bench.settings = Settings(command=("x",), binds=("/none:/a",))
    with pytest.raises(FinbackError) as caught:
        bench.run()
    assert [d.code for d in caught.value.diagnostics] == ["F192", "F190", "F191"]


def test_what_boots_nothing_is_only_warned_of(bench: Bench) -> None:
    bench.settings = Settings(command=("x",))
    bench.formats = ("tar", "docker")
    assert [w.code for w in bench.warnings()] == ["F191"]
    bench.formats = ("tar", "raw")
    assert bench.refused().code == "F191"


def test_who_will_not_be_checked_is_told(bench: Bench) -> None:
    bench.init = []
    bench.run(enabled=False)
    assert [e.diagnostic.code for e in bench.events if isinstance(e, Warned)] == ["F198"]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(command=("/usr/bin/web", "--disk", "/dev/sda1")),
        Settings(command=("/usr/bin/web",), binds=("/dev/sdb:/dev/sdb",)),
        Settings(command=("/usr/bin/web",), runtime=Runtime(mounts=(Mount(source="/dev/sda", destination="/var"),))),
    ],
)
def test_disks_named_as_linuxkits_machines_have_them(bench: Bench, settings: Settings) -> None:
    bench.settings = settings
    assert [w.code for w in bench.warnings()] == ["F177"]
    bench.events.clear()
    # What names a virtio disk as well takes either.
    bench.settings = replace(settings, command=(*settings.command, "/dev/vda"))
    assert bench.warnings() == []


def test_other_names_are_no_disks(bench: Bench) -> None:
    bench.settings = Settings(command=("/usr/bin/web", "/dev/sdcard", "/dev/sdhc", "/srv/dev/sdx9y"))
    assert bench.warnings() == []
