"""The order of services: what `needs` says, as a graph.

Source: A. B. Kahn, "Topological sorting of large networks", 1962, through Python's graphlib.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from finback.ground.diagnostic import Diagnostic
from finback.spec.model import Item, Spec
from finback.spec.settings import did_you_mean, problem


def waves(needs: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The services, by name, in groups: what one needs is in a group before its own.

    Raises:
        ValueError: they need each other in a circle.

    """
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError as failure:
        raise ValueError(str(failure)) from None
    made = []
    while sorter.is_active():
        group = sorter.get_ready()
        made.append(group)
        sorter.done(*group)
    return tuple(made)


def check_needs(spec: Spec) -> Iterator[Diagnostic]:
    """Needs that nothing fulfils, and circles."""
    services = {s.name: s for s in spec.services or ()}
    steps = {i.name for i in (*(spec.onboot or ()), *(spec.onshutdown or ()))}
    for service in services.values():
        for i, need in enumerate(service.needs or ()):
            if need in services:
                continue
            if need in steps:
                advice = "remove it: steps of `onboot` have ended before any service starts"
            else:
                advice = did_you_mean(need, services, "name another service of this file")
            message = f"{service.name} needs {need!r}, and there is no such service"
            yield problem("F061", message, service.origin.at("needs", i), advice)
    yield from _circles(services)


def _circles(services: Mapping[str, Item]) -> Iterator[Diagnostic]:
    """Each circle once: it is cut where it was found, so that the search ends."""
    graph = {n: [need for need in dict.fromkeys(s.needs or ()) if need in services] for n, s in services.items()}
    places = {n: i for i, n in enumerate(graph)}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as failure:
            # graphlib lists each before what needs it, the first again at the end.
            circle = list(reversed(failure.args[1]))[:-1]
        else:
            return
        first = circle.index(min(circle, key=lambda n: places[n]))
        circle = circle[first:] + circle[:first]
        yield _circle(services, circle)
        graph[circle[-1]].remove(circle[0])


def _circle(services: Mapping[str, Item], names: list[str]) -> Diagnostic:
    last = services[names[-1]]
    span = last.origin.at("needs", (last.needs or ()).index(names[0]))
    if len(names) == 1:
        return problem("F062", f"{names[0]} needs itself", span, "remove it")
    message = f"services wait for each other: {' needs '.join([*names, names[0]])}"
    notes = (f"{n} is at {services[n].origin.at('needs')}" for n in names[:-1])
    return problem("F062", message, span, "remove one of these needs", *notes)
