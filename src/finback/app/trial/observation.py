"""Tests asked of a machine in their order: all between two actions at the same time, each until it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from finback.app.machine.diagnosis import has_panicked
from finback.app.machine.running import Running
from finback.app.trial import actions, expectations
from finback.app.trial.actions import Stage
from finback.app.trial.expectations import View
from finback.ground.source import Span
from finback.host import child, clock
from finback.spec.expectation import Expectation

WITHIN = 60
INTERVAL = 0.25
# After the end of the boot what was said last may still be on its way.
GRACE = 1.5
# Of a hurried observation: how long after the last test that held the others may take, by how long that took.
LAG = 0.5
LEAST_LAG = 60
UNASKED = "not asked, for a test above does not hold"

_Numbered = Sequence[tuple[int, Expectation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one test."""

    name: str
    passed: bool
    asked: bool = True
    """Whether it came to its turn at all."""
    seconds: float
    """After the start of the machine."""
    seen: str = ""
    """What there was instead."""
    span: Span | None = None


class _Observation:
    """A machine under observation."""

    def __init__(
        self, machine: Running, restart: Callable[[], object], cancelled: Callable[[], bool], *, hurried: bool
    ) -> None:
        self.found: dict[int, Outcome] = {}
        self._hurried = hurried
        self._asked = 0
        self._view = View(machine=machine)
        self._restart = restart
        self._cancelled = cancelled
        self._begun = clock.monotonic()

    @property
    def all_hold(self) -> bool:
        """Whether everything held so far."""
        return all(o.passed for o in self.found.values())

    def phase(self, tests: _Numbered) -> None:
        """Ask *tests* again and again until each holds, or its time is over, or the boot is."""
        start = clock.monotonic()
        self._asked += len(tests)
        slow = [t for t in tests if expectations.is_slow(t[1])]
        quick = [t for t in tests if not expectations.is_slow(t[1])]
        # What is answered by programs in the guest does not hold the others up.
        with ThreadPoolExecutor(max_workers=2) as pool:
            for done in [pool.submit(self._ask, part, start) for part in (quick, slow) if part]:
                done.result()

    def _ask(self, tests: _Numbered, start: float) -> None:
        waiting = list(tests)
        last: float | None = None
        while waiting:
            if last is None and (self._cancelled() or over(self._view)):
                last = clock.monotonic() + GRACE
            for number, test in tuple(waiting):
                left = min(start + (test.within or WITHIN), self._limit()) - clock.monotonic()
                ended = last is not None and clock.monotonic() >= last
                answer = expectations.ask(test, self._view, left)
                if not (answer.holds or left <= 0 or ended):
                    continue
                seen = "" if answer.holds else answer.seen if left <= 0 else f"the boot has ended; {answer.seen}"
                self.note(number, test, seen, passed=answer.holds)
                waiting.remove((number, test))
            child.until(lambda: not waiting, INTERVAL)

    def _limit(self) -> float:
        """When a hurried observation gives up what it waits for: long after most of it held."""
        held = [o.seconds for o in tuple(self.found.values()) if o.passed]
        if not self._hurried or len(held) * 2 < self._asked:
            return math.inf
        last = max(held)
        return self._begun + last + max(LEAST_LAG, last * LAG)

    def act(self, number: int, test: Expectation) -> None:
        """Do what *test* says."""
        assert test.do is not None
        stage = Stage(view=self._view, restart=self._restart, seconds=test.within or WITHIN)
        came = actions.perform(test.do, stage)
        if isinstance(came, View):
            self._view = came
        seen = came if isinstance(came, str) else ""
        self.note(number, test, seen, passed=not seen)

    def note(self, number: int, test: Expectation, seen: str, *, passed: bool, asked: bool = True) -> None:
        """Write down what came of a test."""
        name = test.name or (actions.label(test.do) if test.do else expectations.label(test))
        seconds = clock.monotonic() - self._begun
        self.found[number] = Outcome(
            name=name, passed=passed, asked=asked, seconds=seconds, seen=seen, span=test.origin.span
        )


def observe(
    tests: tuple[Expectation, ...],
    machine: Running,
    restart: Callable[[], object],
    cancelled: Callable[[], bool],
    *,
    hurried: bool = False,
) -> tuple[Outcome, ...]:
    """What comes of *tests*. When something does not hold, what comes after the next action is not asked.

    Of a *hurried* observation, what lags far behind the rest is given up before its time.
    """
    observation = _Observation(machine, restart, cancelled, hurried=hurried)
    for phase in _phases(enumerate(tests)):
        if phase[0][1].do is not None and observation.all_hold:
            observation.act(*phase[0])
        if observation.all_hold:
            observation.phase([t for t in phase if t[1].do is None])
            continue
        for number, test in phase:
            if number not in observation.found:
                observation.note(number, test, UNASKED, passed=False, asked=False)
    return tuple(observation.found[n] for n in sorted(observation.found))


def _phases(tests: Iterable[tuple[int, Expectation]]) -> list[list[tuple[int, Expectation]]]:
    """The tests, parted before each action."""
    out: list[list[tuple[int, Expectation]]] = []
    for number, test in tests:
        if test.do is not None or not out:
            out.append([])
        out[-1].append((number, test))
    return out


def over(view: View) -> bool:
    """Whether nothing more will come of the machine: it has ended, or its boot has."""
    if not view.machine.alive or has_panicked(view.console()):
        return True
    return any((r.stage, r.name) == ("init", "boot") for r in view.reports())
