"""finback's own components: built on demand from Debian packages, or taken from a registry that has them."""

from __future__ import annotations

from finback.component.library import Component
from finback.component.recipe import cached, recipe
from finback.ground import event
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.oci import image as oci_image
from finback.oci.reference import Reference
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin, PackagePin
from finback.sources import ImageSource, Surroundings

PREFIX = "docker.io/finback/"

# The time of files that a component's own definition adds. A constant: an image depends on its pins and its definition
# alone, not on when or for which system it was built. It is LinuxKit's (compat 2.11).
EPOCH = 1492533000


class LibraryCatalogue:
    """Answers references of the form ``finback/NAME``."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def find(self, wanted: Wanted) -> Found:
        """Build, fetch, or find in the store, the component that *wanted* names.

        Raises:
            FinbackError: F603, F604 the lock does not fit and must not change; as `_published.find`; whatever building
                raises.

        """
        name = self._name(wanted)
        if self._around.library_from and not self._around.library.is_added(name):
            from finback.sources import _published

            return _published.find(name, wanted, self._around)
        component = self._around.library.get(name)
        locked = wanted.locked
        pins = self._locked_packages(component, wanted)
        if pins is None:
            requirements = component.requirements(wanted.platform)
            pins = ()
            if requirements:
                archive = self._around.archive(wanted.platform.architecture)
                pins = archive.solve(requirements, component.definition.without or ())
        digest = self._pinned(wanted) or cached(recipe(component, pins, wanted.platform, EPOCH), self._around.store)
        if digest is None:
            digest = self._build(component, pins, wanted)
        if wanted.frozen and locked is not None and locked.digest != digest:
            raise error(
                "F603",
                f"{component.name} no longer builds to the image that the lock pins "
                f"(locked {locked.digest}, built {digest})",
                wanted.span,
                help="another version of finback wrote this lock; run `finback lock` and look at the difference",
            )
        pin = ImagePin(
            reference=wanted.reference,
            digest=digest,
            version=component.version(wanted.platform, pins),
            definition=component.digest,
            packages=pins,
        )
        return Found(pin=pin, config=oci_image.load(self._around.store, digest).config)

    def _name(self, wanted: Wanted) -> str:
        reference = Reference.parse(wanted.reference)
        name = reference.name.removeprefix(PREFIX)
        if reference.tag or reference.digest:
            raise error(
                "F121",
                f"library component finback/{name} takes no tag or digest",
                wanted.span,
                help=f"write finback/{name}; the lock file pins its packages and its image",
            )
        return name

    def _locked_packages(self, component: Component, wanted: Wanted) -> tuple[PackagePin, ...] | None:
        locked = wanted.locked
        if locked is None:
            return None
        if locked.definition == component.digest:
            return locked.packages
        if wanted.frozen:
            raise error(
                "F604",
                f"component {component.name} has changed since the lock was written",
                wanted.span,
                help="run `finback lock` and commit the lock file",
            )
        return None

    def _pinned(self, wanted: Wanted) -> Digest | None:
        """The image that the lock pins, for a frozen build, which relies on no record of the store."""
        digest = wanted.locked.digest if wanted.frozen and wanted.locked else None
        return digest if digest is not None and oci_image.is_whole(self._around.store, digest) else None

    def _build(self, component: Component, pins: tuple[PackagePin, ...], wanted: Wanted) -> Digest:
        around = self._around
        title = f"component {component.name} ({wanted.platform.architecture})"
        with event.task(around.emit, f"component {component.name}", title):
            if pins:
                around.archive(wanted.platform.architecture).fetch(pins)
            from finback.component import image

            return image.build(component, pins, wanted.platform, around.store, EPOCH)


def _open(surroundings: Surroundings) -> LibraryCatalogue:
    return LibraryCatalogue(surroundings)


SOURCE = ImageSource(claims=lambda reference: reference.name.startswith(PREFIX), open=_open, rank=10)
