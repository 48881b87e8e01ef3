"""Machines that speak to each other over a switch, without privileges."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from finback.vm import Lab

SYSTEM = Path(__file__).parent / "systems/node.yml"

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def test_three_nodes_reach_each_other_and_one_is_reached_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    with Lab(tmp_path, accelerator="tcg") as lab:
        system = shutil.copy(SYSTEM, tmp_path)
        one, two, three = (lab.node(name, system, memory=256, ports=[80]) for name in ("one", "two", "three"))
        lab.start(timeout=300)
        two.wait_for_service("web", timeout=300)
        for node in (one, three):
            assert "nginx" in node.wait_until_succeeds(f"wget -qO - http://{two.address}/", timeout=200)
            node.succeed(f"ping -c 2 -W 20 {one.address}")
        assert "connection refused" in one.fail(f"wget -qO - http://{two.address}:81/").lower()
        two.wait_for_port(80)
        status, body = two.http(80)
        assert (status, b"nginx" in body) == (200, True)
        # The name of a node is nothing to the others, its address is.
        assert len({n.vm.address() for n in lab.nodes}) == 3
    assert not any(n.vm.alive for n in lab.nodes)
