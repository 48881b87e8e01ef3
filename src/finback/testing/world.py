"""A fake registry, a store, and what goes from one to the other, with little patience."""

from __future__ import annotations

from pathlib import Path

from finback.ground.event import Event
from finback.ground.platform import Platform
from finback.host.patience import Patience
from finback.host.store import Store
from finback.oci.credentials import Credentials
from finback.oci.network import Network, Rule
from finback.oci.pull import Pulled, pull
from finback.oci.reference import Reference
from finback.oci.registry import Registries
from finback.testing.registry import FakeRegistry

SHORT = Patience(attempts=3, connect=2, read=1, window=0.3, slowest=1000, pause=0.01, longest_pause=1)


class World:
    """A fake registry, a store, and what is pulled from one to the other."""

    def __init__(self, registry: FakeRegistry, store: Store, folder: Path) -> None:
        self.registry = registry
        self.store = store
        self.credentials = Credentials(folder / "auth.json")
        self.rules: tuple[Rule, ...] = (Rule(pattern="*", insecure="http"),)
        self.patience = SHORT
        self.events: list[Event] = []

    @property
    def registries(self) -> Registries:
        """Clients that know no tokens yet."""
        return Registries(Network(self.rules), self.credentials, self.patience, self.events.append)

    def pull(self, name: str, platform: str = "amd64", registries: Registries | None = None) -> Pulled:
        """Pull `NAME:TAG` of the fake registry."""
        reference = Reference.parse(f"{self.registry.host}/{name}")
        return pull(registries or self.registries, reference, Platform.parse(platform), self.store, self.events.append)

    def blobs(self) -> set[str]:
        """What the store holds, by hash."""
        return {p.name for p in (self.store.root / "blobs/sha256").iterdir()}

    def left_over(self) -> list[Path]:
        """Temporary files in the store."""
        return list((self.store.root / "tmp").iterdir())
