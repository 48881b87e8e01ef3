"""The packages that some packages need: their closure over Pre-Depends and Depends, as apt would choose it.

The first alternative that can be had wins, in its newest version; older versions come after all that is newest, for apt
does not consider them at all. A choice between alternatives, or between providers of a virtual package, waits until
everything certain is chosen, because something certain often decides it. If there is a solution, one is found.

Subset: Recommends are left out, nothing counts as installed already, and there is one architecture. Specification:
Debian Policy 7.2 to 7.5; how apt breaks ties is in its source, apt-pkg/depcache.cc, CompareProviders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finback.debian import version
from finback.debian.index import Index, Package
from finback.debian.relation import Alternatives, Atom, parse
from finback.debian.search import ContradictionError, Rule, Search
from finback.ground.diagnostic import FinbackError, error


@dataclass(frozen=True, slots=True)
class _Need:
    """One of these is needed; `who` is the package that says so, None for the user."""

    alternatives: Alternatives
    who: Package | None

    def __str__(self) -> str:
        return " | ".join(str(a) for a in self.alternatives)


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
        world = _World(index, without, architecture)
        rules = [r for n in wanted for r in world.rules(_Need((Atom(n),), None), ())]
        chosen = [world.packages[n] for n in Search(world.expand).run(rules)]
    except ContradictionError as failure:
        raise world.explained(failure) from None
    except ValueError as failure:
        raise error("F131", f"a package of the archive is malformed: {failure}", help="use another mirror") from None
    return tuple(sorted(chosen, key=lambda p: p.name))


class _World:
    """The archive as rules of a search, in which a package is its number in the index.

    A package is met when a need that it could serve comes up. Its conflicts with packages that were met before become
    rules at once, so that the search never tries what can't be; its own needs become rules when it is chosen.
    """

    def __init__(self, index: Index, without: Iterable[str], architecture: str) -> None:
        self.packages: dict[int, Package] = {}
        """Those that were met."""
        self._index = index
        self._architecture = architecture
        self._needs: dict[Rule, _Need] = {}
        self._offers: defaultdict[str, list[tuple[str, Package]]] = defaultdict(list)
        """Name to the packages met that have or provide it, each with the version of it or ""."""
        self._refusals: defaultdict[str, list[tuple[Atom, Package]]] = defaultdict(list)
        """Name to the conflicts with it that packages met declare."""
        self._present = set(without)
        for name in tuple(self._present):
            for package in index.named(name):
                self._present |= {a.name for a in self._atoms(package.provides)}

    def expand(self, number: int) -> Iterator[Rule]:
        """The rules that package *number* brings when it is chosen."""
        package = self.packages[number]
        for alternatives in parse(package.depends, self._architecture):
            yield from self.rules(_Need(alternatives, package), (number,))

    def rules(self, need: _Need, given: tuple[int, ...]) -> Iterator[Rule]:
        """The rule that *need* must be met when *given* are chosen, after the conflicts of what is new to it."""
        if any(a.name in self._present for a in need.alternatives):
            return
        candidates = self._candidates(need)
        for package in candidates:
            if package.id not in self.packages:
                self.packages[package.id] = package
                yield from self._conflicts(package)
        certain = len(need.alternatives) == 1 and bool(self._index.named(need.alternatives[0].name))
        rule = Rule(given=given, one_of=tuple(p.id for p in candidates), waits=not certain)
        self._needs[rule] = need
        yield rule

    def explained(self, failure: ContradictionError) -> FinbackError:
        """How the first attempt failed: what was needed, what stood against it, and who asked for it."""
        reasons: list[str] = []
        rule = failure.rule
        if not rule.one_of and rule not in self._needs:
            # Two that can't be together were both forced: the need for the later one is what can't be met.
            later = max(rule.given, key=list(failure.because).index)
            reasons.append(self._excluded(later, rule))
            rule = failure.because[later]
        need = self._needs[rule]
        reasons += [self._excluded(n, failure.because[n]) for n in rule.one_of if failure.because[n] not in self._needs]
        who, chain = need.who, []
        while who:
            asker = self._needs[failure.because[who.id]].who
            chain.append(f"{who.name} is needed by {asker.name}" if asker else f"{who.name} was asked for")
            who = asker
        limit = ("not every combination of alternatives was tried: there are too many",) if failure.given_up else ()
        return error(
            "F133",
            f"{need.who.name} needs {need}, which can't be had" if need.who else f"{need} can't be had",
            help="leave one of the packages out, or name what is not needed under `without:`",
            notes=(*dict.fromkeys(reasons or self._absence(need)), *chain, *limit),
        )

    def _excluded(self, number: int, rule: Rule) -> str:
        (other,) = (n for n in rule.given if n != number)
        return f"{_shown(self.packages[number])} can't be together with {_shown(self.packages[other])}"

    def _absence(self, need: _Need) -> list[str]:
        """What the archive has instead of something that can't be had."""
        out = []
        for atom in need.alternatives:
            there = sorted({p.version for p in self._index.named(atom.name)}, key=version.key)
            out.append(
                f"the archive has {atom.name} {', '.join(there)}" if there else f"the archive has no {atom.name}"
            )
        return out

    def _candidates(self, need: _Need) -> list[Package]:
        """The packages that would meet *need*, the preferred first."""
        found: dict[int, Package] = {}
        for atom in need.alternatives:
            for package in (*self._real(atom), *self._providers(atom)):
                found.setdefault(package.id, package)
        return sorted(found.values(), key=lambda p: p.id != self._versions(p.name)[0].id)

    def _versions(self, name: str) -> list[Package]:
        """The packages of that name, the newest first; where suites share a version, the first suite's only."""
        newest: dict[version.Key, Package] = {}
        for package in self._index.named(name):
            newest.setdefault(version.key(package.version), package)
        return [newest[k] for k in sorted(newest, reverse=True)]

    def _real(self, atom: Atom) -> list[Package]:
        return [p for p in self._versions(atom.name) if _fits(atom, p.version)]

    def _providers(self, atom: Atom) -> list[Package]:
        """The versions of each package that provide it, in apt's order of preference."""
        names = dict.fromkeys(p.name for p in self._index.providing(atom.name) if p.name != atom.name)
        found = (p for n in names for p in self._versions(n) if self._provides(p, atom))
        return sorted(found, key=lambda p: (not p.essential, p.priority, p.id))

    def _provides(self, package: Package, atom: Atom) -> bool:
        return any(a.name == atom.name and _fits(atom, a.version) for a in self._atoms(package.provides))

    def _conflicts(self, package: Package) -> Iterator[Rule]:
        """What *package* can't be together with, of what was met before; either of the two may have said so."""
        foes: dict[int, None] = {p.id: None for _, p in self._offers[package.name] if p.name == package.name}
        offers = [(package.name, package.version), *((a.name, a.version) for a in self._atoms(package.provides))]
        refusals = list(self._atoms(package.conflicts))
        for name, provided in offers:
            foes |= {p.id: None for atom, p in self._refusals[name] if _fits(atom, provided)}
            self._offers[name].append((provided, package))
        for atom in refusals:
            foes |= {p.id: None for provided, p in self._offers[atom.name] if _fits(atom, provided)}
            self._refusals[atom.name].append((atom, package))
        for foe in foes:
            # A package may conflict with a name that it has or provides itself: that means all others.
            if foe != package.id:
                yield Rule(given=(package.id, foe))

    def _atoms(self, field_text: str) -> Iterator[Atom]:
        """The atoms of a field without alternatives."""
        return (atom for atom, *_ in parse(field_text, self._architecture))


def _fits(atom: Atom, found: str) -> bool:
    """Whether version *found*, "" for none, is what *atom* asks for."""
    return not atom.operator or bool(found and version.satisfies(found, atom.operator, atom.version))


def _shown(package: Package) -> str:
    return f"{package.name} {package.version}"
