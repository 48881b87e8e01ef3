"""An archive that `docker save` or `podman save` made: docker-archive:PATH[:NAME]."""

from __future__ import annotations

from finback.ground.digest import Digest
from finback.ground.event import task
from finback.oci import located
from finback.resolve.catalogue import Found, Wanted
from finback.sources import ImageSource, Surroundings
from finback.sources._local import answer, beside


class ArchiveCatalogue:
    """Answers ``docker-archive:PATH`` and ``docker-archive:PATH:NAME``; PATH is relative to the YAML file."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names.

        Raises:
            FinbackError: as `docker_archive.take` and `files.opened`; F603, the lock pins another image.

        """
        from finback.oci import docker_archive, files

        reference = located.parse(wanted.reference)
        assert isinstance(reference, located.Located)
        path, name = reference.split()
        store = self._around.store

        def take() -> Digest:
            with (
                task(self._around.emit, wanted.reference, f"image {wanted.reference}"),
                files.opened(beside(path, wanted.span), store) as found,
            ):
                return docker_archive.take(found, name, wanted.platform, store)

        return answer(wanted, name, store, take)


SOURCE = ImageSource(open=ArchiveCatalogue)
