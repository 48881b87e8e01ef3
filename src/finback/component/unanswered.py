"""Images of LinuxKit that no component stands in for, and what to do instead.

Source: the images of LinuxKit's `pkg`, `tools`, `test/pkg` and `projects` folders (compat 6).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NAMESPACES = ("linuxkit/", "linuxkitprojects/", "mobylinux/")
_TEST = "it is a test suite of another project; leave the step out, or give its image from a registry"
_KERNEL = "it is a kernel with patches of its own; finback/kernel-host and finback/kernel are Debian's"
_REASONS = {
    "mkimage": "disks are made by `finback build --format raw-bios` and other formats, without a machine",
    "test-kernel-config": "it asks for the options of LinuxKit's own kernel",
    "test-containerd": _TEST,
    "test-docker-bench": _TEST,
    "test-ltp": _TEST,
    "test-virtsock": _TEST,
    "kernel-zfs": "Debian has ZFS as source only",
    "zfs-kmod": "Debian has ZFS as source only",
    "kernel-ima": _KERNEL,
    "kernel-landlock": "finback/kernel-generic has Landlock, and finback/landlock uses it",
    "kernel-memorizer": _KERNEL,
    "kernel-selinux": _KERNEL,
    "kernel-clear-containers": _KERNEL,
    "kubernetes": "it is not part of Debian; see finback/kubectl for the client",
}


def remark(familiar: str, answered: Iterable[str]) -> str:
    """What is to be said of *familiar*, a name such as ``linuxkit/mkimage`` that no component answers; "" of names that
    are not LinuxKit's. *answered* are the names that components answer.
    """
    namespace = next((n for n in NAMESPACES if familiar.startswith(n)), None)
    if namespace is None:
        return ""
    reason = _REASONS.get(familiar.removeprefix(namespace))
    if reason is None:
        known = [a for a in answered if a.startswith(namespace)]
        near = difflib.get_close_matches(familiar, known, 1, cutoff=0.8)
        reason = f"did you mean {near[0]}?" if near else "`finback component list` shows all"
    return f"no component of the library answers {familiar}: {reason}"
