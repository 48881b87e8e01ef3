"""A search for numbers to choose, such that every rule holds: complete, and in the rules' order of preference.

It is DPLL with look-back: whatever has one way left is forced; when nothing is, the first rule in line decides on the
first of its numbers. A contradiction is traced back to the decisions behind it, which are never taken together again,
and the search goes on just before the latest of them. So it ends, and finds a choice if there is one.

Rules come when they are needed: a number is asked for its rules when it is chosen for the first time, and a large
world costs only what is looked at of it.

Sources: Davis, Logemann and Loveland, "A machine program for theorem-proving", CACM 5 (1962); Prosser, "Hybrid
algorithms for the constraint satisfaction problem", Computational Intelligence 9 (1993): going back by blame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

MAX_CONFLICTS = 5_000
"""Contradictions before giving up. Debian's packages lead into a few at most."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rule:
    """When all of `given` are chosen, one of `one_of` must be: the earlier, the better."""

    given: tuple[int, ...] = ()
    one_of: tuple[int, ...] = ()
    waits: bool = False
    """Decide on it after all rules that don't wait, because those often decide it."""


class ContradictionError(Exception):
    """There is no choice, or none was found in reasonable time: how the first attempt failed."""

    def __init__(self, rule: Rule, because: Mapping[int, Rule], *, given_up: bool) -> None:
        super().__init__(rule)
        self.rule = rule
        """The rule that could not be kept."""
        self.because = because
        """Each number that was decided on till then, in that order, and the rule that asked for or forbade it."""
        self.given_up = given_up


@dataclass(slots=True)
class _Line:
    """Rules of chosen numbers, in their order; those before `head` hold."""

    rules: list[Rule] = field(default_factory=list)
    head: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """How things stood before a decision."""

    trail: int
    lines: tuple[tuple[int, int], ...]


class Search:
    """One search. *expand* gives the rules that a number brings when it is chosen."""

    def __init__(self, expand: Callable[[int], Iterable[Rule]]) -> None:
        self._expand = expand
        self._expanded: set[int] = set()
        self._when: defaultdict[int, list[Rule]] = defaultdict(list)
        """Number to the rules that have it among `given`."""
        self._for: defaultdict[int, list[Rule]] = defaultdict(list)
        """Number to the rules that have it among `one_of`."""
        self._chosen: dict[int, bool] = {}
        self._because: dict[int, Rule] = {}
        self._trail: list[int] = []
        self._done = 0
        """How many of the trail have had their consequences drawn."""
        self._marks: list[_Mark] = []
        self._decided: dict[int, int] = {}
        """Number that was decided on, to how many decisions there were before."""
        self._lines = (_Line(), _Line())

    def run(self, rules: Iterable[Rule]) -> tuple[int, ...]:
        """The numbers to choose, in the order in which they were.

        Raises:
            ContradictionError: there are none.

        """
        conflict = self._begin(list(rules))
        first: ContradictionError | None = None
        for _ in range(MAX_CONFLICTS):
            while conflict is None:
                rule = self._next()
                if rule is None:
                    return tuple(n for n in self._trail if self._chosen[n])
                self._decide(rule)
                conflict = self._propagate()
            # Later failures are those of second choices, which nobody asked for.
            first = first or ContradictionError(conflict, dict(self._because), given_up=False)
            blamed = self._decisions_behind(conflict)
            if not blamed:
                raise first
            self._back(max(self._decided[n] for n in blamed))
            conflict = self._add([Rule(given=blamed)]) or self._propagate()
        assert first is not None
        raise ContradictionError(first.rule, first.because, given_up=True)

    def _begin(self, rules: list[Rule]) -> Rule | None:
        for rule in rules:
            if not rule.given:
                self._queue(rule)
        return self._add(rules) or self._propagate()

    def _next(self) -> Rule | None:
        """The first rule that does not hold yet."""
        for line in self._lines:
            while line.head < len(line.rules):
                rule = line.rules[line.head]
                if not any(self._chosen.get(n) for n in rule.one_of):
                    return rule
                line.head += 1
        return None

    def _decide(self, rule: Rule) -> None:
        self._marks.append(_Mark(len(self._trail), tuple((len(line.rules), line.head) for line in self._lines)))
        number = next(n for n in rule.one_of if n not in self._chosen)
        self._decided[number] = len(self._marks) - 1
        self._set(number, rule, chosen=True)

    def _back(self, decisions: int) -> None:
        """Take back all decisions but the first so many."""
        mark = self._marks[decisions]
        del self._marks[decisions:]
        for number in self._trail[mark.trail :]:
            del self._chosen[number], self._because[number]
            self._decided.pop(number, None)
        del self._trail[mark.trail :]
        self._done = mark.trail
        for line, (length, head) in zip(self._lines, mark.lines, strict=True):
            del line.rules[length:]
            line.head = head

    def _set(self, number: int, rule: Rule, *, chosen: bool) -> None:
        self._chosen[number] = chosen
        self._because[number] = rule
        self._trail.append(number)

    def _queue(self, rule: Rule) -> None:
        self._lines[rule.waits].rules.append(rule)

    def _propagate(self) -> Rule | None:
        """Draw all consequences; a rule that can't be kept then, or None."""
        while self._done < len(self._trail):
            number = self._trail[self._done]
            self._done += 1
            if not self._chosen[number]:
                conflict = self._apply(self._for[number])
            else:
                conflict = self._open(number) or self._apply(self._when[number])
            if conflict is not None:
                return conflict
        return None

    def _open(self, number: int) -> Rule | None:
        """Bring in the rules of a chosen number, and put those that ask for something in line."""
        conflict = None
        if number not in self._expanded:
            self._expanded.add(number)
            conflict = self._add(self._expand(number))
        for rule in self._when[number]:
            if rule.one_of:
                self._queue(rule)
        return conflict

    def _add(self, rules: Iterable[Rule]) -> Rule | None:
        new = list(rules)
        for rule in new:
            for number in rule.given:
                self._when[number].append(rule)
            for number in rule.one_of:
                self._for[number].append(rule)
        return self._apply(new)

    def _apply(self, rules: Iterable[Rule]) -> Rule | None:
        """Force what the rules leave one way for; the first that leaves none, or None."""
        for rule in rules:
            conflict = self._force(rule)
            if conflict is not None:
                return conflict
        return None

    def _force(self, rule: Rule) -> Rule | None:
        left, way = 0, (0, False)
        for numbers, helps in ((rule.given, False), (rule.one_of, True)):
            for number in numbers:
                chosen = self._chosen.get(number)
                if chosen is None:
                    left, way = left + 1, (number, helps)
                    if left > 1:
                        return None
                elif chosen is helps:
                    return None
        if not left:
            return rule
        self._set(way[0], rule, chosen=way[1])
        return None

    def _decisions_behind(self, conflict: Rule) -> tuple[int, ...]:
        """The decisions that led to *conflict*, through all that they forced."""
        seen: set[int] = set()
        todo = [conflict]
        while todo:
            rule = todo.pop()
            for number in (*rule.given, *rule.one_of):
                if number not in seen:
                    seen.add(number)
                    if number not in self._decided:
                        todo.append(self._because[number])
        return tuple(sorted(seen & self._decided.keys()))
