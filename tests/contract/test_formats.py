"""Every format that is found: the same bytes twice, and a listing that is the tree."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

import boot_loaders
from finback.app.build import SAME
from finback.assemble import build as assembling
from finback.assemble.contents import StoreContents
from finback.assemble.system import Boot, Compression, System
from finback.codec import cpio, disk, tar
from finback.codec.compress import zstd_decompressor
from finback.component.library import Library
from finback.ground.event import Event, silent
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import image
from finback.outputs import FORMATS, Format, Options, Written
from finback.resolve.plan import Container, FilePlan, ImagePin, KernelPlan, Plan, VolumePlan, loader_reference
from finback.spec.model import Interface, Runtime, Settings
from finback.tree.content import Inline, read_inline
from finback.tree.entry import Directory, File, Symlink


def pin(store: Store, name: str, entries: list) -> ImagePin:
    with store.ingest() as ingest:
        for chunk in tar.encode(entries, read_inline):
            ingest.write(chunk)
    digest = image.write(store, [ingest.digest], {"os": "linux", "architecture": "amd64"})
    return ImagePin(reference=f"docker.io/test/{name}", digest=digest)


def make_plan(store: Store) -> Plan:
    kernel = pin(
        store,
        "kernel",
        [File(path="kernel", content=Inline(b"K" * 3000)), File(path="usr/lib/modules/6/a.ko", content=Inline(b"M"))],
    )
    init = pin(
        store,
        "init",
        [
            File(path="init", mode=0o755),
            *(Symlink(path=n, target=f"usr/{n}") for n in ("bin", "lib")),
            *(Directory(path=f"usr/{n}") for n in ("bin", "lib")),
        ],
    )
    web = pin(store, "web", [File(path="usr/bin/web", mode=0o755, content=Inline(b"W" * 70000))])
    service = Container(
        section="services",
        index=0,
        name="web",
        image=web,
        settings=Settings(
            command=("/usr/bin/web",),
            binds=("data:/data",),
            runtime=Runtime(interfaces=(Interface(name="x", add="dummy"),)),
        ),
    )
    step = Container(
        section="onboot", index=0, name="once", image=web, settings=Settings(command=("x",), readonly=True)
    )
    return Plan(
        name="t",
        platform=Platform(),
        epoch=1000,
        kernel=KernelPlan(image=kernel, cmdline="console=ttyS0"),
        init=(init,),
        volumes=(VolumePlan(index=0, name="data"),),
        onboot=(step,),
        services=(service,),
        files=(FilePlan(index=0, path="etc/deep/motd", content=store.put(b"hi"), size=2, mode=0o644),),
        loaders=tuple(
            replace(pin(store, name, tree), reference=loader_reference(name), loader=True)
            for name, tree in boot_loaders.components().items()
        ),
    )


def outputs(name: str, root: Path, options: Options | None = None) -> dict[str, bytes]:
    """What the format writes, with its zeros."""
    return {suffix: b"".join(chunks) for suffix, chunks in written(name, root, options)}


def digests(name: str, root: Path) -> dict[str, str]:
    """The same in short, for disks that are large and empty."""
    found = {}
    for suffix, chunks in written(name, root):
        digest = sha256()
        for chunk in chunks:
            digest.update(chunk)
        found[suffix] = digest.hexdigest()
    return found


def written(
    name: str, root: Path, options: Options | None = None, microcode: bytes = b""
) -> Iterator[tuple[str, Iterator[bytes]]]:
    form = FORMATS.get(name)
    options = options or Options(compression=Compression(form.compressions[0]))
    store = Store(root)
    plan = make_plan(store)
    system = assembling.build(plan, store)
    if microcode:
        system = replace(system, boot=replace(system.boot, microcode=Inline(microcode)))
    contents = StoreContents(store, plan, silent)
    for output in form.write(system, contents, options):
        stretches = (Inline(p) if isinstance(p, bytes) else p for p in output.body())
        yield output.suffix, disk.content(stretches, contents.read)


@pytest.mark.parametrize("name", FORMATS.names())
def test_same_bytes_twice(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digests(name, tmp_path / "one")
    for variable, value in {"TZ": "Asia/Tokyo", "HOME": "/nowhere", "USER": "another", "LOGNAME": "another"}.items():
        monkeypatch.setenv(variable, value)
    for question in ("getuid", "geteuid", "getgid", "getegid"):
        monkeypatch.setattr(os, question, lambda: 54321)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o077)
    try:
        assert digests(name, tmp_path / "two" / "deeper") == first
    finally:
        os.umask(mask)
    assert first
    assert sha256().hexdigest() not in first.values()


def test_formats_of_one_build_share_the_work(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = make_plan(store)
    system = assembling.build(plan, store)
    seen: list[Event] = []
    contents = StoreContents(store, plan, seen.append)
    made: dict[str, int] = {}
    for name in ("kernel+initrd", "raw", "qcow2-bios", "iso", "uki", "deb", "netboot", "tar-kernel-initrd"):
        for output in FORMATS.get(name).write(system, contents, Options()):
            made[name] = sum(len(p) if isinstance(p, bytes) else p.size for p in output.body())
        # What images are converted into is there for all formats once the first has been written.
        assert len(seen) == made.setdefault("events", len(seen)) > 0, name


def test_no_two_formats_write_the_same_file() -> None:
    """All of them can be made in one folder, but for two whose names are LinuxKit's."""
    names: dict[str, str] = {}
    for name, form in FORMATS:
        for output in declared(form):
            other = names.setdefault(output.suffix, name)
            assert other == name or output.role in SAME or {other, name} == {"iso-bios", "kernel+iso"}, (name, other)


def declared(form: Format) -> list[Written]:
    system = System(
        name="t",
        platform=Platform(),
        epoch=0,
        plan=Plan(name="t", platform=Platform(), epoch=0),
        boot=Boot(kernel=Inline(b"k"), kernel_mode=0o644, cmdline="", source=""),
        parts=(),
    )
    return list(form.write(system, SimpleNamespace(read=read_inline), Options()))


def test_a_format_for_some_architectures_names_components_that_can_be_built_for_them() -> None:
    library = Library((Path(__file__).parents[2] / "components",))
    for name, form in FORMATS:
        for architecture, components in (form.loaders or {}).items():
            for component in components:
                assert architecture in library.get(component).architectures, (name, component)


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_format_says_what_it_is(name: str) -> None:
    assert FORMATS.summary(name).endswith(".")
    page = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
    assert f"`{name}`" in page.read_text()


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_format_has_a_case_in_the_documents(name: str) -> None:
    """A command or a YAML file with it, which `tests/docs` runs or loads."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text()
    asked = re.findall(r"--format (\S+)", page) + re.findall(r"- format: (\S+)", page)
    assert name in {form for names in asked for form in names.split(",")}


def initrd_entries(data: bytes, decompress: bool) -> list:
    if not decompress:
        return cpio.decode(data)
    out = []
    while data.strip(b"\0"):
        decompressor = zstd_decompressor()
        out += cpio.decode(decompressor.decompress(data.lstrip(b"\0")))
        data = decompressor.unused_data
    return out


@pytest.mark.parametrize("method", ["zstd", "none"])
def test_the_initrd_holds_the_tree_with_parents_first(method: str, tmp_path: Path) -> None:
    made = outputs("kernel+initrd", tmp_path, Options(compression=Compression(method)))
    assert made["-kernel"] == b"K" * 3000
    assert made["-cmdline"] == b"console=ttyS0"
    entries = initrd_entries(made["-initrd.img"], method == "zstd")
    seen: set[str] = set()
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen, entry.path
        seen.add(entry.path)
    assert {"init", "bin", "usr/lib/modules/6/a.ko", "etc/deep/motd", "etc/finback/plan.json"} <= seen
    assert {f"containers/services/web/{n}" for n in ("config.json", "runtime.json", "prepare", "rootfs", "tmp")} <= seen
    assert "containers/volumes/data/merged" in seen
    assert sum(e.path.endswith("usr/bin/web") for e in entries) == 1
    assert not any(e.path == "kernel" for e in entries)


def test_the_bundle_is_linuxkits_and_ours(tmp_path: Path) -> None:
    entries = {e.path: e for e in initrd_entries(outputs("kernel+initrd", tmp_path)["-initrd.img"], True)}
    folder = "containers/services/web"
    theirs = json.loads(entries[f"{folder}/config.json"].content.data)
    ours = json.loads(entries[f"{folder}/bundle/config.json"].content.data)
    assert theirs["root"] == {"path": "rootfs"}
    assert ours["root"] == {"path": "/containers/services/web/rootfs"}
    assert ours["hooks"]["createRuntime"][0]["args"] == ["attach", "/containers/services/web"]
    # The supervision that starts ours is exempt from the out-of-memory killer; what it starts is not.
    assert ours["process"].pop("oomScoreAdj") == 0
    assert {k: v for k, v in ours.items() if k not in ("root", "hooks")} == {
        k: v for k, v in theirs.items() if k != "root"
    }
    data = next(m for m in theirs["mounts"] if m["destination"] == "/data")
    assert data["source"] == "/containers/volumes/data/merged"
    prepare = entries[f"{folder}/prepare"].content.data.decode()
    assert "mount -t overlay" in prepare
    assert 'netns "$1"' in prepare or 'nsenter -t "$1"' in prepare


def test_the_tar_says_where_everything_comes_from(tmp_path: Path) -> None:
    data = outputs("tar", tmp_path)[".tar"]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {m.name: m for m in archive}
        assert len(members) == len(archive.getnames())
    for name, member in members.items():
        assert set(member.pax_headers) >= {"LINUXKIT.source", "LINUXKIT.location"}, name
    assert members["boot/kernel"].pax_headers["LINUXKIT.location"] == "kernel"
    assert members["etc/deep/motd"].pax_headers["LINUXKIT.source"] == "linuxkit.files"
    assert members["init"].pax_headers["LINUXKIT.location"] == "init[0]"


def test_tar_kernel_initrd_holds_the_same_initrd(tmp_path: Path) -> None:
    one = outputs("kernel+initrd", tmp_path / "a")
    with tarfile.open(fileobj=io.BytesIO(outputs("tar-kernel-initrd", tmp_path / "b")["-initrd.tar"])) as archive:
        assert archive.getnames() == ["kernel", "initrd.img", "cmdline"]
        assert archive.extractfile("initrd.img").read() == one["-initrd.img"]
