"""Components that `finback library push` put into a registry, in place of building them from Debian's packages."""

from __future__ import annotations

from dataclasses import replace

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.oci import image as oci_image
from finback.oci import manifest, packed, pull
from finback.oci.reference import Reference
from finback.resolve import published
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin
from finback.sources import Surroundings

ABSENT = "F206"


def find(name: str, wanted: Wanted, around: Surroundings) -> Found:
    """Component *name* from the registry that `around.library_from` names: what the lock pins, else what the tag is.

    Raises:
        FinbackError: F127 it is no component's; F128 there is no such component; F301 it is not the image that its pin
            names; F171 not for this platform; whatever pulling raises.

    """
    base = Reference.parse(around.library_from)
    reference = Reference(base.registry, f"{base.repository}/{name}", base.tag or "latest")
    locked = wanted.locked
    published_as: Digest | None = None
    if locked is not None and locked.digest is not None:
        pin = replace(locked, reference=wanted.reference)
    else:
        published_as, pin = _entry(reference, name, wanted, around)
    assert pin.digest is not None
    if not oci_image.is_whole(around.store, pin.digest):
        try:
            _fetch(reference, published_as or _located(reference, pin.digest, around), pin.digest, wanted, around)
        except FinbackError as failure:
            raise _advised(failure, reference, wanted) from None
    return Found(pin=pin, config=oci_image.load(around.store, pin.digest).config)


def _located(reference: Reference, pinned: Digest, around: Surroundings) -> Digest:
    """The manifest that the registry has of the image that the lock pins."""
    registry = around.registries().get(reference.registry)
    try:
        return registry.document(reference.repository, published.tag(pinned)).digest
    except FinbackError as failure:
        if [d.code for d in failure.diagnostics] != [ABSENT]:
            raise
    # Libraries that finback 0.1 pushed have the very manifest.
    return pinned


def _fetch(reference: Reference, manifest_digest: Digest, pinned: Digest, wanted: Wanted, around: Surroundings) -> None:
    """Put the image that the pin names into the store; the registry has it with compressed layers.

    Raises:
        FinbackError: F301, it is another image than the pin says; whatever pulling and unpacking raise.

    """
    asked = replace(reference, tag="", digest=str(manifest_digest))
    pull.pull(around.registries(), asked, wanted.platform, around.store, around.emit)
    if manifest_digest == pinned:
        return
    found = packed.unpacked(around.store, manifest_digest)
    if found != pinned:
        raise error(
            "F301",
            f"{asked} is not the image that its pin names: unpacked it is {found}, pinned is {pinned}",
            wanted.span,
            help="whoever published it made a mistake, or means harm: ask them, or leave libraryFrom out to build it",
        )


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
    return entry.digest, published.decode(text, wanted.reference, f"{reference} ({name})")


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
