"""Images in files of this machine, in whichever form the tool that wrote them uses; the form is known by its files."""

from __future__ import annotations

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import directory, docker_archive, docker_v1, layout
from finback.oci.files import Files


def take(found: Files, name: str, platform: Platform, store: Store) -> Digest:
    """Put the image called *name* ("": the only one), as it is for *platform*, into the store; its manifest's digest.

    `docker save` writes an OCI layout since version 25, with the older form beside it: the layout is read.

    Raises:
        FinbackError: F185, it has none of the known forms; as the form's own `take`.

    """
    if layout.is_layout(found):
        return layout.take(found, name, platform, store)
    if directory.is_directory(found):
        return directory.take(found, name, platform, store)
    if docker_v1.is_archive(found):
        return docker_v1.take(found, name, platform, store)
    if found.has("manifest.json"):
        return docker_archive.take(found, name, platform, store)
    raise error(
        "F185",
        f"{found.label} has no images: neither index.json and oci-layout, nor manifest.json, nor repositories",
        help="name an OCI image layout, a folder of `skopeo copy ... dir:`, or an archive that `docker save` made",
    )
