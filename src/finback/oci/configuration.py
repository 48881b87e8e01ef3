"""What an image says of the program that is run from it: the `config` object of its configuration, checked once.

Fields may be missing, null or empty, which all mean the same. As in Docker, a text in the place of a command's list is
a list of one.

Source: OCI image specification 1.1, config.md, "Properties"; Docker's image specification 1.3; Docker's strslice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finback.codec.strict_json import JsonError, Node
from finback.ground.diagnostic import error

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH of a container whose environment has none, as Docker, containerd and Podman set it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The defaults of an image's containers; what the image does not say is empty."""

    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """`Cmd`."""
    environment: tuple[str, ...] = ()
    """`NAME=VALUE` each."""
    folder: str = ""
    """`WorkingDir`, absolute."""
    user: str = ""
    stop_signal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> tuple[str, ...]:
        """The program with its arguments; empty when the image names none."""
        return self.entrypoint + self.arguments


def read(config: Mapping[str, Any], name: str) -> Configuration:
    """The `config` object of *config*, the whole configuration of the image that messages call *name*.

    Raises:
        FinbackError: F124, a field is of another type than the specification says.

    """
    try:
        return decode(Node(dict(config)).get("config"))
    except JsonError as failure:
        raise error(
            "F124",
            f"the configuration of image {name} is faulty: {failure}",
            help="use another version of the image, or build it anew with a current tool",
        ) from None


def decode(config: Node) -> Configuration:
    """The object *config*.

    Raises:
        JsonError: a field is of another type than the specification says.

    """
    folder = config.get("WorkingDir").text("")
    return Configuration(
        entrypoint=_command(config.get("Entrypoint")),
        arguments=_command(config.get("Cmd")),
        environment=tuple(e for e in _texts(config.get("Env")) if "=" in e[1:]),
        folder=f"/{folder.lstrip('/')}" if folder else "",
        user=config.get("User").text(""),
        stop_signal=config.get("StopSignal").text(""),
        labels=config.get("Labels").texts(),
    )


def with_path(environment: tuple[str, ...]) -> tuple[str, ...]:
    """*environment* with Docker's default PATH in front, unless it has a PATH."""
    if any(e.startswith("PATH=") for e in environment):
        return environment
    return (f"PATH={DEFAULT_PATH}", *environment)


def _texts(value: Node) -> tuple[str, ...]:
    return tuple(word.text() for word in value.items())


def _command(value: Node) -> tuple[str, ...]:
    found = (value.text(),) if isinstance(value.value, str) else _texts(value)
    # An empty text is Docker's way to take a parent image's command away.
    return () if found == ("",) else found
