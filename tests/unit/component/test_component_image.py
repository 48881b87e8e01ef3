"""From packages to an image: what stays, whose it is, and what is refused."""

from __future__ import annotations

import gzip
import json
import lzma
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from finback.codec import tar
from finback.codec.compress import compress
from finback.component import image, kernel
from finback.component.library import Library
from finback.component.merged_usr import moved
from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import image as oci_image
from finback.resolve.plan import PackagePin
from finback.tree.entry import AnyEntry, File, Symlink
from package_files import Files, deb

EPOCH = 1_500_000_000
AMD64 = Platform("linux", "amd64")
LIB = "usr/lib/x86_64-linux-gnu"
STATUS = "var/lib/dpkg/status.d"
MakeElf = Callable[..., bytes]


@dataclass(frozen=True, slots=True)
class Bench:
    """Builds a component from a definition and packages made to measure."""

    folder: Path
    store: Store

    def build(self, definition: str, packages: dict[str, Files] | None = None, **options: int) -> dict[str, AnyEntry]:
        (self.folder / "demo").mkdir(exist_ok=True)
        (self.folder / "demo/component.yml").write_text(f"summary: s\ncategory: tool\n{definition}")
        component = Library((self.folder,)).get("demo")
        pins = []
        for name, files in (packages or {}).items():
            body = deb(name, files, **options)
            pins.append(PackagePin(name=name, version="1", architecture="amd64", filename=f"{name}.deb",
                                   size=len(body), digest=self.store.put(body), archive="debian"))  # fmt: skip
        manifest = image.build(component, tuple(pins), AMD64, self.store, EPOCH)
        layer = oci_image.load(self.store, manifest).layers[0].digest
        with self.store.path(layer).open("rb") as stream:
            return {e.path: e for e in tar.decode(stream, layer)}

    def paths(self, definition: str, packages: dict[str, Files]) -> set[str]:
        """The files and links that come from packages, but not their records."""
        made = self.build(definition, packages)
        given = {p for files in packages.values() for p in files}
        return {p for p, e in made.items() if isinstance(e, (File, Symlink)) and p in given}

    def text(self, entry: AnyEntry) -> str:
        assert isinstance(entry, File)
        return b"".join(bytes(c) for c in self.store.chunks(entry.content)).decode()

    def failure(self, definition: str, packages: dict[str, Files] | None = None, **options: int) -> Diagnostic:
        with pytest.raises(FinbackError) as caught:
            self.build(definition, packages, **options)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.help
        assert not list((self.store.root / "tmp").iterdir())
        return diagnostic


@pytest.fixture
def bench(tmp_path: Path, store: Store) -> Bench:
    folder = tmp_path / "components"
    folder.mkdir()
    return Bench(folder, store)


def test_nothing_is_younger_than_the_epoch_and_what_is_older_stays(bench: Bench) -> None:
    young = bench.build("", {"a": {"usr/bin/a": b"a"}})
    assert {e.mtime for e in young.values()} == {EPOCH}
    old = bench.build("", {"a": {"usr/bin/a": b"old"}}, mtime=EPOCH - 5)
    assert old["usr/bin/a"].mtime == EPOCH - 5


def test_users_beside_root_and_nobody(bench: Bench) -> None:
    made = bench.build("users: [{name: web, uid: 101, home: /srv}, {name: job, uid: 102, gid: 101}]\n")
    assert bench.text(made["etc/passwd"]).splitlines() == [
        "root:x:0:0::/root:/bin/sh",
        "web:x:101:101::/srv:/usr/sbin/nologin",
        "job:x:102:101::/nonexistent:/usr/sbin/nologin",
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin",
    ]
    assert bench.text(made["etc/group"]).splitlines() == ["root:x:0:", "web:x:101:", "nobody:x:65534:"]


def test_a_user_in_groups_of_others(bench: Bench) -> None:
    made = bench.build(
        "users: [{name: a, uid: 1, groups: [b]}, {name: b, uid: 2}, {name: c, uid: 3, groups: [b, a]}]\n"
    )
    lines = bench.text(made["etc/group"]).splitlines()
    assert lines == ["root:x:0:", "a:x:1:c", "b:x:2:a,c", "c:x:3:", "nobody:x:65534:"]


def test_a_definition_may_say_who_root_is(bench: Bench) -> None:
    made = bench.build("users: [{name: web, uid: 1}, {name: root, uid: 0, home: /, shell: /bin/ash}]\n")
    lines = bench.text(made["etc/passwd"]).splitlines()
    assert [line for line in lines if line.startswith("root:")] == ["root:x:0:0::/:/bin/ash"]
    assert len(lines) == 3


TREE: Files = {"usr/bin/a": b"a", "usr/share/a/x": b"x", "usr/share/a/deep/y": b"y", "usr/share/man/a.1": b"man"}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("{}", {"usr/bin/a", "usr/share/a/x", "usr/share/a/deep/y"}),
        ("{drop: [/usr/share/a/x]}", {"usr/bin/a", "usr/share/a/deep/y"}),
        ("{paths: [/usr/share/**], drop: [/usr/share/a/x]}", {"usr/share/a/deep/y", "usr/share/man/a.1"}),
        ("{paths: [/usr/share/a/x, /usr/bin/*], drop: [/usr/share/a/x]}", {"usr/bin/a"}),
        ("{programs: [/usr/bin/a], drop: [/usr/bin/a], paths: [/usr/share/a/x]}", {"usr/share/a/x"}),
        ("{paths: [/usr/share/**/x]}", {"usr/share/a/x"}),
        ("{paths: [/usr/share/a/**/x]}", {"usr/share/a/x"}),
        ('{paths: ["/usr/share/a/[xz] [amd64 arm64]", "/usr/share/man/a.1 [s390x]"]}', {"usr/share/a/x"}),
        (
            '{programs: ["/usr/bin/none [!amd64]"], paths: ["/usr/share/a/**"], drop: ["/usr/share/a/x [arm64]"]}',
            {"usr/share/a/x", "usr/share/a/deep/y"},
        ),
    ],
)
def test_drop_wins_over_what_is_kept(keep: str, left: set[str], bench: Bench) -> None:
    assert bench.paths(f"keep: {keep}\n", {"a": TREE}) == left


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("{paths: [/usr/share/x/a.efi]}", {"a.efi", "b.efi", "c-1.efi"}),
        ("{data: [/usr/share/x/a.efi]}", {"a.efi", "b.efi", "c-1.efi"}),
        ("{paths: [/usr/share/x/a*]}", {"a.efi"}),
        ("{paths: [/usr/share/x/lost.efi]}", {"lost.efi"}),
    ],
)
def test_a_link_that_is_named_brings_what_it_leads_to(keep: str, left: set[str], bench: Bench) -> None:
    folder = "usr/share/x"
    files: Files = {
        f"{folder}/a.efi": "b.efi",
        f"{folder}/b.efi": f"/{folder}/c-1.efi",
        f"{folder}/c-1.efi": b"program",
        f"{folder}/lost.efi": "gone.efi",
    }
    paths = bench.paths(f"keep: {keep}\n", {"a": files})
    assert {p.rpartition("/")[2] for p in paths if p.startswith(f"{folder}/")} == left


@pytest.mark.parametrize(
    ("definition", "wanted"),
    [
        ("keep: {programs: [/usr/bin/a, /usr/bin/gone]}\n", "/usr/bin/gone"),
        ("keep: {paths: [/usr/bin/a, /usr/lib/*.so]}\n", "/usr/lib/*.so"),
        ("concatenate: [{path: /etc/all, of: /usr/share/certs/*.crt}]\n", "/usr/share/certs/*.crt"),
    ],
)
@pytest.mark.parametrize("packages", [{"a": TREE}, {}], ids=["packages", "none"])
def test_what_is_to_be_kept_and_is_not_there(
    definition: str, wanted: str, packages: dict[str, Files], bench: Bench
) -> None:
    diagnostic = bench.failure(definition, packages)
    assert diagnostic.code == "F143"
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.source.name[-13:]) == (2, "component.yml")
    if packages:
        assert diagnostic.span.column == definition.index(wanted)


def test_copyright_files_go_with_what_is_kept(bench: Bench) -> None:
    packages: dict[str, Files] = {
        "a": {"usr/bin/a": b"a", "usr/share/doc/a/copyright": b"free", "usr/share/doc/a/README": b"read"},
        "b": {"usr/bin/b": b"b", "usr/share/doc/b": "b-base"},
        "b-base": {"usr/share/doc/b-base/copyright": b"also"},
        "c": {"usr/bin/c": b"c", "usr/share/doc/c/copyright": b"not needed"},
    }
    made = bench.build("keep: {programs: [/usr/bin/a, /usr/bin/b]}\n", packages)
    assert [p for p in made if p.startswith("usr/share/doc/")] == [
        "usr/share/doc/a", "usr/share/doc/a/copyright", "usr/share/doc/b", "usr/share/doc/b-base",
        "usr/share/doc/b-base/copyright",
    ]  # fmt: skip
    assert {p for p in made if p.startswith(STATUS) and "." not in p[len(STATUS) :]} == {
        STATUS, f"{STATUS}/a", f"{STATUS}/b-base", f"{STATUS}/b",
    }  # fmt: skip
    everything = bench.paths("", packages)
    assert {p for p in everything if "/doc/" in p} >= {"usr/share/doc/c/copyright", "usr/share/doc/b"}
    assert "usr/share/doc/a/README" not in everything


def test_what_is_joined_counts_as_its_packages(bench: Bench) -> None:
    packages: dict[str, Files] = {
        "a": {"usr/share/certs/2.crt": b"two", "usr/share/doc/a/copyright": b"free"},
        "b": {"usr/share/certs/1.crt": b"one\n"},
        "c": {"usr/bin/c": b"c"},
    }
    definition = "keep: {programs: [/usr/bin/c]}\nconcatenate: [{path: /etc/all, of: /usr/share/certs/*.crt}]\n"
    made = bench.build(definition, packages)
    assert bench.text(made["etc/all"]) == "one\ntwo\n"
    assert {f"{STATUS}/a", f"{STATUS}/b", f"{STATUS}/c", "usr/share/doc/a/copyright"} <= set(made)
    assert "etc/all" in bench.text(made[f"{STATUS}/b.md5sums"])


def test_what_the_definition_replaces_is_not_the_packages(bench: Bench) -> None:
    files: Files = {"etc/a": b"theirs", "usr/bin/a": b"a"}
    made = bench.build("files: [{path: /etc/a, contents: ours}]\n", {"a": files})
    assert bench.text(made["etc/a"]) == "ours"
    assert "etc/a" not in bench.text(made[f"{STATUS}/a.md5sums"])


def _closure(bench: Bench, files: Files) -> set[str]:
    return bench.paths("keep: {programs: [/usr/bin/a]}\n", {"a": files})


def test_libraries_are_found_where_the_loader_looks(bench: Bench, make_elf: MakeElf) -> None:
    program, library = make_elf(needed=("libx.so",)), make_elf()
    for folder in ("usr/lib", LIB, "lib", "lib/x86_64-linux-gnu"):
        made = bench.build(
            "keep: {programs: [/usr/bin/a]}\n", {"a": {"usr/bin/a": program, f"{folder}/libx.so": library}}
        )
        assert f"{moved(folder)}/libx.so" in made
    both = {
        "usr/bin/a": program,
        "usr/lib/libx.so": library,
        f"{LIB}/libx.so": "libx.so.1",
        f"{LIB}/libx.so.1": library,
    }
    assert _closure(bench, both) == {"usr/bin/a", f"{LIB}/libx.so", f"{LIB}/libx.so.1"}


@pytest.mark.parametrize("folder", ["usr/local/lib", "usr/lib64", "usr/lib/elsewhere"])
def test_libraries_are_not_found_where_the_loader_does_not_look(folder: str, bench: Bench, make_elf: MakeElf) -> None:
    files: Files = {"usr/bin/a": make_elf(needed=("libx.so",)), f"{folder}/libx.so": make_elf()}
    diagnostic = bench.failure("keep: {programs: [/usr/bin/a]}\n", {"a": files})
    assert (diagnostic.code, "libx.so" in diagnostic.message) == ("F144", True)


@pytest.mark.parametrize("field", ["rpath", "runpath"])
@pytest.mark.parametrize("text", ["/opt", "/nowhere:/opt", "$ORIGIN/../../opt", "${ORIGIN}/../../opt", "/opt/../opt"])
def test_folders_that_the_program_names(field: str, text: str, bench: Bench, make_elf: MakeElf) -> None:
    program = make_elf(needed=("libx.so",), **{field: text})
    files: Files = {"usr/bin/a": program, "opt/libx.so": make_elf(), f"{LIB}/libx.so": make_elf()}
    assert _closure(bench, files) == {"usr/bin/a", "opt/libx.so"}


def test_the_lib_token(bench: Bench, make_elf: MakeElf) -> None:
    files: Files = {"usr/bin/a": make_elf(needed=("libx.so",), runpath="/opt/$LIB"),
                    "opt/lib/x86_64-linux-gnu/libx.so": make_elf()}  # fmt: skip
    assert _closure(bench, files) == set(files)


def test_rpath_counts_for_what_a_library_needs_and_runpath_does_not(bench: Bench, make_elf: MakeElf) -> None:
    files: Files = {"opt/libx.so": make_elf(needed=("liby.so",)), "opt/liby.so": make_elf(needed=("libx.so",))}
    inherited = {"usr/bin/a": make_elf(needed=("libx.so",), rpath="/opt"), **files}
    assert _closure(bench, inherited) == set(inherited)
    own = {"usr/bin/a": make_elf(needed=("libx.so",), runpath="/opt"), **files}
    assert bench.failure("keep: {programs: [/usr/bin/a]}\n", {"a": own}).code == "F144"


def test_a_truncated_package(bench: Bench) -> None:
    diagnostic = bench.failure("", {"a": {"usr/bin/a": b"a" * 5000}}, cut=20)
    assert (diagnostic.code, diagnostic.message) == ("F134", "package a 1 is faulty: data.tar is cut short")


def ko(**info: str) -> bytes:
    """A kernel module with nothing but what it says of itself."""
    text = b"\0".join(f"{k}={v}".encode() for k, v in info.items()) + b"\0"
    names = b"\0.modinfo\0.shstrtab\0"
    table = 64 + len(text) + len(names)
    header = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    )
    section = struct.Struct("<IIQQQQIIQQ")
    return b"".join([
        header, text, names, bytes(64), section.pack(1, 1, 0, 0, 64, len(text), 0, 0, 1, 0),
        section.pack(10, 3, 0, 0, 64 + len(text), len(names), 0, 0, 1, 0),
    ])  # fmt: skip


MODULES = "usr/lib/modules/6.1/kernel"
KERNEL = "kernel: {modules: [net]}\n"


def _kernel(modules: Files) -> dict[str, Files]:
    return {"linux-image": {"boot/vmlinuz-6.1": b"kernel", "usr/share/doc/linux-image/copyright": b"GPL-2",
                            **{f"{MODULES}/{p}": c for p, c in modules.items()}}}  # fmt: skip


def test_a_kernels_modules_are_unpacked_and_its_package_is_recorded(bench: Bench) -> None:
    modules: Files = {
        "net.ko.xz": lzma.compress(ko(depends="core,old")),
        "core.ko.gz": gzip.compress(ko(alias="pci:1")),
        "old.ko.zst": b"".join(compress([ko()], "zstd")),
        "other.ko.xz": lzma.compress(ko()),
    }
    made = bench.build(KERNEL, _kernel(modules))
    assert bench.text(made[f"{MODULES}/core.ko"]) == ko(alias="pci:1").decode("latin1")
    assert {p for p in made if p.endswith(".ko")} == {f"{MODULES}/{n}.ko" for n in ("net", "core", "old")}
    assert "kernel/net.ko: kernel/core.ko kernel/old.ko" in bench.text(made["usr/lib/modules/6.1/modules.dep"])
    assert bench.text(made["usr/share/doc/linux-image/copyright"]) == "GPL-2"
    listed = bench.text(made[f"{STATUS}/linux-image.md5sums"])
    assert {line.split("  ")[1] for line in listed.splitlines()} == {
        "kernel", "usr/share/doc/linux-image/copyright", *(f"{MODULES}/{n}.ko" for n in ("net", "core", "old"))
    }  # fmt: skip
    assert "Package: linux-image\n" in bench.text(made[f"{STATUS}/linux-image"])


@pytest.mark.parametrize("suffix", [".ko.xz", ".ko.gz", ".ko.zst", ".ko"])
def test_a_module_that_is_a_bomb_is_refused(suffix: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "MODULE_LIMIT", 1 << 20)
    data = ko() + bytes(8 << 20)
    packed = {".ko.xz": lzma.compress, ".ko.gz": gzip.compress, ".ko": bytes,
              ".ko.zst": lambda d: b"".join(compress([d], "zstd"))}[suffix](data)  # fmt: skip
    diagnostic = bench.failure(KERNEL, _kernel({f"net{suffix}": packed}))
    assert diagnostic.code == "F148"
    assert "1048576 bytes" in diagnostic.message


@pytest.mark.parametrize(
    "data", [b"", lzma.compress(ko())[:-20], lzma.compress(b"no module"), b"\xfd7zXZ\0" + bytes(99)]
)
def test_a_faulty_module(data: bytes, bench: Bench) -> None:
    assert bench.failure(KERNEL, _kernel({"net.ko.xz": data})).code == "F148"


@pytest.mark.parametrize(
    ("definition", "code", "line"),
    [
        ("users: [{name: a, uid: 1}, {name: a, uid: 2}]\n", "F049", 2),
        ("users: [{name: a, uid: 1, groups: [b]}]\n", "F049", 2),
        ("keep: {programs: [/a]}\nkernel: {modules: []}\n", "F049", 2),
        ("keep:\n  drop: ['/[z-a]']\n", "F040", 3),
        ("keep:\n  drop: ['/[z-a] [amd64]']\n", "F040", 3),
        ("concatenate: [{path: /a, of: b}]\n", "F040", 2),
    ],
)
def test_a_wrong_definition(definition: str, code: str, line: int, bench: Bench) -> None:
    diagnostic = bench.failure(definition)
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert diagnostic.span.line == line


@pytest.mark.parametrize(
    ("label", "ipc"),
    [
        ("label: {readonly: true}\n", "new"),
        ("label: {ipc: host}\n", "host"),
        ("label: {capabilities: [CAP_SYS_ADMIN]}\n", "new"),
        ("label: {capabilities: [all]}\n", None),
    ],
)
def test_a_component_has_ipc_of_its_own(label: str, ipc: str | None, bench: Bench) -> None:
    (bench.folder / "demo").mkdir()
    (bench.folder / "demo/component.yml").write_text(f"summary: s\ncategory: tool\n{label}")
    manifest = image.build(Library((bench.folder,)).get("demo"), (), AMD64, bench.store, EPOCH)
    labels = oci_image.load(bench.store, manifest).config["config"]["Labels"]
    assert json.loads(labels[image.LABEL]).get("ipc") == ipc
