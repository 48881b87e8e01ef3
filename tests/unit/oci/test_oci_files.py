"""Layouts and archives that are folders: nothing of this machine is read but what lies in them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from finback.ground.diagnostic import FinbackError
from finback.oci import files
from finback.oci.files import Folder


def refused(folder: Path, name: str) -> str:
    with pytest.raises(FinbackError) as caught:
        files.read(Folder(folder), name, 1 << 20)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    return f"{diagnostic.code} {diagnostic.message}"


@pytest.mark.parametrize("name", ["/etc/hostname", "/dev/zero", "../secret", "a/../../secret", "x\0y"])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "in").mkdir()
    assert refused(tmp_path / "in", name).startswith("F183")
    assert not Folder(tmp_path / "in").has(name)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "deep/../../secret", "/dev/zero"])
def test_links_that_lead_out(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/index.json").symlink_to(target)
    assert refused(tmp_path / "in", "index.json").startswith("F183")
    (tmp_path / "in/away").symlink_to("..")
    assert refused(tmp_path / "in", "away/secret").startswith("F183")


def test_links_inside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "in/a").mkdir(parents=True)
    (tmp_path / "in/a/layer.tar").write_bytes(b"layer")
    (tmp_path / "in/b").symlink_to("a")
    (tmp_path / "in/c.tar").symlink_to("b/layer.tar")
    (tmp_path / "alias").symlink_to("in")
    for name in ("b/layer.tar", "c.tar"):
        assert files.read(Folder(tmp_path / "alias"), name, 10) == b"layer"


def test_a_blob_may_be_a_link_to_anywhere(tmp_path: Path) -> None:
    """Bazel writes layouts of links into its own folders; the digest says that the bytes are meant."""
    (tmp_path / "elsewhere").write_bytes(b"blob")
    (tmp_path / "in/blobs/sha256").mkdir(parents=True)
    name = f"blobs/sha256/{hashlib.sha256(b'blob').hexdigest()}"
    (tmp_path / "in" / name).symlink_to("../../../elsewhere")
    assert files.read(Folder(tmp_path / "in"), name, 10) == b"blob"
    assert Folder(tmp_path / "in").has(name)
    (tmp_path / "in" / name).unlink()
    (tmp_path / "in" / name).symlink_to("/dev/zero")
    assert "is not a regular file" in refused(tmp_path / "in", name)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", "."):
        assert "is not a regular file" in refused(tmp_path, name)
    assert refused(tmp_path, "absent").startswith("F410")
