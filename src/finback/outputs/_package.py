"""A system as a package of a distribution: kernel and initrd below /boot, and an entry in the host's boot menu.

Hosts whose boot loader follows the Boot Loader Specification get an entry in /boot/loader/entries, written when the
package is installed: whether /boot is a file system of its own decides its paths. GRUB's menus get one by a script in
/etc/grub.d. Both go with the package.

Source: UAPI group, Boot Loader Specification, "Type #1 Boot Loader Entries"; GRUB manual, "Simple configuration".
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from finback.assemble.command_line import GRUB, SYSTEMD_BOOT
from finback.assemble.system import Contents, System
from finback.ground.diagnostic import error
from finback.outputs import Options
from finback.outputs._bodies import Bodies
from finback.outputs._boot import identity, parts, title
from finback.tree.content import Inline
from finback.tree.entry import Directory, File

_MENU = """\
if [ -e /boot/grub/grub.cfg ] && command -v update-grub >/dev/null; then
    update-grub
elif [ -e /boot/grub2/grub.cfg ] && command -v grub2-mkconfig >/dev/null; then
    grub2-mkconfig -o /boot/grub2/grub.cfg
fi
"""
_GRUB = """\
#!/bin/sh
# Puts {title} into GRUB's menu, unless GRUB takes it from the entries in /boot/loader. Made by finback.
set -e
[ -e /{folder}/kernel ] || exit 0
[ "$GRUB_ENABLE_BLSCFG" != true ] || [ ! -e /{entry} ] || exit 0
# shellcheck source=/dev/null
. "${{pkgdatadir:-/usr/share/grub}}/grub-mkconfig_lib"
path=$(make_system_path_relative_to_its_root /{folder})
echo {quoted_head}
# shellcheck disable=SC2154 # the file above sets it
prepare_grub_to_access_device "$(${{grub_probe}} --target=device /{folder})" | sed 's/^/	/'
printf '\\tlinux %s/kernel %s\\n\\tinitrd %s/initrd.img\\n}}\\n' "$path" {quoted_options} "$path"
"""

WAYS = (GRUB, SYSTEMD_BOOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What both kinds of packages are made of."""

    name: str
    version: str
    title: str
    files: tuple[Directory | File, ...]
    """In the order of their paths."""
    bodies: Bodies
    """Of kernel and initrd."""
    entry: str
    """The path of the boot entry, which is made on the host."""
    menu_script: str
    """The path of GRUB's script, which the host's owner may change."""
    after_install: str
    after_removal: str
    """Shell commands."""


def package(system: System, contents: Contents, options: Options) -> Package:
    """The package of *system*.

    Raises:
        FinbackError: F017, its name can't be a package's.

    """
    made = parts(system, contents, options)
    name = _name(system)
    folder, entry, script = f"boot/{name}", f"boot/loader/entries/{name}.conf", f"etc/grub.d/45_{name}"
    bodies = Bodies()
    kernel, initrd = bodies.add("kernel", made.kernel), bodies.add("initrd.img", made.initrd)
    shown = f"{title(system)} (finback)"
    grub = _GRUB.format(
        title=shown,
        folder=folder,
        entry=entry,
        quoted_head=shlex.quote(f"menuentry '{shown}' --class finback --id {name} {{"),
        quoted_options=shlex.quote(GRUB.write(system)),
    )
    epoch = system.epoch
    return Package(
        name=name,
        version=_version(system),
        title=shown,
        files=(
            Directory(path=folder, mtime=epoch),
            File(path=f"{folder}/initrd.img", mtime=epoch, content=initrd),
            File(path=f"{folder}/kernel", mtime=epoch, content=kernel),
            File(path=script, mode=0o755, mtime=epoch, content=Inline(grub.encode())),
        ),
        bodies=bodies,
        entry=entry,
        menu_script=script,
        after_install=_entry(folder, entry, shown, system) + _MENU,
        after_removal=f"rm -f /{entry}\n" + _MENU,
    )


def _entry(folder: str, entry: str, shown: str, system: System) -> str:
    """Commands that write the boot entry, where there are such.

    Where GRUB reads the entries, it runs `options` as part of a script (module blscfg of Fedora and its kin), and wants
    it quoted; systemd-boot takes it as it is.
    """
    place = folder.removeprefix("boot")
    lines = [shlex.quote(f"title {shown}"), shlex.quote(f"version {_version(system)}")]
    lines += [f'"linux $prefix{place}/kernel"', f'"initrd $prefix{place}/initrd.img"']
    lines.append('"options $options"')
    return f"""\
if [ -d /{entry.rpartition("/")[0]} ]; then
    # A boot loader sees paths as they are in the file system that /boot is on.
    prefix=/boot
    [ "$(stat -c %d /)" = "$(stat -c %d /boot)" ] || prefix=
    options={shlex.quote(SYSTEMD_BOOT.write(system))}
    # GRUB reads an entry's options as a part of a script.
    # shellcheck source=/dev/null
    if [ "$([ -r /etc/default/grub ] && . /etc/default/grub && echo "$GRUB_ENABLE_BLSCFG")" = true ]; then
        options={shlex.quote(GRUB.write(system))}
    fi
    printf '%s\\n' {" ".join(lines)} >/{entry}
fi
"""


def _name(system: System) -> str:
    """What dpkg and rpm both take for a name (Debian Policy 5.6.1)."""
    name = re.sub(r"[^a-z0-9.+-]+", "-", system.name.lower()).strip("-")
    if not name:
        raise error("F017", f"{system.name!r} can't be a package's name", help="give another one with --name")
    return f"finback-{name}"


def _version(system: System) -> str:
    """Of two builds the one with the later SOURCE_DATE_EPOCH is newer; at the same time, the plan tells them apart."""
    return f"{datetime.fromtimestamp(system.epoch, UTC):%Y%m%d.%H%M%S}.{identity(system, 'package').hex[:8]}"
