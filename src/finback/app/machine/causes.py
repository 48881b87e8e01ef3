"""Known causes of failed boots: a pattern in the console's text, and what it means.

Each row was seen in a boot that failed; tests/cases/boot has them. A row's topic is what it explains; the first that
explains a topic wins, so that what is general comes last. `{1}` is the pattern's first group.

Source: Linux 6.12, init/do_mounts.c, init/main.c, init/initramfs.c, mm/oom_kill.c; crun 1.8 to 1.21.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KERNEL, ITEM = "kernel", "item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A row."""

    code: str
    pattern: str
    says: str
    help: str
    topic: str = ITEM
    """`item`: the first group is a container's id, and that is the topic."""
    at: tuple[str, ...] = ()
    """Steps to the line of the spec, from the item or from the spec."""

    def found(self, text: str) -> list[re.Match[str]]:
        """Where *text* has it."""
        return list(re.finditer(self.pattern, text, re.MULTILINE))


_MORE = "give it more memory: --mem 1024"

CAUSES = (
    Cause(
        code="F710",
        topic=KERNEL,
        pattern=r"Initramfs unpacking failed: (.*?)\s*$",
        says="the initrd can't be unpacked: {1}",
        help=f"{_MORE}; if that is not it, build the image again",
    ),
    Cause(
        code="F711",
        topic=KERNEL,
        pattern=r'VFS: Cannot open root device "(?:\(null\))?"',
        says="the image has no /init that the kernel could start",
        at=("init",),
        help="begin `init:` with finback/init, or with another image that has /init",
    ),
    Cause(
        code="F712",
        topic=KERNEL,
        pattern=r'VFS: Cannot open root device "([^"]+)"',
        says="the kernel wants to start from {1}, which is not there",
        at=("kernel", "cmdline"),
        help="remove `root=` and `rdinit=` to start from the initrd, or attach the disk",
    ),
    Cause(
        code="F713",
        topic=KERNEL,
        pattern=r"Kernel panic - not syncing: (?:System is deadlocked on memory|Out of memory.*)",
        says="the machine has too little memory to boot",
        help=_MORE,
    ),
    Cause(
        code="F714",
        topic=KERNEL,
        pattern=r"Kernel panic - not syncing: Attempted to kill init! exitcode=(\S+)",
        says="the first process has ended (exit code {1})",
        at=("init",),
        help="what it said stands above that line on the console; `finback.debug` in `cmdline` shows its steps",
    ),
    Cause(
        code="F719",
        topic=KERNEL,
        pattern=r"Kernel panic - not syncing: (.*?)\s*$",
        says="the kernel has given up: {1}",
        at=("kernel", "image"),
        help="the lines above that one on the console say why",
    ),
    Cause(
        code="F720",
        pattern=r"oom-kill:.*task_memcg=/(?:\S*/)?([^/,]+),task=[^,]*.*\n.*?\] Out of memory: Killed process",
        says="memory is used up, and the kernel ended {1}",
        help=f"{_MORE}, or limit what it may take: `resources: {{memory: {{limit: BYTES}}}}`",
    ),
    Cause(
        code="F721",
        pattern=r"oom-kill:.*task_memcg=/(?:\S*/)?([^/,]+),task=[^,]*.*\n.*?\] Memory cgroup out of memory",
        says="{1} has used up the memory that it may take",
        at=("resources",),
        help="raise `resources: {memory: {limit: BYTES}}`",
    ),
    Cause(
        code="F722",
        pattern=r"finback: (\S+): executable file `([^`]+)` not found",
        says="{1} runs {2}, which its image does not have",
        at=("command",),
        help="name a program that is there; `finback tree` lists the files of the image",
    ),
    Cause(
        code="F723",
        pattern=r"finback: (\S+): cannot stat `([^`]+)`: No such file or directory",
        says="{1} mounts {2}, which the machine does not have",
        at=("binds",),
        help="make it first, with `runtime: {mkdir: [PATH]}` or under `files:`",
    ),
    Cause(
        code="F724",
        pattern=r"finback: (\S+): ended, for it may take (\d+) s",
        says="{1} did not end within {2} s",
        at=("timeout",),
        help="raise its `timeout`, or see in the lines above what it waits for",
    ),
    Cause(
        code="F731",
        topic="lease",
        pattern=r"finback: \d+-network: (\S+) got no answer from a DHCP server within (\d+) s",
        says="the interface {1} got no answer from a DHCP server within {2} s",
        at=("network",),
        help="see that a server is on that network, raise the interface's `timeout`, or write `required: false`",
    ),
    Cause(
        code="F732",
        pattern=r"finback: (\d+-network): (\S+): there is no such device; there are: (.*?)\s*$",
        says="no device of this machine is {2}; it has {3}",
        at=("interfaces",),
        help="mind the interface's `match`, and that the kernel has the card's driver",
    ),
    Cause(
        code="F733",
        pattern=r"finback: service (\S+) waits for the secret (\S+), which nobody has given",
        says="service {1} waits for the secret {2}",
        at=("secrets",),
        help="give it: finback run --secret NAME=FILE",
    ),
    Cause(
        code="F725",
        pattern=r"finback: (?!\d+-network:)(\S+): .*(?:timed out|no (?:valid )?interfaces found|"
        r"no interfaces have a carrier)",
        says="{1} got no answer on the network",
        help="give the machine a network, `finback run --networking user`, whose card the kernel has a driver for",
    ),
    Cause(
        code="F726",
        pattern=r"finback: service (\S+) is not ready after (\d+) s",
        says="{1} did not become ready within {2} s",
        at=("ready",),
        help="raise `ready: {timeout: SECONDS}`, or see what it says: finback logs NAME SERVICE",
    ),
    Cause(
        code="F727",
        pattern=r"finback: service (\S+) FAILED with status (\d+) and is not started again",
        says="service {1} has failed with status {2} and was given up",
        help="see what it said: finback logs NAME SERVICE",
    ),
    Cause(
        code="F750",
        pattern=r"finback: (\S+): there is no disk for (\S+)\s*$",
        says="there is no disk that could be the one for {2}",
        help="the lines below that one on the console say what there is; attach an empty disk: --disk data.img,size=1G",
    ),
    Cause(
        code="F751",
        pattern=r"finback: (\S+): the file system on (\S+) is damaged",
        says="the file system on {2} is damaged, and what is safe to mend was not enough",
        at=("repair",),
        help="mend it by hand, or with `repair: all`, which may lose files",
    ),
    Cause(
        code="F752",
        pattern=r"finback: (\S+): (?:its registers \S+ are not what they were|the machine has no TPM)",
        says="the TPM keeps the key of the disk to itself",
        at=("encryption",),
        help="give the machine its TPM, `finback run --tpm`; after a change of firmware a second key opens the disk",
    ),
    Cause(
        code="F753",
        pattern=r"finback: (\S+): (\S+) can't be opened",
        says="{2} can't be opened: the key is not the one with which it was made",
        at=("encryption",),
        help="give it the key that it had",
    ),
    Cause(
        code="F734",
        pattern=r"finback: (\S+): .*No space left on device",
        says="what {1} writes to is full",
        help="give it more room: a larger `size=` of the tmpfs, a larger disk, or more memory",
    ),
    Cause(
        code="F735",
        pattern=r"finback: (\S+): .*Read-only file system",
        says="{1} writes where it may not: its root, or a mount of it, is read-only",
        help="remove `readonly: true`, or give it a place to write, with `tmpfs` or `binds`",
    ),
    Cause(
        code="F736",
        pattern=r"finback: (\S+): .*(?:Operation not permitted|[Pp]ermission denied)",
        says="{1} may not do what it does: the kernel has refused it",
        help="see which capability that needs, and add it under `capabilities`",
    ),
    Cause(
        code="F737",
        pattern=r"finback: (\S+): modprobe: (?:FATAL: Module|module) '?([^\s']+)'? not found",
        says="{1} loads {2}, which this kernel does not have",
        at=("command",),
        help="use a kernel that has it, such as finback/kernel-generic, or leave it out",
    ),
    Cause(
        code="F728",
        pattern=r"finback: (?:early|onboot|onshutdown) (\S+) FAILED with status (\d+)",
        says="step {1} has failed with status {2}",
        help="the console shows what it said, before that line",
    ),
    Cause(
        code="F729",
        topic="volume",
        pattern=r"finback: volume (\S+) is not mounted",
        says="volume {1} is not mounted",
        at=("volumes",),
        help="the lines above that one on the console say why",
    ),
    Cause(
        code="F730",
        topic="cgroup",
        pattern=r"finback: cgroup version 1 is asked for",
        says="the command line asks for cgroup version 1, which this system does not have",
        at=("kernel", "cmdline"),
        help="remove `linuxkit.unified_cgroup_hierarchy=0`",
    ),
)
SILENT = Cause(
    code="F715",
    topic=KERNEL,
    pattern=r"\A\s*\Z",
    says="the console has shown nothing at all",
    at=("kernel", "cmdline"),
    help="name the console in `cmdline`: console=ttyS0, on arm64 console=ttyAMA0; or give it more memory: --mem 1024",
)
PANIC = "Kernel panic - not syncing"
