"""Images of registries, by their references."""

from __future__ import annotations

from dataclasses import replace

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.digest import Digest
from finback.ground.event import Noted
from finback.host.store import IMPORTED
from finback.oci.reference import Reference
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin
from finback.sources import ImageSource, Surroundings

# Indexes in indexes, which the specification allows.
DEPTH = 4
# What no other source claims.
LAST = 1000


class RegistryCatalogue:
    """Answers every reference; what the lock pins and the store has is not asked for again."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names, for its platform only: what the lock pins, what was imported under the name,
        or what the registry has.

        Raises:
            FinbackError: F122 the reference names something that is no image; whatever pulling raises.

        """
        from finback.oci import pull

        reference = Reference.parse(wanted.reference)
        if wanted.locked is None:
            imported = self._imported(reference, wanted)
            if imported is not None:
                return imported
        asked = reference
        if wanted.locked is not None and wanted.locked.digest is not None:
            asked = replace(reference, digest=str(wanted.locked.digest))
        around = self._around
        try:
            pulled = pull.pull(around.registries(), asked, wanted.platform, around.store, around.emit)
        except FinbackError as failure:
            failure.diagnostics = tuple(self._advised(d, reference, wanted) for d in failure.diagnostics)
            raise
        if not pulled.manifest.is_image:
            raise FinbackError(
                Diagnostic(
                    code="F122",
                    message=f"{wanted.reference} is no container image, but {pulled.manifest.kind or 'something else'}",
                    span=wanted.span,
                    help="`finback pull` fetches artefacts",
                )
            )
        pin = ImagePin(reference=wanted.reference, digest=pulled.manifest.digest, version=reference.tag)
        return Found(pin=pin, config=pulled.config)

    def _imported(self, reference: Reference, wanted: Wanted) -> Found | None:
        """The image that `finback cache import` gave this name, when the store has all of it for the platform.

        LinuxKit looks into its cache first, too (compat 3.8).
        """
        from finback.oci import image, manifest

        store = self._around.store
        names = [str(reference)] if reference.tag or reference.digest else [f"{reference}:latest", str(reference)]
        entries = (store.tagged(name) for name in names)
        found = next((e for e in entries if e and (e.get("annotations") or {}).get(IMPORTED)), None)
        try:
            if found is None:
                return None
            digest = Digest.parse(str(found["digest"]))
            for _ in range(DEPTH):
                document = manifest.read(store.read(digest, manifest.LIMIT))
                if not document.is_index:
                    break
                digest = manifest.choose(document, wanted.platform, wanted.reference).digest
            if not image.is_whole(store, digest):
                return None
            loaded = image.load(store, digest)
            image.check_platform(loaded.config, wanted.platform, wanted.reference)
        except (FinbackError, KeyError, ValueError):
            # Not all of it is there, or not for this platform: the registry may have it.
            return None
        self._around.emit(Noted(text=f"{reference.familiar} is the image that was imported into the store"))
        pin = ImagePin(reference=wanted.reference, digest=digest, version=reference.tag)
        return Found(pin=pin, config=loaded.config)

    def _advised(self, diagnostic: Diagnostic, reference: Reference, wanted: Wanted) -> Diagnostic:
        """What went wrong, with the place that asked, and whether the library could do instead."""
        library = self._around.library
        answer = library.answering(reference.name)
        advice = f"\nor use --library to let component finback/{answer} answer it" if answer else ""
        lacking = library.unanswered(reference.name)
        notes = (*diagnostic.notes, lacking) if lacking else diagnostic.notes
        return replace(diagnostic, span=diagnostic.span or wanted.span, help=diagnostic.help + advice, notes=notes)


def _open(surroundings: Surroundings) -> RegistryCatalogue:
    return RegistryCatalogue(surroundings)


SOURCE = ImageSource(claims=lambda _: True, open=_open, rank=LAST)
