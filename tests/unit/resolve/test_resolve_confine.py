from __future__ import annotations

import json

import pytest

from finback.assemble import seccomp
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.resolve.confine import MASKED, READONLY, confine
from finback.spec.model import Mount, Settings


def test_what_asks_for_nothing_is_confined() -> None:
    settings, relaxed = confine(Settings())
    assert relaxed == ()
    assert settings.no_new_privileges is True
    assert (settings.seccomp, settings.cgroupns) == ("default", "new")
    assert (settings.masked_paths, settings.readonly_paths) == (MASKED, READONLY)


def test_what_asks_for_more_gets_it_and_that_is_said() -> None:
    settings, relaxed = confine(Settings(capabilities=("all",)))
    assert (settings.seccomp, settings.cgroupns, settings.no_new_privileges) == ("unconfined", "root", False)
    assert (settings.masked_paths, settings.readonly_paths) == ((), ())
    assert len(relaxed) == 5
    settings, relaxed = confine(Settings(capabilities=("CAP_NET_ADMIN",)))
    assert settings.readonly_paths == tuple(p for p in READONLY if p != "/proc/sys")
    assert relaxed == ("programs may gain privileges by set-user-id bits", "/proc/sys not read-only")
    settings, _ = confine(
        Settings(mounts=(Mount(destination="/sys", type="sysfs"),), binds=("/proc/bus/usb:/proc/bus/usb",))
    )
    assert settings.masked_paths == tuple(p for p in MASKED if p.startswith("/proc"))
    assert settings.readonly_paths == READONLY[1:]
    assert settings.cgroupns == "root"


def test_what_is_said_counts() -> None:
    own = Settings(
        seccomp="unconfined", masked_paths=(), readonly_paths=(), no_new_privileges=False, cgroupns="host", pid="host"
    )
    settings, relaxed = confine(own)
    assert settings == own
    assert len(relaxed) == 5
    settings, relaxed = confine(Settings(capabilities=("all",), no_new_privileges=True, seccomp="default"))
    assert (settings.no_new_privileges, settings.seccomp) == (True, "default")
    assert len(relaxed) == 3


def names(profile: dict[str, object]) -> set[str]:
    rules = profile["syscalls"]
    assert isinstance(rules, list)
    return {n for r in rules for n in r["names"]}


def test_the_default_profile_depends_on_capabilities() -> None:
    least = names(seccomp.default(Settings(), Platform()))
    assert {"read", "openat", "clone3", "futex"} <= least
    assert not {"reboot", "init_module", "bpf", "kexec_load", "settimeofday", "io_uring_setup", "userfaultfd"} & least
    more = names(seccomp.default(Settings(capabilities=("CAP_SYS_TIME",), ambient=("CAP_SYS_BOOT",)), Platform()))
    assert more - least == {"settimeofday", "clock_settime", "clock_settime64", "stime", "reboot", "kexec_load",
                            "kexec_file_load"}  # fmt: skip
    assert seccomp.default(Settings(), Platform("linux", "arm64"))["architectures"][0] == "SCMP_ARCH_AARCH64"


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
