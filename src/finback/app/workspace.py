"""What every use case works with, opened once: settings, store, library, archives, sources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from finback.app.settings import Settings, data_folder, load_settings
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity, error
from finback.ground.event import Emit, Warned
from finback.ground.platform import Platform
from finback.host import clock, environment, file
from finback.host.store import Store

# Checking a spec needs none of these, and importing them takes as long as that.
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from finback.component.archive import Archive
    from finback.component.library import Component, Library
    from finback.oci.network import Network
    from finback.oci.registry import Registries
    from finback.resolve.catalogue import Catalogue, Found, Wanted
    from finback.sources import ImageSource, Surroundings

# How many images are looked up at the same time.
PARALLEL = 8
# What a source says when it has no such image, and is asked before others.
ABSENT = "F188"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(slots=True)
class Workspace:
    """The store and the library of this user, and the ways to the outside."""

    emit: Emit
    settings: Settings = field(default_factory=load_settings)
    cache: Path | None = None
    """The store's folder. Default: `$XDG_CACHE_HOME/finback`."""
    network: Network | None = None
    """What the command line says of registries; it comes before the settings."""
    first_sources: tuple[str, ...] = ()
    """Sources that are asked before all others whether they have an image."""
    published: str = ""
    """What the command line says of where components are published; it comes before the settings."""
    _archives: dict[str, Archive] = field(default_factory=dict)
    _store: Store | None = None
    _library: Library | None = None
    _registries: Registries | None = None

    @property
    def store(self) -> Store:
        """The store, opened on first use."""
        if self._store is None:
            self._store = Store(self.cache or environment.cache_folder())
        return self._store

    @property
    def library(self) -> Library:
        """The components: the user's folders before finback's own."""
        if self._library is None:
            from finback.component.library import Library

            folders = [environment.expanded(f) for f in self.settings.library or ()]
            self._library = Library((*folders, data_folder("components")))
        return self._library

    def having(self, component: Component) -> Workspace:
        """The same workspace, but with *component* in the library in the place of the one of its name."""
        return replace(self, _library=self.library.having(component))

    @property
    def library_from(self) -> str:
        """Where components are published; "" where they are built from packages."""
        return self.published or self.settings.library_from or ""

    @property
    def registries(self) -> Registries:
        """The clients of registries.

        Raises:
            FinbackError: F042, a mirror that the settings or LINUXKIT_MIRROR name is no URL.

        """
        if self._registries is None:
            from finback.oci.credentials import Credentials
            from finback.oci.network import Network, mirror_rules
            from finback.oci.registry import Registries

            rules = self.network.rules if self.network else ()
            if not any(rule.mirrors for rule in rules):
                # As LinuxKit has it (compat 3.1): the command line wins.
                rules += mirror_rules(re.findall(r"[^\s,]+", environment.lookup("LINUXKIT_MIRROR") or ""))
            network = Network((*rules, *self.settings.rules))
            self._registries = Registries(network, Credentials.of_user(), emit=self.emit)
        return self._registries

    def archive(self, architecture: str) -> Archive:
        """Debian's archive for an OCI architecture.

        Raises:
            FinbackError: no mirror is known, or it can't be reached or trusted.

        """
        if architecture not in self._archives:
            from finback.app.mirror import mirrors
            from finback.component.archive import Archive, ArchiveSettings
            from finback.host.http import Fetcher

            known = mirrors()
            main = self.settings.mirror or known.debian
            if not main:
                raise error(
                    "F510",
                    "no Debian mirror is known",
                    help="set FINBACK_MIRROR to the URL of one, or `mirror:` in config.yml; on a Debian machine the "
                    "mirror of its APT sources is used",
                )
            # A security archive that belongs to another mirror than the one asked for would surprise.
            security = self.settings.security_mirror or (None if self.settings.mirror else known.security)
            suite = self.settings.suite_for(architecture)
            rolling = suite in ("sid", "unstable", "experimental")
            settings = ArchiveSettings(
                mirror=main,
                security=None if rolling else security,
                suites=(suite,) if rolling or self.settings.mirror else (suite, f"{suite}-updates"),
                keyring=self._keyring(),
                now=int(clock.now()),
                accept_expired=self.settings.check_valid_until is False,
            )
            if settings.accept_expired:
                self._warn_of_expiry()
            debian = Platform("linux", architecture).names.debian
            self._archives[architecture] = Archive(settings, self.store, Fetcher(), debian)
        return self._archives[architecture]

    def _warn_of_expiry(self) -> None:
        self.emit(
            Warned(
                diagnostic=Diagnostic(
                    code="F313",
                    message="Debian's archive is taken even if its signed statement has expired (checkValidUntil)",
                    help="security updates may be missing; use this only for archives that keep the past",
                    severity=Severity.WARNING,
                )
            )
        )

    def _keyring(self) -> bytes:
        path = Path(self.settings.keyring) if self.settings.keyring else KEYRING
        if not path.exists():
            raise error(
                "F511",
                f"there is no keyring {path} to check Debian's archive with",
                help="install the package debian-archive-keyring, or set FINBACK_KEYRING to a keyring file",
            )
        return file.read(path, limit=1 << 20)

    def catalogue(self) -> Catalogue:
        """Every source of images, asked in their order."""
        from finback.sources import Surroundings

        around = Surroundings(
            store=self.store,
            library=self.library,
            archive=self.archive,
            registries=lambda: self.registries,
            emit=self.emit,
            library_from=self.library_from,
        )
        return _Catalogue(around, self.first_sources)


class _Catalogue:
    """Asks the source that a name says, else those to be asked *first*, else the first that claims a reference."""

    def __init__(self, surroundings: Surroundings, first: tuple[str, ...]) -> None:
        self._surroundings = surroundings
        self._first = first
        self._open: dict[str, Catalogue] = {}
        self._prepared: dict[str, Future[Found]] = {}

    @cached_property
    def _sources(self) -> list[tuple[str, ImageSource]]:
        from finback.sources import SOURCES

        return sorted(SOURCES, key=lambda pair: pair[1].rank)

    def _opened(self, name: str, source: ImageSource) -> Catalogue:
        if name not in self._open:
            self._open[name] = source.open(self._surroundings)
        return self._open[name]

    def _located(self, name: str) -> Catalogue:
        """The source *name*, which must be one for images named by their place."""
        from finback.sources import SOURCES

        places = [n for n, source in self._sources if source.claims is None]
        if name in SOURCES.names() and name not in places:
            raise error("F122", f"{name} is no place for images", help=f"places are: {', '.join(sorted(places))}")
        return self._opened(name, SOURCES.get(name))

    def prepare(self, wanted: Iterable[Wanted]) -> None:
        """Look up images of registries, several at a time."""
        from concurrent.futures import ThreadPoolExecutor

        remote = {w.reference: w for w in wanted if self._is_remote(w)}
        if len(remote) < 2:
            return
        with ThreadPoolExecutor(PARALLEL) as pool:
            for reference, one in remote.items():
                self._prepared[reference] = pool.submit(self._find, one)

    def _is_remote(self, wanted: Wanted) -> bool:
        """Whether only the source that is asked last, which is that of registries, knows the image."""
        from finback.oci import located

        reference = located.parse(wanted.reference)
        if isinstance(reference, located.Located) or self._first:
            return False
        claiming = (source for _, source in self._sources if source.claims is not None and source.claims(reference))
        return next(claiming, None) is self._sources[-1][1]

    def find(self, wanted: Wanted) -> Found:
        done = self._prepared.pop(wanted.reference, None)
        return self._find(wanted) if done is None else done.result()

    def _find(self, wanted: Wanted) -> Found:
        from finback.oci import located

        reference = located.parse(wanted.reference)
        if isinstance(reference, located.Located):
            return self._located(reference.source).find(wanted)
        for name in self._first:
            try:
                return self._located(name).find(wanted)
            except FinbackError as failure:
                if failure.diagnostics[0].code != ABSENT:
                    raise
        for name, source in self._sources:
            if source.claims is not None and source.claims(reference):
                return self._opened(name, source).find(wanted)
        raise error(
            "F122", f"no source of images knows {wanted.reference}", wanted.span, help="name an image of a registry"
        )
