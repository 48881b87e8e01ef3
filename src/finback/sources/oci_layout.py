"""An OCI image layout on this machine, folder or archive: oci-layout:PATH[:NAME]."""

from __future__ import annotations

from finback.ground.digest import Digest
from finback.ground.event import task
from finback.oci import located
from finback.resolve.catalogue import Found, Wanted
from finback.sources import ImageSource, Surroundings
from finback.sources._local import answer, beside


class LayoutCatalogue:
    """Answers ``oci-layout:PATH`` and ``oci-layout:PATH:NAME``; PATH is relative to the YAML file and has no colon."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names.

        Raises:
            FinbackError: as `layout.take` and `files.opened`; F603, the lock pins another image.

        """
        from finback.oci import files, layout

        reference = located.parse(wanted.reference)
        assert isinstance(reference, located.Located)
        path, name = reference.split()
        store = self._around.store

        def take() -> Digest:
            with (
                task(self._around.emit, wanted.reference, f"image {wanted.reference}"),
                files.opened(beside(path, wanted.span), store) as found,
            ):
                return layout.take(found, name, wanted.platform, store)

        return answer(wanted, name, store, take)


SOURCE = ImageSource(open=LayoutCatalogue)
