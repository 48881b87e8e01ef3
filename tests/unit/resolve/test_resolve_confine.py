from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from finback.assemble import seccomp
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.resolve.confine import MASKED, NO_DEVICES, PIDS, READONLY, confine
from finback.spec.limit import DeviceCgroup, Memory, Pids, Resources
from finback.spec.model import Device, Mount, Runtime, Settings


def test_what_asks_for_nothing_is_confined() -> None:
    settings, relaxed = confine(Settings())
    assert relaxed == ()
    assert settings.no_new_privileges is True
    assert (settings.seccomp, settings.cgroupns) == ("default", "new")
    assert (settings.masked_paths, settings.readonly_paths) == (MASKED, READONLY)
    assert settings.resources == Resources(pids=Pids(limit=PIDS))


def test_what_asks_for_more_gets_it_and_that_is_said() -> None:
    settings, relaxed = confine(Settings(capabilities=("all",)))
    assert (settings.seccomp, settings.cgroupns, settings.no_new_privileges) == ("unconfined", "root", False)
    assert (settings.masked_paths, settings.readonly_paths) == ((), ())
    assert settings.resources is None
    assert len(relaxed) == 6
    settings, relaxed = confine(Settings(capabilities=("CAP_NET_ADMIN",)))
    assert settings.readonly_paths == tuple(p for p in READONLY if p != "/proc/sys")
    assert relaxed == ("programs may gain privileges by set-user-id bits", "/proc/sys not read-only")
    settings, _ = confine(
        Settings(mounts=(Mount(destination="/sys", type="sysfs"),), binds=("/proc/bus/usb:/proc/bus/usb",))
    )
    assert settings.masked_paths == tuple(p for p in MASKED if p.startswith("/proc"))
    # A mount below /proc/bus stays as it is when /proc/bus becomes read-only; one at /sys is the container's own.
    assert settings.readonly_paths == tuple(p for p in READONLY if p != "/sys")
    assert settings.cgroupns == "root"


@pytest.mark.parametrize(
    ("given", "readonly"),
    [
        (Settings(), True),
        (Settings(readonly=True), True),
        (Settings(capabilities=("CAP_NET_ADMIN", "CAP_SYS_MODULE")), True),
        (Settings(binds=("/sys/fs/cgroup:/sys/fs/cgroup",)), True),
        (Settings(binds=("/sys:/host/sys:ro",)), True),
        (Settings(binds=("/sys:/sys",)), False),
        (Settings(mounts=(Mount(destination="/sys", type="sysfs"),)), False),
        (Settings(tmpfs=("/sys",)), False),
        (Settings(ambient=("CAP_SYS_ADMIN",)), False),
        (Settings(readonly_paths=()), False),
    ],
)
def test_sys_is_read_only_unless_asked_for(given: Settings, readonly: bool) -> None:
    settings, relaxed = confine(given)
    assert ("/sys" in (settings.readonly_paths or ())) is readonly
    assert any(" /sys " in f" {words}" for words in relaxed) is not readonly


def test_processes_have_a_limit() -> None:
    settings, relaxed = confine(Settings(resources=Resources(memory=Memory(limit=5))))
    assert settings.resources == Resources(memory=Memory(limit=5), pids=Pids(limit=PIDS))
    assert relaxed == ()
    for own, unlimited in ((7, False), (-1, True)):
        given = Settings(resources=Resources(pids=Pids(limit=own)))
        settings, relaxed = confine(given)
        assert settings.resources == given.resources
        assert bool(relaxed) is unlimited


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        (Settings(), None),
        (Settings(capabilities=("CAP_MKNOD",)), (NO_DEVICES,)),
        (Settings(capabilities=("CAP_MKNOD",), binds=("/devices:/mnt/dev",)), (NO_DEVICES,)),
        (Settings(ambient=("CAP_MKNOD",), resources=Resources(pids=Pids(limit=3))), (NO_DEVICES,)),
        (Settings(capabilities=("CAP_MKNOD", "CAP_SYS_ADMIN")), None),
        (Settings(capabilities=("CAP_MKNOD",), binds=("/dev:/dev",)), None),
        (Settings(capabilities=("CAP_MKNOD",), binds=("/dev/kmsg:/dev/kmsg",)), None),
        (Settings(capabilities=("CAP_MKNOD",), devices=(Device(path="all", type="b"),)), None),
        (Settings(capabilities=("CAP_MKNOD",), resources=Resources(devices=(DeviceCgroup(allow=True),))),
         (DeviceCgroup(allow=True),)),
    ],
)  # fmt: skip
def test_nodes_that_a_container_makes_are_of_no_use(given: Settings, rules: tuple[DeviceCgroup, ...] | None) -> None:
    settings, _ = confine(given)
    assert settings.resources is None or settings.resources.devices == rules
    assert (settings.resources is None) <= (rules is None)


def test_cgroups_that_the_guest_makes_are_seen() -> None:
    settings, relaxed = confine(Settings(runtime=Runtime(cgroups=("podruntime",))))
    assert settings.cgroupns == "root"
    assert relaxed == ("it sees the machine's cgroups",)
    assert confine(Settings(runtime=Runtime(mkdir=("/var/x",))))[0].cgroupns == "new"


def test_what_is_said_counts() -> None:
    own = Settings(
        seccomp="unconfined", masked_paths=(), readonly_paths=(), no_new_privileges=False, cgroupns="host", pid="host"
    )
    settings, relaxed = confine(own)
    assert replace(settings, resources=None) == own
    assert len(relaxed) == 5
    settings, relaxed = confine(Settings(capabilities=("all",), no_new_privileges=True, seccomp="default"))
    assert (settings.no_new_privileges, settings.seccomp) == (True, "default")
    assert len(relaxed) == 4


def names(profile: dict[str, Any]) -> set[str]:
    rules = profile["syscalls"]
    assert isinstance(rules, list)
    return {n for r in rules for n in r["names"]}


def test_the_default_profile_depends_on_capabilities() -> None:
    least = names(seccomp.default(Settings(), Platform()))
    assert {"read", "openat", "clone", "futex"} <= least
    refused = {"reboot", "init_module", "bpf", "kexec_load", "settimeofday", "io_uring_setup", "userfaultfd", "keyctl",
               "add_key", "request_key", "clone3", "setns", "mount", "fsopen", "fsmount", "open_tree", "move_mount",
               "mount_setattr", "kcmp", "pidfd_getfd", "quotactl_fd"}  # fmt: skip
    assert not refused & least
    admin = names(seccomp.default(Settings(capabilities=("CAP_SYS_ADMIN",)), Platform()))
    assert {"clone3", "setns", "mount", "fsopen", "open_tree", "unshare"} <= admin
    assert not {"keyctl", "add_key", "request_key", "reboot", "init_module"} & admin
    assert names(seccomp.default(Settings(syscalls=("keyctl",)), Platform())) - least == {"keyctl"}
    more = names(seccomp.default(Settings(capabilities=("CAP_SYS_TIME",), ambient=("CAP_SYS_BOOT",)), Platform()))
    assert more - least == {"settimeofday", "clock_settime", "clock_settime64", "stime", "reboot", "kexec_load",
                            "kexec_file_load"}  # fmt: skip
    assert seccomp.default(Settings(), Platform("linux", "arm64"))["architectures"][0] == "SCMP_ARCH_AARCH64"


def decide(profile: dict[str, Any], name: str, argument: int, index: int = 0) -> tuple[str, int]:
    """What *profile* does with a call whose argument at *index* is *argument*. Two rules may not fit the same call."""
    holds: dict[str, Callable[[int, int, int], bool]] = {
        "SCMP_CMP_EQ": lambda a, value, _: a == value,
        "SCMP_CMP_LT": lambda a, value, _: a < value,
        "SCMP_CMP_GT": lambda a, value, _: a > value,
        "SCMP_CMP_MASKED_EQ": lambda a, mask, value: a & mask == value,
    }
    fitting = [
        rule
        for rule in profile["syscalls"]
        if name in rule["names"]
        and all(
            c["index"] == index and holds[c["op"]](argument, c["value"], c.get("valueTwo", 0))
            for c in rule.get("args", ())
        )
    ]
    assert len(fitting) <= 1
    rule = fitting[0] if fitting else {"action": profile["defaultAction"], "errnoRet": profile["defaultErrnoRet"]}
    return rule["action"], rule.get("errnoRet", 0)


ALLOW, ENOSYS, EPERM = ("SCMP_ACT_ALLOW", 0), ("SCMP_ACT_ERRNO", 38), ("SCMP_ACT_ERRNO", 1)


@pytest.mark.parametrize(
    ("name", "argument", "least", "admin"),
    [
        ("clone", 0x1200011, ALLOW, ALLOW),
        ("clone", 0x3D0F00, ALLOW, ALLOW),
        *(("clone", 1 << bit | 17, EPERM, ALLOW) for bit in (17, 25, 26, 27, 28, 29, 30)),
        ("clone", 0x7E020011, EPERM, ALLOW),
        ("clone3", 0, ENOSYS, ALLOW),
        ("unshare", 0x600, ALLOW, ALLOW),
        *(("unshare", 1 << bit, EPERM, ALLOW) for bit in (7, 17, 25, 26, 27, 28, 29, 30)),
        ("unshare", 0x10020000, EPERM, ALLOW),
        ("socket", 1, ALLOW, ALLOW),
        ("socket", 16, ALLOW, ALLOW),
        ("socket", 38, ENOSYS, ALLOW),
        ("socket", 39, ALLOW, ALLOW),
        ("socket", 40, ENOSYS, ALLOW),
        ("socket", 44, ALLOW, ALLOW),
        ("personality", 0xFFFFFFFF, ALLOW, ALLOW),
        ("personality", 0x20000, ALLOW, ALLOW),
        # ADDR_NO_RANDOMIZE
        ("personality", 0x40000, ENOSYS, ENOSYS),
        ("keyctl", 0, ENOSYS, ENOSYS),
        ("fsopen", 0, ENOSYS, ALLOW),
    ],
)
def test_calls_by_argument(name: str, argument: int, least: tuple[str, int], admin: tuple[str, int]) -> None:
    assert decide(seccomp.default(Settings(), Platform()), name, argument) == least
    assert decide(seccomp.default(Settings(capabilities=("CAP_SYS_ADMIN",)), Platform()), name, argument) == admin
    assert decide(seccomp.default(Settings(syscalls=(name,)), Platform()), name, argument) == ALLOW


def test_the_flags_of_clone_are_elsewhere_on_s390x() -> None:
    profile = seccomp.default(Settings(), Platform("linux", "s390x"))
    assert decide(profile, "clone", 0x10000000, 1) == EPERM
    assert decide(profile, "clone", 0x11, 1) == ALLOW


def test_a_profile_from_a_file() -> None:
    body = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "x", "includes": {}, "excludes": {}},
            {"name": "write", "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["open"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["s390_sthyi"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
        ],
    }
    made = seccomp.from_file(json.dumps(body).encode(), Settings(), Platform("linux", "amd64"), None)
    assert made == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["open"], "action": "SCMP_ACT_ALLOW"},
        ],
    }
    admin = Settings(capabilities=("CAP_SYS_ADMIN",))
    assert names(seccomp.from_file(json.dumps(body).encode(), admin, Platform(), None)) == {"read", "write"}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"defaultAction": "KILL"}', '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [1]}']
)
def test_what_is_no_profile_is_said(text: str) -> None:
    with pytest.raises(FinbackError) as failure:
        seccomp.from_file(text.encode(), Settings(), Platform(), None)
    assert failure.value.diagnostics[0].code == "F095"
