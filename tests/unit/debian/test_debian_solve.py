from __future__ import annotations

import io
import itertools
import lzma
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.debian import index, search, solve, version
from finback.debian.index import Index, Package
from finback.debian.relation import Atom, parse
from finback.ground.diagnostic import Diagnostic, FinbackError


def _index(*stanzas: str) -> Index:
    """An index of stanzas like ``a 1 Depends: b; Provides: c``, each in the archive `debian`."""
    texts = []
    for stanza in stanzas:
        name, number, *fields = stanza.split(maxsplit=2)
        lines = [f.strip() for f in fields[0].split(";")] if fields else []
        fixed = (
            f"Package: {name}\nVersion: {number}\nArchitecture: amd64\nFilename: {name}\nSize: 1\nSHA256: {'0' * 64}"
        )
        texts.append("\n".join([fixed, *lines]))
    connection = sqlite3.connect(":memory:")
    index.fill(connection, [("debian", io.BytesIO(lzma.compress("\n\n".join(texts).encode(), preset=0)))])
    return Index(connection)


def _solve(found: Index, names: str, without: str = "") -> str:
    packages = solve.solve(found, names.split(), without.split(), "amd64")
    return " ".join(f"{p.name}={p.version}" if len(found.named(p.name)) > 1 else p.name for p in packages)


def _failure(found: Index, names: str, without: str = "") -> Diagnostic:
    with pytest.raises(FinbackError) as caught:
        _solve(found, names, without)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    return diagnostic


@pytest.mark.parametrize(
    ("stanzas", "names", "expected"),
    [
        (["a 1"], "a", "a"),
        (["a 1 Depends: b, c", "b 1 Depends: c", "c 1"], "a", "a b c"),
        (["a 1 Pre-Depends: b; Depends: c", "b 1", "c 1"], "a", "a b c"),
        (["a 1 Depends: b", "b 1 Depends: a"], "a", "a b"),
        (["a 1 Depends: a"], "a", "a"),
        (["a 1 Recommends: b; Suggests: c", "b 1", "c 1"], "a", "a"),
        (["a 1 Depends: b [arm64], c [amd64]", "b 1", "c 1"], "a", "a c"),
        (["a 1 Depends: b:any, c:native", "b 1", "c 1"], "a", "a b c"),
        (["a 1", "b 1"], "b a b", "a b"),
    ],
    ids=["one", "closure", "pre-depends", "cycle", "itself", "recommends", "restriction", "qualifier", "twice"],
)
def test_closure(stanzas: list[str], names: str, expected: str) -> None:
    assert _solve(_index(*stanzas), names) == expected


def test_nothing_needs_nothing() -> None:
    assert _solve(_index(), "") == ""


def test_the_newest_version_wins_whatever_the_suites_order() -> None:
    for stanzas in itertools.permutations(["a 1.9", "a 1.10", "a 1.10~rc1"]):
        assert _solve(_index(*stanzas), "a") == "a=1.10"


def test_an_older_version_serves_where_the_newest_does_not() -> None:
    found = _index("a 1 Depends: b (= 1)", "b 1", "b 2")
    assert _solve(found, "a") == "a b=1"
    assert _solve(found, "b") == "b=2"
    assert _solve(found, "b a") == "a b=1"


def test_the_first_alternative_that_can_be_had_wins() -> None:
    assert _solve(_index("a 1 Depends: b | c", "b 1", "c 1"), "a") == "a b"
    assert _solve(_index("a 1 Depends: x | c", "c 1"), "a") == "a c"
    assert _solve(_index("a 1 Depends: b (>= 2) | c", "b 1", "c 1"), "a") == "a c"
    assert _solve(_index("a 1 Depends: wine:i386 | c", "wine 1", "c 1"), "a") == "a c"


def test_what_is_chosen_anyway_decides_a_choice() -> None:
    assert _solve(_index("a 1 Depends: b | c, d", "b 1", "c 1", "d 1 Depends: c"), "a") == "a c d"
    assert _solve(_index("a 1 Depends: mta", "x 1 Provides: mta", "y 1 Provides: mta"), "a y") == "a y"


def test_the_newest_of_another_alternative_goes_before_an_older_version() -> None:
    """apt considers but the newest version of each package."""
    assert _solve(_index("a 1 Depends: b | c", "b 1", "b 2 Conflicts: a", "c 1"), "a") == "a c"
    assert _solve(_index("a 1 Depends: b | c", "b 1", "b 2 Conflicts: a", "c 1 Conflicts: a"), "a") == "a b=1"


def test_an_older_version_of_a_provider_serves_where_nothing_else_does() -> None:
    assert _solve(_index("a 1 Depends: v", "b 2 Conflicts: a; Provides: v", "b 1 Provides: v"), "a") == "a b=1"
    assert _solve(_index("a 1 Depends: v", "b 2", "b 1 Provides: v"), "a") == "a b=1"


def test_a_certain_package_gives_way_to_a_version_that_is_needed_later() -> None:
    stanzas = ["a 1 Depends: b, c | d", "b 2", "b 1", "c 1 Depends: b (<< 2)", "d 1 Conflicts: a"]
    assert _solve(_index(*stanzas), "a") == "a b=1 c"


def test_a_choice_that_leads_nowhere_is_taken_back() -> None:
    assert _solve(_index("a 1 Depends: b | c", "b 1 Depends: gone", "c 1"), "a") == "a c"
    found = _index("a 1 Depends: b | c, d | e", "b 1 Depends: x | y", "c 1", "x 1 Conflicts: a", "y 1 Depends: gone",
                   "d 1 Breaks: c", "e 1")  # fmt: skip
    assert _solve(found, "a") == "a c e"


def test_providers_by_priority_and_then_by_the_index() -> None:
    plain = ["a 1 Depends: mta", "x 1 Provides: mta", "y 1 Provides: mta"]
    assert _solve(_index(*plain), "a") == "a x"
    assert _solve(_index(*plain, "z 1 Provides: mta; Priority: standard"), "a") == "a z"
    assert _solve(_index(*plain, "z 1 Provides: mta; Essential: yes"), "a") == "a z"
    assert _solve(_index(*plain), "mta") == "x"


def test_the_real_package_goes_before_its_providers() -> None:
    found = _index("a 1 Depends: b", "x 1 Provides: b", "b 1")
    assert _solve(found, "a") == "a b"
    assert _solve(_index("a 1 Depends: b", "x 1 Provides: b", "b 1 Conflicts: a"), "a") == "a x"


def test_versioned_provides() -> None:
    stanzas = ["a 1 Depends: abi (>= 2)", "x 9 Provides: abi", "y 9 Provides: abi (= 1)", "z 1 Provides: abi (= 2.1)"]
    assert _solve(_index(*stanzas), "a") == "a z"
    assert _failure(_index(*stanzas[:3]), "a").code == "F133"


@pytest.mark.parametrize(
    "stanzas",
    [
        ["a 1 Conflicts: b", "b 1"],
        ["a 1 Breaks: b (<< 2)", "b 1"],
        ["a 1", "b 1 Conflicts: a"],
        ["a 1 Conflicts: v", "b 1 Provides: v"],
        ["a 1 Provides: v", "b 1 Breaks: v"],
        ["a 1 Conflicts: v (<< 3)", "b 1 Provides: v (= 2)"],
    ],
)
def test_conflicts(stanzas: list[str]) -> None:
    diagnostic = _failure(_index(*stanzas), "a b")
    assert diagnostic.code == "F133"
    assert diagnostic.message == "b can't be had"
    assert "b 1 can't be together with a 1" in diagnostic.notes


@pytest.mark.parametrize(
    "stanzas",
    [
        ["a 1 Breaks: b (<< 2)", "b 2"],
        ["a 1 Conflicts: v; Provides: v", "b 1"],
        ["a 1 Conflicts: b:i386", "b 1"],
        ["a 1 Conflicts: v (<< 3)", "b 1 Provides: v"],
        ["a 1 Conflicts: a (<< 1)", "b 1"],
    ],
)
def test_no_conflicts(stanzas: list[str]) -> None:
    assert _solve(_index(*stanzas), "a b") == "a b"


def test_without_counts_as_present_and_is_not_chosen() -> None:
    found = _index("a 1 Depends: b (>= 9), c", "b 1 Provides: virtual; Depends: d", "c 1 Depends: virtual | e", "d 1",
                   "e 1")  # fmt: skip
    assert _solve(found, "a", "b") == "a c"
    assert _solve(found, "a", "b c") == "a"
    assert _solve(found, "d", "virtual") == "d"


def test_an_unknown_package() -> None:
    diagnostic = _failure(_index("a 1"), "a nginx-lite")
    assert (diagnostic.code, diagnostic.message) == ("F132", "the archive has no package nginx-lite")


def test_an_error_names_who_wanted_what() -> None:
    diagnostic = _failure(_index("a 1 Depends: b", "b 1 Depends: c", "c 2 Depends: d (>= 3) | e", "d 1", "d 2"), "a")
    assert diagnostic.message == "c needs d (>= 3) | e, which can't be had"
    assert diagnostic.notes == (
        "the archive has d 1, 2",
        "the archive has no e",
        "c is needed by b",
        "b is needed by a",
        "a was asked for",
    )


def test_the_failure_of_what_was_preferred_is_reported() -> None:
    found = _index("a 1 Depends: b | c", "b 1 Depends: wanted", "c 1 Depends: second")
    assert _failure(found, "a").message == "b needs wanted, which can't be had"


def test_a_malformed_relation_is_the_archives_fault() -> None:
    assert _failure(_index("a 1 Depends: b (1)", "b 1"), "a").code == "F131"
    assert _failure(_index("a 1 Depends: b (>= 1)", "b x:1"), "a").code == "F131"


def test_choices_that_have_nothing_to_do_with_a_failure_are_not_tried_again() -> None:
    stanzas = [f"p{n} 1 Depends: l{n} | r{n}" for n in range(40)]
    stanzas += [f"{side}{n} 1" for n in range(40) for side in "lr"]
    needs = ", ".join(f"p{n}" for n in range(40))
    stanzas += ["last 1 Depends: x | y", "x 1 Conflicts: a", "y 1 Depends: a (>= 2)"]
    diagnostic = _failure(_index(f"a 1 Depends: {needs}, last | final", *stanzas), "a")
    assert diagnostic.message == "y needs a (>= 2), which can't be had"
    assert not any("too many" in n for n in diagnostic.notes)


def test_a_hopeless_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven pigeons have no place in six holes, which takes long to see."""
    monkeypatch.setattr(search, "MAX_CONFLICTS", 100)
    stanzas = [f"pigeon{p} 1 Depends: {' | '.join(f'in{p}-{h}' for h in range(6))}" for p in range(7)]
    stanzas += [f"in{p}-{h} 1 Provides: hole{h}; Conflicts: hole{h}" for p in range(7) for h in range(6)]
    diagnostic = _failure(_index(*stanzas), " ".join(f"pigeon{p}" for p in range(7)))
    assert diagnostic.code == "F133"
    assert diagnostic.notes[-1] == "not every combination of alternatives was tried: there are too many"


def test_a_long_chain_needs_no_deep_stack() -> None:
    stanzas = [f"p{n} 1 Depends: p{n + 1} | q{n + 1}" for n in range(1500)]
    stanzas += [f"q{n + 1} 1" for n in range(1500)]
    assert len(solve.solve(_index(*stanzas, "p1500 1"), ["p0"], (), "amd64")) == 1501


NAMES = ("a", "b", "c", "d")
atoms = st.builds(
    lambda name, relation: f"{name} {relation}".strip(),
    st.sampled_from((*NAMES, "v")),
    st.sampled_from(("", "", "(>= 2)", "(<< 2)", "(= 1)")),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "Depends": st.lists(st.lists(atoms, min_size=1, max_size=2).map(" | ".join), min_size=1, max_size=2).map(
            ", ".join
        ),
        "Conflicts": atoms,
        "Provides": st.sampled_from(("v", "v (= 1)", "v (= 2)", "a")),
    },
)
universes = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(("1", "2", "3"))),
    fields.map(lambda f: "; ".join(f"{k}: {v}" for k, v in f.items())),
    min_size=1,
    max_size=7,
)


@settings(max_examples=400, deadline=None)
@given(universes, st.sets(st.sampled_from(NAMES), min_size=1, max_size=2))
def test_finds_a_solution_exactly_when_there_is_one(universe: dict[tuple[str, str], str], names: set[str]) -> None:
    found = _index(*(f"{name} {number} {text}" for (name, number), text in universe.items()))
    packages = [p for name in NAMES for p in found.named(name)]
    possible = any(
        _holds(subset, names)
        for count in range(1, len(packages) + 1)
        for subset in itertools.combinations(packages, count)
    )
    try:
        solution = solve.solve(found, sorted(names), (), "amd64")
    except FinbackError:
        assert not possible
    else:
        assert _holds(solution, names)


def _holds(subset: tuple[Package, ...], names: set[str]) -> bool:
    """Whether *subset* can be installed and has *names*: Policy 7, said the slow way."""
    if len({p.name for p in subset}) < len(subset) or not all(_there(Atom(n), subset) for n in names):
        return False
    return all(
        all(any(_there(atom, subset) for atom in need) for need in parse(p.depends, "amd64"))
        and not any(_there(atom, [o for o in subset if o is not p]) for (atom,) in parse(p.conflicts, "amd64"))
        for p in subset
    )


def _there(atom: Atom, subset: tuple[Package, ...] | list[Package]) -> bool:
    offers = [(p.name, p.version) for p in subset]
    offers += [(a.name, a.version) for p in subset for (a,) in parse(p.provides, "amd64")]
    return any(
        name == atom.name
        and (not atom.operator or (number != "" and version.satisfies(number, atom.operator, atom.version)))
        for name, number in offers
    )
