"""What is said of LinuxKit's images that no component stands in for."""

from __future__ import annotations

from pathlib import Path

import pytest

from finback.component.library import Library
from finback.component.unanswered import _REASONS

LIBRARY = Library((Path(__file__).resolve().parents[3] / "components",))


@pytest.mark.parametrize("name", _REASONS)
def test_each_has_a_reason_and_is_not_answered(name: str) -> None:
    assert LIBRARY.answering(f"docker.io/linuxkit/{name}") is None
    assert LIBRARY.unanswered(f"docker.io/linuxkit/{name}").endswith(_REASONS[name])


@pytest.mark.parametrize("name", ["docker.io/linuxkit/init", "docker.io/library/kmod-test", "ghcr.io/linuxkit/init"])
def test_nothing_is_said_of_others(name: str) -> None:
    assert LIBRARY.unanswered(name) == ""


def test_components_that_reasons_name_are_there() -> None:
    words = {w.strip(";,") for reason in _REASONS.values() for w in reason.split() if w.startswith("finback/")}
    assert words
    assert {w.removeprefix("finback/") for w in words} <= set(LIBRARY.names())
