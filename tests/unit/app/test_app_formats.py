"""Which formats a build makes and what they need."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finback.app import formats
from finback.app.build import Target, choose_formats
from finback.app.machine import firmware
from finback.app.machine import start as run
from finback.assemble.system import Compression
from finback.ground.diagnostic import FinbackError
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.resolve.plan import ImagePin, KernelPlan, Plan
from finback.spec.model import Output

PLAN = Plan(name="t", platform=Platform(), epoch=0, kernel=KernelPlan(image=ImagePin(reference="k")))


def code(call: Any) -> str:
    with pytest.raises(FinbackError) as caught:
        call()
    (found,) = caught.value.diagnostics
    assert found.help
    return found.code


def test_boot_loaders_are_asked_for_once() -> None:
    outputs = formats.named(["raw", "raw-efi", "tar"], [Output(format="docker")])
    found = formats.loaders(outputs, Platform())
    assert found == ("docker.io/finback/systemd-boot", "docker.io/finback/syslinux")
    assert formats.loaders(outputs, Platform("linux", "arm64")) == ("docker.io/finback/systemd-boot",)
    assert formats.named([], [Output(format="docker")]) == (Output(format="docker"),)


def test_a_format_that_an_architecture_lacks() -> None:
    outputs = formats.named(["raw-bios"], [])
    assert code(lambda: formats.loaders(outputs, Platform("linux", "arm64"))) == "F026"
    assert code(lambda: formats.loaders(formats.named(["rwa"], []), Platform())) == "F010"


@pytest.mark.parametrize(
    ("target", "outputs", "expected"),
    [
        (Target(formats=("raw",), size="4G"), (), [4 << 30]),
        (Target(formats=("raw", "tar"), size="300M"), (), [300 << 20, None]),
        (Target(), (Output(format="qcow2", size="1T"), Output(format="tar")), [1 << 40, None]),
        (Target(size="5M"), (Output(format="qcow2", size="1T"),), [5 << 20]),
        (Target(formats=("tar",), size="4G"), (), "F027"),
        (Target(), (Output(format="tar", size="4G"),), "F027"),
        (Target(formats=("raw",), size="4"), (), "F028"),
        (Target(formats=("raw",), size="0G"), (), "F028"),
        (Target(formats=("raw",), size="-4G"), (), "F028"),
    ],
)
def test_sizes(target: Target, outputs: tuple[Output, ...], expected: list[int | None] | str) -> None:
    plan = replace(PLAN, outputs=outputs)
    if isinstance(expected, str):
        assert code(lambda: choose_formats(plan, target)) == expected
    else:
        assert [o.size for _, _, o in choose_formats(plan, target)] == expected


def test_a_disk_needs_a_kernel() -> None:
    assert code(lambda: choose_formats(replace(PLAN, kernel=None), Target(formats=("raw",)))) == "F024"


def described(folder: Path, name: str, **changes: Any) -> None:
    flash = {
        "device": "flash",
        "executable": {"filename": str(folder / f"{name}.code"), "format": "raw"},
        "nvram-template": {"filename": str(folder / f"{name}.vars"), "format": "raw"},
    }
    value = {
        "interface-types": ["uefi"], "mapping": flash, "features": ["acpi-s3"],
        "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}], **changes,
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(value))
    for suffix in ("code", "vars"):
        (folder / f"{name}.{suffix}").write_text(f"{name} {suffix}")


def test_firmware_is_found_by_its_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware, "FOLDERS", (tmp_path / "none", tmp_path))
    variables = tmp_path / "variables"
    assert code(lambda: firmware.find("amd64", variables)) == "F530"
    (tmp_path / "10.json").write_text("{")
    (tmp_path / "11.json").write_text("[]")
    described(tmp_path, "20", features=["requires-smm"])
    described(tmp_path, "30", **{"interface-types": ["bios"]})
    described(tmp_path, "40", targets=[{"architecture": "aarch64", "machines": []}])
    described(tmp_path, "50", mapping={"device": "memory", "filename": "x"})
    described(tmp_path, "60")
    described(tmp_path, "70")
    found = firmware.find("amd64", variables)
    assert found.code == tmp_path / "60.code"
    firmware.prepare(found)
    assert variables.read_text() == "60 vars"
    variables.write_text("changed by the machine")
    firmware.prepare(found)
    assert variables.read_text() == "changed by the machine"


@pytest.mark.parametrize(
    ("name", "changes", "uefi"),
    [("web.qcow2", {}, False), ("web-efi.img", {}, True), ("web.vhd", {"firmware": "uefi"}, True),
     ("web-efi.vmdk", {"firmware": "bios"}, False), ("web.raw", {"architecture": "arm64"}, True)],
)  # fmt: skip
def test_a_disk_becomes_a_machine(
    name: str, changes: dict[str, str], uefi: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firmware, "FOLDERS", (tmp_path,))
    monkeypatch.setattr(run.process, "find", lambda _: "/usr/bin/qemu")
    described(tmp_path, "x")
    described(tmp_path, "y", targets=[{"architecture": "aarch64", "machines": ["virt-*"]}])
    (tmp_path / name).write_bytes(b"")
    changes = {"architecture": "amd64", "accelerator": "tcg", "bus": "nvme", **changes}
    request = run.Request(prefix=tmp_path / name, state=tmp_path / "s", **changes)
    machine = run.plan_machine(request, silent)
    assert machine.name == name.partition(".")[0]
    assert machine.kernel is None
    assert machine.boot is not None
    assert (machine.boot.path, machine.boot.bus) == (tmp_path / name, "nvme")
    assert (machine.firmware is not None) == uefi
    if machine.firmware:
        assert machine.firmware.variables == tmp_path / "s" / "variables.fd"


@pytest.mark.parametrize(
    ("name", "given", "bus", "uefi"),
    [("web.iso", "", "cdrom", False), ("web-efi.iso", "", "cdrom", True), ("web-efi-initrd.iso", "", "cdrom", True),
     ("web-hybrid.iso", "virtio", "virtio", False), ("web.img", "", "virtio", False)],
)  # fmt: skip
def test_a_disc_lies_in_a_drive(
    name: str, given: str, bus: str, uefi: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firmware, "FOLDERS", (tmp_path,))
    monkeypatch.setattr(run.process, "find", lambda _: "/usr/bin/qemu")
    described(tmp_path, "x")
    (tmp_path / name).write_bytes(b"")
    request = run.Request(
        prefix=tmp_path / name, state=tmp_path / "s", architecture="amd64", accelerator="tcg", bus=given
    )
    machine = run.plan_machine(request, silent)
    assert machine.boot is not None
    assert machine.boot.bus == bus
    assert (machine.firmware is not None) == uefi


def test_disks_that_cannot_be_booted(tmp_path: Path) -> None:
    request = run.Request(prefix=tmp_path / "web.qcow2", accelerator="tcg")
    assert code(lambda: run.plan_machine(request, silent)) == "F522"
    (tmp_path / "web.qcow2").write_bytes(b"")
    request = replace(request, firmware="bios", architecture="arm64")
    assert code(lambda: run.plan_machine(request, silent)) == "F522"
    (tmp_path / "web.efi").write_bytes(b"")
    request = replace(request, prefix=tmp_path / "web.efi", architecture="amd64")
    assert code(lambda: run.plan_machine(request, silent)) == "F522"


def test_a_unified_image_is_given_to_the_firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware, "FOLDERS", (tmp_path,))
    monkeypatch.setattr(run.process, "find", lambda _: "/usr/bin/qemu")
    described(tmp_path, "x")
    (tmp_path / "web.efi").write_bytes(b"")
    request = run.Request(prefix=tmp_path / "web.efi", architecture="amd64", accelerator="tcg", state=tmp_path / "s")
    argv = " ".join(run.BACKENDS.get("qemu").command(run.plan_machine(request, silent)).argv)
    assert f"unit=1,format=raw,file={tmp_path}/s/variables.fd -kernel {tmp_path}/web.efi -" in argv


def artifacts(folder: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        (folder / f"web{suffix}").write_bytes(b"console=ttyS0" if suffix == "-cmdline" else b"")


@pytest.mark.parametrize(
    ("built", "name", "bus", "initrd", "root", "device"),
    [
        (("-squashfs.img", "-squashfs-initrd.img"), "web", "", "web-squashfs-initrd.img", "squashfs", "/dev/vda"),
        (("-erofs.img",), "web-erofs.img", "virtio", None, "erofs", "/dev/vda"),
        (("-erofs.img",), "web", "cdrom", None, "erofs", "/dev/sr0"),
        (("-erofs.img",), "web", "scsi", None, "erofs", "/dev/sda"),
        (("-erofs.img", "-initrd.img"), "web-erofs.img", "nvme", None, "erofs", "/dev/nvme0n1"),
        (("-erofs.img", "-initrd.img"), "web", "virtio", "web-initrd.img", "", ""),
    ],
)
def test_a_root_on_a_disk_becomes_a_machine(
    built: tuple[str, ...], name: str, bus: str, initrd: str | None, root: str, device: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(run.process, "find", lambda _: "/usr/bin/qemu")
    artifacts(tmp_path, "-kernel", "-cmdline", *built)
    request = run.Request(
        prefix=tmp_path / name, architecture="amd64", accelerator="tcg", bus=bus, state=tmp_path / "s"
    )
    machine = run.plan_machine(request, silent)
    assert machine.name == "web"
    assert (machine.initrd.name if machine.initrd else None) == initrd
    assert (machine.boot.path if machine.boot else None) == (tmp_path / f"web-{root}.img" if root else None)
    assert machine.cmdline == f"console=ttyS0 root={device}" if root else "console=ttyS0"
    argv = " ".join(run.BACKENDS.get("qemu").command(machine).argv)
    assert f"-append {machine.cmdline}" in argv
    assert ("-initrd" in argv) == (initrd is not None)


def test_a_root_that_the_command_line_names_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.process, "find", lambda _: "/usr/bin/qemu")
    artifacts(tmp_path, "-kernel", "-squashfs.img")
    (tmp_path / "web-cmdline").write_text("root=LABEL=x quiet")
    request = run.Request(prefix=tmp_path / "web", architecture="amd64", accelerator="tcg", state=tmp_path / "s")
    assert run.plan_machine(request, silent).cmdline == "root=LABEL=x quiet"


def test_a_root_without_its_parts_is_refused(tmp_path: Path) -> None:
    for name in ("web-erofs.img", "web", "."):
        request = run.Request(prefix=tmp_path / name if name != "." else Path(), accelerator="tcg")
        assert code(lambda request=request: run.plan_machine(request, silent)) == "F522"


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        (Output(format="kernel+initrd"), Target(), "zstd"),
        (Output(format="kernel+erofs"), Target(), "none"),
        (Output(format="kernel+erofs", compression="lz4:9"), Target(), "lz4:9"),
        (Output(format="kernel+squashfs", compression="lz4"), Target(compression=Compression("gzip")), "gzip"),
        (Output(format="raw", compression="lz4"), Target(), "F019"),
        (Output(format="kernel+initrd"), Target(compression=Compression("lz4")), "F019"),
        (Output(format="kernel+erofs", compression="lzo"), Target(), "F025"),
    ],
)
def test_compressions(output: Output, target: Target, expected: str) -> None:
    plan = replace(PLAN, outputs=(output,))
    if expected.startswith("F"):
        assert code(lambda: choose_formats(plan, target)) == expected
    else:
        assert [str(o.compression) for _, _, o in choose_formats(plan, target)] == [expected]
