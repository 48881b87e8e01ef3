"""Every component of the library, built from Debian's archive for every architecture that it is for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from finback.app.mirror import mirrors
from finback.codec import elf, tar
from finback.component import image
from finback.component.archive import Archive, ArchiveSettings
from finback.component.library import Library
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.http import Fetcher
from finback.host.store import Store
from finback.oci import image as oci_image
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry, File, Symlink

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIBRARY = Library((Path(__file__).resolve().parents[2] / "components",))
SUITES = {"amd64": "trixie", "arm64": "trixie", "s390x": "sid", "riscv64": "sid"}
# The definitions are written for the stable release, which is not to be had for all architectures everywhere; a few of
# them don't fit what sid has.
NOT_IN_SID = {
    "mosquitto": "its library for HTTP is at a place that needs ld.so.conf",
    "notary": "sid has no notary any more",
    "postgresql": "sid has PostgreSQL 18",
    "prometheus": "its pages are inside the program",
    "rngd": "sid has no rng-tools5 any more",
    "tini": "its only program is the static one, under another name",
}
EPOCH = 1492533000
STATUS = "var/lib/dpkg/status.d/"

pytestmark = [pytest.mark.tools, pytest.mark.archive, pytest.mark.slow]


@dataclass(slots=True)
class World:
    """A store that all builds share, and the archive for each architecture."""

    store: Store
    archives: dict[str, Archive] = field(default_factory=dict)

    def build(self, name: str, platform: Platform) -> Image:
        component = LIBRARY.get(name)
        archive = self.archives[platform.architecture]
        pins = archive.solve(component.requirements(platform), component.definition.without or ())
        archive.fetch(pins)
        found = oci_image.load(self.store, image.build(component, pins, platform, self.store, EPOCH))
        (layer,) = found.layers
        with self.store.path(layer.digest).open("rb") as stream:
            tree = {e.path: e for e in tar.decode(stream, layer.digest)}
        return Image(self.store, tree, found.config["config"]["Labels"])


@dataclass(frozen=True, slots=True)
class Image:
    """A component's image, as it is in the store."""

    store: Store
    tree: dict[str, AnyEntry]
    labels: dict[str, str]

    def text(self, path: str) -> str:
        entry = self.tree[path]
        assert isinstance(entry, File)
        return b"".join(bytes(c) for c in self.store.chunks(entry.content)).decode()

    def header(self, entry: File) -> elf.Elf | None:
        content = entry.content
        assert isinstance(content, Slice)
        with self.store.path(content.blob).open("rb") as stream:
            data = os.pread(stream.fileno(), content.size, content.offset)
        return elf.decode(data) if data[:4] == elf.MAGIC else None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    mirror = os.environ.get("FINBACK_MIRROR") or mirrors().debian
    if not mirror or not KEYRING.exists():
        pytest.skip("no Debian mirror is known, or not its key")
    store = Store(tmp_path_factory.mktemp("store"))
    now, keyring = int(time.time()), KEYRING.read_bytes()
    archives = {}
    for architecture, suite in SUITES.items():
        # Mirrors refresh sid's signed statement late.
        settings = ArchiveSettings(
            mirror=mirror, suites=(suite,), keyring=keyring, now=now, accept_expired=suite == "sid"
        )
        archives[architecture] = Archive(settings, store, Fetcher(), Platform("linux", architecture).names.debian)
    return World(store, archives)


def chosen() -> list[tuple[str, str]]:
    """Every component with each of the architectures that it is for."""
    return [(n, a) for n in LIBRARY.names() for a in LIBRARY.get(n).architectures]


@pytest.mark.parametrize(("name", "architecture"), chosen())
def test_every_component_builds(name: str, architecture: str, world: World) -> None:
    if SUITES[architecture] == "sid" and name in NOT_IN_SID:
        pytest.skip(NOT_IN_SID[name])
    platform = Platform("linux", architecture)
    found = world.build(name, platform)
    assert max(e.mtime for e in found.tree.values()) <= EPOCH
    if LIBRARY.get(name).requirements(platform):
        assert found.labels["org.opencontainers.image.version"]
        _check_packages(found)
    keep = LIBRARY.get(name).definition.keep
    if keep is None or not keep.data:
        # Boot loaders are for another machine.
        _check_programs(found, platform)
    if "etc/passwd" in found.tree:
        names = [line.split(":")[0] for line in found.text("etc/passwd").splitlines()]
        assert max(Counter(names).values()) == 1
        assert names[0] == "root"


def _check_packages(found: Image) -> None:
    packages = [p.removeprefix(STATUS) for p in found.tree if p.startswith(STATUS) and not p.endswith(".md5sums")]
    assert packages
    for package in packages:
        # Where several packages of one source share a folder, it is a link.
        owner = package
        while isinstance(folder := found.tree.get(f"usr/share/doc/{owner}"), Symlink):
            owner = folder.target
        assert f"usr/share/doc/{owner}/copyright" in found.tree, package


def _check_programs(found: Image, platform: Platform) -> None:
    """Each is for the platform, and what it names is there."""
    names = {p.rsplit("/", 1)[-1] for p in found.tree}
    for path, entry in found.tree.items():
        header = found.header(entry) if isinstance(entry, File) else None
        if header is not None:
            assert header.machine == platform.names.elf_machine, path
            assert set(header.needed) <= names, path


def test_an_image_is_the_same_whenever_it_is_built(world: World, tmp_path: Path) -> None:
    component, platform = LIBRARY.get("sshd"), Platform("linux", "arm64")
    archive = world.archives["arm64"]
    pins = archive.solve(component.requirements(platform), component.definition.without or ())
    archive.fetch(pins)
    other = Store(tmp_path / "other")
    for pin in pins:
        assert other.put(world.store.read(pin.digest)) == pin.digest
    built: list[Digest] = [image.build(component, pins, platform, s, EPOCH) for s in (world.store, other)]
    assert built[0] == built[1]


def test_the_first_build_of_the_largest_component_takes_little_memory(world: World, tmp_path: Path) -> None:
    """The package index is filled, packages are unpacked, an image is written: nothing of it is ever held whole."""
    assert world.archives
    program = (
        "import sys; from finback.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "component", "build", "containerd"],
        check=True, capture_output=True, text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert int(done.stdout.split("VmHWM:")[1].split()[0]) < 100_000
