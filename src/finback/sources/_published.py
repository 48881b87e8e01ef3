"""Components that `finback library push` put into a registry, in place of building them from Debian's packages."""

from __future__ import annotations

from dataclasses import replace

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.oci import image as oci_image
from finback.oci import manifest, pull
from finback.oci.reference import Reference
from finback.resolve import published
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin
from finback.sources import Surroundings

ABSENT = "F206"


def find(name: str, wanted: Wanted, around: Surroundings) -> Found:
    """Component *name* from the registry that `around.library_from` names: what the lock pins, else what the tag is.

    Raises:
        FinbackError: F127 it is no component's; F128 there is no such component; F603 the lock pins another image;
            F171 not for this platform; whatever pulling raises.

    """
    base = Reference.parse(around.library_from)
    reference = Reference(base.registry, f"{base.repository}/{name}", base.tag or "latest")
    locked = wanted.locked
    if locked is not None and locked.digest is not None:
        digest, pin = locked.digest, replace(locked, reference=wanted.reference)
    else:
        digest, pin = _entry(reference, name, wanted, around)
    if not oci_image.is_whole(around.store, digest):
        asked = replace(reference, tag="", digest=str(digest))
        try:
            pull.pull(around.registries(), asked, wanted.platform, around.store, around.emit)
        except FinbackError as failure:
            raise _advised(failure, reference, wanted) from None
    return Found(pin=pin, config=oci_image.load(around.store, digest).config)


def _entry(reference: Reference, name: str, wanted: Wanted, around: Surroundings) -> tuple[Digest, ImagePin]:
    """The image that the tag has for the platform, with its pin."""
    registry = around.registries().get(reference.registry)
    try:
        index = registry.document(reference.repository, reference.tag)
    except FinbackError as failure:
        raise _advised(failure, reference, wanted) from None
    if not index.is_index:
        raise error(
            "F127", f"{reference} is no component of a library, but a single image", wanted.span,
            help="name what `finback library push` was given",
        )  # fmt: skip
    entry = manifest.choose(index, wanted.platform, str(reference))
    text = entry.annotations.get(published.PIN, "")
    return entry.digest, published.decode(text, wanted.reference, entry.digest, f"{reference} ({name})")


def _advised(failure: FinbackError, reference: Reference, wanted: Wanted) -> FinbackError:
    if [d.code for d in failure.diagnostics] != [ABSENT]:
        return failure
    if wanted.locked is not None:
        return error(
            "F128",
            f"{reference.name} no longer has the image that the lock pins ({wanted.locked.digest})",
            wanted.span,
            help="run `finback lock --update` to take its successor, or leave libraryFrom out to build it",
        )
    return error(
        "F128",
        f"the library has no component {reference}",
        wanted.span,
        help="push it with `finback library push`, or leave libraryFrom out to build it from Debian's packages",
    )
