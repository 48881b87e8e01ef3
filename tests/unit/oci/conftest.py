"""A fake registry for each test, without proxies on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from finback.host.store import Store
from finback.testing.registry import FakeRegistry
from finback.testing.world import World


@pytest.fixture
def world(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FakeRegistry() as registry:
        yield World(registry, store, tmp_path)
