"""What a finback YAML file says: the one typed model.

The decoder, the JSON Schema and the reference pages are all derived from these classes: a field's YAML key is its name
or, where Python can't spell it, `key`; its meaning is the string below it. `None` means "not given", which differs
from "given empty": a component's defaults apply to the first and are cleared by the second.

Source: LinuxKit's YAML (docs/yaml.md), its label ``org.mobyproject.config``, and for nested structures the OCI runtime
specification 1.2, whose spelling is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finback.ground.source import Origin, origin
from finback.spec.disk import Disk, Seal
from finback.spec.expectation import Expectation, GuestMachine
from finback.spec.limit import Resources as Resources  # noqa: PLC0414 # part of the model for those who use it
from finback.spec.limit import key as key  # noqa: PLC0414
from finback.spec.networking import Networking
from finback.spec.supervision import Backoff, FailurePolicy, Health, Ready, RestartPolicy, StartLimit, Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The kernel: its image, command line and companions."""

    image: str | None = None
    """Image that holds the kernel."""
    cmdline: str | None = None
    """Kernel command line, used as it is."""
    binary: str | None = None
    """File name of the kernel in the image's root. Default: `kernel`."""
    tar: str | None = None
    """Archive in the image that is unpacked at `/`: modules, device trees. `none` or empty: leave it out.
    Default: `kernel.tar`."""
    ucode: str | None = None
    """CPU microcode archive (cpio) in the image, loaded before the initrd. Default: none."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class IDMapping:
    """One range of a user namespace's ids."""

    container_id: int = key("containerID", 0)
    """First id inside the container."""
    host_id: int = key("hostID", 0)
    """First id outside."""
    size: int = 0
    """Number of ids."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mount as in the OCI runtime configuration."""

    destination: str | None = None
    """Path in the container. Default: the usual one of types proc, devpts, sysfs, cgroup and mqueue."""
    type: str | None = None
    """File system type, or `bind`. Default: the source, where that is proc, devpts, sysfs, cgroup or mqueue."""
    source: str | None = None
    """Device, path or volume that is mounted. Default: the type."""
    options: tuple[str, ...] | None = None
    """Options as mount(8) takes them: `ro`, `nosuid`, `mode=0755`, ..."""
    uid_mappings: tuple[IDMapping, ...] | None = key("uidmappings")
    """User ids of the mount."""
    gid_mappings: tuple[IDMapping, ...] | None = key("gidmappings")
    """Group ids of the mount."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device node in a container, and the permission to use it."""

    path: str
    """Path in the container, or `all` for every device of the type."""
    type: Literal["a", "b", "c", "u", "p"]
    """`b` block, `c` or `u` character, `p` pipe; `a` with path `all`: every device."""
    major: int = 0
    """Major number."""
    minor: int = 0
    """Minor number."""
    mode: str | None = None
    """Permission bits in octal: `"0666"`."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface that is made for, or moved into, a container."""

    name: str
    """Name of the link. Without `add` and `peer`, an existing one is moved into the container."""
    add: str | None = None
    """Link type to create: `veth`, `wireguard`, ..."""
    peer: str | None = None
    """Name of the veth end that stays outside. Implies `add: veth`."""
    create_in_root: bool | None = key("createInRoot")
    """Create the link outside and move it in (WireGuard needs that)."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindNS:
    """Paths on which the container's namespaces are kept, so that others can join them."""

    cgroup: str | None = None
    """Path for the control group namespace."""
    ipc: str | None = None
    """Path for the IPC namespace."""
    mnt: str | None = None
    """Path for the mount namespace."""
    net: str | None = None
    """Path for the network namespace: `/run/netns/NAME`, say."""
    pid: str | None = None
    """Path for the process namespace."""
    user: str | None = None
    """Path for the user namespace."""
    uts: str | None = None
    """Path for the host name (UTS) namespace."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the guest does around a container, outside the OCI runtime configuration."""

    mounts: tuple[Mount, ...] | None = None
    """Mounts made before the container is created."""
    mkdir: tuple[str, ...] | None = None
    """Directories made before the container is created."""
    cgroups: tuple[str, ...] | None = None
    """Cgroups made before the container is created."""
    interfaces: tuple[Interface, ...] | None = None
    """Network interfaces made for, or moved into, the container before its program runs."""
    bind_ns: BindNS | None = key("bindNS")
    """Paths on which the container's namespaces are kept."""
    namespace: str | None = None
    """containerd namespace of a service. Default: `services.linuxkit`."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a container runs. The same fields may stand in an image's label `org.mobyproject.config`."""

    capabilities: tuple[str, ...] | None = None
    """Linux capabilities, or the single word `all` or `none`. Default: none."""
    capabilities_add: tuple[str, ...] | None = key("capabilities.add")
    """Capabilities added to the label's."""
    ambient: tuple[str, ...] | None = None
    """Capabilities that programs without file capabilities keep. Default: none."""
    mounts: tuple[Mount, ...] | None = None
    """Mounts in full; one at a default destination, such as `/sys`, replaces that."""
    binds: tuple[str, ...] | None = None
    """Bind mounts: `source:destination[:options]`. The source may be a volume's name."""
    binds_add: tuple[str, ...] | None = key("binds.add")
    """Bind mounts added to the label's."""
    tmpfs: tuple[str, ...] | None = None
    """tmpfs mounts: `destination[:options]`."""
    devices: tuple[Device, ...] | None = None
    """Device nodes, and the permission to use them."""
    command: tuple[str, ...] | None = None
    """Program and arguments. Default: the image's entrypoint and command."""
    env: tuple[str, ...] | None = None
    """Environment, `NAME=value`; replaces the image's."""
    cwd: str | None = None
    """Working directory. Default: the image's, else `/`."""
    net: str | None = None
    """Network namespace: `host` or `root` share the machine's, `none` or `new` give an empty one, a path joins one, and
    so does the name of one of `network`. Default: `root`."""
    pid: str | None = None
    """Process namespace: `host`, `new` or a path. Default: `new`."""
    ipc: str | None = None
    """IPC namespace, which System V shared memory, semaphores and message queues belong to: `host`, `new` or a path.
    Default: `root`; the labels of most library components say `new`."""
    uts: str | None = None
    """UTS namespace: `host`, `new` or a path. Default: `root`."""
    userns: str | None = None
    """User namespace: `host`, `new` or a path. Default: `root`."""
    cgroupns: str | None = None
    """Control group namespace: `host`, `new` or a path. Default: `new`, unless it has CAP_SYS_ADMIN, `pid: host` or a
    mount of its own at `/sys/fs/cgroup`."""
    hostname: str | None = None
    """Host name in the container; needs `uts: new`."""
    readonly: bool | None = None
    """Root file system read-only. Default: false."""
    root_size: str | None = key("rootSize")
    """How much memory what the container changes of its root may take: bytes, with `k`, `m` or `g`, or a share of the
    machine's memory, such as `10%`. Default: `25%`."""
    masked_paths: tuple[str, ...] | None = key("maskedPaths")
    """Paths that are made unreadable in the container. Default: those of /proc and /sys that tell of the machine,
    unless it has CAP_SYS_ADMIN or mounts of its own there."""
    readonly_paths: tuple[str, ...] | None = key("readonlyPaths")
    """Paths that are made read-only in the container. Default: `/sys` and those of /proc that change the machine,
    unless it has CAP_SYS_ADMIN or mounts of its own in their place; `/proc/sys` is left writable with CAP_NET_ADMIN."""
    seccomp: str | None = None
    """System calls that are allowed: `default`, `unconfined`, or a profile's JSON file, relative to this YAML file.
    Default: `default`, unless it has every capability."""
    syscalls: tuple[str, ...] | None = None
    """System calls that are allowed beside those of the `default` profile, whatever their arguments: `unshare`,
    `keyctl`. Default: none."""
    uid: int | str | None = None
    """User id, or the name of an item, whose id is then used. Default: 0."""
    gid: int | str | None = None
    """Group id, or the name of an item, whose id is then used. Default: 0."""
    additional_gids: tuple[int | str, ...] | None = key("additionalGids")
    """Further groups, by id or by name of an item."""
    user: str | None = None
    """User, in the place of `uid`, `gid` and `additionalGids`: `image` for what the image says, or `NAME[:GROUP]` as
    its /etc/passwd and /etc/group have them, or ids. Default: `uid`."""
    no_new_privileges: bool | None = key("noNewPrivileges")
    """Programs gain no privileges from set-user-id bits or file capabilities. Default: true for a container without
    capabilities, else false."""
    oom_score_adj: int | None = key("oomScoreAdj")
    """How readily the kernel kills it when memory is used up: -1000 (never) to 1000."""
    rootfs_propagation: str | None = key("rootfsPropagation")
    """How mounts pass between container and machine: `private`, `slave` or `shared`. Default: private."""
    cgroups_path: str | None = key("cgroupsPath")
    """Its cgroup."""
    resources: Resources | None = None
    """Limits on memory, processors, devices and the rest. Default: 2048 processes and threads, unless it has
    CAP_SYS_ADMIN; with CAP_MKNOD alone, the usual devices."""
    sysctl: Mapping[str, str] | None = None
    """Kernel parameters of its own namespaces: `net.ipv4.ip_forward: "1"`."""
    rlimits: tuple[str, ...] | None = None
    """Resource limits: `name,soft,hard`; `unlimited` is a value."""
    uid_mappings: tuple[IDMapping, ...] | None = key("uidMappings")
    """User ids of its user namespace."""
    gid_mappings: tuple[IDMapping, ...] | None = key("gidMappings")
    """Group ids of its user namespace."""
    annotations: Mapping[str, str] | None = None
    """Annotations of the OCI configuration."""
    runtime: Runtime | None = None
    """What the guest does around the container."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Settings):
    """A container of `onboot`, `onshutdown` or `services`."""

    name: str
    """Name of the container; unique among services."""
    image: str
    """Image: `[REGISTRY/]NAME[:TAG][@DIGEST]`, or `finback/NAME` from the library."""
    needs: tuple[str, ...] | None = None
    """Services that must be ready, or have ended well, before this service starts."""
    restart: RestartPolicy | None = None
    """Whether a service that has ended is started again. Default: always."""
    backoff: Backoff | None = None
    """How long to wait before a service is started again."""
    start_limit: StartLimit | None = key("startLimit")
    """When a service is given up. Default: never."""
    ready: Ready | None = None
    """What shows that a service can be used. Default: its program runs."""
    health: Health | None = None
    """What shows that a service still works, and what is done when it does not. Default: nothing is asked."""
    stop: Stop | None = None
    """How a service is stopped."""
    networks: tuple[str, ...] | None = None
    """Networks of `network` that a service is part of, by an interface for each: eth0, eth1, ..., in a namespace of its
    own. The first that is not `internal` is its way out."""
    ports: tuple[str, ...] | None = None
    """Ports of the machine that lead to a service with `networks`: `[HOST:]SERVICE[/tcp|udp]`."""
    secrets: tuple[str, ...] | None = None
    """Secrets that it finds in /run/secrets, by their names in `secrets`; they belong to its user."""
    on_failure: FailurePolicy | None = key("onFailure")
    """What happens when a step of `onboot` fails: the boot goes on, or the machine halts or restarts.
    Default: continue."""
    timeout: int | None = None
    """Seconds that a step of `onboot` or `onshutdown` may take; then it is ended, and has failed. Default: no limit in
    `onboot`, 90 in `onshutdown`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file, directory or symbolic link added to the root file system."""

    path: str
    """Path in the root file system; a leading `/` means nothing."""
    directory: bool | None = None
    """Make a directory."""
    symlink: str | None = None
    """Make a symbolic link to this target."""
    contents: str | None = None
    """The content itself."""
    source: str | None = None
    """Host file or folder to copy, relative to this YAML file; `~/` is the home directory. A folder is copied with all
    that is in it: files, folders and symbolic links, with their permission bits. A file has at most 1 GiB, a folder 16
    GiB and 100 000 entries."""
    metadata: Literal["yaml", "json"] | None = None
    """Write this build's own description, in the given form."""
    optional: bool | None = None
    """With `source`: leave the file out when the source does not exist."""
    mode: str | None = None
    """Permission bits in octal. Default: `"0600"`, directories `"0700"`; of a folder that is copied, its own."""
    uid: int | str | None = None
    """Owner: an id, or the name of an item, whose id is then used. Default: 0."""
    gid: int | str | None = None
    """Group: an id, or the name of an item, whose id is then used. Default: 0."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A place for data that containers share."""

    name: str
    """Name, used as the source of `binds` and of mounts of type bind: lower-case letters, digits, `-`, `_`."""
    image: str | None = None
    """Content. Default: empty."""
    format: Literal["filesystem", "oci"] | None = None
    """How the image is laid down: as its file system, or as an OCI image layout, for container engines to load; a tar
    of that is what `docker load` takes, too. Default: filesystem."""
    platforms: tuple[str, ...] | None = None
    """With format `oci`: the platforms to include; only the one that is built for can be. Default: that one."""
    readonly: bool | None = None
    """Containers may only mount it with `ro`. Default: false."""
    disk: str | None = None
    """Name of the disk, or of its partition, that keeps what is written; the image's content is copied there when the
    volume is new. Default: memory, and all is gone with the machine."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that the machine is given when it starts: it is in no image. A service that asks for it waits for it."""

    name: str
    """Its name, at most 28 characters."""
    optional: bool | None = None
    """Services start without it, too. Default: false."""
    mode: str | None = None
    """Permission bits in octal. Default: `"0400"`."""
    sealed: Seal | None = None
    """Given by fw_cfg or SMBIOS once, the machine has it at later starts, too. Default: not kept."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """LinuxKit's content trust section: accepted, and reported as without effect."""

    image: tuple[str, ...] | None = None
    """Images that had to be signed."""
    org: tuple[str, ...] | None = None
    """Organisations whose images had to be signed."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An artifact to make."""

    format: str
    """Name of an output format: `finback build --help` lists them."""
    compression: str | None = None
    """Compression of the initrd, `zstd`, `gzip` or `none`, or of a root on a disk, which may be `lz4` as well; with a
    level after a colon if wanted."""
    size: str | None = None
    """Size of a disk, such as `4G`; what its content leaves becomes an empty partition. Default: what is needed."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A whole system, as one YAML file or several merged ones describe it."""

    kernel: Kernel | None = None
    """The kernel."""
    init: tuple[str, ...] | None = None
    """Images unpacked at `/`, in order."""
    network: Networking | None = None
    """The machine's network. Default: what steps such as dhcpcd set up."""
    disks: tuple[Disk, ...] | None = None
    """Disks: what is made on them, and where it is mounted, before anything else is started."""
    volumes: tuple[Volume, ...] | None = None
    """Places for data that containers share."""
    secrets: tuple[Secret, ...] | None = None
    """Secrets that the machine is given when it starts."""
    onboot: tuple[Item, ...] | None = None
    """Containers run at boot one after the other, each to its end."""
    onshutdown: tuple[Item, ...] | None = None
    """Containers run at shutdown, one after the other."""
    services: tuple[Item, ...] | None = None
    """Containers that run as long as the machine does."""
    files: tuple[File, ...] | None = None
    """Files added to the root file system."""
    trust: Trust | None = None
    """Accepted for compatibility; has no effect."""
    outputs: tuple[Output, ...] | None = None
    """Artifacts made when the command line names no format."""
    tests: tuple[Expectation, ...] | None = None
    """What must hold once the system has booted: `finback test` asks that."""
    machine: GuestMachine | None = None
    """The machine that `finback test` runs the system in."""
    origin: Origin = origin()
