"""A new component: a folder with a definition that is sound and can be built, to be completed."""

from __future__ import annotations

import re
from pathlib import Path

from finback.app.workspace import Workspace
from finback.ground.diagnostic import error
from finback.host import file
from finback.host.machine import host_platform

NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
SCRIPT = """\
summary: {title}, from a script
category: tool
packages: [busybox-static]
keep:
  programs: [/usr/bin/busybox]
files:
  - {{path: /bin/sh, symlink: busybox}}
  - path: /usr/bin/{name}
    mode: "0755"
    contents: |
      #!/bin/sh
      echo "{name} runs"
config:
  entrypoint: [/usr/bin/{name}]
label:
  net: new
  readonly: true
  noNewPrivileges: true
test:
  onboot:
    - {{name: {name}, image: finback/{name}}}
  expect:
    - {{name: it says that it runs, console: "{name}: {name} runs"}}
"""
PACKAGE = """\
summary: {title}
category: tool
packages: [{package}]
keep:
  # What of the package is run; the libraries that it needs come along.
  programs: [{programs}]
config:
  entrypoint: [{first}]
  # What shows that it works at all; a service listens instead, and has `exposedPorts`.
  cmd: [--version]
label:
  # Its own user, its ports and its capabilities, each with a reason in `reasons`, come here.
  uid: 65534
  gid: 65534
  net: new
  readonly: true
  noNewPrivileges: true
test:
  # Let it do its job: `exec` asks in its container, `http` and `tcp` from outside.
  onboot:
    - {{name: {name}, image: finback/{name}}}
  expect:
    - {{name: it runs, console: "{name}: "}}
"""


def new_component(name: str, package: str | None, parent: Path, workspace: Workspace) -> Path:
    """Write the definition of component *name* into a new folder of *parent*; its path.

    Raises:
        FinbackError: F109, it can't be called so, or there is one; F120s, the archive has no such *package*; F149, the
            package has no programs.

    """
    path = parent / name / "component.yml"
    if not NAME.fullmatch(name):
        raise error("F109", f"{name!r} is no name of a component", help="use small letters, digits, . and -")
    if name in workspace.library.names() or path.parent.exists():
        raise error("F109", f"there is a component {name} already", help=f"finback component show {name}")
    title = f"{name[0].upper()}{name[1:]}"
    if package is None:
        text = SCRIPT.format(name=name, title=title)
    else:
        programs = _programs(package, workspace)
        first = next((p for p in programs if p.endswith(f"/{package}")), programs[0])
        text = PACKAGE.format(name=name, title=title, package=package, programs=", ".join(programs), first=first)
    with file.writing(path) as out:
        out.write(text.encode())
    return path


def _programs(package: str, workspace: Workspace) -> list[str]:
    """The programs that *package* itself brings."""
    from finback.component.unpack import unpack

    platform = host_platform()
    archive = workspace.archive(platform.architecture)
    pins = tuple(p for p in archive.solve((package,), ()) if p.name == package)
    archive.fetch(pins)
    with workspace.store.scratch() as scratch:
        unpacked = unpack(pins, workspace.store, scratch)
        found = sorted(
            f"/{path}"
            for path in unpacked.tree
            if re.fullmatch(r"usr/s?bin/[^/]+", path) and unpacked.owners.get(path) == package
        )
    if not found:
        raise error("F149", f"{package} has no programs", help="name the package that has them")
    return found
