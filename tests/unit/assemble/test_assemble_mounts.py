"""Destinations of mounts: a relative one begins at the container's root, as runc has it for LinuxKit's files."""

from __future__ import annotations

import pytest

from finback.assemble.oci_config import mounts
from finback.ground.source import Source
from finback.spec.load import load_spec


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("tmpfs: [scratch/a]", "tmpfs"),
        ("tmpfs: [/scratch/a]", "tmpfs"),
        ("binds: ['/srv:scratch/a']", "bind"),
        ("binds: ['/srv:./scratch/a:ro']", "bind"),
        ("mounts: [{type: overlay, source: overlay, destination: scratch/a, options: [lowerdir=/a]}]", "overlay"),
    ],
)
def test_a_relative_destination_is_inside(given: str, kind: str) -> None:
    spec = load_spec(Source("t.yml", f"services: [{{name: a, image: b, {given}}}]"))
    assert spec.services
    found = {m["destination"]: m["type"] for m in mounts(spec.services[0], {})}
    assert found["/scratch/a"] == kind
    assert all(d.startswith("/") for d in found)


def test_the_same_place_in_two_spellings_is_one_mount() -> None:
    text = "services: [{name: a, image: b, tmpfs: [/sys], mounts: [{type: sysfs, source: sysfs, destination: sys}]}]"
    spec = load_spec(Source("t.yml", text))
    assert spec.services
    assert [m["type"] for m in mounts(spec.services[0], {}) if m["destination"] == "/sys"] == ["sysfs"]
