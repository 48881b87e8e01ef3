"""Image references: names with an optional tag and digest.

Source: distribution reference grammar (distribution/reference 0.6, reference.go); what Docker adds (normalize.go):
the default registry ``docker.io`` and its ``library/``.

Names of three and more components stay as they are, as in LinuxKit (compat 1.12), and come from docker.io all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from finback.ground.diagnostic import error
from finback.ground.digest import Digest

DEFAULT_REGISTRY = "docker.io"
LEGACY_REGISTRY = "index.docker.io"
OFFICIAL = "library/"
# Of the path alone: the domain is not part of a repository's name on its registry.
MAX_PATH = 255
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_HOST_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_TAG = re.compile(r"[\w][\w.-]{0,127}\Z", re.ASCII)
# Docker takes such a word for the identifier of an image in its own store.
_IDENTIFIER = re.compile(r"[a-f0-9]{64}\Z")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A reference with its registry spelled out."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""
    bare: bool = field(default=False, compare=False)
    """The registry is left out when it is written: the default one, and a name of three or more components."""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as people write it: ``nginx``, ``linuxkit/init:v1``, ``host:5000/a/b@sha256:…``.

        Raises:
            FinbackError: F030, it is none.

        """
        if _IDENTIFIER.match(text):
            raise _bad(text, "it is the identifier of an image, not a name")
        rest, at, digest = text.partition("@")
        if at:
            try:
                Digest.parse(digest)
            except ValueError:
                raise _bad(text, "what follows @ is not a digest") from None
        registry, remainder = _split(rest)
        repository, colon, tag = remainder.partition(":")
        if colon and not _TAG.match(tag):
            raise _bad(text, f"{tag!r} is not a tag")
        if not _HOST.match(registry):
            raise _bad(text, f"{registry!r} is not a registry")
        if not _PATH.match(repository):
            upper = repository != repository.lower()
            raise _bad(text, "names are in lower case" if upper else f"{repository!r} is not an image name")
        if len(repository) > MAX_PATH:
            raise _bad(text, f"the name is longer than {MAX_PATH} characters")
        bare = registry == DEFAULT_REGISTRY and repository.count("/") >= 2 and rest.startswith(f"{repository}{colon}")
        return cls(registry, repository, tag, digest, bare)

    @property
    def name(self) -> str:
        """Registry and repository: ``docker.io/library/nginx``."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar_name(self) -> str:
        """The name as people write it: without the default registry and its ``library/``, where it reads back so."""
        if self.registry != DEFAULT_REGISTRY:
            return self.name
        leaf = self.repository.removeprefix(OFFICIAL)
        short = leaf if "/" not in leaf else self.repository
        # docker.io/localhost/a is not localhost/a.
        return short if _split(short) == (self.registry, self.repository) else self.name

    @property
    def familiar(self) -> str:
        """The whole reference as people write it."""
        return f"{self.familiar_name}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return f"{self.repository if self.bare else self.name}{self._suffix}"


def _split(text: str) -> tuple[str, str]:
    """The registry, and the rest. Source: distribution/reference, normalize.go, `splitDockerDomain`; compat 1.12.

    Docker has since come to take a first step with capitals for a registry too. It is nearly always a slip.
    """
    first, slash, rest = text.partition("/")
    named = "." in first or ":" in first or first == "localhost"
    registry, remainder = (first, rest) if slash and named else (DEFAULT_REGISTRY, text)
    if registry == LEGACY_REGISTRY:
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in remainder:
        remainder = OFFICIAL + remainder
    return registry, remainder


def _bad(text: str, why: str) -> Exception:
    return error(
        "F030",
        f"{text!r} is not an image reference: {why}",
        help="write [REGISTRY/]NAME[:TAG][@DIGEST], such as nginx:1",
    )
