"""Components of the library in booted machines, and the probe of their privileges."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from finback.component.library import Library

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Library((ROOT / "components",))
SHARE = 8

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]

TESTED = [n for n in LIBRARY.names() if (proof := LIBRARY.get(n).definition.test) and proof.expect]

NEEDY = """\
summary: Gives a file to another
category: tool
packages: [busybox-static]
keep: {programs: [/usr/bin/busybox]}
reasons:
  CAP_CHOWN: it gives the file away
  CAP_KILL: none at all
  shell: for the test
config: {entrypoint: [/usr/bin/busybox, chown, "7", /given/file]}
label: {net: new, readonly: true, noNewPrivileges: true, capabilities: [CAP_CHOWN, CAP_KILL], tmpfs: ["/tmp"]}
test:
  volumes: [{name: given}]
  onboot:
    - name: needy-file
      image: finback/needy
      command: [/usr/bin/busybox, touch, /given/file]
      binds.add: ["given:/given"]
    - name: needy
      image: finback/needy
      binds.add: ["given:/given"]
  expect:
    - exec: {command: [stat, -c, "owner=%u", /containers/volumes/given/merged/file], contains: owner=7}
"""


def finback(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "finback", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s"), "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )


@pytest.mark.parametrize("names", [TESTED[i : i + SHARE] for i in range(0, len(TESTED), SHARE)], ids=lambda n: n[0])
def test_components_do_their_job(names: list[str], tmp_path: Path) -> None:
    done = finback(tmp_path, "component", "test", "--accel", "tcg", "--junit", "report.xml", *names)
    assert done.returncode == 0, done.stdout
    suites = ET.parse(tmp_path / "report.xml").getroot()
    assert sorted(s.attrib["name"] for s in suites) == sorted(names)


def test_the_probe_tells_what_is_needed_from_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "library" / "needy").mkdir(parents=True)
    (tmp_path / "library" / "needy" / "component.yml").write_text(NEEDY)
    (tmp_path / "finback").mkdir()
    (tmp_path / "finback" / "config.yml").write_text("library: [library]\n")
    assert "no errors, no warnings" in finback(tmp_path, "component", "check", "needy").stdout
    done = finback(tmp_path, "component", "probe", "--accel", "tcg", "--record", "needy")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "needy: needed: CAP_CHOWN; unneeded: CAP_KILL\n" in done.stdout
    assert re.search(r"component\.yml:10:\d+: error\[F741\]: needy passes its test without CAP_KILL", done.stdout)
    recorded = (tmp_path / "library" / "needy" / "probed.yml").read_text()
    assert "needed: [CAP_CHOWN]\nunneeded: [CAP_KILL]\n" in recorded
    # What was recorded is said, and that it holds no more once the component has changed.
    assert "error[F108]" in finback(tmp_path, "component", "check", "needy").stdout
    (tmp_path / "library" / "needy" / "component.yml").write_text(NEEDY.replace(", CAP_KILL", ""))
    assert "warning[F107]" in finback(tmp_path, "component", "check", "needy").stdout


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_the_probe_of_components_of_the_library(name: str, tmp_path: Path) -> None:
    done = finback(tmp_path, "component", "probe", "--accel", "tcg", name)
    assert done.returncode == 0, done.stdout
    assert f"{name}: needed: CAP_NET_BIND_SERVICE" in done.stdout
