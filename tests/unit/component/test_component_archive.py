"""Debian's archive, played by a small one on the loopback interface: good, faulty and hostile."""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import http.server
import io
import lzma
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pysequoia
import pytest

from finback.codec import ar
from finback.component.archive import Archive, ArchiveSettings
from finback.debian import deb
from finback.debian.relation import restricted
from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.digest import Digest
from finback.host import web
from finback.host.http import Fetcher
from finback.host.store import Store
from finback.resolve.plan import PackagePin

NOW = 1763215950
DAY = 24 * 3600
PACKAGES = "main/binary-amd64/Packages.xz"


@dataclass(slots=True)
class Mirror:
    """A web server: path to body; what it was asked for is remembered."""

    url: str
    key: pysequoia.Tsk
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add_suite(self, suite: str, packages: dict[str, bytes], *, root: str = "debian", by_hash: bool = True) -> None:
        """Publish *packages*, each ``name version depends`` with its bytes."""
        stanzas = []
        for text, body in packages.items():
            name, version, depends = (*text.split(maxsplit=2), "")[:3]
            filename = f"pool/{name}_{version}_amd64.deb"
            self.files[f"/{root}/{filename}"] = body
            stanzas.append(
                f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: {filename}\nSize: {len(body)}\n"
                f"Installed-Size: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\n"
                + (f"Depends: {depends}\n" if depends else "")
            )
        index = lzma.compress("\n".join(stanzas).encode())
        digest = hashlib.sha256(index).hexdigest()
        folder = f"/{root}/dists/{suite}"
        if by_hash:
            self.files[f"{folder}/main/binary-amd64/by-hash/SHA256/{digest}"] = index
        else:
            self.files[f"{folder}/{PACKAGES}"] = index
        self.files[f"{folder}/Release"] = (
            f"Suite: {suite}\nCodename: {suite}\nDate: {_date(NOW - DAY)}\nValid-Until: {_date(NOW + DAY)}\n"
            f"Acquire-By-Hash: {'yes' if by_hash else 'no'}\nSHA256:\n {digest} {len(index)} {PACKAGES}\n"
        ).encode()
        self.sign(suite, root)

    def sign(self, suite: str = "trixie", root: str = "debian", key: pysequoia.Tsk | None = None) -> None:
        folder = f"/{root}/dists/{suite}"
        text = self.files[f"{folder}/Release"]
        signer = (key or self.key).signer()
        self.files[f"{folder}/InRelease"] = bytes(pysequoia.sign(signer, text, mode=pysequoia.SignatureMode.CLEAR))

    def change(self, old: str, new: str) -> None:
        """Change trixie's Release file, and sign it anew."""
        text = self.files["/debian/dists/trixie/Release"]
        assert old.encode() in text
        self.files["/debian/dists/trixie/Release"] = text.replace(old.encode(), new.encode())
        self.sign()

    def named(self, part: str) -> str:
        """The one path that has *part* in it."""
        (path,) = (p for p in self.files if part in p)
        return path


def _date(seconds: int) -> str:
    return email.utils.formatdate(seconds, usegmt=True)


def _deb(text: str) -> bytes:
    members = [("debian-binary", b"2.0\n"), ("control.tar", b""), ("data.tar.xz", lzma.compress(text.encode() * 1000))]
    return ar.encode(members)


@pytest.fixture(scope="module")
def key() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Test Archive <archive@example.org>")


@pytest.fixture
def mirror(key: pysequoia.Tsk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(web.time, "sleep", lambda _seconds: None)
    found = Mirror("", key)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            body = found.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    found.add_suite("trixie", {"a 1 b": _deb("a"), "b 1": _deb("b"), "c 1": _deb("c")})
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def chosen(mirror: Mirror) -> ArchiveSettings:
    return ArchiveSettings(
        mirror=f"{mirror.url}/debian",
        suites=("trixie",),
        keyring=bytes(mirror.key.extract_certificate()),
        now=NOW,
    )


def _solve(chosen: ArchiveSettings, store: Store, *names: str, without: str = "") -> tuple[PackagePin, ...]:
    return Archive(chosen, store, Fetcher(), "amd64").solve(names, without.split())


def _failure(chosen: ArchiveSettings, store: Store, name: str = "a") -> Diagnostic:
    with pytest.raises(FinbackError) as caught:
        _solve(chosen, store, name)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    assert not list((store.root / "debian").iterdir())
    return diagnostic


def _fetch(chosen: ArchiveSettings, store: Store, pins: tuple[PackagePin, ...]) -> Diagnostic:
    with pytest.raises(FinbackError) as caught:
        Archive(chosen, store, Fetcher(), "amd64").fetch(pins)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    assert not list((store.root / "tmp").iterdir())
    return diagnostic


def test_pins_the_closure(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    body = mirror.files["/debian/pool/a_1_amd64.deb"]
    first, second = _solve(chosen, store, "a")
    assert first == PackagePin(
        name="a",
        version="1",
        architecture="amd64",
        filename="pool/a_1_amd64.deb",
        size=len(body),
        digest=Digest.of(body),
        archive="debian",
    )
    assert second.name == "b"
    assert [p.name for p in _solve(chosen, store, "a", without="b")] == ["a"]


def test_what_apt_would_install_is_estimated(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    first, second = _solve(chosen, store, "a")
    assert Archive(chosen, store, Fetcher(), "amd64").installed(["a"]) == (2, (first.size + second.size) << 10)


def test_fetches_what_is_pinned(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    pins = _solve(chosen, store, "a", "c")
    Archive(chosen, store, Fetcher(), "amd64").fetch(pins)
    for pin in pins:
        assert store.read(pin.digest) == mirror.files[f"/debian/{pin.filename}"]
    asked = len(mirror.asked)
    Archive(chosen, store, Fetcher(), "amd64").fetch(pins)
    assert len(mirror.asked) == asked


def test_an_index_is_fetched_once_for_as_long_as_it_stays(
    mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    _solve(chosen, store, "a")
    _solve(chosen, store, "a")
    assert sum("by-hash" in p for p in mirror.asked) == 1
    mirror.add_suite("trixie", {"a 2": _deb("a2")})
    assert [p.version for p in _solve(chosen, store, "a")] == ["2"]
    assert sum("by-hash" in p for p in mirror.asked) == 2


def test_an_index_that_was_damaged_is_made_anew(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    """Also where SQLite sees nothing wrong: in the digest of a package."""
    pins = _solve(chosen, store, "a")
    (path,) = (store.root / "debian").glob("*.sqlite")
    whole = path.read_bytes()
    places = [whole.index(pins[0].digest.encoded.encode()), *range(0, len(whole), max(1, len(whole) // 20))]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert _solve(chosen, store, "a") == pins
        assert path.read_bytes() != bytes(damaged)


def test_a_mirror_without_files_by_hash(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    mirror.add_suite("trixie", {"a 3": _deb("a3")}, by_hash=False)
    assert [p.version for p in _solve(chosen, store, "a")] == ["3"]
    assert not any("by-hash" in p for p in mirror.asked)


def test_a_mirror_that_lost_its_files_by_hash(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    mirror.files[f"/debian/dists/trixie/{PACKAGES}"] = mirror.files.pop(mirror.named("by-hash"))
    assert len(_solve(chosen, store, "a")) == 2


def test_suites_and_the_security_archive_are_merged(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    mirror.add_suite("trixie-updates", {"b 2": _deb("b2")})
    mirror.add_suite("trixie-security", {"c 1+deb13u1": _deb("c2")}, root="debian-security")
    all_of_them = replace(chosen, suites=("trixie", "trixie-updates"), security=f"{mirror.url}/debian-security")
    pins = _solve(all_of_them, store, "a", "c")
    assert [(p.name, p.version, p.archive) for p in pins] == [
        ("a", "1", "debian"),
        ("b", "2", "debian"),
        ("c", "1+deb13u1", "debian-security"),
    ]
    Archive(all_of_them, store, Fetcher(), "amd64").fetch(pins)
    assert all(store.has(p.digest) for p in pins)


def test_a_suite_beside_the_leading_one_may_lack_the_architecture(
    mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    mirror.add_suite("trixie-updates", {})
    text = mirror.files["/debian/dists/trixie-updates/Release"]
    mirror.files["/debian/dists/trixie-updates/Release"] = text.replace(b"binary-amd64", b"binary-arm64")
    mirror.sign("trixie-updates")
    both = replace(chosen, suites=("trixie", "trixie-updates"))
    assert len(_solve(both, store, "a")) == 2
    swapped = replace(chosen, suites=("trixie-updates", "trixie"))
    assert _failure(swapped, Store(store.root.parent / "second")).code == "F135"


def test_an_unknown_package(chosen: ArchiveSettings, store: Store) -> None:
    with pytest.raises(FinbackError) as caught:
        _solve(chosen, store, "nginx")
    assert caught.value.diagnostics[0].code == "F132"


def test_refuses_an_unknown_signer(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    mirror.sign(key=pysequoia.Tsk.generate("Stranger <stranger@example.org>"))
    assert _failure(chosen, store).code == "F310"


def test_refuses_a_changed_release_file(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    path = "/debian/dists/trixie/InRelease"
    mirror.files[path] = mirror.files[path].replace(b"by-hash", b"By-Hash").replace(b"Acquire", b"Inquire")
    assert _failure(chosen, store).code == "F310"


def test_refuses_an_expired_release_file_unless_told_otherwise(
    mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    later = replace(chosen, now=NOW + DAY + 1)
    diagnostic = _failure(later, store)
    assert diagnostic.code == "F313"
    assert _date(NOW + DAY) in diagnostic.message
    assert len(_solve(replace(later, accept_expired=True), store, "a")) == 2


def _refused(chosen: ArchiveSettings, store: Store) -> Diagnostic:
    """As `_failure`, in a store that has been used before."""
    with pytest.raises(FinbackError) as caught:
        _solve(chosen, store, "a")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    return diagnostic


def test_refuses_to_go_back_in_time_unless_told_otherwise(
    mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    _solve(chosen, store, "a")
    mirror.change(_date(NOW + DAY), "")
    mirror.change("Valid-Until: \n", "")
    old = _date(NOW - 400 * DAY)
    mirror.change(f"Date: {_date(NOW - DAY)}", f"Date: {old}")
    diagnostic = _refused(chosen, store)
    assert diagnostic.code == "F315"
    assert f"is from {old}, and one from {_date(NOW - DAY)} was seen" in diagnostic.message
    assert len(_solve(replace(chosen, accept_expired=True), store, "a")) == 2
    assert _refused(chosen, store).code == "F315", "what was accepted as old is not remembered as new"
    # Mirrors are a little behind one another.
    mirror.change(f"Date: {old}", f"Date: {_date(NOW - 2 * DAY)}")
    assert len(_solve(chosen, store, "a")) == 2
    mirror.change(f"Date: {_date(NOW - 2 * DAY)}", f"Date: {old}")
    assert _refused(chosen, store).code == "F315"


@pytest.mark.parametrize("damage", [None, b"", b"[]", b'{"x": -1}', b'{" trixie": "soon"}', b"[" * 20_000])
def test_a_lost_memory_of_dates_is_begun_anew(
    damage: bytes | None, mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    _solve(chosen, store, "a")
    memory = store.root / "archive-dates.json"
    assert memory.exists()
    if damage is None:
        memory.unlink()
    else:
        memory.write_bytes(damage)
    mirror.change(f"Date: {_date(NOW - DAY)}", f"Date: {_date(NOW - 40 * DAY)}")
    assert len(_solve(chosen, store, "a")) == 2
    mirror.change(f"Date: {_date(NOW - 40 * DAY)}", f"Date: {_date(NOW - 80 * DAY)}")
    assert _refused(chosen, store).code == "F315"


def test_refuses_an_expired_key_unless_told_otherwise(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    expiring = mirror.key.extract_certificate().set_expiration(end, mirror.key.certifier())
    later = replace(chosen, keyring=bytes(expiring), now=int(end.timestamp()) + 1)
    diagnostic = _failure(later, store)
    assert diagnostic.code == "F310"
    assert "expired" in diagnostic.message
    assert len(_solve(replace(later, accept_expired=True), store, "a")) == 2


def test_refuses_a_release_file_from_the_future(chosen: ArchiveSettings, store: Store) -> None:
    assert _failure(replace(chosen, now=NOW - 3 * DAY), store).code == "F314"


def test_refuses_another_suites_release_file(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    mirror.change("name: trixie", "name: bookworm")
    mirror.change("Suite: trixie", "Suite: oldstable")
    diagnostic = _failure(chosen, store)
    assert diagnostic.code == "F312"
    assert "bookworm" in diagnostic.message


def test_refuses_an_index_with_another_hash(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    path = mirror.named("by-hash")
    body = mirror.files[path]
    mirror.files[path] = body[:-1] + bytes([body[-1] ^ 1])
    assert _failure(chosen, store).code == "F301"


def test_refuses_an_index_that_is_longer_than_announced(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    path = mirror.named("by-hash")
    mirror.files[path] += bytes(1 << 20)
    assert _failure(chosen, store).code == "F302"


def test_refuses_a_malformed_index(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    path = mirror.named("by-hash")
    old, new = mirror.files[path], lzma.compress(b"Package: a\n")
    mirror.files[path.replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest())] = new
    mirror.change(f"{hashlib.sha256(old).hexdigest()} {len(old)}", f"{hashlib.sha256(new).hexdigest()} {len(new)}")
    assert _failure(chosen, store).code == "F131"


def test_refuses_a_page_that_is_no_archive(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    mirror.files["/debian/dists/trixie/InRelease"] = b"<html>log in to the hotel's network</html>"
    assert _failure(chosen, store).code == "F310"


def test_a_mirror_without_the_suite(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    del mirror.files["/debian/dists/trixie/InRelease"]
    diagnostic = _failure(chosen, store)
    assert diagnostic.code == "F202"
    assert "404" in diagnostic.message


def test_a_mirror_without_the_index(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    del mirror.files[mirror.named("by-hash")]
    assert _failure(chosen, store).code == "F202"


def test_an_unreachable_mirror(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    # Port 9 (discard) of the loopback interface, which nothing listens on.
    assert _failure(replace(chosen, mirror="http://127.0.0.1:9/debian"), store).code == "F201"


def test_a_package_that_has_left_the_archive(mirror: Mirror, chosen: ArchiveSettings, store: Store) -> None:
    pins = _solve(chosen, store, "a")
    del mirror.files["/debian/pool/b_1_amd64.deb"]
    diagnostic = _fetch(chosen, store, pins)
    assert (diagnostic.code, diagnostic.message) == ("F610", "package b 1 has left the archive")
    assert "finback lock --update" in diagnostic.help
    assert not store.has(pins[1].digest)


@pytest.mark.parametrize(("change", "code"), [(-1, "F301"), (0, "F301"), (1, "F302")])
def test_a_package_with_other_bytes(
    change: int, code: str, mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    pins = _solve(chosen, store, "a")
    body = mirror.files["/debian/pool/b_1_amd64.deb"]
    other = {-1: body[:-1], 0: body[:-1] + bytes([body[-1] ^ 1]), 1: body + b"\n"}[change]
    mirror.files["/debian/pool/b_1_amd64.deb"] = other
    assert _fetch(chosen, store, pins).code == code
    assert not store.has(pins[1].digest)


def test_a_package_that_is_truncated_in_the_archive_itself(
    mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    mirror.add_suite("trixie", {"a 1": _deb("a")[:-30]})
    pins = _solve(chosen, store, "a")
    Archive(chosen, store, Fetcher(), "amd64").fetch(pins)
    with pytest.raises(FinbackError) as caught, store.verified(pins[0].digest).open("rb") as stream:
        deb.unpack_data(stream, "a 1", io.BytesIO())
    assert caught.value.diagnostics[0].code == "F134"


def test_a_package_of_the_security_archive_needs_its_mirror(
    mirror: Mirror, chosen: ArchiveSettings, store: Store
) -> None:
    pins = tuple(replace(p, archive="debian-security") for p in _solve(chosen, store, "c"))
    assert _fetch(chosen, store, pins).code == "F611"


def test_a_damaged_database_is_made_again(chosen: ArchiveSettings, store: Store) -> None:
    _solve(chosen, store, "a")
    (path,) = (store.root / "debian").iterdir()
    whole = path.read_bytes()
    for damaged in (b"", b"not a database" * 100, whole[:4096] + b"\xff" * (len(whole) - 4096)):
        path.write_bytes(damaged)
        assert len(_solve(chosen, store, "a")) == 2
        assert path.read_bytes() != damaged


def test_the_database_is_never_written_to(chosen: ArchiveSettings, store: Store) -> None:
    archive = Archive(chosen, store, Fetcher(), "amd64")
    archive.solve(["a"], [])
    (path,) = (store.root / "debian").iterdir()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        archive._index._connection.execute("DELETE FROM package")  # type: ignore[union-attr]
    assert path.stat().st_size > 0


def test_names_are_restricted_to_architectures() -> None:
    texts = ("a", "b [amd64 arm64]", "c [s390x]", "d [!amd64]", " e [amd64] ")
    assert restricted(texts, "amd64") == ("a", "b", "e")
    assert restricted(texts, "s390x") == ("a", "c", "d")
