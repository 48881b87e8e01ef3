"""What a component's image is made of, as a digest, and the image that was made of it before.

The image depends on the definition, the pinned packages, the platform and the builder's code alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from finback.component.library import Component
from finback.ground import canonical
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.resolve.plan import PackagePin

# Raised whenever the same inputs would give another image.
BUILDER = 4


def recipe(component: Component, pins: Iterable[PackagePin], platform: Platform, epoch: int) -> Digest:
    """The digest of everything that decides the image; *epoch* is the time of its files, in seconds since 1970."""
    packages = sorted(str(p.digest) for p in pins)
    return canonical.digest(["component", BUILDER, component.digest, packages, platform, epoch])


def cached(made_of: Digest, store: Store) -> Digest | None:
    """The digest of the manifest of the image made of the recipe *made_of*, when it is still in the store."""
    digests = store.recall(made_of, lambda value: [Digest.parse(d) for d in (value["manifest"], *value["blobs"])])
    return digests[0] if digests and all(store.has(d) for d in digests) else None
