"""The network around a guest that gives itself an address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.app.machine.guest_address import fixed_address, network_of
from finback.app.planning import Inputs, load_inputs
from finback.app.workspace import Workspace
from finback.ground.event import silent


def of(tmp_path: Path, network: str) -> tuple[str, str, str] | None:
    path = tmp_path / "web.yml"
    path.write_text(f"network: {network}")
    found = fixed_address(load_inputs(Inputs(files=(str(path),)), Workspace(emit=silent)))
    return (found.address, found.network, found.router) if found else None


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("{interfaces: [{name: eth0, addresses: [10.0.2.20/24]}]}", ("10.0.2.20", "10.0.2.0/24", "10.0.2.2")),
        (
            (
                "{interfaces: [{name: eth0, addresses: ['2001:db8::1/64', 192.0.2.9/25], routes: [{to: default, via: "
                "192.0.2.1}]}]}"
            ),
            ("192.0.2.9", "192.0.2.0/25", "192.0.2.1"),
        ),
        ("{interfaces: [{name: d, dummy: true, addresses: [192.0.2.1/24]}, {name: eth0, dhcp: ipv4}]}", None),
        (
            "{interfaces: [{name: eth0}, {name: br0, bridge: {members: [eth0]}, addresses: [192.0.2.9/24]}]}",
            ("192.0.2.9", "192.0.2.0/24", "192.0.2.2"),
        ),
        ("{interfaces: [{name: eth0, addresses: ['2001:db8::1/64']}]}", None),
    ],
)
def test_what_a_file_says(tmp_path: Path, network: str, expected: tuple[str, str, str] | None) -> None:
    assert of(tmp_path, network) == expected


def test_no_file_says_nothing() -> None:
    assert fixed_address(None) is None


def test_the_name_server_of_the_file_is_in_the_network() -> None:
    found = network_of(
        IPv4Interface("192.0.2.9/24"), IPv4Address("192.0.2.1"), ["2001:db8::1", "9.9.9.9", "192.0.2.53"]
    )
    assert (found.router, found.server) == ("192.0.2.1", "192.0.2.53")


@given(st.ip_addresses(v=4), st.integers(1, 32), st.none() | st.ip_addresses(v=4))
def test_everybody_has_a_place(address: IPv4Address, length: int, router: IPv4Address | None) -> None:
    if router == address:
        return
    found = network_of(IPv4Interface(f"{address}/{length}"), router)
    network = IPv4Network(found.network)
    places = [IPv4Address(a) for a in (found.address, found.router, found.server, found.lease)]
    assert len(set(places)) == 4
    assert all(p in network for p in places)
    assert found.length == length
