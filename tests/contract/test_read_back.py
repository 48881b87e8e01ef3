"""Every format that is found, read back by the tools that others read it with: it holds what the build put into it.

A new format needs a reader here.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from test_formats import outputs, written

from finback.assemble.system import Compression
from finback.outputs import FORMATS, Options

pytestmark = pytest.mark.tools
MIB = 1 << 20
Files = dict[str, bytes]
"""The regular files of an image, by their paths."""
Reader = Callable[[Path, Path], Files]
"""Takes a folder with what a format wrote, and one to work in."""


def run(*argv: object, cwd: Path | None = None, given: bytes | None = None) -> bytes:
    if not shutil.which(str(argv[0])):
        pytest.skip(f"no {argv[0]}")
    command = [str(a) for a in argv]
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-1000:])
    return done.stdout


def below(folder: Path) -> Files:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink()
    }


def only(folder: Path, suffix: str) -> Path:
    (found,) = folder.glob(f"*{suffix}")
    return found


def untarred(archive: Path, out: Path) -> Files:
    run("tar", "-C", out, "-xf", archive)
    return below(out)


def fat(image: Path, at: int, out: Path) -> Files:
    """The volume at byte *at* of *image*, which fsck.fat finds sound."""
    with image.open("rb") as stream:
        stream.seek(at)
        head = stream.read(512)
        # BPB_TotSec32, or the 16 bits for small ones (FAT specification, 3.1).
        sectors = struct.unpack_from("<I", head, 32)[0] or struct.unpack_from("<H", head, 19)[0]
        stream.seek(at)
        volume = out / "volume"
        volume.write_bytes(stream.read(sectors * 512))
    assert b"files, " in run("fsck.fat", "-n", volume)
    (out / "files").mkdir()
    run("mcopy", "-s", "-i", volume, "::*", out / "files")
    return below(out / "files")


def disk(image: Path, out: Path) -> Files:
    data = image.read_bytes()[: 2 * MIB]
    if data[512:520] == b"EFI PART":
        assert b"No problems found" in run("sgdisk", "-v", image)
        first = struct.unpack_from("<Q", data, 1024 + 32)[0]
    else:
        (table,) = [json.loads(run("sfdisk", "--json", image))["partitiontable"]]
        first = table["partitions"][0]["start"]
    return fat(image, first * 512, out)


def converted(form: str) -> Reader:
    def read(made: Path, out: Path) -> Files:
        (image,) = made.iterdir()
        if form not in ("vpc", "raw"):
            assert b"No errors" in run("qemu-img", "check", "-f", form, image)
        run("qemu-img", "convert", "-f", form, "-O", "raw", image, out / "disk")
        return disk(out / "disk", out)

    return read


def initrd(archive: bytes, out: Path) -> Files:
    """An initrd that is not compressed: archives, each with a trailer of its own."""
    end = archive.find(b"TRAILER!!!")
    while end >= 0:
        size = end + 11
        run("cpio", "-idu", "--quiet", "--no-absolute-filenames", cwd=out, given=archive[:size] + bytes(512))
        archive = archive[size:].lstrip(b"\0")
        end = archive.find(b"TRAILER!!!")
    assert not archive
    return below(out)


def squashfs(made: Path, out: Path) -> Files:
    run("unsquashfs", "-quiet", "-no-progress", "-dest", out / "x", only(made, "-squashfs.img"))
    return below(out / "x")


def erofs(made: Path, out: Path) -> Files:
    run("fsck.erofs", f"--extract={out / 'x'}", "--no-preserve", only(made, "-erofs.img"))
    return below(out / "x")


def disc(image: Path, out: Path) -> Files:
    run("xorriso", "-no_rc", "-osirrox", "on:auto_chmod_off", "-indev", image, "-extract", "/", out / "x")
    run("chmod", "-R", "u+rwX", out / "x")
    found = below(out / "x")
    listed = run("isoinfo", "-R", "-f", "-i", image).decode().splitlines()
    assert {f"/{name}" for name in found} <= set(listed)
    return found


def bootable(made: Path, out: Path) -> Files:
    """A disc's own files, and those of its volume for UEFI."""
    (image,) = made.iterdir()
    found = disc(image, out)
    report = run("xorriso", "-no_rc", "-indev", image, "-report_el_torito", "plain").decode()
    for line in report.splitlines():
        if line.startswith("El Torito boot img") and " UEFI " in line:
            found |= fat(image, int(line.split()[-1]) * 2048, out)
    return found


def uki(made: Path, out: Path) -> Files:
    names = {"kernel": ".linux", "initrd.img": ".initrd", "cmdline": ".cmdline"}
    for name, section in names.items():
        run("objcopy", "--dump-section", f"{section}={out / name}", only(made, ".efi"), out / "copy")
    return {name: (out / name).read_bytes() for name in names}


def oci(made: Path, out: Path) -> Files:
    run("skopeo", "copy", "--quiet", f"oci-archive:{only(made, '-oci.tar')}:t", f"dir:{out / 'x'}")
    layers = json.loads((out / "x/manifest.json").read_text())["layers"]
    title = "org.opencontainers.image.title"
    return {la["annotations"][title]: (out / "x" / la["digest"].partition(":")[2]).read_bytes() for la in layers}


def deb(made: Path, out: Path) -> Files:
    run("dpkg-deb", "-x", only(made, ".deb"), out)
    return below(out)


def rpm(made: Path, out: Path) -> Files:
    run("cpio", "-idu", "--quiet", "--no-absolute-filenames", cwd=out, given=run("rpm2cpio", only(made, ".rpm")))
    return below(out)


def ova(made: Path, out: Path) -> Files:
    (out / "tar").mkdir()
    untarred(only(made, ".ova"), out / "tar")
    run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", only(out / "tar", ".vmdk"), out / "disk")
    return disk(out / "disk", out)


def gcp(made: Path, out: Path) -> Files:
    run("tar", "-C", out, "-xSzf", only(made, ".tar.gz"))
    assert (out / "disk.raw").stat().st_size == 1 << 30
    return disk(out / "disk.raw", out)


def azure(made: Path, out: Path) -> Files:
    image = only(made, ".vhd")
    about = json.loads(run("qemu-img", "info", "--output=json", "-f", "vpc", image))
    assert image.stat().st_size % MIB == 512
    # The footer's "current size": what Azure reads.
    assert int.from_bytes(image.read_bytes()[-512:][48:56]) % MIB == 0
    assert about["format"] == "vpc"
    return converted("vpc")(made, out)


TREE = {
    "kernel+initrd": lambda made, out: initrd(only(made, "-initrd.img").read_bytes(), out),
    "kernel+squashfs": squashfs,
    "kernel+erofs": erofs,
    "kernel+iso": lambda made, out: disc(only(made, ".iso"), out),
    "tar": lambda made, out: untarred(only(made, ".tar"), out),
    "docker": lambda made, out: untarred(only(made, ".docker"), out),
}
"""Formats that hold the root as a tree."""
PARTS: dict[str, Reader] = {
    "tar-kernel-initrd": lambda made, out: untarred(only(made, ".tar"), out),
    "netboot": lambda made, out: untarred(only(made, ".tar"), out),
    "uki": uki,
    "oci": oci,
    "deb": deb,
    "rpm": rpm,
    "iso": bootable, "iso-bios": bootable, "iso-efi": bootable, "iso-efi-initrd": bootable,
    "raw": converted("raw"), "raw-bios": converted("raw"), "raw-efi": converted("raw"), "aws": converted("raw"),
    "rpi": converted("raw"),
    "qcow2": converted("qcow2"), "qcow2-bios": converted("qcow2"), "qcow2-efi": converted("qcow2"),
    "vhd": converted("vpc"), "dynamic-vhd": converted("vpc"), "azure": azure,
    "vhdx": converted("vhdx"), "vmdk": converted("vmdk"), "ova": ova, "gcp": gcp,
}  # fmt: skip
"""Formats that hold what is booted: kernel, initrd and command line, or the unified image of them."""


def make(name: str, folder: Path, options: Options | None = None, microcode: bytes = b"") -> tuple[Path, Path]:
    """A folder with what the format writes, and an empty one."""
    made, out = folder / "made", folder / "out"
    made.mkdir()
    out.mkdir()
    for suffix, chunks in written(name, folder / "store", options, microcode):
        with (made / f"t{suffix}").open("wb") as stream:
            for chunk in chunks:
                if chunk.count(0) == len(chunk):
                    stream.truncate(stream.seek(len(chunk), 1))
                else:
                    stream.write(chunk)
    return made, out


def test_every_format_has_a_reader() -> None:
    assert TREE.keys() | PARTS.keys() == {*FORMATS.names()}


@pytest.mark.parametrize("name", TREE)
def test_tools_find_the_tree(name: str, tmp_path: Path) -> None:
    options = Options(compression=Compression("none"))
    made, out = make(name, tmp_path, options if name == "kernel+initrd" else None)
    found = TREE[name](made, out)
    expected = initrd(outputs("kernel+initrd", tmp_path / "plain", options)["-initrd.img"], emptied(tmp_path / "tree"))
    if name in ("tar", "docker"):
        expected |= {"boot/kernel": b"K" * 3000, "boot/cmdline": b"console=ttyS0"}
    if name == "docker":
        found.pop("Dockerfile")
    assert found == expected
    assert found["etc/deep/motd"] == b"hi"


def emptied(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", PARTS)
def test_tools_find_what_is_booted(name: str, tmp_path: Path) -> None:
    found = PARTS[name](*make(name, tmp_path))
    plain = outputs("kernel+initrd", tmp_path / "plain")
    unified = [data for path, data in found.items() if path.lower().endswith("bootx64.efi") and len(data) > 10_000]
    if unified:
        assert unified == [outputs("uki", tmp_path / "uki")[".efi"]]
        return
    by_name = {path.rpartition("/")[2]: data for path, data in found.items()}
    assert by_name["kernel"] == plain["-kernel"]
    assert by_name["initrd.img"] == plain["-initrd.img"]
    assert any(b"console=ttyS0" in data for path, data in found.items() if not path.endswith(("kernel", "initrd.img")))


@pytest.mark.parametrize("name", PARTS)
def test_microcode_comes_first_in_the_initrd(name: str, tmp_path: Path) -> None:
    microcode = b"M" * 1026
    found = PARTS[name](*make(name, tmp_path, microcode=microcode))
    # Padded to a multiple of four.
    begins, plain = microcode + bytes(2), outputs("kernel+initrd", tmp_path / "plain")["-initrd.img"]
    if name == "tar-kernel-initrd":
        # LinuxKit has it beside the initrd.
        assert found["ucode.cpio"] == microcode
    elif name in ("raw-efi", "qcow2-efi", "iso-efi"):
        assert found["EFI/BOOT/BOOTX64.EFI"].count(begins + plain) == 1
    else:
        (initrd_,) = (data for path, data in found.items() if path.rpartition("/")[2] == "initrd.img")
        assert initrd_ == begins + plain
