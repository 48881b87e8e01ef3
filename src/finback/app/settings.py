"""What a user sets once: the configuration file, and environment variables that override it.

``$XDG_CONFIG_HOME/finback/config.yml`` holds the fields of `Settings`. `FINBACK_MIRROR`, `FINBACK_SECURITY_MIRROR`,
`FINBACK_KEYRING`, `FINBACK_LIBRARY_FROM` and `FINBACK_LIBRARY` (folders, separated as in PATH) override the fields of
the same names.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from finback.ground.diagnostic import blame, error
from finback.ground.source import Origin, Source, origin
from finback.host import environment, file
from finback.spec.decode import load
from finback.spec.model import key

if TYPE_CHECKING:
    from finback.oci.network import Rule

DEFAULT_SUITE = "trixie"
SIZE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How one registry, or those that a pattern fits, are reached."""

    name: str
    """`docker.io`, `registry.example.com:5000`, `*.example.com`, or `*`."""
    mirrors: tuple[str, ...] | None = None
    """URLs that are asked first for whatever is read."""
    insecure: Literal["http", "tls"] | None = None
    """`http`: spoken to without TLS; `tls`: the certificate is not checked."""
    ca: tuple[str, ...] | None = None
    """Files with certificates of further authorities."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration file."""

    mirror: str | None = None
    """URL of a Debian mirror. Default: the machine's APT sources."""
    security_mirror: str | None = key("securityMirror")
    """URL of a mirror of Debian's security archive. Default: the machine's APT sources."""
    keyring: str | None = None
    """OpenPGP keyring that must have signed the archive. Default: that of package debian-archive-keyring."""
    suite: str | None = None
    """Debian suite of components. Default: trixie."""
    suites: Mapping[str, str] | None = None
    """The suite for single architectures: `s390x: sid`."""
    check_valid_until: bool | None = key("checkValidUntil")
    """Refuse a Debian archive whose signed statement has expired, or is older than one that was seen before. Default:
    true; false is for archives that keep the past, as APT's `Acquire::Check-Valid-Until`."""
    substitute: tuple[str, ...] | None = None
    """Substitutions, as `--substitute` takes them."""
    library: tuple[str, ...] | None = None
    """Folders of components, searched before finback's own."""
    library_from: str | None = key("libraryFrom")
    """Where finback's components are published, as `finback library push` was given it: `registry.example.com/finback`.
    Default: they are built from Debian's packages."""
    registries: tuple[RegistrySettings, ...] | None = None
    """Registries that are not reached as their names say."""
    origin: Origin = origin()

    def suite_for(self, architecture: str) -> str:
        """The suite for an OCI architecture."""
        return (self.suites or {}).get(architecture) or self.suite or DEFAULT_SUITE

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What the file says of registries.

        Raises:
            FinbackError: F042, a mirror is no URL.

        """
        from finback.oci.network import Rule, mirror_rules

        rules: list[Rule] = []
        for registry in self.registries or ():
            with blame(registry.origin.span):
                rules += mirror_rules(f"{registry.name}={url}" for url in registry.mirrors or ())
            paths = tuple(environment.expanded(p) for p in registry.ca or ())
            rules.append(Rule(pattern=registry.name, insecure=registry.insecure or "", authorities=paths))
        return tuple(rules)


def load_settings() -> Settings:
    """Read the configuration file, if there is one, and the environment.

    Raises:
        FinbackError: the file is not a configuration.

    """
    folder = environment.config_folder()
    path = folder / "config.yml" if folder else None
    data = file.read(path, limit=SIZE_LIMIT) if path and path.exists() else b""
    settings = load(Settings, Source(str(path), data.decode("utf-8", "surrogateescape")))
    library = environment.lookup("FINBACK_LIBRARY")
    return replace(
        settings,
        mirror=environment.lookup("FINBACK_MIRROR") or settings.mirror,
        security_mirror=environment.lookup("FINBACK_SECURITY_MIRROR") or settings.security_mirror,
        keyring=environment.lookup("FINBACK_KEYRING") or settings.keyring,
        suite=environment.lookup("FINBACK_SUITE") or settings.suite,
        check_valid_until=_switch("FINBACK_CHECK_VALID_UNTIL", settings.check_valid_until),
        library_from=environment.lookup("FINBACK_LIBRARY_FROM") or settings.library_from,
        library=tuple(library.split(os.pathsep)) if library else settings.library,
    )


def _switch(variable: str, otherwise: bool | None) -> bool | None:  # noqa: FBT001 - a setting, not a mode
    """What an environment variable says: `true`, `false`, or nothing."""
    text = environment.lookup(variable)
    if not text:
        return otherwise
    if text not in ("true", "false"):
        raise error("F043", f"{variable} is {text!r}", help="write true or false, or leave it out")
    return text == "true"


def data_folder(kind: str) -> Path:
    """Where `components` and `assemblies` are: inside an installed finback, else at the root of its checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "data" / kind
    return installed if installed.is_dir() else package.parent.parent / kind
