"""What can be known to be wrong in `tests`."""

from __future__ import annotations

from collections.abc import Iterator

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.expectation import Expectation
from finback.spec.model import Item, Spec
from finback.spec.settings import did_you_mean, problem
from finback.spec.supervised import MAX_SECONDS

KINDS = ("console", "http", "tcp", "service")


def check_tests(spec: Spec) -> Iterator[Diagnostic]:
    """All findings about the tests of *spec*."""
    services = {s.name: s for s in spec.services or ()}
    for test in spec.tests or ():
        yield from _kind(test)
        if test.within is not None and not 1 <= test.within <= MAX_SECONDS:
            advice = f"write seconds, 1 to {MAX_SECONDS}"
            yield problem("F064", f"`within: {test.within}` is out of range", test.origin.at("within"), advice)
        if test.console == "":
            yield problem("F067", "every line has that", test.origin.at("console"), "write a text to look for")
        for asked in (test.http, test.tcp):
            if asked is not None:
                yield from _port(asked.port, asked.origin.at("port"))
        if test.http and test.http.path is not None and not test.http.path.startswith("/"):
            advice = f"write `path: /{test.http.path}`"
            yield problem("F067", "a path begins with /", test.http.origin.at("path"), advice)
        yield from _service(test, services)


def _kind(test: Expectation) -> Iterator[Diagnostic]:
    given = [k for k in KINDS if getattr(test, k) is not None]
    if len(given) == 1 or any((k,) in test.origin.spans and getattr(test, k) is None for k in KINDS):
        return
    if given:
        message = f"a test asks one thing, not {' and '.join(f'`{k}`' for k in given)}"
        yield problem("F066", message, test.origin.at(given[1]), "make two tests of it")
    else:
        yield problem("F066", "this test asks nothing", test.origin.span, f"add one of {', '.join(KINDS)}")


def _port(port: int, span: Span | None) -> Iterator[Diagnostic]:
    if not 0 < port < 65536:
        yield problem("F064", f"{port} is not a port", span, "write a number from 1 to 65535")


def _service(test: Expectation, services: dict[str, Item]) -> Iterator[Diagnostic]:
    asked = test.service
    if asked is None:
        return
    service = services.get(asked.name)
    if service is None:
        advice = did_you_mean(asked.name, services, "name a service of this file")
        yield problem("F061", f"there is no service {asked.name!r}", asked.origin.at("name"), advice)
    elif asked.state in ("ready", "unready") and service.ready is None:
        advice = f"write `state: up`, or give {asked.name} a `ready:`"
        yield problem("F067", f"{asked.name} never says whether it is ready", asked.origin.at("state"), advice)
    elif asked.state in ("done", "failed") and service.restart in (None, "always") and service.start_limit is None:
        advice = f"give {asked.name} a `startLimit:`, or another `restart:`"
        yield problem("F067", f"{asked.name} is always started again", asked.origin.at("state"), advice)
