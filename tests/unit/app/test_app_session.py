from __future__ import annotations

import base64
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.app.machine import session
from finback.app.machine.running import Running
from finback.app.machine.session import Request, execute
from finback.ground.diagnostic import FinbackError

Guest = Callable[[socket.socket], None]


def line(connection: socket.socket) -> bytes:
    """As a shell reads one: byte by byte."""
    out = b""
    while not out.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            break
        out += piece
    return out.rstrip(b"\n")


def whole_input(connection: socket.socket) -> bytes:
    out = b""
    while (length := int(line(connection).removeprefix(b"< "))) > 0:
        while length:
            piece = connection.recv(length)
            out += piece
            length -= len(piece)
    return out


def say(connection: socket.socket, mark: bytes, data: bytes) -> None:
    for start in range(0, len(data), 16384):
        connection.sendall(mark + b" " + base64.b64encode(data[start : start + 16384]) + b"\n")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Callable[[Guest], None]]]:
    """A machine without a process, and how to give it a guest for the next session."""
    monkeypatch.setattr(session, "listens", lambda _: True)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 2)
    monkeypatch.setattr(Running, "alive", True)
    threads = []
    # Paths of sockets are bounded.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = Running(name="m", uuid="u", started=0, state=folder, sockets=folder)
        control = socket.socket(socket.AF_UNIX)
        control.bind(str(folder / "control.sock"))
        shell = socket.socket(socket.AF_UNIX)
        shell.bind(str(folder / "shell0.sock"))
        control.listen()
        shell.listen()

        def serve(guest: Guest) -> None:
            def run() -> None:
                asked, _ = control.accept()
                connection, _ = shell.accept()
                with asked, connection:
                    assert line(asked) == b"session 0"
                    guest(connection)

            threads.append(threading.Thread(target=run, daemon=True))
            threads[-1].start()

        yield found, serve
        for thread in threads:
            thread.join(5)
        control.close()
        shell.close()


def run(machine: Running, request: Request) -> tuple[int, bytes, bytes]:
    output, errors = bytearray(), bytearray()
    status = execute(machine, request, output.extend, errors.extend)
    return status, bytes(output), bytes(errors)


def test_a_command_gets_its_words_and_gives_both_streams(machine: tuple[Running, Callable[[Guest], None]]) -> None:
    asked = []

    def guest(connection: socket.socket) -> None:
        connection.sendall(b"ok\n")
        asked.append(line(connection))
        assert whole_input(connection) == b""
        say(connection, b">", b"out\0\n")
        say(connection, b"!", b"err")
        connection.sendall(b"= 7\n")

    machine[1](guest)
    assert run(machine[0], Request(words=("a b", "", "\n'"), service="web")) == (7, b"out\0\n", b"err")
    kind, name, *words = asked[0].split(b" ")
    assert (kind, name) == (b"container", b"web")
    assert [base64.b64decode(w.removeprefix(b"-")) for w in words] == [b"a b", b"", b"\n'"]


def test_much_input_and_much_output_do_not_block_each_other(
    machine: tuple[Running, Callable[[Guest], None]], tmp_path: Path
) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "in").write_bytes(data)

    def guest(connection: socket.socket) -> None:
        connection.sendall(b"ok\n")
        line(connection)
        # Nobody reads what comes in until all of this is out.
        say(connection, b">", data)
        say(connection, b"!", whole_input(connection))
        connection.sendall(b"= 0\n")

    machine[1](guest)
    with (tmp_path / "in").open("rb") as source:
        assert run(machine[0], Request(words=("x",), source=source.fileno())) == (0, data, data)


def test_a_guest_that_goes_or_says_nothing_is_an_error(machine: tuple[Running, Callable[[Guest], None]]) -> None:
    machine[1](lambda connection: connection.sendall(b"ok\n> eA==\n"))
    with pytest.raises(FinbackError) as caught:
        run(machine[0], Request(words=("x",)))
    assert caught.value.diagnostics[0].code == "F701"
    machine[1](lambda connection: connection.sendall(b"what?\n"))
    with pytest.raises(FinbackError) as caught:
        run(machine[0], Request(words=("x",)))
    assert caught.value.diagnostics[0].code == "F535"


def test_a_fifth_command_and_one_too_long_are_refused(machine: tuple[Running, Callable[[Guest], None]]) -> None:
    from contextlib import ExitStack

    from finback.host import folder

    with ExitStack() as held:
        for number in range(4):
            assert held.enter_context(folder.locked(machine[0].state / f"session{number}.lock"))
        with pytest.raises(FinbackError) as caught:
            run(machine[0], Request(words=("x",)))
        assert caught.value.diagnostics[0].code == "F536"
    with pytest.raises(FinbackError) as caught:
        run(machine[0], Request(words=("x" * 20_000,)))
    assert caught.value.diagnostics[0].code == "F534"


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_a_guest_may_say_anything(said: bytes) -> None:
    """Whatever lines come, the conversation ends when the connection does."""
    from finback.host.channel import Channel

    here, there = socket.socketpair()
    there.sendall(said)
    there.close()
    channel = Channel(here)
    heard: list[bytes] = []

    def take(text: bytes) -> bool:
        heard.append(text)
        return False

    try:
        assert not channel.converse(take, lambda _: None, None, 5)
    finally:
        channel.close()
    assert heard == said.split(b"\n")[:-1]
