"""What tests of every kind share: a store of their own, the example files, and cases with `--update-cases`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from finback.host.store import Store

ROOT = Path(__file__).resolve().parent.parent

# Debian has tools for file systems where an ordinary user does not look.
os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"

# A machine that does other things as well would fail a test by its clock.
hypothesis.settings.register_profile("finback", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("finback")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-cases", action="store_true", help="rewrite what the cases expect; then read git diff")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def expect(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with the file that holds what is expected, or write that file with --update-cases."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-cases"):
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: run pytest --update-cases and read what it wrote"
        assert text == path.read_text(encoding="utf-8")

    return compare
