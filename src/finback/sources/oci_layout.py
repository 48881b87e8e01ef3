"""An OCI image layout on this machine, folder or archive: oci-layout:PATH[:NAME]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.sources import ImageSource
from finback.sources._local import PlaceCatalogue

if TYPE_CHECKING:
    from finback.oci.files import Files


def _take(found: Files, name: str, platform: Platform, store: Store) -> Digest:
    from finback.oci import local_image

    return local_image.take(found, name, platform, store)


SOURCE = ImageSource(open=lambda around: PlaceCatalogue(around, _take))
