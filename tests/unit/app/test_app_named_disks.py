"""What is said at the start of a machine that lacks disks which its file names; what is said once."""

from __future__ import annotations

import pytest

from finback.app.machine.named_disks import note_missing
from finback.backends import Disk
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.event import Event, Finished, Noted, Warned, once


@pytest.mark.parametrize(
    ("text", "buses", "said"),
    [
        ("command: [/format.sh, /dev/sda]", ["virtio"], "/dev/sda"),
        ("command: [/format.sh, /dev/sda]", ["virtio", "scsi"], ""),
        ("command: [/format.sh, /dev/sda1]", ["sata"], ""),
        ("root=/dev/vda", [], "/dev/vda"),
        ("root=/dev/vda", ["virtio"], ""),
        ("device: /dev/nvme0n1p2", ["virtio"], "/dev/nvme0n1"),
        ("# /dev/sda", [], ""),
        ("bind: [/dev:/dev]", [], ""),
    ],
)
def test_disks_that_are_named_and_not_there(text: str, buses: list[str], said: str) -> None:
    events: list[Event] = []
    note_missing([text], [Disk(bus=b) for b in buses], events.append)
    assert [isinstance(e, Noted) and e.text.split(",")[0] for e in events] == (
        [f"the system names {said}"] * bool(said)
    )


def test_notes_and_warnings_are_passed_once() -> None:
    events: list[Event] = []
    emit = once(events.append)
    warning = Diagnostic(code="F999", message="odd", severity=Severity.WARNING)
    for _ in range(2):
        emit(Noted(text="slow"))
        emit(Warned(diagnostic=warning))
        emit(Finished(task="t"))
    assert events == [Noted(text="slow"), Warned(diagnostic=warning), Finished(task="t"), Finished(task="t")]
