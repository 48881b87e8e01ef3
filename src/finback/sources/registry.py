"""Images of registries, by their references."""

from __future__ import annotations

from dataclasses import replace

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.oci.reference import Reference
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin
from finback.sources import ImageSource, Surroundings

# What no other source claims.
LAST = 1000


class RegistryCatalogue:
    """Answers every reference; what the lock pins and the store has is not asked for again."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names, for its platform only.

        Raises:
            FinbackError: F122 the reference names something that is no image; whatever pulling raises.

        """
        from finback.oci import pull

        reference = Reference.parse(wanted.reference)
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

    def _advised(self, diagnostic: Diagnostic, reference: Reference, wanted: Wanted) -> Diagnostic:
        """What went wrong, with the place that asked, and whether the library could do instead."""
        answer = self._around.library.answering(reference.name)
        advice = f"\nor use --library to let component finback/{answer} answer it" if answer else ""
        return replace(diagnostic, span=diagnostic.span or wanted.span, help=diagnostic.help + advice)


def _open(surroundings: Surroundings) -> RegistryCatalogue:
    return RegistryCatalogue(surroundings)


SOURCE = ImageSource(claims=lambda _: True, open=_open, rank=LAST)
