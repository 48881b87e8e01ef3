from __future__ import annotations

import io
import lzma
import sqlite3

import pytest

from finback.debian import index
from finback.debian.index import Index
from finback.ground.diagnostic import FinbackError

HASH = "ab" * 32
NGINX = f"""Package: nginx
Version: 1.26.3-3
Architecture: amd64
Maintainer: somebody
Filename: pool/main/n/nginx/nginx_1.26.3-3_amd64.deb
Size: 1234
SHA256: {HASH}
Pre-Depends: a
Depends: b (>= 1), c
Conflicts: d
Breaks: e (<< 2)
Provides: httpd, nginx-abi (= 1.26), httpd-cgi:any
Priority: important
Description: server
 Package: not a field
"""
BASH = NGINX.replace("Package: nginx", "Package: bash").replace("Priority: important", "Essential: yes")


def _open(*texts: str) -> tuple[Index, int]:
    connection = sqlite3.connect(":memory:")
    streams = [("debian", io.BytesIO(lzma.compress(t.encode()))) for t in texts]
    return Index(connection), index.fill(connection, streams)


def test_keeps_what_choosing_and_fetching_need() -> None:
    found, count = _open(NGINX + "\n" + BASH)
    assert count == 2
    (nginx,) = found.named("nginx")
    assert (nginx.version, nginx.architecture, nginx.archive) == ("1.26.3-3", "amd64", "debian")
    assert (nginx.filename, nginx.size, nginx.sha256) == ("pool/main/n/nginx/nginx_1.26.3-3_amd64.deb", 1234, HASH)
    assert (nginx.depends, nginx.conflicts) == ("a, b (>= 1), c", "d, e (<< 2)")
    assert (nginx.essential, nginx.priority) == (False, 1)
    (bash,) = found.named("bash")
    assert (bash.essential, bash.priority) == (True, 3)


def test_providers_are_found_by_each_name_in_the_order_of_the_index() -> None:
    found, _ = _open(NGINX + "\n" + BASH)
    for name in ("httpd", "nginx-abi", "httpd-cgi"):
        assert [p.name for p in found.providing(name)] == ["nginx", "bash"]
    assert found.providing("nginx") == ()
    assert found.named("httpd") == ()


def test_several_indexes_are_merged_with_their_archives() -> None:
    connection = sqlite3.connect(":memory:")
    streams = [("debian", NGINX), ("debian-security", NGINX.replace("1.26.3-3", "1.26.3-3+deb13u1"))]
    index.fill(connection, [(archive, io.BytesIO(lzma.compress(text.encode()))) for archive, text in streams])
    versions = [(p.version, p.archive) for p in Index(connection).named("nginx")]
    assert versions == [("1.26.3-3", "debian"), ("1.26.3-3+deb13u1", "debian-security")]


@pytest.mark.parametrize("text", ["", "\n\n\n"])
def test_an_empty_index_is_an_index(text: str) -> None:
    assert _open(text)[1] == 0


def test_stanzas_are_found_across_the_borders_of_chunks() -> None:
    count = 6000  # about 2 MiB of text, read by the mebibyte
    text = "\n".join(NGINX.replace("Package: nginx", f"Package: p{n}") for n in range(count))
    found, total = _open(text)
    assert total == count
    assert all(found.named(f"p{n}")[0].size == 1234 for n in range(count))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("Package: nginx\n", ""), "without 'Package'"),
        (("Version: 1.26.3-3\n", ""), "without 'Version'"),
        (("Size: 1234\n", ""), "without 'Size'"),
        (("Size: 1234", "Size: -1"), "size '-1'"),
        ((HASH, HASH[1:]), "hash"),
        (("amd64\nM", "\udcff\nM"), "utf-8"),
    ],
)
def test_refuses_a_malformed_stanza(change: tuple[str, str], reason: str) -> None:
    data = lzma.compress(NGINX.replace(*change).encode("utf-8", "surrogateescape"))
    with pytest.raises(FinbackError, match=reason) as caught:
        index.fill(sqlite3.connect(":memory:"), [("debian", io.BytesIO(data))])
    assert caught.value.diagnostics[0].code == "F131"


@pytest.mark.parametrize("data", [b"", b"not xz", lzma.compress(NGINX.encode())[:-20]])
def test_refuses_what_is_not_whole(data: bytes) -> None:
    with pytest.raises(FinbackError) as caught:
        index.fill(sqlite3.connect(":memory:"), [("debian", io.BytesIO(data))])
    assert caught.value.diagnostics[0].code == "F131"


def test_refuses_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "TEXT_LIMIT", 1 << 20)
    with pytest.raises(FinbackError, match="unpacks to more than"):
        _open("\n".join(NGINX for _ in range(6000)))


def test_refuses_an_endless_stanza() -> None:
    with pytest.raises(FinbackError, match="larger than any stanza"):
        _open("A: " + "x" * (6 << 20))
