"""The options of LinuxKit's storage steps, on this machine: what is refused before any disk is touched."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "format": "format/rootfs/usr/bin/format",
    "mountie": "mount/rootfs/usr/bin/mountie",
    "extend": "extend/rootfs/usr/bin/extend",
    "loopy": "losetup/rootfs/usr/bin/loopy",
    "crypto": "dm-crypt/rootfs/usr/bin/crypto",
    "swap.sh": "swap/rootfs/swap.sh",
}

pytestmark = [pytest.mark.tools, pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox")]


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        # Go's flag syntax: an unknown one ends with 2, -h with 0, and options end at the first other word.
        ("format -nonsense", 2, "flag provided but not defined: -nonsense"),
        ("format --help", 0, "usage: format"),
        ("format -label", 2, "flag needs an argument: -label"),
        ("format -force=maybe", 2, "invalid boolean value"),
        ("format /dev/null /dev/zero", 1, "at most one device"),
        ("format -verbose=false -label=x -force /dev/null", 1, "/dev/null is not a block device"),
        ("format --type ext4 --partition=gpt -- /dev/null", 1, "/dev/null is not a block device"),
        ("format /dev/null -label x", 1, "at most one device"),
        ("format -partition bsd /dev/null", 1, "unsupported partition table type bsd"),
        ("format -type nonsense /dev/null", 1, "there is no mkfs.nonsense"),
        ("mountie", 1, "No mountpoints provided"),
        ("mountie a b c", 1, "Too many arguments"),
        ("mountie -x /a", 2, "flag provided but not defined: -x"),
        ("mountie -h", 0, "usage: mountie"),
        ("mountie -optional=yes /a", 2, "usage: mountie"),
        ("mountie -optional /dev/nonsense /var/nonsense", 1, "there is no disk /dev/nonsense"),
        ("mountie --optional=true --device=/dev/nonsense /var/nonsense", 1, "there is no disk /dev/nonsense"),
        ("extend -x", 2, "flag provided but not defined: -x"),
        ("extend -type ntfs", 1, "unsupported file system type ntfs"),
        ("extend -stop-on-error=7", 2, "usage: extend"),
        # Errors of disks that are named end it, whatever -stop-on-error says.
        ("extend -stop-on-error=false /dev/nonsense", 1, "there is no disk /dev/nonsense"),
        ("loopy", 1, "usage: loopy"),
        ("loopy -h", 0, "usage: loopy"),
        ("loopy --nonsense x", 1, "unknown option --nonsense"),
        ("loopy -c -s big FOLDER/x", 1, "the size is a number of MiB"),
        ("loopy FOLDER/x", 2, "there is no file"),
        ("loopy -c -s1 -d /dev/null FOLDER/x", 2, "/dev/null is not a block device"),
        ("crypto", 1, "usage: crypto"),
        ("crypto -h", 0, "usage: crypto"),
        ("crypto --luks name", 1, "usage: crypto"),
        ("crypto -k FOLDER/key name /dev/null", 1, "there is no key file FOLDER/key"),
        ("crypto name /dev/null", 1, "there is no key file /etc/dm-crypt/key"),
        ("crypto --key-file=none name /dev/null", 1, "there is no key file /etc/dm-crypt/none"),
        ("crypto -l -k /etc/passwd na/me /dev/null", 1, "can't be the name of a device"),
        ("crypto -lk /etc/passwd name /dev/null", 1, "there is no disk /dev/null"),
        ("swap.sh", 1, "--path is needed"),
        ("swap.sh --nonsense", 1, "unknown option --nonsense"),
        ("swap.sh --path", 1, "--path needs a value"),
        ("swap.sh --path /srv/swap --size 1M", 1, "has to be below /var"),
        ("swap.sh --path /var/../etc/x --size 1M", 1, "has to be below /var"),
        ("swap.sh --path /var/swap", 1, "--size is needed"),
        ("swap.sh --path /var/swap --size 1m", 1, "1m is no size"),
        ("swap.sh --path /var/swap --size 0", 1, "0 is no size"),
        ("swap.sh --path /var/swap --size 1K", 1, "too small"),
        ("swap.sh --path /var/swap --size 1M --condition nonsense:/x", 1, "nonsense is no kind of condition"),
        ("swap.sh --path /var/swap --size 1M --condition part:/nonsense", 0, "does not hold; no swap"),
        ("swap.sh --path /var/swap --size 1M --condition part:/nonsense:true", 1, "does not hold; no swap"),
        (
            "swap.sh --path /var/swap --size=1M --condition part:/proc --condition partsize:/:900000G",
            0,
            "does not hold",
        ),
        ("swap.sh --path /var/swap --size 1M --condition partsize:/:900000G:true", 1, "does not hold"),
    ],
)
def test_options(tmp_path: Path, command: str, status: int, said: str) -> None:
    name, *words = command.replace("FOLDER", str(tmp_path)).split()
    script = ROOT / "components" / PROGRAMS[name]
    done = subprocess.run(
        ["busybox", "sh", script, *words], capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path
    )
    output = done.stdout + done.stderr
    assert (done.returncode, said.replace("FOLDER", str(tmp_path)) in output) == (status, True), output
    assert not Path("/var/nonsense").exists()
