"""The fake registry is a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finback.host.store import Store
from finback.oci.credentials import Credential, Credentials
from finback.oci.network import Network, Rule
from finback.oci.registry import Registries
from finback.testing.access import Access
from finback.testing.conformance import CHECKS, STRICT, Subject
from finback.testing.registry import FakeRegistry

KINDS = {
    "open": FakeRegistry,
    "basic": lambda: FakeRegistry(Access("basic", {"me": "pass"})),
    "bearer": lambda: FakeRegistry(Access("bearer", {"me": "pass"}, anonymous=True)),
    "no referrers": lambda: FakeRegistry(referrers=False),
}


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    for name in ("http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with KINDS[request.param]() as registry:
        credentials = Credentials(tmp_path / "auth.json")
        credentials.store(registry.host, Credential(username="me", password="pass"))
        network = Network((Rule(pattern="*", insecure="http"),))
        yield Subject(
            host=registry.host,
            connect=lambda: Registries(network, credentials),
            here=Store(tmp_path / "here"),
            there=Store(tmp_path / "there"),
        )


@pytest.mark.parametrize("check", CHECKS + STRICT, ids=lambda c: c.__name__)
def test_the_fake_conforms(subject: Subject, check: Callable[[Subject], None]) -> None:
    check(subject)
