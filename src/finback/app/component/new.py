"""A new component: a folder with a definition that is sound and can be built, to be completed."""

from __future__ import annotations

import re
from pathlib import Path

from finback.app.component import programs
from finback.app.workspace import Workspace
from finback.component.privilege import SHELLS
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
packages: [{packages}]
{keep}{shell}config:
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
{reasons}test:
  # Let it do its job: `exec` asks in its container, `http` and `tcp` from outside.
  onboot:
    - {{name: {name}, image: finback/{name}}}
  expect:
    - {{name: it runs, console: "{name}: "}}
"""
KEEP = """\
keep:
  # What of the package is run; the libraries that it needs come along.
{left_out}  programs: [{programs}]
"""
WHOLE = """\
# Everything of the packages stays, as scripts load what can't be seen from outside. `keep:` makes less of it.
"""
SHELL = """\
files:
  - {path: /bin/sh, symlink: busybox}
"""
REASONS = """\
reasons:
  shell: {why}
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
    script = SCRIPT.format(name=name, title=title)
    text = _of_package(name, title, package, workspace) if package else script
    with file.writing(path) as out:
        out.write(text.encode())
    return path


def _of_package(name: str, title: str, package: str, workspace: Workspace) -> str:
    choice = _choice(package, workspace)
    shells = {p.rpartition("/")[2] for p in choice.programs}.intersection(SHELLS)
    why = "its programs are scripts" if choice.shell else f"it is what {package} is"
    left_out = "".join(f"  # Left out: {path} {reason}.\n" for path, reason in choice.left_out)
    return PACKAGE.format(
        name=name,
        title=title,
        packages=", ".join(choice.packages),
        first=choice.first,
        keep=WHOLE if choice.whole else KEEP.format(left_out=left_out, programs=", ".join(choice.programs)),
        shell=SHELL if choice.shell else "",
        reasons=REASONS.format(why=why) if shells and not choice.whole else "",
    )


def _choice(package: str, workspace: Workspace) -> programs.Choice:
    """What of *package* a component can be made of, with all that it depends on unpacked."""
    from finback.component.closure import Closure
    from finback.component.unpack import unpack

    platform = host_platform()
    archive = workspace.archive(platform.architecture)
    extra: frozenset[str] = frozenset()
    while True:
        pins = archive.solve((package, *sorted(extra)), ())
        archive.fetch(pins)
        with workspace.store.scratch() as scratch:
            unpacked = unpack(pins, workspace.store, scratch)
            closure = Closure(unpacked, platform)
            more = programs.interpreters(package, unpacked, closure)
            if more <= extra:
                return programs.choose(package, extra, unpacked, closure)
        extra |= more
