"""What `component new --from PACKAGE` writes for packages of Debian can be built, and has nothing to complain of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.tools, pytest.mark.archive, pytest.mark.slow]


@pytest.mark.parametrize(
    ("package", "first"),
    [
        ("apache2", "/usr/sbin/apache2"), ("bash", "/usr/bin/bash"), ("bind9", "/usr/sbin/named"),
        ("ca-certificates", "/usr/sbin/update-ca-certificates"), ("curl", "/usr/bin/curl"),
        ("fail2ban", "/usr/bin/fail2ban-server"), ("mariadb-server", "/usr/sbin/mariadbd"),
        ("openssh-server", "/usr/sbin/sshd"), ("rsync", "/usr/bin/rsync"),
    ],
)  # fmt: skip
def test_a_component_from_a_package_can_be_built(package: str, first: str, tmp_path: Path) -> None:
    def finback(*words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "finback", "--progress", "quiet", "component", *words],
            env={**os.environ, "FINBACK_LIBRARY": str(tmp_path)},
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    name = f"from-{package}"
    finback("new", name, "--from", package)
    assert f"entrypoint: [{first}]" in (tmp_path / name / "component.yml").read_text()
    finback("build", name)
    finback("check", name)
