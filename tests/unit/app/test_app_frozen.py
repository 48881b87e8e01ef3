"""What `--frozen` refuses, and what comes out of a store in which something was changed or damaged."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from boot_loaders import components, stub
from finback.app import output
from finback.app.build import build
from finback.app.output import Target
from finback.app.planning import Inputs, make_plan, read_lock
from finback.app.settings import Settings
from finback.app.workspace import Workspace
from finback.codec import tar
from finback.component.library import Library
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.event import Event, Warned
from finback.ground.platform import Platform
from finback.host import record
from finback.host.machine import host_platform
from finback.host.store import Store
from finback.oci import image
from finback.outputs import Written
from finback.resolve.plan import PackagePin
from finback.tree.content import Inline, read_inline
from finback.tree.entry import File
from package_files import deb

AMD64 = Platform("linux", "amd64")
FORMATS = ("kernel+initrd", "raw-efi")
PACKAGE = deb("a", {"usr/bin/hello": b"hello"})
PIN = PackagePin(
    name="a", version="1", architecture="amd64", filename="pool/a.deb", size=len(PACKAGE), digest=Digest.of(PACKAGE)
)
KERNEL = bytes(0x1FE) + b"\x55\xaa\xeb\x66HdrS" + bytes(range(256)) * 40
SPEC = """\
extends: base.yml
kernel: {image: "oci-layout:images:kernel"}
services:
- {name: web, image: "oci-layout:images:web", command: [/web], seccomp: profile.json}
- {name: tool, image: finback/tool, command: [/usr/bin/hello]}
files:
- {path: etc/motd, source: motd}
- {path: root/.ssh/authorized_keys, source: keys/me.pub}
- {path: etc/extra, source: extra, optional: true}
"""
PROFILE = {"defaultAction": "SCMP_ACT_ALLOW"}


class Archive:
    """Debian's archive, with one package."""

    def solve(self, requirements: Iterable[str], without: Iterable[str]) -> tuple[PackagePin, ...]:
        del requirements, without
        return (PIN,)

    def __init__(self, store: Store) -> None:
        self._store = store

    def fetch(self, pins: Iterable[PackagePin]) -> None:
        for pin in pins:
            if pin.digest != PIN.digest:
                raise error("F610", f"package {pin.name} has left the archive", help="take its successor")
            self._store.put(PACKAGE)


@dataclass
class Project:
    """A folder with a system, all that it is made of, and a store."""

    folder: Path
    said: list[str]

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def workspace(self) -> Workspace:
        out = Workspace(emit=self._note, settings=Settings(), cache=self.store)
        out._library = Library((self.folder / "components",))
        out._archives = {"amd64": Archive(out.store)}  # type: ignore[dict-item]
        return out

    def _note(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.said.append(event.diagnostic.code)

    def inputs(self, *, frozen: bool = True, **more: object) -> Inputs:
        made = Inputs(files=(str(self.folder / "x.yml"),), platform=AMD64, name="x", frozen=frozen)
        return replace(made, **more)  # type: ignore[arg-type]

    def build(self, *, frozen: bool = True, formats: tuple[str, ...] = FORMATS, **more: object) -> dict[str, bytes]:
        """Build; the bytes of what was made, by name."""
        out = self.folder / "out"
        target = Target(formats=formats, folder=out, check=False, remember=True)
        made = build(self.inputs(frozen=frozen, **more), target, self.workspace())
        assert not [p for p in out.iterdir() if p.name.startswith(".")], "something half-written is left"
        return {a.path.name: a.path.read_bytes() for a in made}

    def locked(self) -> dict[str, object]:
        return json.loads((self.folder / "x.lock").read_text())


def define(project: Project) -> None:
    folder = project.folder
    images = Store(folder / "images")
    for name, data in {"kernel": KERNEL, "web": b"web"}.items():
        entries = [File(path=name, content=Inline(data), mode=0o755)]
        body = b"".join(bytes(c) for c in tar.encode(entries, read_inline))
        digest = image.write(images, [images.put(body)], {"os": "linux", "architecture": "amd64", "config": {}})
        size = images.size(digest)
        images.tag(name, {"mediaType": image.MANIFEST, "digest": str(digest), "size": size})
    for name, text in {
        "tool": "summary: t\ncategory: tool\npackages: [a]\nkeep: {paths: [/usr/bin/hello]}\n",
        "systemd-boot": "summary: s\ncategory: tool\n",
    }.items():
        (folder / "components" / name).mkdir(parents=True)
        (folder / "components" / name / "component.yml").write_text(text)
    efi = folder / "components/systemd-boot/rootfs/usr/lib/systemd/boot/efi"
    efi.mkdir(parents=True)
    for name in ("linuxx64.efi.stub", "systemd-bootx64.efi"):
        (efi / name).write_bytes(stub())
    (folder / "keys").mkdir()
    (folder / "keys/me.pub").write_text("ssh-ed25519 AAAA me\n")
    (folder / "motd").write_text("hello\n")
    (folder / "profile.json").write_text(json.dumps(PROFILE))
    (folder / "base.yml").write_text("files: [{path: etc/base, contents: base}]\n")
    (folder / "x.yml").write_text(SPEC)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A project that was built once, so that it has a lock and a full store; and what was made."""
    project = Project(tmp_path_factory.mktemp("prepared") / "p", [])
    project.folder.mkdir()
    define(project)
    made = project.build(frozen=False)
    assert project.build() == made
    return project.folder, made


@pytest.fixture
def project(prepared: tuple[Path, dict[str, bytes]], tmp_path: Path) -> Project:
    # The very folder would do as well, if nothing were changed in it.
    return Project(Path(shutil.copytree(prepared[0], tmp_path / "p", symlinks=True)), [])


@pytest.fixture
def right(prepared: tuple[Path, dict[str, bytes]]) -> dict[str, bytes]:
    return prepared[1]


def append(name: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        with (project.folder / name).open("a") as out:
            out.write("\n# changed\n" if name.endswith((".yml", ".pub")) else "changed\n")

    return change


def write(name: str, text: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        (project.folder / name).write_text(text)

    return change


def remove(name: str) -> Callable[[Project], None]:
    return lambda project: (project.folder / name).unlink()


def replace_in(name: str, old: str, new: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        text = (project.folder / name).read_text()
        assert old in text
        (project.folder / name).write_text(text.replace(old, new))

    return change


def unpin(section: str, *path: str) -> Callable[[Project], None]:
    """Take something out of the lock."""

    def change(project: Project) -> None:
        lock = json.loads((project.folder / "x.lock").read_text())
        place = lock[section]["linux/amd64"]
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        (project.folder / "x.lock").write_text(json.dumps(lock))

    return change


def change_package(project: Project) -> None:
    """Another package in the lock, and no image that is there already."""
    text = (project.folder / "x.lock").read_text()
    (project.folder / "x.lock").write_text(text.replace(PIN.digest.encoded, Digest.of(b"other").encoded))
    shutil.rmtree(project.store)


REFUSED = {
    "source file": (append("motd"), "F603"),
    "source file that is gone": (remove("motd"), "F603"),
    "optional file that is there now": (write("extra", "x"), "F603"),
    "key": (append("keys/me.pub"), "F603"),
    "profile": (write("profile.json", json.dumps({**PROFILE, "defaultAction": "SCMP_ACT_LOG"})), "F603"),
    "extended file": (write("base.yml", "files: [{path: etc/base, contents: other}]\n"), "F603"),
    "command in the YAML": (replace_in("x.yml", "/web]", "/web, more]"), "F603"),
    "component definition": (replace_in("components/tool/component.yml", "summary: t", "summary: u"), "F604"),
    "component's own file": (write("components/systemd-boot/rootfs/usr/more", "x"), "F604"),
    "package": (change_package, "F610"),
    "loader that is not pinned": (unpin("platforms", "docker.io/finback/systemd-boot"), "F602"),
    "loader of other bytes": (
        lambda p: (p.folder / "components/systemd-boot/rootfs/usr/lib/systemd/boot/efi/linuxx64.efi.stub").write_bytes(
            stub()[:-1] + b"!"
        ),
        "F604",
    ),
    "image": (unpin("platforms", "oci-layout:images:web"), "F602"),
    "file that is not pinned": (unpin("systems", "files", "motd"), "F602"),
    "lock of another plan": (replace_in("x.lock", '"epoch": 1492533000', '"epoch": 1492533001'), "F603"),
    "pinned output": (
        lambda p: (p.folder / "x.lock").write_text(
            (p.folder / "x.lock")
            .read_text()
            .replace(p.locked()["systems"]["linux/amd64"]["made"]["raw-efi"]["files"]["-efi.img"], str(Digest.of(b"")))  # type: ignore[index]
        ),
        "F600",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_frozen_refuses_what_has_changed(what: str, project: Project, right: dict[str, bytes]) -> None:
    change, code = REFUSED[what]
    change(project)
    before = {p.name: p.read_bytes() for p in (project.folder / "out").iterdir()}
    with pytest.raises(FinbackError) as failure:
        project.build()
    assert code in {d.code for d in failure.value.diagnostics}
    assert all(d.help for d in failure.value.diagnostics)
    assert {p.name: p.read_bytes() for p in (project.folder / "out").iterdir()} == before == right


def test_frozen_takes_the_time_from_the_lock(
    project: Project, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1492533000")
    assert project.build() == right
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1492533001")
    with pytest.raises(FinbackError, match="SOURCE_DATE_EPOCH"):
        project.build()
    other = project.build(frozen=False)
    assert other != right
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert project.build() == other


def records(project: Project) -> Iterator[tuple[Path, Digest, Any]]:
    """The records of the store: file, key and value."""
    for path in sorted((project.store / "actions").iterdir()):
        key = Digest("sha256", path.name.removesuffix(".json"))
        yield path, key, record.decode(path.read_bytes(), key)


def segments(project: Project) -> list[Path]:
    """The files that hold what images were converted to."""
    blobs = [Digest.parse(v["blob"]) for _, _, v in records(project) if isinstance(v, dict) and "blob" in v]
    return [Store(project.store).path(b) for b in blobs]


def point_elsewhere(project: Project) -> None:
    """Write records anew, with checksums that hold, so that they name other bytes: of segments, of the kernel."""
    store = Store(project.store)
    other = store.put(b"other bytes, long enough" * 1000)
    count = 0
    for path, key, value in records(project):
        if isinstance(value, dict) and "blob" in value:
            wrong = {**value, "blob": str(other), "size": store.size(other)}
        elif isinstance(value, dict) and "microcode" in value:
            wrong = {**value, "kernel": [str(other), 0, 2000]}
        else:
            continue
        path.write_bytes(record.encode(key, wrong))
        count += 1
    assert count >= 2


def exchange_segments(project: Project) -> None:
    """The record of each segment names that of another image, which is in the store and sound."""
    found = [(p, k, v) for p, k, v in records(project) if isinstance(v, dict) and "blob" in v]
    places = [{n: v[n] for n in ("blob", "size")} for _, _, v in found]
    for (path, key, value), place in zip(found, [*places[1:], places[0]], strict=True):
        path.write_bytes(record.encode(key, {**value, **place}))


def swap_records(project: Project) -> None:
    """Each record's bytes under the name of another."""
    found = list(records(project))
    texts = [p.read_bytes() for p, _, _ in found]
    for (path, _, _), text in zip(found, [*texts[1:], texts[0]], strict=True):
        path.write_bytes(text)


def change_types(project: Project) -> None:
    """Every number a text, every list and object empty, in records whose checksums hold."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: other(v) for k, v in value.items()}
        return [] if isinstance(value, list) else str(value) if isinstance(value, int) else [value]

    for path, key, value in records(project):
        path.write_bytes(record.encode(key, other(value)))


def each(paths: Callable[[Project], Iterable[Path]], change: Callable[[Path], object]) -> Callable[[Project], None]:
    """Apply *change* to every file of *paths*, of which there must be some."""

    def changed(project: Project) -> None:
        found = list(paths(project))
        assert found
        for path in found:
            change(path)

    return changed


def all_records(project: Project) -> list[Path]:
    return [path for path, _, _ in records(project)]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def to_other(path: Path) -> None:
    path.write_bytes(b"other bytes")


NEVER_USED = {
    "record: names other bytes": point_elsewhere,
    "record: names the segment of another image": exchange_segments,
    "record: of another key": swap_records,
    "record: values of other types": change_types,
    "record: one bit": each(all_records, flip),
    "record: other bytes": each(all_records, to_other),
    "record: empty": each(all_records, lambda p: p.write_bytes(b"")),
    "record: gone": each(all_records, Path.unlink),
    "record: a pipe": each(all_records, to_pipe),
    "record: a link to itself": each(all_records, to_loop),
    "segment: one bit": each(segments, flip),
    "segment: other bytes": each(segments, to_other),
    "segment: empty": each(segments, lambda p: p.write_bytes(b"")),
    "segment: gone": each(segments, Path.unlink),
    "segment: a pipe": each(segments, to_pipe),
    "segment: a link to itself": each(segments, to_loop),
}


@pytest.mark.parametrize("made", [True, False], ids=["outputs pinned", "outputs not pinned"])
@pytest.mark.parametrize("what", NEVER_USED)
def test_frozen_never_uses_a_changed_record_or_segment(
    what: str, made: bool, project: Project, right: dict[str, bytes]
) -> None:
    """The bytes are those of the lock, whatever the store says: made anew from images, which are pinned by digest."""
    NEVER_USED[what](project)
    if not made:
        unpin("systems", "made")(project)
    assert project.build() == right
    # What was wrong is mended: the next build finds nothing.
    project.said.clear()
    assert project.build() == right
    assert set(project.said) == {"F198"}


@pytest.mark.parametrize("what", NEVER_USED)
def test_a_changed_segment_or_record_is_refused_when_nothing_can_be_made_anew(what: str, project: Project) -> None:
    """The images of the files are gone: then there is no frozen build."""
    shutil.rmtree(project.folder / "images")
    for path in (project.store / "blobs/sha256").iterdir():
        if path not in segments(project):
            path.unlink()
    shutil.rmtree(project.folder / "out")
    NEVER_USED[what](project)
    with pytest.raises(FinbackError):
        project.build()
    assert not list(project.folder.glob("out/*"))


def test_an_old_lock_is_read_and_refused_when_frozen(project: Project, right: dict[str, bytes]) -> None:
    lock = json.loads((project.folder / "x.lock").read_text())
    old = {"version": 1, "platforms": lock["platforms"], "extends": lock["extends"]}
    (project.folder / "x.lock").write_text(json.dumps(old))
    with pytest.raises(FinbackError, match="older finback") as failure:
        project.build()
    assert "finback lock" in failure.value.diagnostics[0].help
    assert project.build(frozen=False) == right
    assert project.locked() == lock
    assert project.build() == right


def test_update_keeps_boot_loaders_pinned(project: Project, right: dict[str, bytes]) -> None:
    """As docs/reference/formats.md says, also of a loader that has changed meanwhile."""
    before = read_lock(project.inputs()).loaders("linux/amd64")
    assert before == ("docker.io/finback/systemd-boot",)
    write("components/systemd-boot/rootfs/usr/more", "x")(project)
    make_plan(project.inputs(frozen=False, update=("*",)), project.workspace(), formats=())
    after = read_lock(project.inputs())
    assert after.loaders("linux/amd64") == before
    assert set(project.build()) == set(right)


def test_a_lock_names_the_loaders_of_formats(project: Project) -> None:
    (project.folder / "x.lock").unlink()
    make_plan(project.inputs(frozen=False), project.workspace(), formats=())
    with pytest.raises(FinbackError, match="not in the lock") as failure:
        project.build(formats=("raw-efi",))
    assert "finback lock -f" in failure.value.diagnostics[0].help
    make_plan(project.inputs(frozen=False), project.workspace(), formats=("raw-efi",))
    project.build(formats=("raw-efi",))


def test_any_flipped_bit_in_the_store_gives_the_right_bytes(
    project: Project, right: dict[str, bytes], prepared: tuple[Path, dict[str, bytes]]
) -> None:
    """Or a clear error, after which the next build gives them."""
    chance = random.Random(12)
    paths = sorted(p.relative_to(project.store) for p in project.store.rglob("*") if p.is_file() and p.stat().st_size)
    for number in range(60):
        path = chance.choice(paths)
        data = bytearray((prepared[0] / "store" / path).read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        shutil.rmtree(project.store)
        shutil.copytree(prepared[0] / "store", project.store)
        (project.store / path).write_bytes(data)
        frozen = number % 2 == 0
        try:
            made = project.build(frozen=frozen, formats=("kernel+initrd",))
        except FinbackError:
            made = project.build(frozen=frozen, formats=("kernel+initrd",))
        assert made == {n: d for n, d in right.items() if not n.endswith("-efi.img")}, path


def test_what_answers_names_is_remembered(project: Project) -> None:
    """A later build without --substitute does not go to a registry; an empty one forgets the rule."""
    name = "localhost:9/x/tool:1"
    (project.folder / "x.yml").write_text(f"services: [{{name: t, image: '{name}', command: [/usr/bin/hello]}}]\n")
    (project.folder / "x.lock").unlink()
    rule = "localhost:9/x/*=finback/*"
    first, _ = make_plan(project.inputs(frozen=False, substitutes=(rule,)), project.workspace())
    assert project.locked()["substitute"] == [rule]
    for frozen in (False, True):
        later, _ = make_plan(project.inputs(frozen=frozen), project.workspace())
        assert later == first
    settings = replace(project.workspace().settings, substitute=("other/*=finback/*",))
    workspace = project.workspace()
    workspace.settings = settings
    make_plan(project.inputs(frozen=False), workspace)
    assert project.locked()["substitute"] == [rule, "other/*=finback/*"]
    make_plan(project.inputs(frozen=True), project.workspace())
    with pytest.raises(FinbackError, match="localhost:9"):
        make_plan(project.inputs(frozen=False, substitutes=("",)), project.workspace())


def test_that_the_library_answers_is_remembered(project: Project) -> None:
    (project.folder / "components/tool/component.yml").write_text(
        "summary: t\ncategory: tool\nanswers: [vendor/tool]\npackages: [a]\nkeep: {paths: [/usr/bin/hello]}\n"
    )
    (project.folder / "x.yml").write_text("services: [{name: t, image: 'vendor/tool:1', command: [/usr/bin/hello]}]\n")
    (project.folder / "x.lock").unlink()
    first, _ = make_plan(project.inputs(frozen=False, library=True), project.workspace())
    for frozen in (False, True):
        later, _ = make_plan(project.inputs(frozen=frozen), project.workspace())
        assert later == first
    assert project.locked()["library"] is True


def test_a_lock_that_cant_be_written_is_an_error_of_lock(project: Project) -> None:
    inputs = project.inputs(frozen=False, lock=Path("/proc/none/x.lock"))
    with pytest.raises(FinbackError, match="was not written"):
        make_plan(inputs, project.workspace(), lock_required=True)
    make_plan(inputs, project.workspace())
    assert project.said == ["F606"]


def test_a_format_that_fails_leaves_the_files_of_the_others(
    project: Project, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No new kernel beside an old initrd, when the second format has no space left, for example."""
    replace_in("x.yml", "/web]", "/web, more]")(project)
    real = output._pour

    def full(written: Written, out: BinaryIO, store: Store) -> object:
        if written.suffix == "-efi.img":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(written, out, store)

    monkeypatch.setattr(output, "_pour", full)
    with pytest.raises(FinbackError, match="no space"):
        project.build(frozen=False)
    assert {p.name: p.read_bytes() for p in (project.folder / "out").iterdir()} == right


@pytest.mark.parametrize(
    ("more", "prefix"),
    [({}, "x"), ({"name": ""}, "x-arm64"), ({"name": "", "platform": None}, "x"), ({"name": "own"}, "own")],
)
def test_names_of_outputs(more: dict[str, object], prefix: str, project: Project) -> None:
    """Another architecture than this machine's is in the names; a name that was asked for stays as it is."""
    other = "arm64" if host_platform().architecture != "arm64" else "amd64"
    inputs = project.inputs(**{"platform": Platform("linux", other), **more})
    assert inputs.output_name == prefix.replace("arm64", other)
    assert inputs.lock_path.name == f"{more.get('name') or 'x'}.lock"
    assert replace(inputs, name="", platform=host_platform()).output_name == "x"


def test_two_architectures_stand_beside_each_other(project: Project) -> None:
    layers = {"amd64": b"a", "arm64": b"b"}
    (project.folder / "x.yml").write_text("files: [{path: etc/x, contents: x}]\n")
    for architecture in layers:
        inputs = project.inputs(frozen=False, name="", platform=Platform("linux", architecture))
        build(inputs, Target(formats=("tar",), folder=project.folder / "two", check=False), project.workspace())
    made = sorted(p.name for p in (project.folder / "two").iterdir())
    assert len(made) == 2
    assert "x.tar" in made


def test_linuxkits_names_are_there_too(project: Project) -> None:
    """As compat 3.3: the disk of qcow2-bios is NAME.qcow2, unless another format writes that."""
    (project.folder / "components/syslinux").mkdir()
    (project.folder / "components/syslinux/component.yml").write_text("summary: s\ncategory: tool\n")
    for path, data in ((f.path, f.content.data) for f in components()["syslinux"]):
        place = project.folder / "components/syslinux/rootfs" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    made = project.build(frozen=False, formats=("qcow2-bios",))
    assert made["x-bios.qcow2"] == made["x.qcow2"]
    both = project.build(frozen=False, formats=("qcow2-bios", "qcow2"))
    assert sorted(both) == ["x-bios.qcow2", "x.qcow2"]
    assert both["x-bios.qcow2"] != both["x.qcow2"]
    vhd = project.build(frozen=False, formats=("dynamic-vhd",))
    assert vhd["x-dynamic.vhd"] == vhd["x.vhd"]
    assert project.build(formats=("dynamic-vhd",)) == vhd


def test_names_that_cant_be_reached_fail_together(project: Project) -> None:
    """All are named, and the attempts do not add up: those of one server are made once, of several at a time."""
    names = [f"localhost:9/a{n}:1" for n in range(6)] + [f"localhost:{port}/b:1" for port in (7, 11, 13)]
    services = "".join(f"- {{name: s{i}, image: '{name}', command: [/x]}}\n" for i, name in enumerate(names))
    (project.folder / "x.yml").write_text(f"services:\n{services}")
    began = time.monotonic()
    with pytest.raises(FinbackError) as failure:
        make_plan(project.inputs(frozen=False), project.workspace())
    # One name alone takes four seconds.
    assert time.monotonic() - began < 10
    said = "".join(f"{d.message} {d.notes}" for d in failure.value.diagnostics)
    assert all(name.split("/")[0] in said for name in names)
