"""One of the consoles that the command line names has a driver.

LinuxKit's files name the consoles of several machines; the kernel passes over those that it has no driver for.

Source: the kernel's Documentation/admin-guide/serial-console.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._drivers import drivers
from finback.ground.diagnostic import Diagnostic

# By the name of a console: the architectures that have it, and its driver; "" is one that can't be a module.
CONSOLES = {
    "ttyS": (("amd64", "arm64", "riscv64"), "8250"),
    "ttyAMA": (("arm64",), "amba_pl011"),
    "ttysclp": (("s390x",), ""),
}
USUAL = {"amd64": "ttyS0", "arm64": "ttyAMA0", "riscv64": "ttyS0", "s390x": "ttysclp0"}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding when nothing would be seen of the machine."""
    system = subject.system
    kernel = system.plan.kernel
    if kernel is None or not subject.roots - {""}:
        return
    named = re.findall(r"(?:^|\s)console=([^\s,]+)", kernel.cmdline)
    found = drivers(subject)
    if not named or found is None:
        return
    architecture = system.platform.architecture
    missing = []
    for console in named:
        prefix = console.rstrip("0123456789")
        machines, driver = CONSOLES.get(prefix, ((architecture,), ""))
        # On s390x ttyS is the name of a line-mode terminal.
        if architecture == "s390x" and prefix == "ttyS":
            machines, driver = ("s390x",), ""
        if architecture in machines and (not driver or found.has(driver)):
            return
        missing.append(f"{console} ({driver or 'of ' + ', '.join(machines)})")
    yield Diagnostic(
        code="F195",
        message=f"no console: the kernel for {architecture} has no driver for {', '.join(missing)}",
        span=kernel.origin.at("cmdline"),
        help=f"name one that it has: console={USUAL[architecture]}, or use a kernel with the driver",
    )


CHECK = check
