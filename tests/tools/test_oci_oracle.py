"""umoci and skopeo as oracles: what layers mean, and what archives of images look like."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from finback.codec import tar
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import docker_archive, files, image, layout
from finback.oci.flatten import entries, flatten
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

pytestmark = pytest.mark.tools
CONFIG = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/a"]}}
NAMES = "abcd"
IS_ROOT = os.geteuid() == 0
# Who owns what is root's within the image.
MINE = (os.geteuid(), os.getegid())
needs_umoci = pytest.mark.skipif(shutil.which("umoci") is None, reason="needs umoci")


class Maker:
    """Makes layers at random that an archiver might have made, and some that none would."""

    def __init__(self, rng: random.Random, known: set[str]) -> None:
        self.rng = rng
        self.known = known
        """Paths of entries that are no directories, of this layer and those below."""
        self.layer: list[AnyEntry] = []
        self.hidden: set[str] = set()

    def path(self) -> str:
        return "/".join(self.rng.choice(NAMES) for _ in range(self.rng.randint(1, 4)))

    def attributes(self) -> dict[str, int]:
        owner = (0, 1, 1000)
        return {
            "mode": self.rng.choice((0o700, 0o755, 0o1777, 0o4755)), "uid": self.rng.choice(owner),
            "gid": self.rng.choice(owner), "mtime": self.rng.randint(1, 2**31 - 1),
        }  # fmt: skip

    def parents(self, path: str) -> None:
        """Most archives have an entry for every directory that leads to another."""
        if self.rng.random() < 0.8:
            steps = path.split("/")[:-1]
            for depth in range(1, len(steps) + 1):
                parent = "/".join(steps[:depth])
                if not any(e.path == parent for e in self.layer):
                    self.layer.append(Directory(path=parent, **{**self.attributes(), "mode": 0o755}))

    def hides(self, path: str) -> bool:
        return any(f"{path}/".startswith(f"{h}/") for h in self.hidden)

    def add(self) -> None:
        rng, path = self.rng, self.path()
        kind = rng.choice(("file", "file", "file", "directory", "symlink", "link", "whiteout", "opaque", "special"))
        if any(e.path == path for e in self.layer) and kind != "whiteout":
            return
        self.parents(path)
        attributes = self.attributes()
        head = path.rpartition("/")[0]
        match kind:
            case "file":
                xattrs = (("user.x", rng.randbytes(4)),) if rng.random() < 0.3 else ()
                content = Inline(rng.randbytes(rng.choice((0, 5, 700))))
                self.layer.append(File(path=path, content=content, xattrs=xattrs, **attributes))
                self.known.add(path)
            case "directory":
                self.layer.append(Directory(path=path, **attributes))
            case "symlink":
                target = rng.choice((self.path(), "/" + self.path(), "../" + self.path(), "../../.."))
                self.layer.append(Symlink(path=path, target=target, **{**attributes, "mode": 0o777}))
            case "link" if self.known - self.hidden:
                target = rng.choice(sorted(self.known))
                # A link in the place of a directory that holds its target: umoci removes the target first.
                if not target.startswith(f"{path}/"):
                    self.layer.append(HardLink(path=path, target=target, **attributes))
            case "special":
                made = Device(path=path, block=rng.random() < 0.5, major=rng.randint(1, 9), minor=1, **attributes)
                self.layer.append(made if rng.random() < 0.5 else Fifo(path=path, **attributes))
            case "whiteout":
                self.layer.append(File(path=f"{head}/.wh.{path[-1]}".lstrip("/")))
                self.hidden.add(path)
            case "opaque":
                self.layer.append(File(path=f"{head}/.wh..wh..opq".lstrip("/")))
                self.hidden |= {head} if head else set(NAMES)


def layers(seed: int) -> list[list[AnyEntry]]:
    rng = random.Random(seed)
    known: set[str] = set()
    out = []
    for _ in range(rng.randint(1, 4)):
        maker = Maker(rng, known)
        for _ in range(rng.randint(1, 9)):
            maker.add()
        # First, as archivers write them. umoci looks at a layer's links and files before it looks at later whiteouts;
        # a unit test has whiteouts anywhere.
        # So does it with links to what their own layer hides.
        kept = [e for e in maker.layer if not isinstance(e, HardLink) or not maker.hides(e.target)]
        out.append(sorted(kept, key=lambda e: "/.wh." not in f"/{e.path}"))
    return out


def stored(store: Store, made: list[list[AnyEntry]]) -> Digest:
    digests = []
    for layer in made:
        with store.ingest() as ingest:
            for chunk in tar.encode(layer, read_inline):
                ingest.write(chunk)
        digests.append(ingest.digest)
    return image.write(store, digests, CONFIG)


def by_umoci(store: Store, manifest: Digest, folder: Path) -> Path | None:
    store.tag("latest", {"mediaType": image.MANIFEST, "digest": str(manifest), "size": store.size(manifest)})
    rootless = [] if IS_ROOT else ["--rootless"]
    command = ["umoci", "unpack", *rootless, "--image", f"{store.root}:latest", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return folder / "rootfs" if done.returncode == 0 else None


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """The tree that was unpacked, as `expected` describes it."""
    out: dict[str, tuple[object, ...]] = {}
    inodes: dict[int, str] = {}
    found = sorted((Path(folder) / name for folder, down, files in os.walk(root) for name in (*down, *files)),
                   key=lambda p: p.relative_to(root).parts)  # fmt: skip
    for path in found:
        name = str(path.relative_to(root))
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        common: tuple[object, ...] = (mode, status.st_uid - MINE[0], status.st_gid - MINE[1], int(status.st_mtime))
        if stat.S_ISDIR(status.st_mode):
            # umoci forgets the time of a directory from which a later layer takes something.
            out[name] = ("directory", *common[:3])
        elif stat.S_ISLNK(status.st_mode):
            out[name] = ("symlink", os.readlink(path))
        elif stat.S_ISREG(status.st_mode):
            first = inodes.setdefault(status.st_ino, name)
            xattrs = tuple((k, os.getxattr(path, k)) for k in os.listxattr(path) if k.startswith("user.x"))
            out[name] = ("file", first, path.read_bytes(), xattrs, *common)
        else:
            out[name] = (stat.S_IFMT(status.st_mode), status.st_rdev, *common)
    return out


def expected(tree: list[AnyEntry]) -> dict[str, tuple[object, ...]]:
    out: dict[str, tuple[object, ...]] = {}
    for e in tree:
        common: tuple[object, ...] = (e.mode, e.uid, e.gid, e.mtime)
        match e:
            case Directory():
                out[e.path] = ("directory", *common[:3])
            case Symlink():
                out[e.path] = ("symlink", e.target)
            case HardLink():
                out[e.path] = out[e.target]
            case File():
                assert isinstance(e.content, Inline)
                out[e.path] = ("file", e.path, e.content.data, e.xattrs, *common)
            case Device():
                kind = stat.S_IFBLK if e.block else stat.S_IFCHR
                out[e.path] = (kind, os.makedev(e.major, e.minor), *common)
            case Fifo():
                out[e.path] = (stat.S_IFIFO, 0, *common)
    return out


def kinds_alone(found: dict[str, tuple[object, ...]], paths: set[str]) -> dict[str, object]:
    """*found*, with nothing but the kind of what is at *paths*."""
    return {path: what[0] if path in paths else what for path, what in found.items()}


def makeable(entry: AnyEntry) -> AnyEntry | None:
    """What an ordinary user's umoci can make of *entry*: no devices, and all is the user's own."""
    return None if isinstance(entry, (Device, Fifo)) else replace(entry, uid=0, gid=0)


@needs_umoci
@pytest.mark.parametrize("block", range(4))
def test_layers_mean_what_umoci_makes_of_them(block: int, tmp_path: Path) -> None:
    compared = 0
    for seed in range(block * 60, block * 60 + 60):
        made = layers(seed)
        if not IS_ROOT:
            made = [[e for e in map(makeable, layer) if e] for layer in made]
        store = Store(tmp_path / f"store{seed}")
        root = by_umoci(store, stored(store, made), tmp_path / f"bundle{seed}")
        tree = None
        with contextlib.suppress(ValueError):
            tree = flatten(made)
        # An ordinary user's umoci finds no target of a hard link behind a symbolic link.
        assert (tree is None) is (root is None) or (tree and not IS_ROOT), seed
        if tree is None or root is None:
            continue
        compared += 1
        supplied = {e.path for e in tree if isinstance(e, Directory) and not e.mtime}
        assert kinds_alone(described(root), supplied) == kinds_alone(expected(tree), supplied), seed
        shutil.rmtree(tmp_path / f"bundle{seed}")
    # Both refuse the rest.
    assert compared > 25


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("docker-archive:{}:docker.io/library/web:1", []),
        ("oci-archive:{}:web", []),
        ("oci:{}:web", ["--dest-compress-format", "gzip"]),
        ("oci:{}:web", ["--dest-compress-format", "zstd"]),
        ("oci:{}:web", ["--format", "oci"]),
    ],
    ids=["docker-archive", "oci-archive", "oci-gzip", "oci-zstd", "oci"],
)
def test_what_skopeo_writes_is_read(form: str, options: list[str], tmp_path: Path) -> None:
    made = layers(38)
    source = Store(tmp_path / "source")
    manifest = stored(source, made)
    source.tag("latest", {"mediaType": image.MANIFEST, "digest": str(manifest), "size": source.size(manifest)})
    target = tmp_path / "target"
    command = ["skopeo", "--insecure-policy", "copy", *options, f"oci:{source.root}:latest", form.format(target)]
    subprocess.run(command, check=True, capture_output=True)
    store = Store(tmp_path / "store")
    take = docker_archive.take if form.startswith("docker") else layout.take
    with files.opened(target, store) as found:
        digest = take(found, "web:1" if form.startswith("docker") else "web", Platform(), store)
    ours, theirs = entries(source, manifest), entries(store, digest)
    assert [replace_content(e, store) for e in theirs] == [replace_content(e, source) for e in ours]
    assert image.load(store, digest).config["config"]["Cmd"] == ["/a"]


def replace_content(entry: AnyEntry, store: Store) -> AnyEntry:
    """*entry* with the bytes themselves, wherever they are."""
    if isinstance(entry, File):
        return replace(entry, content=Inline(b"".join(store.chunks(entry.content))))
    return entry
