"""What a test does to a machine between its questions: restarts of every kind, a killed service, a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from finback.app.machine import running as machines
from finback.app.machine import session
from finback.app.trial import expectations
from finback.app.trial.expectations import View
from finback.ground.diagnostic import FinbackError
from finback.host import child, journal
from finback.spec.expectation import Action

# The guest ends the program that the runtime started; containerd's are children of a shim.
KILL = 'read -r pid <"/run/service/$1/pid" && kill -s KILL "$pid"'
ENDED = ("stopped", "done", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What an action can use."""

    view: View
    restart: Callable[[], object]
    """Starts the machine again, which has ended, with the same disks."""
    seconds: float
    """That the action may take."""


def label(action: Action) -> str:
    """What an action is called."""
    if action.exec is not None:
        return f"run {expectations.shown(action.exec)}"
    if action.kill is not None:
        return f"kill {action.kill}"
    return "reboot" if action.reboot else "power off, and on" if action.power_off else "power cut"


def perform(action: Action, stage: Stage) -> View | str:
    """Do it: what later questions are about, or why it could not be done."""
    try:
        if action.exec is not None:
            return _exec(action, stage)
        if action.kill is not None:
            return _kill(action.kill, stage)
        return _again(action, stage)
    except FinbackError as failure:
        return failure.diagnostics[0].message


def _exec(action: Action, stage: Stage) -> View | str:
    assert action.exec is not None
    answer = expectations.run(action.exec, stage.view.machine, stage.seconds)
    if not answer.holds:
        return answer.seen
    return replace(stage.view, done=stage.view.machine.reported())


def _kill(name: str, stage: Stage) -> View | str:
    view = stage.view
    before = view.machine.reported()
    request = session.Request(words=("sh", "-c", KILL, "kill", name), timeout=stage.seconds)
    if session.execute(view.machine, request, lambda _: None, lambda _: None) != 0:
        return f"{name} has no program to kill"
    seen = before

    def has_ended() -> bool:
        nonlocal seen
        for at, report in view.machine.placed(before):
            if (report.stage, report.name) == ("service", name) and report.event in ENDED:
                seen = at
                return True
        return False

    if not child.until(has_ended, stage.seconds):
        return f"the guest did not report within {stage.seconds:.0f} s that {name} has ended"
    # What came after that is about the next start already.
    return replace(view, done=seen)


def _again(action: Action, stage: Stage) -> View | str:
    view, machine = stage.view, stage.view.machine
    # What the machine prints while it shuts down belongs to this restart already; what it reports does not.
    shown = journal.end(machine.console)
    if action.power_cut:
        machines.cut(machine)
    else:
        word = "reboot" if action.reboot else "poweroff"
        pid = machine.pid
        with machines.told(machine, word) as heard:
            if not heard:
                return "nothing in the guest listens"
            if not child.gone(pid, machine.uuid, stage.seconds):
                return f"it did not {'restart' if action.reboot else 'power off'} within {stage.seconds:.0f} s"
        last = view.reports()[-1:]
        machines.stop(machine, 0)
        if [(r.stage, r.event) for r in last] != [("shutdown", "done")]:
            return "it ended, but not in order"
    told = machine.reported()
    stage.restart()
    return View(machine=machine, shown=shown, told=told)
