"""Ten thousand inputs for all parsers, the same each time; `make fuzz` runs a million others."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from fuzz_targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
INPUTS = 10_000
# Those that start a library's whole machinery for each input.
SLOW = {"signed", "keyring", "layer"}
SHARE = (INPUTS - 100 * len(SLOW)) // (len(TARGETS) - len(SLOW)) + 1
BY_NAME = {t.name: t for t in TARGETS}


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_changed_inputs_are_read_or_refused(target: Target) -> None:
    rng = random.Random(target.name)
    for _ in range(100 if target.name in SLOW else SHARE):
        data = target.input(rng)
        began = time.monotonic()
        target.check(data)
        assert time.monotonic() - began < 5, data


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_the_sound_inputs_are_sound(target: Target) -> None:
    for seed in target.seeds():
        target.check(seed)


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda p: p.name)
def test_what_was_found_once(path: Path) -> None:
    """Inputs that ended in a trace or took long; a file is called TARGET-WHAT."""
    BY_NAME[path.name.partition("-")[0]].check(path.read_bytes())


PIECES = (
    b" ", b"a", b"a ", b",", b"a=", b'a="', b'"\\', b'\\"', b"Bearer ", b"-", b"a-with-", b"(", b"()", b"[", b'{"a":',
    b"/", b"../", b"\n", b"\n ", b" \n", b"a:\n", b"- ", b"9", b"a.", b"a__", b"<", b"| ", b"~", b":", b"@", b"\t",
    b"\x1b", b"\x1b[", b"\x1b]", b"/usr/share/common-licenses/GPL",
    b"Redistribution and use in source and binary forms",
    b"GNU General Public License, as published by the Free Software Foundation;", b"with ", b"exception ", b"and ",
    b"License: GPL\n", b"\nFiles: *\nLicense: a with b\n", b"&a ", b"!!x ", b"|\n", b"'", b"[[", b"a: {", b"finback: ",
    b"oom-kill:task_memcg=/a", b"Kernel panic - ", b"\r", b"\0", b"\xff",
)  # fmt: skip
TEXTS = ("relation", "copyright", "control", "release", "sources", "challenge", "reference", "console", "events",
         "json", "spec", "label", "component", "credentials", "inventory")  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_the_time_grows_with_the_text(name: str) -> None:
    """Ten times as much of one thing takes about ten times as long; what takes the square would take a hundred."""
    target = BY_NAME[name]
    beginning = target.seeds()[0]
    for piece in PIECES:
        times = []
        for size in (3_000, 30_000):
            data = beginning + piece * (size // len(piece)) + b"!"
            began = time.process_time()
            target.check(data)
            times.append(time.process_time() - began)
        assert times[1] < max(0.5, 30 * times[0]), (piece, times)
