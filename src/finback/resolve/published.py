"""The library as images of a registry: what an index says of each image beside its digest.

An index lists an image for each platform. The annotation of each holds the image's pin as the lock file has it, so
that whoever takes the image learns which packages it is made of, and a lock says the same wherever its images came
from. The pin's digest is that of the image with uncompressed layers; a tag of that digest leads to the image as the
registry has it.

Specification: OCI image specification 1.1, annotations.md, image-index.md.
"""

from __future__ import annotations

import json

from finback.codec import strict_json
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.resolve import lock
from finback.resolve.plan import ImagePin

PIN = "org.finback.pin"
# The largest component's has 40 kB.
LIMIT = 1 << 20


def encode(pin: ImagePin) -> str:
    """The annotation's text."""
    return json.dumps(lock.describe(pin), sort_keys=True, separators=(",", ":"))


def tag(digest: Digest | None) -> str:
    """The tag under which the image with this pinned digest is found."""
    assert digest is not None
    return f"pin-{digest.encoded[:64]}"


def decode(text: str, reference: str, name: str) -> ImagePin:
    """The pin of *reference* in an annotation; *name* is for errors.

    Raises:
        FinbackError: F127, there is none, or one without a digest.

    """
    try:
        if len(text) > LIMIT:
            raise ValueError("it is larger than any pin may be")
        pin = lock.described(reference, strict_json.plain(text))
        if pin.digest is None:
            raise ValueError("it has no digest")
    except (AttributeError, KeyError, TypeError, ValueError) as failure:
        raise error(
            "F127",
            f"{name} is no component of a library: its annotation {PIN} can't be read ({failure})",
            help="name what `finback library push` was given",
        ) from None
    return pin
