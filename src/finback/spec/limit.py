"""Limits of a container: the part of the model that is the OCI runtime configuration's `linux.resources`.

Its keys are spelled as there. Source: OCI runtime specification 1.2, config-linux.md, section "Control groups".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from finback.ground.source import Origin, origin


def key(name: str, default: Any = None) -> Any:
    """Declare a field whose YAML key is *name*."""
    return field(default=default, metadata={"key": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCgroup:
    """A rule of the device cgroup."""

    allow: bool
    """Whether the rule allows or denies."""
    type: Literal["a", "b", "c", "u", "p"] | None = None
    """`b` block, `c` or `u` character, `p` pipe, `a` all. Default: all."""
    major: int | None = None
    """Major number. Default: all."""
    minor: int | None = None
    """Minor number. Default: all."""
    access: str | None = None
    """Letters out of `r` read, `w` write, `m` make a node."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory limits, in bytes."""

    limit: int | None = None
    """Memory, at most."""
    reservation: int | None = None
    """Soft limit, which counts when memory is short."""
    swap: int | None = None
    """Memory and swap together, at most; -1 is no limit."""
    kernel: int | None = None
    """Kernel memory, at most (cgroup v1)."""
    kernel_tcp: int | None = key("kernelTCP")
    """Kernel memory of TCP buffers, at most (cgroup v1)."""
    swappiness: int | None = None
    """How readily memory is swapped out, 0 to 100 (cgroup v1)."""
    disable_oom_killer: bool | None = key("disableOOMKiller")
    """Let processes wait instead of killing one when memory is used up (cgroup v1)."""
    use_hierarchy: bool | None = key("useHierarchy")
    """Count the memory of child cgroups too (cgroup v1)."""
    check_before_update: bool | None = key("checkBeforeUpdate")
    """Refuse a limit that is below what is in use."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class CPU:
    """Processor limits."""

    shares: int | None = None
    """Relative weight against other containers."""
    quota: int | None = None
    """Processor time in each period, in microseconds."""
    burst: int | None = None
    """Unused time that may be saved up, in microseconds."""
    period: int | None = None
    """Length of a period, in microseconds."""
    realtime_runtime: int | None = key("realtimeRuntime")
    """Real-time processor time in each period, in microseconds."""
    realtime_period: int | None = key("realtimePeriod")
    """Length of a real-time period, in microseconds."""
    cpus: str | None = None
    """Processors that may be used: `0-2,4`."""
    mems: str | None = None
    """Memory nodes that may be used: `0,1`."""
    idle: int | None = None
    """1: run only when nothing else does."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pids:
    """The limit of processes."""

    limit: int
    """Processes and threads, at most; -1 is no limit."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightDevice:
    """The weight of one block device."""

    major: int
    """Major number of the device."""
    minor: int
    """Minor number of the device."""
    weight: int | None = None
    """Relative weight, 10 to 1000."""
    leaf_weight: int | None = key("leafWeight")
    """Weight against child cgroups, 10 to 1000 (cgroup v1)."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleDevice:
    """The rate of one block device, in bytes or operations a second."""

    major: int
    """Major number of the device."""
    minor: int
    """Minor number of the device."""
    rate: int
    """Bytes or operations a second."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockIO:
    """Block device limits."""

    weight: int | None = None
    """Relative weight, 10 to 1000."""
    leaf_weight: int | None = key("leafWeight")
    """Weight against child cgroups, 10 to 1000 (cgroup v1)."""
    weight_device: tuple[WeightDevice, ...] | None = key("weightDevice")
    """Weights of single devices."""
    throttle_read_bps_device: tuple[ThrottleDevice, ...] | None = key("throttleReadBpsDevice")
    """Bytes read a second, at most, by device."""
    throttle_write_bps_device: tuple[ThrottleDevice, ...] | None = key("throttleWriteBpsDevice")
    """Bytes written a second, at most, by device."""
    throttle_read_iops_device: tuple[ThrottleDevice, ...] | None = key("throttleReadIOPSDevice")
    """Read operations a second, at most, by device."""
    throttle_write_iops_device: tuple[ThrottleDevice, ...] | None = key("throttleWriteIOPSDevice")
    """Write operations a second, at most, by device."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class HugepageLimit:
    """The limit of one huge page size."""

    page_size: str = key("pageSize", "")
    """Size with its unit: `2MB`, `1GB`."""
    limit: int = 0
    """Bytes in such pages, at most."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfacePriority:
    """The network priority of one interface."""

    name: str
    """Name of the interface."""
    priority: int
    """Priority of what is sent there."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Network class and priorities."""

    class_id: int | None = key("classID")
    """Class that packets are tagged with (cgroup v1)."""
    priorities: tuple[InterfacePriority, ...] | None = None
    """Priorities by interface (cgroup v1)."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits of a container: the OCI runtime configuration's `linux.resources`."""

    devices: tuple[DeviceCgroup, ...] | None = None
    """Which devices may be used, in the order of the rules."""
    memory: Memory | None = None
    """Memory."""
    cpu: CPU | None = None
    """Processor time."""
    pids: Pids | None = None
    """Processes."""
    block_io: BlockIO | None = key("blockio")
    """Block devices."""
    hugepage_limits: tuple[HugepageLimit, ...] | None = key("hugepageLimits")
    """Huge pages."""
    network: Network | None = None
    """Network class and priorities."""
    unified: Mapping[str, str] | None = None
    """Files of cgroup v2 and what is written to them: `memory.high: "1000000"`."""
    origin: Origin = origin()
