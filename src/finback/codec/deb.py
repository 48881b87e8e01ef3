"""Debian packages, written: an ar archive of a format version and two compressed tars.

Subset: format 2.0, both tars compressed with gzip, which every dpkg reads.

Source: deb(5), deb-control(5), deb-md5sums(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from finback.codec import ar, tar
from finback.codec.compress import compress
from finback.codec.disk import Disk
from finback.tree.content import Inline, Slice, read_inline
from finback.tree.entry import Directory, File

METHOD = "gzip"
VERSION = b"2.0\n"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


def encode(control: Mapping[str, str], data: Slice, epoch: int) -> Disk:
    """A package of the control files *control*, by name, and the stored `data.tar.gz` *data*."""
    members: list[tuple[str, Inline | Slice]] = [
        ("debian-binary", Inline(VERSION)),
        ("control.tar.gz", Inline(_control(control, epoch))),
        ("data.tar.gz", data),
    ]
    out: list[Inline | Slice] = [Inline(ar.MAGIC)]
    for name, body in members:
        out += (Inline(ar.header(name, body.size, epoch)), body, Inline(ar.padding(body.size)))
    return tuple(out)


def _control(files: Mapping[str, str], epoch: int) -> bytes:
    entries: list[Directory | File] = [Directory(path="./", mtime=epoch)]
    for name, text in sorted(files.items()):
        mode = 0o755 if name in SCRIPTS else 0o644
        entries.append(File(path=f"./{name}", mode=mode, mtime=epoch, content=Inline(text.encode())))
    return b"".join(compress(tar.encode(entries, read_inline), METHOD, 9))


def paragraph(fields: Mapping[str, str]) -> str:
    """A paragraph of a control file; further lines of a value are folded, an empty one is a dot."""
    out = []
    for name, value in fields.items():
        first, *more = value.split("\n")
        out.append(f"{name}: {first}".rstrip())
        out += [f" {line or '.'}" for line in more]
    return "\n".join(out) + "\n"


def md5sums(sums: Iterable[tuple[str, str]]) -> str:
    """The list by which `dpkg -V` compares: MD5 and path."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(sums))
