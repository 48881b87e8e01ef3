"""What an image is made of, read from the image."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from finback.component import bill, inventory
from finback.component.inventory import Package
from finback.tree.content import Content, Inline
from finback.tree.entry import AnyEntry, Directory, File, Symlink

STATUS = "Package: {0}\nVersion: 1:2.0+dfsg-3\nArchitecture: amd64\nSource: src (2.0-3)\nMaintainer: A <a@b.c>\n"


def read(content: Content) -> Iterable[bytes]:
    assert isinstance(content, Inline)
    return (content.data,)


def file(path: str, text: str | bytes, mode: int = 0o644) -> File:
    data = text.encode() if isinstance(text, str) else text
    return File(path=path, mode=mode, content=Inline(data))


def test_packages_of_library_images() -> None:
    tree: list[AnyEntry] = [
        file("var/lib/dpkg/status.d/a", STATUS.format("a")),
        file("var/lib/dpkg/status.d/a.md5sums", "0123  usr/bin/a\n"),
        file("var/lib/dpkg/status.d/b", STATUS.format("b")),
        Directory(path="usr/share/doc/a"),
        file("usr/share/doc/a/copyright", "Format: 1\n\nFiles: *\nLicense: ISC\n"),
        Symlink(path="usr/share/doc/b", target="a"),
        file("usr/bin/a", b"\x7fELF...", 0o4755),
    ]
    found = inventory.take(tree, read)
    assert [(p.name, p.version, p.source, p.licence.expression) for p in found.packages] == [
        ("a", "1:2.0+dfsg-3", "src", "ISC"),
        ("b", "1:2.0+dfsg-3", "src", "ISC"),
    ]
    assert (found.files, found.programs, found.set_id) == (5, 1, ("/usr/bin/a",))
    assert found.size == sum(e.content.size for e in tree if isinstance(e, File))


def test_packages_of_other_images() -> None:
    debian = file(
        "var/lib/dpkg/status", f"{STATUS.format('c')}\n{STATUS.format('gone')}Status: deinstall ok config-files\n"
    )
    alpine = file(
        "lib/apk/db/installed",
        "P:musl\nV:1.2.5-r9\nA:x86_64\nL:MIT\no:musl\n\nP:busybox\nV:1.37-r0\nL:GPL-2.0-only\n\n",
    )
    found = inventory.take([debian, alpine], read)
    assert [(p.kind, p.name, p.licence.parts) for p in found.packages] == [
        ("apk", "busybox", ("GPL-2.0-only",)), ("deb", "c", ()), ("apk", "musl", ("MIT",)),
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from(["a", "b", "usr/share/doc/a"]), st.sampled_from(["a", "b", "../a", "/b"])))
def test_links_that_lead_nowhere_end(links: dict[str, str]) -> None:
    tree: list[AnyEntry] = [Symlink(path=f"usr/share/doc/{p}", target=t) for p, t in links.items()]
    tree.append(file("var/lib/dpkg/status.d/a", STATUS.format("a")))
    assert inventory.take(tree, read).packages[0].licence.how == "unknown"


def test_names_for_scanners() -> None:
    package = Package(kind="deb", name="libssl3t64", version="3.5.4-1~deb13u1", architecture="amd64", source="openssl")
    assert bill.purl(package) == "pkg:deb/debian/libssl3t64@3.5.4-1~deb13u1?arch=amd64&upstream=openssl"
    assert bill.cpe(package) == "cpe:2.3:a:openssl:openssl:3.5.4:*:*:*:*:*:*:*"
    kernel = Package(
        kind="deb", name="linux-image", version="6.12.57-1", architecture="s390x", source="linux-signed-amd64"
    )
    assert bill.cpe(kernel) == "cpe:2.3:o:linux:linux_kernel:6.12.57:*:*:*:*:*:*:*"
    plus = Package(kind="deb", name="g++", version="1:1.0+ds-1", architecture="", source="g++")
    assert bill.purl(plus) == "pkg:deb/debian/g%2B%2B@1%3A1.0%2Bds-1"
    assert bill.cpe(plus) == "cpe:2.3:a:g\\+\\+:g\\+\\+:1.0:*:*:*:*:*:*:*"
    alpine = Package(kind="apk", name="musl", version="1.2.5-r9", architecture="x86_64", source="musl")
    assert bill.purl(alpine) == "pkg:apk/alpine/musl@1.2.5-r9?arch=x86_64"
    assert bill.cpe(alpine) == "cpe:2.3:a:musl:musl:1.2.5:*:*:*:*:*:*:*"
