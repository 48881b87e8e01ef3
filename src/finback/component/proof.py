"""What shows that a component does its job: a machine in which it runs, and what is asked of that machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from finback.ground.source import Origin, origin
from finback.spec.disk import Disk
from finback.spec.expectation import Expectation
from finback.spec.model import File, Item, Secret, Volume
from finback.spec.networking import Networking


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """Sections of a spec that components of the library do the work of, such as `finback/disks`."""

    network: Networking | None = None
    """As in a spec; there is no step `dhcpcd` beside it."""
    disks: tuple[Disk, ...] | None = None
    """As in a spec."""
    secrets: tuple[Secret, ...] | None = None
    """As in a spec."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The part of a spec that the component's test needs beside `finback/init` and the step `dhcpcd`.

    Tests of several components share a machine where nothing in them collides, so names of items begin with the
    component's name. Where no item and no image of `init` is the component itself, and there are no `sections`, it runs
    as a service of its name.
    """

    kernel: str | None = None
    """Image of the kernel. Default: `finback/kernel`."""
    cmdline: str | None = None
    """Words added to the kernel's command line."""
    init: tuple[str, ...] | None = None
    """Images unpacked at `/` after `finback/init`."""
    volumes: tuple[Volume, ...] | None = None
    """As in a spec."""
    sections: Sections | None = None
    """Other sections of a spec, for components that do what these say."""
    onboot: tuple[Item, ...] | None = None
    """As in a spec; run after the step `dhcpcd`."""
    onshutdown: tuple[Item, ...] | None = None
    """As in a spec."""
    services: tuple[Item, ...] | None = None
    """As in a spec."""
    files: tuple[File, ...] | None = None
    """As in a spec."""
    memory: int | None = None
    """MiB of memory that it needs while it runs. Default: 64."""
    cpus: int | None = None
    """Processors that it needs. Default: 1."""
    disks: tuple[str, ...] | None = None
    """Sizes of empty disks: `256M`."""
    data: str | None = None
    """Metadata, on a disc labelled `config`."""
    given: Mapping[str, str] | None = None
    """Values of the secrets that the machine is given, by their names."""
    tpm: bool | None = None
    """Whether it needs a TPM. Default: false."""
    format: str | None = None
    """Output format that is booted, for boot loaders. Default: `kernel+initrd`."""
    alone: str | None = None
    """Why it shares no machine with others: it changes the whole machine, say."""
    unseen: str | None = None
    """What of its job a virtual machine can't show, and so this test does not."""
    expect: tuple[Expectation, ...] | None = None
    """What must hold, as in `tests` of a spec."""
    origin: Origin = origin()
