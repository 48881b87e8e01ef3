"""The parsers that read what strangers wrote, each by its public entry point, with a few sound inputs.

A target may raise what its documentation names: `FinbackError`, and for byte formats `ValueError`. Anything else is a
fault, as is an input that takes seconds, or memory that grows.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import lzma
import os
import random
import re
import shutil
import sqlite3
import struct
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_mutation as change
from fuzz_mutation import Change

from finback.app.machine import diagnosis, timeline
from finback.assemble import seccomp
from finback.codec import ar, cpio, elf, initramfs, linux_image, pe, strict_json, tar
from finback.codec.compress import compress
from finback.codec.decompress import SUFFIXES, decompress, reader
from finback.component import inventory, module_index
from finback.component.definition import Definition
from finback.debian import control, deb, index, licence_name, relation, release, sources, version
from finback.debian import copyright as copyright_file
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.printable import Cleaner, printable
from finback.ground.source import Source
from finback.host import archive, record, web
from finback.host.patience import Patience
from finback.host.store import Store
from finback.oci import artifact, challenge, configuration, files, flatten, image, local_image, located, manifest
from finback.oci.credentials import Credentials
from finback.oci.files import Files
from finback.oci.network import Network
from finback.oci.reach import Reach
from finback.oci.reference import Reference
from finback.oci.registry import Registries
from finback.resolve import lock, published
from finback.spec import label
from finback.spec.decode import load
from finback.spec.load import load_files
from finback.spec.model import Settings
from finback.tree.content import Inline
from finback.tree.entry import File
from finback.trust import openpgp

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "fixtures" / "openpgp"
AMD64 = Platform()


@dataclass(frozen=True)
class Target:
    """One parser."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    run: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...] = (FinbackError,)
    special: tuple[Change, ...] = ()

    def input(self, rng: random.Random) -> bytes:
        """One more input."""
        return change.mutated(rng, self.seeds(), self.special)

    def check(self, data: bytes) -> None:
        """Run the parser; whatever it may raise is fine."""
        with contextlib.suppress(*self.allowed):
            self.run(data)


@cache
def scratch() -> Path:
    """A folder in memory, where there is one."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="finback-fuzz.", dir=memory if memory.is_dir() else None))
    import atexit

    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(place, ignore_errors=True))
    return place


@cache
def own(pid: int) -> Path:
    place = scratch() / str(pid)
    # A batch that was ended may have had the same process number.
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


@cache
def store(pid: int) -> Store:
    return Store(own(pid) / "store")


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


# --- tar, cpio, compression ------------------------------------------------------------------------------------------


def tar_seeds() -> list[bytes]:
    out = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w", format=form) as made:
            for name, kind, link, content in (
                ("dir", tarfile.DIRTYPE, "", b""), ("dir/file", tarfile.REGTYPE, "", b"content"),
                ("dir/link", tarfile.SYMTYPE, "file", b""), ("dir/hard", tarfile.LNKTYPE, "dir/file", b""),
                ("dir/.wh.gone", tarfile.REGTYPE, "", b""), ("dev", tarfile.CHRTYPE, "", b""),
                ("n" * 90, tarfile.REGTYPE, "", b"x" * 600),
            ):  # fmt: skip
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.size = kind, link, len(content)
                if form == tarfile.PAX_FORMAT:
                    info.pax_headers = {"SCHILY.xattr.user.a": "b", "comment": "c"}
                made.addfile(info, io.BytesIO(content))
        out.append(held.getvalue())
    long = io.BytesIO()
    with tarfile.open(fileobj=long, mode="w", format=tarfile.GNU_FORMAT) as made:
        made.addfile(tarfile.TarInfo("d/" + "x" * 150))
    sparse = io.BytesIO()
    with tarfile.open(fileobj=sparse, mode="w", format=tarfile.PAX_FORMAT) as made:
        info = tarfile.TarInfo("sparse")
        info.size, info.pax_headers = 5, {"GNU.sparse.size": "100", "GNU.sparse.map": "10,5"}
        made.addfile(info, io.BytesIO(b"hello"))
    return [*out, long.getvalue(), sparse.getvalue()]


def run_tar(data: bytes) -> None:
    entries = list(tar.decode(io.BytesIO(data), files.NO_BLOB))
    flatten.flatten([entries, entries[::-1]])


def run_layer(data: bytes) -> None:
    """A layer in the store, with its sparse files."""
    kept = store(os.getpid())
    layer = kept.put(data)
    config = {"os": "linux", "architecture": "amd64"}
    try:
        flatten.entries(kept, image.write(kept, [layer], config))
    finally:
        kept.path(layer).unlink(missing_ok=True)


def run_copied(data: bytes) -> None:
    place = own(os.getpid()) / "copied"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    archive.unpack(io.BytesIO(data), place)
    assert [p.name for p in place.parent.iterdir() if p.name not in ("store", "copied")] == []


def cpio_seeds() -> list[bytes]:
    entries = list(tar.decode(io.BytesIO(tar_seeds()[0]), files.NO_BLOB))
    plain = [File(path="a", content=Inline(b"x")), *(e for e in entries if not isinstance(e, File))]
    plain = [e for e in plain if type(e).__name__ != "HardLink"]
    return [b"".join(bytes(c) for c in cpio.encode(plain, lambda c: [c.data] if isinstance(c, Inline) else []))]


def run_initramfs(data: bytes) -> None:
    stream = io.BytesIO(data)
    initramfs.unpacked(stream.read, 1 << 24)


def initramfs_seeds() -> list[bytes]:
    (plain,) = cpio_seeds()
    return [plain, b"".join(compress([plain], "gzip")), plain + b"".join(compress([plain], "zstd"))]


def packed_seeds() -> list[bytes]:
    body = b"content " * 200
    return [b"".join(compress([body], m)) for m in ("gzip", "zstd")] + [lzma.compress(body), b"\x28\xb5\x2f\xfd"]


def run_decompress(data: bytes) -> None:
    for suffix in SUFFIXES:
        with contextlib.suppress(ValueError):
            for _ in decompress(reader(data[i : i + 100] for i in range(0, len(data), 100)), suffix, 1 << 22):
                pass


# --- programs --------------------------------------------------------------------------------------------------------


def elf_seeds() -> list[bytes]:
    dynamic = b"".join(struct.pack("<QQ", t, v) for t, v in ((1, 1), (14, 1), (29, 1), (5, 0x1000), (10, 16), (0, 0)))
    strings = b"\0lib.so.1\0".ljust(16, b"\0")
    segments = [(1, 0, 0x1000 - 0x200 + 0x200, 400), (2, 0x100, 0, len(dynamic)), (3, 0x180, 0, 10)]
    table = b"".join(struct.pack("<IIQQQQQQ", k, 0, o, a, a, s, s, 0) for k, o, a, s in segments)
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    body = (strings + head[16:])[:0] + head + table
    wide = body.ljust(0x100, b"\0") + dynamic.ljust(0x80, b"\0") + b"/lib/ld\0\0\0".ljust(64, b"\0")
    info = b"depends=a,b\0name=x\0alias=pci:*\0softdep=pre: c\0"
    names = b"\0.modinfo\0"
    sections = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 64, len(info), 0, 0, 0, 0)
    sections += struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, 64 + len(info), len(names), 0, 0, 0, 0)
    at = 64 + len(info) + len(names)
    module = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, 3, 2
    )
    real = Path("/bin/true")
    return [wide, module + info + names + sections, *([real.read_bytes()[:30000]] if real.exists() else [])]


def pe_seeds() -> list[bytes]:
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    header = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x22)
    optional = struct.pack("<H", 0x20B).ljust(32, b"\0") + struct.pack("<II", 0x1000, 0x200)
    optional = optional.ljust(56, b"\0") + struct.pack("<II", 0x3000, 0x400)
    section = b".linux\0\0" + struct.pack("<IIIIIIHHI", 16, 0x1000, 16, 0x400, 0, 0, 0, 0, 0x60000020)
    return [(head + header + optional.ljust(240, b"\0") + section).ljust(0x400, b"\0") + b"kernel".ljust(0x200, b"\0")]


def run_pe(data: bytes) -> None:
    pe.names(data)
    pe.section(data, ".linux")
    pe.sbat(["a,1"], pe.section(data, ".sbat"))
    pe.add(data, [pe.Section(".osrel", (Inline(data[:20]),))])


def run_kernel(data: bytes) -> None:
    linux_image.architecture(data)
    linux_image.version(data)


# --- Debian ----------------------------------------------------------------------------------------------------------

STANZA = (
    b"Package: nginx\nVersion: 1:1.26.3-3+deb13u1\nArchitecture: amd64\nFilename: pool/n.deb\nSize: 100\nSHA256: "
    + b"a" * 64
    + b"\nDepends: libc6 (>= 2.38), a | b [amd64] <!nocheck>, c:any\nProvides: httpd (= 1), x\nInstalled-Size: 5\n"
    b"Description: text\n more text\n .\n\tend\n"
)
RELEASE = (
    b"Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Sat, 06 Sep 2025 09:12:34 UTC\nValid-Until: Sat, 13 Sep "
    b"2025 09:12:34 UTC\nAcquire-By-Hash: yes\nSHA256:\n " + b"b" * 64 + b" 1234 main/binary-amd64/Packages.xz\n"
)
COPYRIGHT = (
    b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nLicense: GPL-2+ with OpenSSL "
    b"exception\n\nFiles: *\nCopyright: x\nLicense: GPL-2+ or (Expat and BSD-3-clause), and Artistic\n text\n\n"
    b"Files: debian/*\nLicense: GPL-2-with-Foo-exception\n"
)
LICENCES = (
    b"On Debian systems see /usr/share/common-licenses/GPL-2, or (at your option) any later version\nRedistribution "
    b"and use in source and binary forms ... Neither the name\nGNU Lesser General Public License version 2.1\n"
)


def run_index(data: bytes) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        packed = lzma.compress(data, preset=0)
        index.fill(connection, [("debian", io.BytesIO(packed))])
        found = index.Index(connection)
        for package in found.named("nginx"):
            with contextlib.suppress(ValueError):
                relation.parse(package.depends, "amd64")
                version.satisfies(package.version, ">=", "1.0-1")


def run_release(data: bytes) -> None:
    found = release.decode(data, "InRelease")
    release.check(found, "trixie", 1757150000, "InRelease")


def run_relation(data: bytes) -> None:
    for atoms in relation.parse(text(data), "amd64"):
        for atom in atoms:
            version.satisfies(atom.version or "1", atom.operator or "=", "2:1.0~rc1-1")


def run_copyright(data: bytes) -> None:
    found = copyright_file.read(text(data))
    copyright_file.identifiers(found.expression)
    licence_name.spdx(text(data[:200]))


def deb_seeds() -> list[bytes]:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as made:
        info = tarfile.TarInfo("./control")
        info.size = len(STANZA)
        made.addfile(info, io.BytesIO(STANZA))
    plain = held.getvalue()
    return [
        ar.encode([("debian-binary", b"2.0\n"), ("control.tar" + s, p), ("data.tar" + s, d)])
        for s, p, d in (
            ("", plain, tar_seeds()[0]),
            (".xz", lzma.compress(plain), lzma.compress(tar_seeds()[1])),
            (".gz", b"".join(compress([plain], "gzip")), b"".join(compress([plain], "gzip"))),
        )
    ]


def run_deb(data: bytes) -> None:
    with contextlib.suppress(FinbackError):
        deb.fields(io.BytesIO(data), "x.deb")
    deb.unpack_data(io.BytesIO(data), "x.deb", io.BytesIO())


def run_sources(data: bytes) -> None:
    for suffix in (".list", ".sources"):
        with contextlib.suppress(ValueError):
            sources.parse([(suffix, text(data))])


SOURCES = [
    b"deb [arch=amd64] http://x/debian trixie main # c\n",
    b"Types: deb\nURIs: http://x/debian\nSuites: trixie\nComponents: main\n",
]
APK = b"C:Q1=\nP:busybox\nV:1.36-r1\nA:x86_64\nL:GPL-2.0-only\no:busybox\nm:N <n@x>\n\nP:musl\n"


def run_inventory(data: bytes) -> None:
    tree = [
        File(path=path, content=Inline(data))
        for path in ("var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/dpkg/status.d/x",
                     "usr/share/doc/nginx/copyright", "bin/x")
    ]  # fmt: skip
    inventory.take(tree, lambda c: [c.data] if isinstance(c, Inline) else [])


def signature_seeds() -> list[bytes]:
    return [(VECTORS / name).read_bytes() for name in ("sub.asc", "both.asc", "sha1.asc", "weak.asc")]


def run_signed(data: bytes) -> None:
    keyring = b"".join((VECTORS / f"{name}.key").read_bytes() for name in ("sub", "good", "weak", "revoked"))
    for now in (None, 1578700800):
        with contextlib.suppress(FinbackError):
            openpgp.verify(data, keyring, now=now)


def run_keyring(data: bytes) -> None:
    openpgp.verify((VECTORS / "sub.asc").read_bytes(), data, now=1578700800)


# --- images ----------------------------------------------------------------------------------------------------------

DIGEST = "sha256:" + hashlib.sha256(b"layer").hexdigest()
CONFIG: dict[str, Any] = {
    "os": "linux", "architecture": "amd64", "variant": "v1", "created": "2025-01-01T00:00:00Z",
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]}, "history": [{"empty_layer": True}],
    "config": {
        "Entrypoint": ["/bin/x"], "Cmd": ["a"], "Env": ["PATH=/bin", "A=b"], "User": "1000:1000", "WorkingDir": "/x",
        "Labels": {"a": "b", label.LABEL: '{"capabilities": ["all"]}'}, "StopSignal": "SIGRTMIN+3", "ExposedPorts": {},
    },
}  # fmt: skip
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2, "mediaType": manifest.MANIFEST, "artifactType": "a/b",
    "config": {"mediaType": image.CONFIG, "digest": DIGEST, "size": 5},
    "layers": [{"mediaType": image.LAYER, "digest": DIGEST, "size": 5, "annotations": {artifact.TITLE: "x-kernel"}}],
    "annotations": {"a": "b"}, "subject": {"mediaType": manifest.MANIFEST, "digest": DIGEST, "size": 5},
}  # fmt: skip
INDEX: dict[str, Any] = {
    "schemaVersion": 2, "mediaType": manifest.INDEX,
    "manifests": [{
        "mediaType": manifest.MANIFEST, "digest": DIGEST, "size": 5, "annotations": {files.__name__: "x"},
        "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
    }, {
        "mediaType": manifest.MANIFEST, "digest": DIGEST, "size": 7,
        "platform": {"os": "linux", "architecture": "amd64"},
    }],
}  # fmt: skip


def run_manifest(data: bytes) -> None:
    found = manifest.read(data, manifest.MANIFEST)
    json.dumps(found.descriptor.written())
    for entry in (*found.manifests, *found.layers):
        json.dumps(entry.written())
    if found.is_index:
        manifest.choose(found, AMD64, "x")
    else:
        artifact.files(found, "x")


def run_config(data: bytes) -> None:
    config = image.parse_config(data, Digest.of(data))
    found = configuration.read(config, "x")
    json.dumps([found.command, found.environment, found.folder, found.user, found.stop_signal, dict(found.labels)])
    str(image.made_for(config))
    if label.LABEL in found.labels:
        label.parse(found.labels[label.LABEL], "x")


def run_artifact_config(data: bytes) -> None:
    str(artifact.platform(data))


class Memory:
    """Files of an image, in memory."""

    label = "memory"

    def __init__(self, held: Mapping[str, bytes]) -> None:
        self._held = held

    def has(self, name: str) -> bool:
        return name in self._held

    def stream(self, name: str) -> Iterator[bytes]:
        if name not in self._held:
            raise files.error("F410", f"no {name}", help="x")
        yield self._held[name]


PARTS = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index": INDEX, "manifest": MANIFEST, "config": CONFIG}
SAVED = {
    "saved": [{"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["a/layer.tar"]}], "config": CONFIG,
    "repositories": {"a": {"1": "f" * 64}}, "about": {"id": "f" * 64, "parent": "e" * 64, "os": "linux", "config": {}},
}  # fmt: skip


def run_layout(data: bytes) -> None:
    """An image whose parts have the digests that the changed parts give."""
    try:
        parts = json.loads(data)
        bodies = {name: json.dumps(value).encode("utf-8", "replace") for name, value in parts.items()}
    except (ValueError, RecursionError, AttributeError):
        bodies = {"index": data, "manifest": data, "config": data, "saved": data, "repositories": data}
    held: dict[str, bytes] = {"version": b"Directory Transport Version: 1.1\n", "a/layer.tar": b"layer"}

    def blob(body: bytes) -> tuple[bytes, bytes]:
        held["blobs/sha256/" + (name := hashlib.sha256(body).hexdigest())] = body
        return name.encode(), b'"size": %d' % len(body)

    blob(b"layer")
    plain = DIGEST.removeprefix("sha256:").encode()
    name, size = blob(bodies.get("config", b""))
    made = bodies.get("manifest", b"").replace(plain, name, 1).replace(b'"size": 5', size, 1)
    name, size = blob(made)
    held["index.json"] = bodies.get("index", b"").replace(plain, name).replace(b'"size": 7', size)
    for part, place in (("oci-layout", "oci-layout"), ("saved", "manifest.json"), ("config", "config.json"),
                        ("repositories", "repositories"), ("about", "f" * 64 + "/json")):  # fmt: skip
        if part in bodies:
            held[place] = bodies[part]
    found: Files = Memory(held)
    for asked in ("", "a:1"):
        with contextlib.suppress(FinbackError):
            local_image.take(found, asked, AMD64, store(os.getpid()))


def run_saved_file(data: bytes) -> None:
    path = own(os.getpid()) / "saved.tar"
    path.write_bytes(data)
    try:
        with files.opened(path, store(os.getpid())) as found:
            local_image.take(found, "", AMD64, store(os.getpid()))
    finally:
        path.unlink()


def saved_seeds() -> list[bytes]:
    held = io.BytesIO()
    config = as_json(CONFIG)
    body = as_json([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}])
    with tarfile.open(fileobj=held, mode="w") as made:
        for name, content in (("manifest.json", body), ("c.json", config), ("l/layer.tar", b"layer")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return [held.getvalue(), b"".join(compress([held.getvalue()], "gzip"))]


def run_reach(data: bytes) -> None:
    kept = store(os.getpid())
    digest = kept.put(data)
    try:
        reach = Reach(kept)
        reach.of_manifest(digest)
        reach.is_whole(digest)
        reach.platforms(digest)
        with contextlib.suppress(strict_json.JsonError):
            reach.of_record(strict_json.plain(data))
    finally:
        kept.path(digest).unlink(missing_ok=True)


def run_reference(data: bytes) -> None:
    with contextlib.suppress(FinbackError):
        str(located.parse(text(data)))
    found = Reference.parse(text(data))
    assert Reference.parse(str(found)) == found
    assert Reference.parse(found.familiar) == found


# --- registries, tokens, credentials ---------------------------------------------------------------------------------


class Reply:
    """An answer as urllib3 gives it."""

    def __init__(self, data: bytes) -> None:
        from urllib3 import HTTPHeaderDict

        head, _, self._body = data.partition(b"\n\n")
        first, *lines = head.decode("latin-1").split("\n")
        self.status = int(first) if re.fullmatch(r"[0-9]{3}", first) else 200
        self.headers = HTTPHeaderDict()
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip():
                self.headers.add(name.strip(), value.strip())

    def read1(self, size: int, **_: object) -> bytes:
        piece, self._body = self._body[:size], self._body[size:]
        return piece

    def close(self) -> None:
        pass

    release_conn = close


class Pools:
    """Answers the first question with the input, and what follows with another part of it."""

    def __init__(self, data: bytes) -> None:
        self._parts = data.split(b"\n---\n")
        self._count = 0

    def request(self, *_: object) -> Reply:
        self._count += 1
        return Reply(self._parts[min(self._count, len(self._parts)) - 1])


HEADERS = (
    b"Docker-Content-Digest: " + DIGEST.encode() + b"\nContent-Type: application/vnd.oci.image.manifest.v1+json; a=b\n"
    b"Retry-After: 3\nETag: W/x\nContent-Length: 5\nContent-Range: bytes 0-4/5"
)


def reply_seeds() -> list[bytes]:
    bearer = (
        b'401\nWWW-Authenticate: Bearer realm="https://auth.example/token?a=b",service="x",scope="repository:a:pull"'
    )
    token = b"200\nContent-Type: application/json\n\n" + as_json(
        {"token": "abc", "expires_in": 300, "refresh_token": "r"}
    )
    good = b"200\n" + HEADERS + b"\n\n" + as_json(MANIFEST)
    bad = b"404\n\n" + as_json({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no", "detail": {"a": 1}}]})
    moved = b"307\nLocation: https://other.example/v2/a/manifests/1#x"
    busy = b"429\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\n"
    basic = b'401\nWWW-Authenticate: Basic realm="x", Bearer realm="https://auth.example/t"'
    return [b"\n---\n".join(p) for p in (
        (good,), (bearer, token, good), (basic, token, good), (moved, good), (busy, bad), (bad,), (b"200\n\n<html>",),
        (b"200\n" + HEADERS + b"\n\n" + as_json(INDEX),),
    )]  # fmt: skip


@contextlib.contextmanager
def answering(data: bytes) -> Iterator[Registries]:
    """Registries whose every question is answered from *data*, at once."""
    pools = Pools(data)
    before = web.Client._pools, web.time.sleep, web.Client._opened if hasattr(web.Client, "_opened") else None

    def chosen(self: web.Client, url: str) -> Any:
        # The address is checked as ever; only the connection is not made.
        before[0](self, url)
        return pools

    web.Client._pools = chosen  # type: ignore[method-assign]
    web.time.sleep = lambda _: None  # type: ignore[assignment]
    try:
        credentials = Credentials(own(os.getpid()) / "none.json")
        yield Registries(Network(), credentials, Patience(attempts=2))
    finally:
        web.Client._pools = before[0]  # type: ignore[method-assign]
        web.time.sleep = before[1]


def run_registry(data: bytes) -> None:
    with answering(data) as registries:
        registry = registries.get("registry.example.com")
        for asked in ("1", Digest.parse(DIGEST)):
            with contextlib.suppress(FinbackError):
                registry.document("a", asked)
        with contextlib.suppress(FinbackError):
            registry.referrers("a", Digest.parse(DIGEST))
        blob = manifest.Descriptor(media_type=image.LAYER, digest=Digest.parse(DIGEST), size=5)
        registry.download("a", blob, store(os.getpid()), lambda _: None)


def run_challenge(data: bytes) -> None:
    for found in challenge.parse(text(data)):
        assert challenge.parse(str(found)) == (found,)


def run_credentials(data: bytes) -> None:
    path = own(os.getpid()) / "config.json"
    path.write_bytes(data)
    found = Credentials(path)
    for name in ("docker.io", "registry.example.com"):
        with contextlib.suppress(FinbackError):
            found.find(name, "a/b")
    found.erase("registry.example.com")


DOCKER_CONFIG = {
    "auths": {
        "registry.example.com": {"auth": "dXNlcjpwYXNz", "identitytoken": "x"}, "https://index.docker.io/v1/": {},
        "registry.example.com/a": {"username": "u", "password": "p", "registrytoken": "t"},
    },
    "credHelpers": {"other.example.com": "none-such"}, "credsStore": "", "HttpHeaders": {},
}  # fmt: skip


# --- locks, records, guests ------------------------------------------------------------------------------------------

PIN = {
    "digest": DIGEST, "version": "1", "definition": DIGEST, "substitutes": "a", "loader": True,
    "packages": [{"name": "a", "version": "1", "architecture": "amd64", "filename": "x", "size": 5, "digest": DIGEST}],
}  # fmt: skip


def lock_seeds() -> list[bytes]:
    body = {
        "version": lock.FORMAT_VERSION,
        "platforms": {"linux/amd64": {"docker.io/a/b:1": PIN}},
        "extends": {"x": DIGEST},
    }
    return [as_json(body)]


def run_lock(data: bytes) -> None:
    found = lock.decode(text(data), "x.lock")
    lock.encode(found)
    lock.compare(lock.Lock(), found)


def run_published(data: bytes) -> None:
    published.decode(text(data), "a", "x")


KEY = Digest.of(b"key")


def run_record(data: bytes) -> None:
    record.decode(data, KEY)


EVENTS = [(
    b'{"uptime": 1.5, "stage": "init", "name": "init", "event": "started"}\n'
    b'{"uptime": 2.25, "stage": "service", "name": "web", "event": "exited", "status": 3}\n'
    b'{"uptime": 3, "stage": "onboot", "name": "dhcp", "event": "done", "status": 0}\n'
)]  # fmt: skip


def run_events(data: bytes) -> None:
    reports = timeline.parse(text(data))
    timeline.steps(reports)


CONSOLE = [
    (
        b"[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n[    2.0] Initramfs unpacking failed\n"
        b"finback: web: /bin/x: not found\n\x1b[31mOut of memory: Killed process 12 (nginx)\n"
    ),
    b'VFS: Cannot open root device "sda" or unknown-block\n',
]


def run_console(data: bytes) -> None:
    diagnosis.diagnose(text(data))
    printable(text(data))
    cleaner = Cleaner()
    for at in range(0, len(data), 50):
        cleaner.clean(data[at : at + 50])
    cleaner.rest()


# --- what users write, which may come from elsewhere ------------------------------------------------------------------


def spec_seeds() -> list[bytes]:
    found = [p.read_bytes() for p in sorted((ROOT / "tests/cases/spec").glob("*/*.yml"))]
    return [f for f in found if len(f) < 3000] or [b"kernel: {image: x}\n"]


def run_spec(data: bytes) -> None:
    load_files([Source("x.yml", text(data))])


def component_seeds() -> list[bytes]:
    found = [p.read_bytes() for p in sorted((ROOT / "components").glob("*/component.yml"))]
    return [f for f in found if len(f) < 2500][:60]


def run_component(data: bytes) -> None:
    load(Definition, Source("component.yml", text(data)))


LABELS = [
    b'{"binds": ["/a:/b"], "capabilities": ["CAP_SYS_ADMIN"], "runtime": {"mkdir": ["/x"], "cgroups": ["a"]}}',
    b"net: host\npid: host\nenv: [A=b]\nrlimits: [nofile,1,2]\nruntime: {bindNS: {net: /x}}\n",
]
SECCOMP = {
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "archMap": [{"architecture": "SCMP_ARCH_X86_64"}],
    "syscalls": [{
        "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
        "includes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["amd64"]}, "excludes": {"minKernel": "4.8"},
    }],
}  # fmt: skip


def run_seccomp(data: bytes) -> None:
    json.dumps(seccomp.from_file(data, Settings(), AMD64, None))


JSON_CHANGES = (change.json_values,)
LINES = (change.lines,)
TARS = (change.tar_headers, change.tar_members)
BYTE_FORMAT = (FinbackError, ValueError)


def fixed(*seeds: bytes | str) -> Callable[[], Sequence[bytes]]:
    return lambda: [s.encode() if isinstance(s, str) else s for s in seeds]


TARGETS = tuple(
    Target(name, cache(seeds), run, allowed, special)
    for name, seeds, run, allowed, special in (
        ("json", fixed(as_json(CONFIG)), strict_json.plain, (strict_json.JsonError,), JSON_CHANGES),
        ("tar", tar_seeds, run_tar, (ValueError,), TARS),
        ("layer", tar_seeds, run_layer, (FinbackError,), TARS),
        ("copied", tar_seeds, run_copied, (FinbackError,), TARS),
        ("cpio", cpio_seeds, cpio.decode, (ValueError,), ()),
        ("initramfs", initramfs_seeds, run_initramfs, (ValueError,), ()),
        ("decompress", packed_seeds, run_decompress, (), ()),
        ("elf", elf_seeds, elf.decode, (ValueError,), ()),
        ("module", elf_seeds, lambda d: module_index.describe("a/x.ko", d), BYTE_FORMAT, ()),
        ("pe", pe_seeds, run_pe, BYTE_FORMAT, ()),
        ("kernel", pe_seeds, run_kernel, (), ()),
        ("deb", deb_seeds, run_deb, (FinbackError,), TARS),
        (
            "control",
            fixed(STANZA, RELEASE),
            lambda d: list(control.paragraphs(text(d).split("\n"))),
            (ValueError,),
            LINES,
        ),
        ("packages", fixed(STANZA + b"\n" + STANZA), run_index, (FinbackError,), LINES),
        ("release", fixed(RELEASE), run_release, (FinbackError,), LINES),
        (
            "relation",
            fixed("libc6 (>= 2.38), a:any | b [amd64 !arm64] <!x>, c (<< 1:2~3-4)"),
            run_relation,
            (ValueError,),
            (),
        ),
        ("copyright", fixed(COPYRIGHT, LICENCES), run_copyright, (), LINES),
        ("sources", fixed(*SOURCES), run_sources, (), LINES),
        ("inventory", fixed(STANZA + b"Status: install ok\n", APK, COPYRIGHT), run_inventory, (FinbackError,), LINES),
        ("signed", signature_seeds, run_signed, (), LINES),
        (
            "keyring",
            lambda: [(VECTORS / f"{n}.key").read_bytes() for n in ("sub", "revoked", "weak")],
            run_keyring,
            (FinbackError,),
            LINES,
        ),
        ("manifest", fixed(as_json(MANIFEST), as_json(INDEX)), run_manifest, (FinbackError,), JSON_CHANGES),
        ("config", fixed(as_json(CONFIG)), run_config, (FinbackError,), JSON_CHANGES),
        (
            "artifact",
            fixed('{"architecture": "amd64", "os": "linux", "variant": "v1"}'),
            run_artifact_config,
            (strict_json.JsonError,),
            JSON_CHANGES,
        ),
        ("layout", fixed(as_json(PARTS), as_json(SAVED)), run_layout, (), JSON_CHANGES),
        ("saved", saved_seeds, run_saved_file, (FinbackError,), TARS),
        ("reach", fixed(as_json(MANIFEST), as_json(INDEX), as_json(CONFIG)), run_reach, (), JSON_CHANGES),
        (
            "reference",
            fixed("nginx", "host:5000/a/b:1@" + DIGEST, "[::1]:5000/a", "oci-layout:a/b:c"),
            run_reference,
            (FinbackError,),
            (),
        ),
        ("registry", reply_seeds, run_registry, (FinbackError,), LINES),
        (
            "challenge",
            fixed('Bearer realm="a\\"b", scope=x, Basic, Digest abc==', "Basic realm=x"),
            run_challenge,
            (ValueError,),
            (),
        ),
        ("credentials", fixed(as_json(DOCKER_CONFIG)), run_credentials, (FinbackError,), JSON_CHANGES),
        ("lock", lock_seeds, run_lock, (FinbackError,), JSON_CHANGES),
        ("published", fixed(as_json(PIN)), run_published, (FinbackError,), JSON_CHANGES),
        ("record", lambda: [record.encode(KEY, {"manifest": DIGEST})], run_record, (ValueError,), JSON_CHANGES),
        ("events", fixed(*EVENTS), run_events, (), LINES),
        ("console", fixed(*CONSOLE), run_console, (), LINES),
        ("spec", spec_seeds, run_spec, (FinbackError,), LINES),
        ("component", component_seeds, run_component, (FinbackError,), LINES),
        ("label", fixed(*LABELS), lambda d: label.parse(text(d), "x"), (FinbackError,), LINES),
        ("seccomp", fixed(as_json(SECCOMP)), run_seccomp, (FinbackError,), JSON_CHANGES),
    )
)
