from __future__ import annotations

from pathlib import Path

import pytest

from finback.ground.diagnostic import FinbackError
from finback.host import folder


def test_what_is_swept_is_gone_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").touch()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "lost").symlink_to("nowhere")
    folder.sweep(tmp_path, ("file", "deep", "link", "lost", "never-there"))
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["kept", "kept/file"]


def test_what_can_not_be_swept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FinbackError) as caught:
        folder.sweep(tmp_path / "file", ("x",))
    assert caught.value.diagnostics[0].code == "F405"


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o770, 0o777])
def test_a_private_folder_is_nobody_elses(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "state"
    place.mkdir()
    place.chmod(mode)
    folder.make_private(place)
    assert place.stat().st_mode & 0o777 == 0o700, "an empty one is closed"
    (place / "file").touch()
    folder.make_private(place)
    place.chmod(mode)
    with pytest.raises(FinbackError) as caught:
        folder.make_private(place)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "F404"
    assert "chmod 700" in diagnostic.help
    assert place.stat().st_mode & 0o777 == mode
