"""What an image says of the program that is run from it: the `config` object of its configuration, checked once.

Fields may be missing, null or empty, which all mean the same. As in Docker, a text in the place of a command's list is
a list of one.

Source: OCI image specification 1.1, config.md, "Properties"; Docker's image specification 1.3; Docker's strslice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finback.ground.diagnostic import FinbackError, error

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
    fields = _Fields(config.get("config"), name)
    folder = fields.text("WorkingDir")
    return Configuration(
        entrypoint=fields.command("Entrypoint"),
        arguments=fields.command("Cmd"),
        environment=tuple(e for e in fields.texts("Env") if "=" in e[1:]),
        folder=f"/{folder.lstrip('/')}" if folder else "",
        user=fields.text("User"),
        stop_signal=fields.text("StopSignal"),
        labels=fields.labels(),
    )


def with_path(environment: tuple[str, ...]) -> tuple[str, ...]:
    """*environment* with Docker's default PATH in front, unless it has a PATH."""
    if any(e.startswith("PATH=") for e in environment):
        return environment
    return (f"PATH={DEFAULT_PATH}", *environment)


class _Fields:
    """Fields by name, each of the type that is asked for."""

    def __init__(self, value: Any, name: str) -> None:
        self._name = name
        self._values = value if value is not None else {}
        if not isinstance(self._values, dict):
            raise self._wrong("config", "an object")

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str | None):
            raise self._wrong(key, "a text")
        return value or ""

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def command(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        found = (value,) if isinstance(value, str) else self.texts(key)
        # Docker's way to take a parent image's command away.
        return () if found == ("",) else found

    def labels(self) -> dict[str, str]:
        value = self._values.get("Labels")
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self._wrong("Labels", "an object of texts")
        return dict(value)

    def _wrong(self, key: str, wanted: str) -> FinbackError:
        return error(
            "F124",
            f"the configuration of image {self._name} is faulty: `{key}` is not {wanted}",
            help="use another version of the image, or build it anew with a current tool",
        )
