"""Debian's own tools as oracles: dpkg's order of versions, dpkg-deb's unpacking, apt's choice of packages."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from finback.app.mirror import mirrors
from finback.component.archive import Archive, ArchiveSettings
from finback.debian import deb, version
from finback.host.http import Fetcher
from finback.host.store import Store
from finback.resolve.plan import PackagePin

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITES = ("trixie", "trixie-updates")
VERSIONS = (
    "0", "0~", "0~~", "1", "1.", "1.0", "1.0-0", "1.0-1", "1.0-1+b1", "1.0-1~bpo12+1", "1.0~rc1", "1.0+dfsg", "1.0a",
    "1.0a0", "1.00", "1.10", "1.2", "1.2.z", "1.2.+", "1:0", "0:1", "2.41-12", "2.41-12+deb13u1", "1.0-rc1-2",
    "1.0-rc1-10", "20250101", "20250101.1+git", "9999999999999999999999",
)  # fmt: skip
ROOTS = (
    "nginx-light", "openssh-server", "containerd", "crun", "s6", "busybox-static", "chrony", "dhcpcd-base", "docker.io",
    "cryptsetup-bin", "e2fsprogs lvm2 mdadm", "redis-server", "prometheus-node-exporter", "python3", "postgresql",
    "exim4", "task-ssh-server", "default-jre-headless", "systemd", "mosquitto rsyslog logrotate",
)  # fmt: skip

pytestmark = pytest.mark.tools


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    for older in VERSIONS:
        for newer in VERSIONS:
            for name, operator in (("lt", "<<"), ("eq", "=")):
                found = subprocess.run(["dpkg", "--compare-versions", older, name, newer], check=False).returncode == 0
                assert version.satisfies(older, operator, newer) is found, (older, operator, newer)


@dataclass(frozen=True, slots=True)
class World:
    """The archive of one architecture, as finback sees it and as apt does."""

    archive: Archive
    store: Store
    apt: tuple[str, ...]
    architecture: str

    def apt_chooses(self, names: list[str]) -> list[str]:
        command = [*self.apt, "--simulate", "--no-install-recommends", "install", *names]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        words = (line.split() for line in out.splitlines() if line.startswith("Inst "))
        return sorted(f"{name} {number.lstrip('(')}" for _, name, number, *_ in words)

    def finback_chooses(self, names: list[str]) -> list[str]:
        return [f"{p.name} {p.version}" for p in self.archive.solve(names, ())]


@pytest.fixture(scope="module", params=["amd64", "arm64"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    if shutil.which("apt-get") is None or not KEYRING.exists():
        pytest.skip("needs apt-get and debian-archive-keyring")
    mirror = os.environ.get("FINBACK_MIRROR") or mirrors().debian
    if not mirror:
        pytest.skip("no Debian mirror is known")
    root = tmp_path_factory.mktemp("apt")
    for name in ("etc/apt/preferences.d", "etc/apt/apt.conf.d", "etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial",
                 "var/cache/apt/archives/partial", "var/lib/dpkg"):  # fmt: skip
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/apt/sources.list").write_text(
        "".join(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in SUITES)
    )
    architecture = request.param
    settings = {
        "Dir": str(root),
        "Dir::State::status": str(root / "var/lib/dpkg/status"),
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
    }
    apt = ("apt-get", "-qq", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")))
    subprocess.run([*apt, "update"], check=True, capture_output=True, env={**os.environ, "APT_CONFIG": "/dev/null"})
    chosen = ArchiveSettings(mirror=mirror, suites=SUITES, keyring=KEYRING.read_bytes(), now=int(time.time()))
    store = Store(tmp_path_factory.mktemp("store"))
    return World(Archive(chosen, store, Fetcher(), architecture), store, apt, architecture)


@pytest.mark.archive
@pytest.mark.slow
@pytest.mark.parametrize("names", ROOTS)
def test_packages_are_chosen_as_apt_chooses_them(names: str, world: World) -> None:
    assert world.finback_chooses(names.split()) == world.apt_chooses(names.split())


@pytest.mark.archive
@pytest.mark.slow
def test_the_kernel_is_chosen_as_apt_chooses_it(world: World) -> None:
    names = [f"linux-image-cloud-{world.architecture}"]
    assert world.finback_chooses(names) == world.apt_chooses(names)


@pytest.mark.archive
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_packages_unpack_as_dpkg_deb_unpacks_them(world: World) -> None:
    pins: tuple[PackagePin, ...] = world.archive.solve(["crun", "busybox-static", "s6"], ())
    world.archive.fetch(pins)
    assert len(pins) > 3
    for pin in pins:
        path = world.store.verified(pin.digest)
        out = io.BytesIO()
        with path.open("rb") as stream:
            deb.unpack_data(stream, pin.name, out)
            fields = deb.fields(stream, pin.name)
        expected = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, capture_output=True).stdout
        assert out.getvalue() == expected
        assert (fields["Package"], fields["Version"]) == (pin.name, pin.version)
