"""The component `credentials` on this machine, beside a dmidecode that says what firmware would."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "components/credentials/rootfs/usr/bin/finback-credentials"
DMIDECODE = """\
#!/bin/sh
# dmidecode --oem-string count|NUMBER
case $2 in
count) wc -l <{root}/strings ;;
*) sed -n "$2p" {root}/strings ;;
esac
"""

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox"),
]


def given(root: Path, names: str, strings: list[str], items: dict[str, bytes]) -> tuple[dict[str, bytes], str]:
    """The secrets that come of OEM strings and of fw_cfg's items, and what is said about them."""
    (root / "bin").mkdir()
    (root / "bin/dmidecode").write_text(DMIDECODE.format(root=root))
    (root / "bin/dmidecode").chmod(0o755)
    (root / "strings").write_text("".join(f"{s}\n" for s in strings))
    (root / "names").write_text(names)
    for name, value in items.items():
        (root / "items" / name).mkdir(parents=True)
        (root / "items" / name / "raw").write_bytes(value)
    text = PROGRAM.read_text().replace("export PATH=", f"export PATH={root}/bin:")
    text = text.replace("/run/finback/credentials", f"{root}/out").replace("/etc/finback/secrets", f"{root}/names")
    text = text.replace("/sys/firmware/dmi/tables/DMI", f"{root}/strings")
    text = text.replace("/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials", f"{root}/items")
    (root / "program").write_text(text)
    done = subprocess.run(
        ["busybox", "sh", str(root / "program")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = {p.name: p.read_bytes() for p in (root / "out").iterdir()}
    assert all(p.stat().st_mode & 0o777 == 0o400 for p in (root / "out").iterdir())
    assert (root / "out").stat().st_mode & 0o777 == 0o700
    return found, done.stdout


def test_what_is_asked_for_is_taken_from_where_it_is(tmp_path: Path) -> None:
    binary = bytes(range(256))
    strings = [
        "QEMU",
        "io.systemd.credential:plain=with = and spaces",
        f"io.systemd.credential.binary:binary={base64.b64encode(binary).decode()}",
        "io.systemd.credential:both=of SMBIOS",
        "io.systemd.credential:unasked=x",
    ]
    items = {"both": b"of fw_cfg", "item": binary * 4096, "long": binary * 4096 + b"x", "unasked-too": b"x"}
    found, said = given(tmp_path, "plain\nbinary\nboth\nitem\nlong\nnowhere\n", strings, items)
    assert found == {
        "plain": b"with = and spaces",
        "binary": binary,
        "both": b"of fw_cfg",
        "item": binary * 4096,
    }
    assert "nowhere is not given yet" in said
    assert "long has more than 1048576 bytes" in said


def test_a_machine_without_firmware_that_speaks(tmp_path: Path) -> None:
    assert given(tmp_path, "a\n", [], {}) == ({}, "a is not given yet\n")
