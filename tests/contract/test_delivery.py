"""Archives for servers and registries: what is in them, and that it is the other formats' kernel and initrd."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from test_formats import outputs


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}


def test_netboot_has_what_its_scripts_name(tmp_path: Path) -> None:
    files = members(outputs("netboot", tmp_path / "a")["-netboot.tar"])
    plain = outputs("kernel+initrd", tmp_path / "b")
    assert files["kernel"] == plain["-kernel"]
    assert files["initrd.img"] == plain["-initrd.img"]
    assert files["boot.ipxe"].decode().splitlines() == [
        "#!ipxe",
        "kernel kernel initrd=initrd.img console=ttyS0",
        "initrd initrd.img",
        "boot",
    ]
    words = files["pxelinux.cfg/default"].decode().split()
    assert files[words[words.index("LINUX") + 1]] == plain["-kernel"]
    assert files[words[words.index("INITRD") + 1]] == plain["-initrd.img"]
    assert words[-1] == "console=ttyS0"
    assert {"pxelinux.0", "ldlinux.c32"} <= set(files)
    assert files["boot.efi"] == outputs("uki", tmp_path / "c")[".efi"]


def test_the_layout_is_whole(tmp_path: Path) -> None:
    files = members(outputs("oci", tmp_path / "a")["-oci.tar"])
    plain = outputs("kernel+initrd", tmp_path / "b")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    described = json.loads(files["index.json"])["manifests"][0]
    assert described["annotations"] == {"org.opencontainers.image.ref.name": "t"}
    assert described["platform"] == {"os": "linux", "architecture": "amd64"}

    def blob(descriptor: dict) -> bytes:
        algorithm, encoded = descriptor["digest"].split(":")
        data = files[f"blobs/{algorithm}/{encoded}"]
        assert hashlib.sha256(data).hexdigest() == encoded
        assert len(data) == descriptor["size"]
        return data

    manifest = json.loads(blob(described))
    assert manifest["artifactType"] == described["artifactType"]
    assert blob(manifest["config"]) == b"{}"
    parts = {p["annotations"]["org.opencontainers.image.title"]: blob(p) for p in manifest["layers"]}
    assert parts == {"kernel": plain["-kernel"], "initrd.img": plain["-initrd.img"], "cmdline": plain["-cmdline"]}
    assert len([f for f in files if f.startswith("blobs/")]) == 5


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
def test_skopeo_copies_the_layout(tmp_path: Path) -> None:
    archive, copy = tmp_path / "t.tar", tmp_path / "copy"
    archive.write_bytes(outputs("oci", tmp_path / "a")["-oci.tar"])
    done = subprocess.run(
        ["skopeo", "copy", "--insecure-policy", f"oci-archive:{archive}:t", f"dir:{copy}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((copy / "manifest.json").read_bytes())["artifactType"] == "application/vnd.finback.system.v1"
