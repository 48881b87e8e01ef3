"""Debian's dynamic loader as the oracle for where libraries are looked for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from finback.component.closure import Closure
from finback.component.merged_usr import moved
from finback.component.unpack import Unpacked
from finback.ground.platform import ARCHITECTURES, Platform
from finback.host.machine import host_platform

pytestmark = pytest.mark.tools


def test_libraries_are_looked_for_where_the_loader_looks_without_a_cache() -> None:
    platform: Platform = host_platform()
    loader = Path(ARCHITECTURES[platform.architecture].loader)
    if not loader.exists() or not Path("/etc/debian_version").exists():
        pytest.skip("needs Debian's loader")
    said = subprocess.run([loader, "--help"], check=True, capture_output=True, text=True).stdout
    folders = re.findall(r"^\s+(/\S+) \(system search path\)", said, re.MULTILINE)
    merged = dict.fromkeys("/" + moved(f.strip("/")) for f in folders)
    assert tuple(merged) == Closure(Unpacked(), platform)._folders
