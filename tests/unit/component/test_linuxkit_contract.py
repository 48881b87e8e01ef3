"""What LinuxKit's files count on in its images, tool by tool: paths and file formats are there under the same names.

The table is of what YAML files, tests and other images rely on. What options mean is tested where the programs run: in
tests/tools/test_linuxkit_tools.py (those of this table that are scripts), test_guest_storage.py (format, mount, extend,
swap, crypto, losetup) and test_guest_metadata.py, and in the tests of the components, which boot.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

import pytest

from finback.component.glob import parted, pattern
from finback.component.library import Component, Library
from finback.component.merged_usr import moved

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = Library((ROOT / "components",))

# By LinuxKit's image: what its files name in it.
PATHS = {
    "init": "/init /sbin/init /bin/rc.shutdown /usr/bin/service /bin/sh /bin/ash /bin/busybox /sbin/mdev "
            "/sbin/modprobe /sbin/hwclock /sbin/ip /sbin/poweroff /sbin/reboot /sbin/halt /etc/ssl/certs",
    "runc": "/usr/bin/runc",
    "containerd": "/usr/bin/containerd /usr/bin/ctr /usr/bin/containerd-shim-runc-v2 /etc/containerd/config.toml",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
    "firmware": "/lib/firmware/regulatory.db",
    "bpftrace": "/usr/bin/bpftrace",
    "kernel-perf": "/usr/bin/perf",
    "kernel-bcc": "/usr/share/bcc/tools/softirqs /usr/share/bcc/tools/execsnoop",
    "memlogd": "/usr/bin/logread /usr/bin/logwrite",
    "logwrite": "/usr/bin/logwrite",
    "kmsg": "/usr/bin/kmsg",
    "format": "/usr/bin/format /bin/sh /sbin/blkid",
    "mount": "/usr/bin/mountie",
    "extend": "/usr/bin/extend",
    "losetup": "/usr/bin/loopy",
    "dm-crypt": "/usr/bin/crypto /etc/dm-crypt",
    "swap": "/swap.sh",
    "trim-after-delete": "/usr/bin/trim-after-delete /sbin/fstrim",
    "sysctl": "/usr/bin/sysctl /etc/sysctl.d/00-linuxkit.conf",
    "sysfs": "/usr/bin/sysfs /etc/sysfs.d/00-moby.conf",
    "modprobe": "/bin/sh /sbin/modprobe",
    "binfmt": "/usr/bin/binfmt /etc/binfmt.d/00_linuxkit.conf /usr/bin/qemu-aarch64 /usr/bin/qemu-arm "
              "/usr/bin/qemu-ppc64le /usr/bin/qemu-s390x /usr/bin/qemu-riscv64 /usr/bin/qemu-loongarch64",
    "poweroff": "/bin/sh /poweroff.sh /sbin/poweroff",
    "rngd": "/sbin/rngd",
    "metadata": "/usr/bin/metadata",
    "dhcpcd": "/sbin/dhcpcd /dhcpcd.conf",
    "ip": "/sbin/ip /usr/bin/wg /usr/bin/lk-wg-config /sbin/iptables /sbin/ebtables /sbin/ipvsadm /sbin/brctl "
          "/bin/bash /bin/sh",
    "vsudd": "/vsudd",
    "vpnkit-forwarder": "/vpnkit-forwarder /port",
    "vpnkit-expose-port": "/usr/bin/vpnkit-expose-port /usr/bin/vpnkit-iptables-wrapper",
    "getty": "/sbin/tini /usr/bin/rungetty.sh /bin/login /bin/sh /etc/shadow /etc/motd /usr/bin/ctr /usr/bin/runc",
    "sshd": "/sbin/tini /usr/bin/ssh.sh /usr/sbin/sshd /usr/bin/ssh-keygen /usr/bin/ctr /usr/bin/runc /root",
    "acpid": "/sbin/acpid /etc/acpi/events/power",
    "auditd": "/sbin/tini /usr/bin/runaudit.sh /etc/audit/audit.rules",
    "qemu-ga": "/usr/bin/qemu-ga",
    "open-vm-tools": "/usr/bin/vmtoolsd",
    "openntpd": "/usr/sbin/ntpd /etc/ntpd.conf",
    "host-timesync-daemon": "/usr/bin/host-timesync-daemon",
    "node_exporter": "/bin/node_exporter",
    "cadvisor": "/usr/bin/waitfordocker.sh /usr/bin/cadvisor",
    "tss": "/sbin/tcsd /etc/tcsd.conf",
    "dummy": "/infile /usr/bin/make",
    "test-ns": "/runc-net.sh /runp-runc-net.sh /bin/sh",
    "alpine": "/bin/sh /bin/ash /bin/busybox /bin/true /bin/netstat /sbin/ifconfig /sbin/iplink /sbin/ip "
              "/usr/bin/wget /bin/ps /usr/bin/nsenter /sbin/poweroff /sbin/losetup /sbin/blkid /bin/grep "
              "/usr/bin/seq /bin/sed /bin/mount /bin/df /usr/bin/find /usr/bin/awk /sbin/mkswap /sbin/swapon "
              "/bin/dd /sbin/mdev /sbin/sysctl /usr/bin/printf /bin/stat",
}  # fmt: skip
# The settings that LinuxKit makes.
SYSCTL = {
    "net.ipv4.tcp_syncookies": "1", "net.ipv4.conf.default.rp_filter": "1", "net.ipv4.conf.all.rp_filter": "1",
    "net.ipv4.ping_group_range": "999 59999", "net.core.somaxconn": "1024", "vm.max_map_count": "262144",
    "vm.overcommit_memory": "1", "net.ipv4.neigh.default.gc_thresh1": "80000",
    "net.ipv4.neigh.default.gc_thresh2": "90000", "net.ipv4.neigh.default.gc_thresh3": "100000",
    "fs.aio-max-nr": "1048576", "fs.inotify.max_user_watches": "524288", "fs.file-max": "524288",
    "kernel.random.write_wakeup_threshold": "3072", "kernel.kptr_restrict": "2",
    "net.ipv4.conf.all.send_redirects": "0", "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.conf.default.accept_source_route": "0", "net.ipv6.conf.all.accept_redirects": "0",
    "net.ipv6.conf.default.accept_redirects": "0", "kernel.dmesg_restrict": "1", "kernel.perf_event_paranoid": "3",
    "fs.protected_hardlinks": "1", "fs.protected_symlinks": "1", "kernel.unprivileged_bpf_disabled": "1",
}  # fmt: skip
# Commands that images have by themselves, where LinuxKit's files leave them out.
COMMANDS = {
    "poweroff": ["/bin/sh", "/poweroff.sh"], "sysctl": ["/usr/bin/sysctl"], "sysfs": ["/usr/bin/sysfs"],
    "binfmt": ["/usr/bin/binfmt"], "kmsg": ["/usr/bin/kmsg"], "logwrite": ["/usr/bin/logwrite"],
    "getty": ["/usr/bin/rungetty.sh"], "sshd": ["/usr/bin/ssh.sh"], "rngd": ["/usr/sbin/rngd"],
    "auditd": ["/usr/bin/runaudit.sh"],
    "trim-after-delete": ["/usr/bin/trim-after-delete", "--", "/sbin/fstrim", "-v", "/var/lib/docker"],
}  # fmt: skip


def component(image: str) -> Component:
    name = LIBRARY.answering(f"docker.io/linuxkit/{image}")
    assert name is not None, f"nothing answers linuxkit/{image}"
    return LIBRARY.get(name)


def merged(path: str) -> str:
    return "/" + moved(posixpath.normpath(path).strip("/"))


def places(found: Component) -> tuple[set[str], list[str]]:
    """What the definition names at a place of its own, and the patterns of what it keeps of packages."""
    definition = found.definition
    named = {merged(f.path) for f in definition.files or ()} | {merged(o.path) for o in found.overlay}
    named |= {merged(c.path) for c in definition.concatenate or ()}
    keep = definition.keep
    kept = [*(keep.programs or ()), *(keep.paths or ())] if keep else []
    return named, [parted(text)[0] for text in kept]


@pytest.mark.parametrize("image", PATHS)
def test_paths_are_there(image: str) -> None:
    named, kept = places(component(image))
    missing = [
        path
        for path in PATHS[image].split()
        if merged(path) not in named and not any(pattern(k).match(merged(path)) for k in kept)
    ]
    assert missing == []


def settings(image: str, path: str) -> dict[str, str]:
    (file,) = (f for f in component(image).definition.files or () if f.path == path)
    lines = (line for line in (file.contents or "").splitlines() if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def test_sysctl_makes_linuxkits_settings() -> None:
    assert settings("sysctl", "/etc/sysctl.d/00-linuxkit.conf") == SYSCTL


def test_what_is_set_besides_takes_nothing_back() -> None:
    assert not SYSCTL.keys() & settings("sysctl", "/etc/sysctl.d/00-finback.conf").keys()


def test_sysfs_makes_linuxkits_settings() -> None:
    pages = "kernel/mm/transparent_hugepage"
    assert settings("sysfs", "/etc/sysfs.d/00-moby.conf") == {
        f"{pages}/enabled": "madvise",
        f"{pages}/defrag": "madvise",
    }


@pytest.mark.parametrize("image", COMMANDS)
def test_commands_of_the_images(image: str) -> None:
    config = component(image).definition.config
    assert config is not None
    assert [*(config.entrypoint or ()), *(config.cmd or ())] == COMMANDS[image]


NAMES = ("qemu-aarch64", "qemu-arm", "qemu-ppc64le", "qemu-s390x", "qemu-riscv64", "qemu-loongarch64")


def test_binfmt_registers_linuxkits_names() -> None:
    (file,) = (f for f in component("binfmt").definition.files or () if f.path == "/etc/binfmt.d/00_linuxkit.conf")
    lines = [line.split(":") for line in (file.contents or "").splitlines()]
    assert {*NAMES} <= {fields[1] for fields in lines}
    for _, name, kind, _, magic, mask, interpreter, flags in lines:
        assert (kind, interpreter) == ("M", f"/usr/bin/{name}")
        assert {"C", "F"} <= set(flags)
        assert len(raw(magic)) == len(raw(mask)) == 20
        assert raw(magic).startswith(b"\x7fELF")


def raw(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")
