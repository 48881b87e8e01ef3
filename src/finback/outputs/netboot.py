"""What machines need to boot over the network, in one tar for a TFTP or HTTP server: for iPXE, PXELINUX and UEFI.

Names in the scripts are relative: iPXE takes them from where its script came from, PXELINUX from its own folder.

Sources: iPXE, "Scripting" and "imgfetch"; Syslinux wiki, "PXELINUX".
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.command_line import IPXE, UNIFIED
from finback.assemble.command_line import PXELINUX as WAY
from finback.assemble.system import Contents, Piece, System
from finback.codec import tar
from finback.outputs import Format, Options, Written
from finback.outputs._bodies import Bodies
from finback.outputs._boot import SYSTEMD_BOOT, UEFI, parts, program, unified
from finback.outputs.tar import TAR
from finback.tree.content import Content, Inline
from finback.tree.entry import Directory, File

PXELINUX = "pxelinux"
LOADERS: dict[str, tuple[str, ...]] = {**UEFI, "amd64": (PXELINUX, *UEFI["amd64"]), "s390x": ()}


def _archive(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    made = parts(system, contents, options)
    bodies = Bodies()
    # An EFI kernel finds its initrd by the name on its command line.
    script = f"#!ipxe\nkernel kernel initrd=initrd.img {IPXE.write(system)}\ninitrd initrd.img\nboot\n"
    files: dict[str, Content] = {
        "boot.ipxe": Inline(script.encode()),
        "initrd.img": bodies.add("initrd.img", made.initrd),
        "kernel": bodies.add("kernel", made.kernel),
    }
    loaders = LOADERS[system.platform.architecture]
    if PXELINUX in loaders:
        files |= _pxelinux(contents, system)
    if SYSTEMD_BOOT in loaders:
        files["boot.efi"] = bodies.add("boot.efi", unified(system, contents, options))
    epoch = system.epoch
    entries: list[Directory | File] = [File(path=p, mtime=epoch, content=c) for p, c in files.items()]
    entries += [Directory(path=f, mtime=epoch) for f in dict.fromkeys(p.rpartition("/")[0] for p in files) if f]
    entries.sort(key=lambda e: e.path)
    for chunk in tar.encode(entries, bodies.reader(contents)):
        yield bytes(chunk)


def _pxelinux(contents: Contents, system: System) -> dict[str, Content]:
    text = "PROMPT 0\nNOESCAPE 1\nDEFAULT finback\nLABEL finback\n  LINUX kernel\n  INITRD initrd.img\n"
    text += f"  APPEND {WAY.write(system)}\n"
    return {
        "pxelinux.0": Inline(program(contents, PXELINUX, "usr/lib/PXELINUX/pxelinux.0")),
        "ldlinux.c32": Inline(program(contents, PXELINUX, "usr/lib/syslinux/modules/bios/ldlinux.c32")),
        "pxelinux.cfg/default": Inline(text.encode()),
    }


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix="-netboot.tar", role="netboot", media_type=TAR, body=lambda: _archive(system, contents, options)
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, loaders=LOADERS, ways=(IPXE, WAY, UNIFIED))
