"""Build components of the library outside of any spec."""

from __future__ import annotations

from dataclasses import dataclass

from finback.app.workspace import Workspace
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.oci import image
from finback.resolve.catalogue import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A component's image in the store."""

    name: str
    platform: Platform
    version: str
    digest: Digest
    size: int
    """Bytes of the uncompressed layers."""
    packages: int


def build_components(
    names: tuple[str, ...], platforms: tuple[Platform, ...], workspace: Workspace
) -> tuple[Built, ...]:
    """Build each of *names* for each of *platforms* from what the archive has now.

    Raises:
        FinbackError: an unknown name, or whatever building raises.

    """
    catalogue = workspace.catalogue()
    for name in names:
        workspace.library.get(name)
    built = []
    for platform in platforms:
        for name in names:
            found = catalogue.find(Wanted(reference=f"docker.io/finback/{name}", platform=platform))
            assert found.pin.digest is not None
            layers = image.load(workspace.store, found.pin.digest).layers
            built.append(
                Built(
                    name=name,
                    platform=platform,
                    version=found.pin.version,
                    digest=found.pin.digest,
                    size=sum(layer.size for layer in layers),
                    packages=len(found.pin.packages),
                )
            )
    return tuple(built)
