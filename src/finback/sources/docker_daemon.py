"""The images of a Docker or Podman on this machine: docker-daemon:NAME, and every name with --docker."""

from __future__ import annotations

from finback.ground.digest import Digest
from finback.ground.event import task
from finback.oci import located
from finback.oci.reference import Reference
from finback.resolve.catalogue import Found, Wanted
from finback.sources import ImageSource, Surroundings
from finback.sources._local import answer


class DaemonCatalogue:
    """Answers ``docker-daemon:NAME`` and references; asks the daemon for the image as `docker save` writes it."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names.

        Raises:
            FinbackError: F188, the daemon has no such image; as `docker.save` and `local_image.take`; F603, the lock
                pins another image.

        """
        from finback.host import docker
        from finback.oci import files, local_image

        given = located.parse(wanted.reference)
        reference = Reference.parse(given.place) if isinstance(given, located.Located) else given
        store = self._around.store

        def take() -> Digest:
            title = f"image {reference.familiar} from the local daemon"
            with task(self._around.emit, wanted.reference, title), store.scratch() as scratch:
                path = scratch / "image.tar"
                docker.save(reference.familiar, path)
                found = files.archive(path, f"image {reference.familiar} of the local daemon")
                return local_image.take(found, "", wanted.platform, store)

        return answer(wanted, reference.tag, store, take)


SOURCE = ImageSource(open=DaemonCatalogue)
