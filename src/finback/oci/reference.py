"""Image references: names with an optional tag and digest.

Source: distribution reference grammar (distribution/reference, reference.go); what Docker adds to it: the default
registry ``docker.io`` and its ``library/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from finback.ground.diagnostic import error
from finback.ground.digest import Digest

DEFAULT_REGISTRY = "docker.io"
MAX_NAME = 255
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_HOST_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_TAG = re.compile(r"[\w][\w.-]{0,127}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A reference with its registry spelled out."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as people write it: ``nginx``, ``linuxkit/init:v1``, ``host:5000/a/b@sha256:…``.

        Raises:
            FinbackError: F030, it is none.

        """
        rest, at, digest = text.partition("@")
        if at:
            try:
                Digest.parse(digest)
            except ValueError:
                raise _bad(text, "what follows @ is not a digest") from None
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        if colon and not _TAG.match(tag):
            raise _bad(text, f"{tag!r} is not a tag")
        name = head + slash + last
        first, slash, path = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first.startswith("[")):
            registry, repository = first, path
        else:
            registry, repository = DEFAULT_REGISTRY, name
        if registry in ("index.docker.io", DEFAULT_REGISTRY):
            registry = DEFAULT_REGISTRY
            repository = repository if "/" in repository else f"library/{repository}"
        if not _HOST.match(registry):
            raise _bad(text, f"{registry!r} is not a registry")
        if not _PATH.match(repository):
            upper = repository != repository.lower()
            raise _bad(text, "names are in lower case" if upper else f"{repository!r} is not an image name")
        if len(registry) + len(repository) + 1 > MAX_NAME:
            raise _bad(text, f"the name is longer than {MAX_NAME} characters")
        return cls(registry, repository, tag, digest)

    @property
    def name(self) -> str:
        """Registry and repository: ``docker.io/library/nginx``."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar_name(self) -> str:
        """The name as people write it: without the default registry and its ``library/``."""
        if self.registry != DEFAULT_REGISTRY:
            return self.name
        return self.repository.removeprefix("library/")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def _bad(text: str, why: str) -> Exception:
    return error(
        "F030",
        f"{text!r} is not an image reference: {why}",
        help="write [REGISTRY/]NAME[:TAG][@DIGEST], such as nginx:1",
    )
