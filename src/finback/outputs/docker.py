"""The root file system as a tar with a Dockerfile, for `docker build`."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.system import Contents, System
from finback.outputs import Format, Options, Written
from finback.outputs.tar import TAR, Placed, archive
from finback.tree.content import Inline
from finback.tree.entry import File

# What LinuxKit's init runs in a container; ours has none.
STARTER = "bin/rc.init"


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    del options

    def dockerfile(tree: list[Placed]) -> list[File]:
        program = STARTER if any(p.entry.path in (STARTER, f"usr/{STARTER}") for p in tree) else "init"
        text = f'FROM scratch\nCOPY . ./\nENTRYPOINT ["/{program}"]\n'
        return [File(path="Dockerfile", content=Inline(text.encode()), mtime=system.epoch)]

    yield Written(suffix=".docker", role="rootfs", media_type=TAR, body=lambda: archive(system, contents, dockerfile))


FORMAT = Format(write=write, root="", ways=(), streamable=True)
