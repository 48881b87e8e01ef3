"""Debian packages to measure for tests, made by hand."""

from __future__ import annotations

import io
import lzma
import tarfile

from finback.codec import ar

# Older than the packages.
EPOCH = 1_500_000_000
Files = dict[str, bytes | str]
"""Path to contents, or to what a symbolic link leads to."""


def deb(name: str, files: Files, mtime: int = EPOCH + 1000, *, cut: int = 0) -> bytes:
    """A package: of each path the folders above it, then the path itself."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.mtime, member.mode = mtime, 0o755
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w") as archive:
        text = f"Package: {name}\nVersion: 1\nArchitecture: amd64\nDescription: demo\n".encode()
        member = tarfile.TarInfo("./control")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    packed = lzma.compress(data.getvalue(), preset=0)
    return ar.encode(
        [("debian-binary", b"2.0\n"), ("control.tar", control.getvalue()), ("data.tar.xz", packed[: len(packed) - cut])]
    )
