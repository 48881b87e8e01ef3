from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.host import switch
from finback.host.switch import Port, Switch

A, B, C = (bytes([2, 0, 0, 0, 0, n]) for n in (1, 2, 3))
ALL = b"\xff" * 6


def frame(to: bytes, origin: bytes, body: bytes = b"body") -> bytes:
    return to + origin + b"\x08\x00" + body


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "net"


def send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(len(data).to_bytes(4, "big") + data)


def received(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    length = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
    return connection.recv(length, socket.MSG_WAITALL)


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    return False


def processes(path: Path) -> list[str]:
    done = subprocess.run(["pgrep", "-f", str(path)], capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_frames_go_to_all_until_it_is_known_where_their_receiver_is(place: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    thread = threading.Thread(target=switch.serve, args=(listener, 0.5), daemon=True)
    thread.start()
    ports = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for port in ports:
        port.connect(str(place))
    one, two, three = ports
    # Connected is not yet accepted: what comes too early has nobody to go to.
    time.sleep(0.3)
    send(one, frame(B, A))
    assert received(two) == received(three) == frame(B, A)
    send(two, frame(A, B))
    assert received(one) == frame(A, B)
    assert silent(three)
    send(three, frame(ALL, C))
    assert received(one) == received(two) == frame(ALL, C)
    two.close()
    # The address is forgotten with its port.
    time.sleep(0.3)
    send(one, frame(B, A, b"x" * 60000))
    assert received(three) == frame(B, A, b"x" * 60000)
    for port in ports:
        port.close()
    thread.join(5)
    assert not thread.is_alive()
    listener.close()


def test_a_port_that_takes_nothing_loses_frames_and_holds_nobody_up() -> None:
    ours, theirs = socket.socketpair()
    port = Port(ours)
    ours.setblocking(False)
    for _ in range(200):
        port.give(b"x" * 60000)
        port.flush()
    assert len(port.waiting) < switch.WAITING_LIMIT + 61000
    theirs.close()
    ours.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(1, 60))
def test_frames_are_put_together_from_any_pieces(frames: list[bytes], step: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    port = Port(ours)
    data = b"".join(len(f).to_bytes(4, "big") + f for f in frames)
    came: list[bytes] = []
    for start in range(0, len(data), step):
        theirs.sendall(data[start : start + step])
        came += port.take() or []
    assert came == frames
    theirs.sendall(b"\xff\xff\xff\xff")
    assert port.take() is None
    theirs.close()
    ours.close()


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=13))
def test_what_is_too_short_for_a_frame_goes_nowhere(data: bytes) -> None:
    made = Switch()
    made.ports = [Port(socket.socket()), Port(socket.socket())]
    assert made.forward(data, made.ports[0]) == []
    for port in made.ports:
        port.connection.close()


def test_the_process_starts_once_and_goes_with_its_last_port(place: Path) -> None:
    first = switch.plugged(place)
    # A socket that a killed process has left is no switch.
    second = switch.plugged(place)
    assert len(processes(place)) == 1
    time.sleep(0.5)
    send(first, frame(ALL, A))
    assert received(second) == frame(ALL, A)
    (number,) = processes(place)
    os.kill(int(number), 9)
    # A process that is about to end can still be connected to.
    os.waitpid(int(number), 0)
    assert second.recv(1) == b""
    assert place.exists()
    third = switch.plugged(place)
    assert third.fileno() > 0
    for connection in (first, second, third):
        connection.close()
    limit = time.monotonic() + 60
    while processes(place):
        assert time.monotonic() < limit
        time.sleep(0.2)
    assert not place.exists()
