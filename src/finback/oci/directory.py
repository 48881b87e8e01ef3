"""Images in the folder form of the containers/image library: what `skopeo copy ... dir:PATH` and `podman save --format
docker-dir` write.

The manifest is `manifest.json`, those that an index lists are `HASH.manifest.json`, and blobs are called by their hash.
Such a folder has no names: it holds one image, for one platform or several.

Source: containers/image 5.30, docs/containers-transports.5.md and directory/directory_transport.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import files, layout, manifest
from finback.oci.files import Files

VERSION = b"Directory Transport Version: 1."


def is_directory(found: Files) -> bool:
    """Whether it has the files of this form."""
    return (
        found.has("version") and found.has("manifest.json") and files.read(found, "version", 1024).startswith(VERSION)
    )


def take(found: Files, name: str, platform: Platform, store: Store) -> Digest:
    """Put the image, as it is for *platform*, into the store; its manifest's digest.

    Raises:
        FinbackError: F182 a name is given; as `layout.take_entry`.

    """
    if name:
        raise error("F182", f"{found.label} holds one image, without a name", help=f"write PATH without `:{name}`")
    body = files.read(found, "manifest.json", manifest.LIMIT)
    entry = manifest.read(body, of=f"manifest.json in {found.label}").descriptor
    return layout.take_entry(_Renamed(found, entry.digest), [entry], found.label, platform, store)


@dataclass(frozen=True, slots=True)
class _Renamed:
    """The files under the names that they have in a layout."""

    found: Files
    top: Digest

    @property
    def label(self) -> str:
        return self.found.label

    def has(self, name: str) -> bool:
        return self.found.has(self._place(name))

    def stream(self, name: str) -> Iterator[bytes]:
        return self.found.stream(self._place(name))

    def _place(self, name: str) -> str:
        encoded = name.rpartition("/")[2]
        if encoded == self.top.encoded:
            return "manifest.json"
        listed = f"{encoded}.manifest.json"
        return listed if self.found.has(listed) else encoded
