"""What a ``component.yml`` says: the one typed model of a library entry.

A component is a folder of data, ``components/NAME/component.yml`` with an optional ``rootfs/`` beside it. It becomes an
OCI image without a container engine, without root, and without executing anything: the named Debian packages and
what they depend on are unpacked, what `keep` selects stays, `rootfs/` and `files` are laid over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finback.component.proof import Proof
from finback.ground.source import Origin, origin
from finback.spec.model import Settings, key

Category = Literal[
    "kernel", "init", "runtime", "boot", "network", "time", "storage", "logging", "monitoring", "security",
    "platform", "iot", "orchestration", "image", "secret", "configuration", "provisioning", "application", "tool",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What of the unpacked packages stays in the image.

    With none of `programs`, `paths` and `data`, everything stays but documentation, manual pages, locales, and
    lintian's and other tools' data. With any, only what they name stays, and with `programs` also each ELF program's
    interpreter and the shared libraries that it needs, found as ld.so would find them. In any case the copyright files
    of the packages stay of which anything does. `PATH [amd64 arm64]` restricts a path to architectures.
    """

    programs: tuple[str, ...] | None = None
    """Absolute paths, or glob patterns, of programs and libraries to keep with all that they need."""
    paths: tuple[str, ...] | None = None
    """Absolute glob patterns of paths to keep; `**` spans any number of directories, none included. A symbolic link
    that is named without a pattern brings what it leads to."""
    data: tuple[str, ...] | None = None
    """Absolute glob patterns of paths to keep as they are, whatever machine their programs are for: boot loaders."""
    drop: tuple[str, ...] | None = None
    """Absolute glob patterns of paths to leave out in any case: whatever else names them."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentFile:
    """A file, directory or symbolic link to add. Exactly one of `contents`, `symlink`, `directory`."""

    path: str
    contents: str | None = None
    symlink: str | None = None
    directory: bool | None = None
    mode: str | None = None
    """Permission bits in octal. Default: `"0644"`, directories `"0755"`."""
    uid: int | None = None
    gid: int | None = None
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation:
    """A file made of others, in the order of their names: what a package's scripts would do at installation."""

    path: str
    of: str
    """Absolute glob pattern of files of the unpacked packages, whether kept or not."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, with a group of the same name and id; written to /etc/passwd and /etc/group, beside root and nobody."""

    name: str
    uid: int
    gid: int | None = None
    groups: tuple[str, ...] | None = None
    """Groups of other users here that it belongs to as well."""
    home: str | None = None
    shell: str | None = None
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The image's OCI configuration (image specification 1.1, config.md), as far as components need it."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    working_dir: str | None = key("workingDir")
    user: str | None = None
    exposed_ports: tuple[str, ...] | None = key("exposedPorts")
    """`80/tcp`."""
    stop_signal: str | None = key("stopSignal")
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModules:
    """Makes the image a kernel: `/kernel`, and the modules below /usr/lib/modules, uncompressed, with their index."""

    modules: tuple[str, ...]
    """Names or glob patterns of modules; what they depend on comes along."""
    optional: tuple[str, ...] | None = None
    """The same for modules that some architectures lack or have built in."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A component."""

    summary: str
    """One line, without a full stop."""
    category: Category
    packages: tuple[str, ...] | None = None
    """Debian packages, with what they depend on. `NAME [amd64 arm64]` restricts one to architectures."""
    without: tuple[str, ...] | None = None
    """Packages that are left out though others depend on them: those needed only by maintainer scripts."""
    keep: Keep | None = None
    rootfs: str | None = None
    """Name of the component beside it whose `rootfs/` it takes. Default: its own."""
    files: tuple[ComponentFile, ...] | None = None
    concatenate: tuple[Concatenation, ...] | None = None
    users: tuple[User, ...] | None = None
    config: ImageConfig | None = None
    label: Settings | None = None
    """Default settings of containers of this image: the label `org.mobyproject.config`."""
    kernel: KernelModules | None = None
    answers: tuple[str, ...] | None = None
    """Image names without tag that `--library` lets this component answer: `linuxkit/sysctl`, `nginx`."""
    exceptions: Mapping[str, str] | None = None
    """Architectures that it can't be built for, each with the reason: `s390x: its machines have no UEFI`."""
    annotations: Mapping[str, str] | None = None
    reasons: Mapping[str, str] | None = None
    """Why it has what `finback component check` asks about: `CAP_SYS_TIME: sets the clock`."""
    unproven: Mapping[str, str] | None = None
    """Privileges whose need the test can't show, and why: what `finback component probe` leaves alone."""
    test: Proof | None = None
    """What shows that it does its job."""
    origin: Origin = origin()
