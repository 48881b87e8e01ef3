"""The packages that some packages need: their closure over Pre-Depends and Depends, as apt would choose it.

The first alternative that can be had wins, in its newest version. A choice between alternatives, or between providers
of a virtual package, waits until everything certain is chosen, because something certain often decides it. A choice
that leads nowhere is taken back.

Subset: Recommends are left out, nothing counts as installed already, and there is one architecture. Specification:
Debian Policy 7.2 to 7.5; how apt breaks ties is in its source, apt-pkg/depcache.cc, CompareProviders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from finback.debian import version
from finback.debian.index import Index, Package
from finback.debian.relation import Alternatives, Atom, parse
from finback.ground.diagnostic import FinbackError, error

MAX_STEPS = 50_000
"""Needs looked at before giving up. The largest closures of Debian take a few thousand."""


@dataclass(frozen=True, slots=True)
class _Need:
    """One of these is needed; `who` is the package that says so, "" for the user."""

    alternatives: Alternatives
    who: str

    def __str__(self) -> str:
        return " | ".join(str(a) for a in self.alternatives)


@dataclass(slots=True)
class _State:
    """Chosen so far, and what is still to be looked at: certain needs before choices."""

    chosen: dict[str, Package] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    """Chosen package to the one that needed it first."""
    provided: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Virtual name to its providers among the chosen, each with the version that it provides or ""."""
    refused: dict[str, tuple[tuple[Atom, str], ...]] = field(default_factory=dict)
    """Name to the conflicts that chosen packages declare with it."""
    certain: list[_Need] = field(default_factory=list)
    choices: list[_Need] = field(default_factory=list)

    def copy(self) -> _State:
        """Another state that can go another way."""
        return _State(
            dict(self.chosen),
            dict(self.asked),
            dict(self.provided),
            dict(self.refused),
            list(self.certain),
            list(self.choices),
        )


class _DeadEndError(Exception):
    """No candidate is left for a need."""

    def __init__(self, need: _Need, reasons: list[str], state: _State) -> None:
        super().__init__(str(need))
        self.need, self.reasons, self.asked = need, reasons, dict(state.asked)


@dataclass(frozen=True, slots=True)
class _Branch:
    """A choice that can be taken back: the state before it and the candidates that are left."""

    state: _State
    need: _Need
    rest: Iterator[Package]


def solve(index: Index, names: Iterable[str], without: Iterable[str], architecture: str) -> tuple[Package, ...]:
    """The packages *names* and all that they need, sorted by name.

    Packages in *without* count as present, in whatever version is wanted, and are not chosen. *architecture* is
    Debian's word.

    Raises:
        FinbackError: F132 a package is not in the archive; F133 what they need can't be had together; F131 a package of
            the archive has malformed relations.

    """
    wanted = list(names)
    for name in wanted:
        if not index.named(name) and not index.providing(name):
            raise error(
                "F132", f"the archive has no package {name}", help="check the name, the suite and the architecture"
            )
    try:
        chosen = _Solver(index, without, architecture).run([_Need((Atom(n),), "") for n in wanted])
    except _DeadEndError as dead:
        raise _unsatisfied(dead) from None
    except ValueError as failure:
        raise error("F131", f"a package of the archive is malformed: {failure}", help="use another mirror") from None
    return tuple(chosen[n] for n in sorted(chosen))


class _Solver:
    """One run over one index. The search is depth-first, with the branches on a stack of its own."""

    def __init__(self, index: Index, without: Iterable[str], architecture: str) -> None:
        self._index = index
        self._architecture = architecture
        self._present = set(without)
        for name in tuple(self._present):
            for package in index.named(name):
                self._present |= {a.name for a, *_ in parse(package.provides, architecture)}

    def run(self, needs: list[_Need]) -> dict[str, Package]:
        """Everything that *needs* need. Raises _DeadEndError with the failure of what was preferred."""
        state = _State(certain=needs)
        branches: list[_Branch] = []
        first: _DeadEndError | None = None
        for _ in range(MAX_STEPS):
            try:
                if not self._step(state, branches):
                    return state.chosen
            except _DeadEndError as dead:
                # Later failures are those of second choices, which nobody asked for.
                first = first or dead
                back = self._back(branches)
                if back is None:
                    raise first from None
                state = back
        raise first or _DeadEndError(_next(state), ["was not reached in reasonable time"], state)

    def _step(self, state: _State, branches: list[_Branch]) -> bool:
        """Look at the next need; whether there was one."""
        if state.certain:
            need = state.certain.pop(0)
            if not self._is_certain(need):
                # It may be met already by then, but not the other way round.
                state.choices.append(need)
                return True
        elif state.choices:
            need = state.choices.pop(0)
        else:
            return False
        if any(self._met(state, atom) for atom in need.alternatives):
            return True
        reasons: list[str] = []
        fitting = []
        for candidate in self._all_candidates(state, need):
            reason = self._hindrance(state, candidate)
            if reason:
                reasons.append(reason)
            else:
                fitting.append(candidate)
        if not fitting:
            raise _DeadEndError(need, reasons or self._absence(need), state)
        if len(fitting) > 1:
            branches.append(_Branch(state.copy(), need, iter(fitting[1:])))
        self._choose(state, fitting[0], need.who)
        return True

    def _back(self, branches: list[_Branch]) -> _State | None:
        """The state with the next candidate of the latest choice that has one, or None."""
        while branches:
            branch = branches[-1]
            candidate = next(branch.rest, None)
            if candidate is not None:
                state = branch.state.copy()
                self._choose(state, candidate, branch.need.who)
                return state
            branches.pop()
        return None

    def _is_certain(self, need: _Need) -> bool:
        return len(need.alternatives) == 1 and bool(self._index.named(need.alternatives[0].name))

    def _met(self, state: _State, atom: Atom) -> bool:
        if atom.name in self._present:
            return True
        package = state.chosen.get(atom.name)
        if package and _fits(atom, package.version):
            return True
        return any(_fits(atom, provided) for _, provided in state.provided.get(atom.name, ()))

    def _all_candidates(self, state: _State, need: _Need) -> Iterator[Package]:
        seen = set()
        for atom in need.alternatives:
            for package in (*self._real(atom), *self._providers(state, atom)):
                if package.id not in seen:
                    seen.add(package.id)
                    yield package

    def _real(self, atom: Atom) -> list[Package]:
        """The packages of that name, the newest first; where suites share a version, the first suite's only."""
        newest: dict[version.Key, Package] = {}
        for package in self._index.named(atom.name):
            if _fits(atom, package.version):
                newest.setdefault(version.key(package.version), package)
        return [newest[k] for k in sorted(newest, reverse=True)]

    def _providers(self, state: _State, atom: Atom) -> list[Package]:
        """The newest of each package that provides it, in apt's order of preference."""
        newest: dict[str, Package] = {}
        for package in self._index.providing(atom.name):
            if package.name != atom.name and self._provides(package, atom):
                old = newest.get(package.name)
                if old is None or version.key(package.version) > version.key(old.version):
                    newest[package.name] = package
        return sorted(newest.values(), key=lambda p: (p.name not in state.chosen, not p.essential, p.priority, p.id))

    def _provides(self, package: Package, atom: Atom) -> bool:
        return any(a.name == atom.name and _fits(atom, a.version) for a in self._atoms(package.provides))

    def _hindrance(self, state: _State, package: Package) -> str:
        """Why *package* can't be added to what is chosen, or ""."""
        other = state.chosen.get(package.name)
        if other is not None:
            return f"{_shown(package)} can't be together with {_shown(other)}"
        names = [(package.name, package.version), *((a.name, a.version) for a in self._atoms(package.provides))]
        for name, provided in names:
            for atom, who in state.refused.get(name, ()):
                if who != package.name and _fits(atom, provided):
                    return f"{_shown(package)} can't be together with {_shown(state.chosen[who])}"
        for atom in self._atoms(package.conflicts):
            other = state.chosen.get(atom.name)
            if other is not None and _fits(atom, other.version):
                return f"{_shown(package)} can't be together with {_shown(other)}"
            for who, provided in state.provided.get(atom.name, ()):
                if who != package.name and _fits(atom, provided):
                    return f"{_shown(package)} can't be together with {_shown(state.chosen[who])}"
        return ""

    def _absence(self, need: _Need) -> list[str]:
        """What the archive has instead of something that can't be had."""
        out = []
        for atom in need.alternatives:
            there = sorted({p.version for p in self._index.named(atom.name)}, key=version.key)
            out.append(
                f"the archive has {atom.name} {', '.join(there)}" if there else f"the archive has no {atom.name}"
            )
        return out

    def _choose(self, state: _State, package: Package, who: str) -> None:
        state.chosen[package.name] = package
        state.asked[package.name] = who
        for atom in self._atoms(package.provides):
            state.provided[atom.name] = (*state.provided.get(atom.name, ()), (package.name, atom.version))
        for atom in self._atoms(package.conflicts):
            state.refused[atom.name] = (*state.refused.get(atom.name, ()), (atom, package.name))
        state.certain += [_Need(a, package.name) for a in parse(package.depends, self._architecture)]

    def _atoms(self, field_text: str) -> Iterator[Atom]:
        """The atoms of a field without alternatives."""
        return (atom for atom, *_ in parse(field_text, self._architecture))


def _fits(atom: Atom, found: str) -> bool:
    """Whether version *found*, "" for none, is what *atom* asks for."""
    return not atom.operator or bool(found and version.satisfies(found, atom.operator, atom.version))


def _next(state: _State) -> _Need:
    return (state.certain + state.choices)[0]


def _shown(package: Package) -> str:
    return f"{package.name} {package.version}"


def _unsatisfied(dead: _DeadEndError) -> FinbackError:
    who = dead.need.who
    message = f"{who} needs {dead.need}, which can't be had" if who else f"{dead.need} can't be had"
    chain = []
    while who:
        asker = dead.asked.get(who, "")
        chain.append(f"{who} is needed by {asker}" if asker else f"{who} was asked for")
        who = asker
    return error(
        "F133",
        message,
        help="leave one of the packages out, or name what is not needed under `without:`",
        notes=(*dict.fromkeys(dead.reasons), *chain),
    )
