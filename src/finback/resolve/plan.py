"""The Plan: a closed world.

Everything that a system is made of, by digest: the same Plan gives the same bytes. A Plan made without resolving
(``plan --no-resolve``) has images without digests and can be shown but not built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from finback.ground import canonical
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Origin, origin
from finback.resolve.supervision import Supervision
from finback.spec.model import Output, Settings

# What the references of loaders begin with.
LOADER_PREFIX = "docker.io/finback/"


def loader_reference(component: str) -> str:
    """The reference under which a format's boot loader is planned and locked."""
    return LOADER_PREFIX + component


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePin:
    """A Debian package, by its bytes."""

    name: str
    version: str
    architecture: str
    filename: str
    """Path below the archive's root."""
    size: int
    digest: Digest
    archive: str = "debian"
    """Which archive of the mirror: `debian` or `debian-security`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePin:
    """An image, by the digest of its manifest."""

    reference: str
    """The expanded reference that was resolved: what PAX labels and metadata show."""
    digest: Digest | None = None
    substitutes: str = ""
    """The expanded reference that the spec names, where another image answers it."""
    version: str = ""
    """What a person would call it: the version of the component's leading package, or the tag."""
    definition: Digest | None = None
    """Digest of the component's definition, for library images."""
    packages: tuple[PackagePin, ...] = ()
    loader: bool = False
    """A format's boot loader: it stays locked while other formats are made."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPlan:
    """The kernel section, with defaults filled in. `tar` and `ucode` are "" when they are not wanted."""

    image: ImagePin
    cmdline: str = ""
    binary: str = "kernel"
    tar: str = "kernel.tar"
    tar_required: bool = False
    """The spec names the archive, so that its absence is an error."""
    ucode: str = ""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """A secret that a container asks for."""

    name: str
    mode: int = 0o400
    optional: bool = False
    """The container starts without it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container with its settings complete: spec over label over image configuration.

    `settings.command`, `env` and `cwd` are final; fields that are None have the default that the assembler documents.
    String ids in `settings` (`uid`, `gid`, `additional_gids`) are already numbers.
    """

    section: str
    index: int
    name: str
    image: ImagePin
    settings: Settings
    supervision: Supervision = Supervision()
    seccomp: Digest | None = None
    """Digest of the file that `settings.seccomp` names, which is in the store."""
    usual: tuple[str, ...] = ()
    """Settings that nothing is said of, and that have the value that is usual for the confinement of containers."""
    relaxed: tuple[str, ...] = ()
    """What of the usual confinement is missing, in words."""
    secrets: tuple[SecretUse, ...] = ()
    origin: Origin = origin()

    @property
    def directory(self) -> str:
        """The bundle's path in the root: ``containers/onboot/000-sysctl``, ``containers/services/nginx``."""
        leaf = self.name if self.section == "services" else f"{self.index:03d}-{self.name}"
        return f"containers/{self.section}/{leaf}"

    @property
    def id(self) -> str:
        """The container id that the guest uses."""
        return self.directory.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePlan:
    """A volume; blank when it has no image."""

    index: int
    name: str
    image: ImagePin | None = None
    format: str = "filesystem"
    platforms: tuple[str, ...] = ()
    readonly: bool = False
    place: str = ""
    """Mount point of the file system on which it is kept; "" is memory."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """An item of `files`: exactly one of directory, symlink, content; none of them where nothing was looked up and the
    file is not there.
    """

    index: int
    path: str
    """Without a leading slash."""
    directory: bool = False
    symlink: str | None = None
    content: Digest | None = None
    """Digest of the content, which is in the store."""
    size: int = 0
    mode: int = 0o600
    uid: int = 0
    gid: int = 0
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A driver of the kernel without which something does not work."""

    name: str
    """The module's name, with `_` for `-`."""
    user: str
    """What needs it, for messages: "the interface lan.5"."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One system for one platform."""

    name: str
    platform: Platform
    epoch: int
    """Seconds since 1970: the time of every file that this build makes (SOURCE_DATE_EPOCH)."""
    kernel: KernelPlan | None = None
    init: tuple[ImagePin, ...] = ()
    volumes: tuple[VolumePlan, ...] = ()
    early: tuple[Container, ...] = ()
    """Steps before those of `onboot`, which sections of the spec add."""
    onboot: tuple[Container, ...] = ()
    onshutdown: tuple[Container, ...] = ()
    services: tuple[Container, ...] = ()
    files: tuple[FilePlan, ...] = ()
    outputs: tuple[Output, ...] = ()
    loaders: tuple[ImagePin, ...] = ()
    """Components that the formats to be made take boot loaders from. They are no part of the system."""
    drivers: tuple[Driver, ...] = ()
    """What sections of the spec need of the kernel."""
    mount_points: tuple[str, ...] = ()
    """Absolute paths where steps of sections mount something."""
    ids: Mapping[str, int] = field(default_factory=dict)
    """The id that each named item was given, used as user and as group."""

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers in the order early, onboot, onshutdown, services."""
        return self.early + self.onboot + self.onshutdown + self.services

    @property
    def images(self) -> tuple[ImagePin, ...]:
        """Every image that the plan names, in the order of the sections; an image may come more than once."""
        kernel = (self.kernel.image,) if self.kernel else ()
        volumes = tuple(v.image for v in self.volumes if v.image)
        return kernel + self.init + volumes + tuple(c.image for c in self.containers) + self.loaders

    def digest(self) -> Digest:
        """The identity of the plan: the digest of its canonical form."""
        return canonical.digest(self)
