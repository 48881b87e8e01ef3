"""What can be known to be wrong in how a container is supervised: keys out of place, values that mean nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec import signal
from finback.spec.model import Item, Spec
from finback.spec.settings import did_you_mean, problem, warning
from finback.spec.supervision import SERVICE_KEYS, STEP_KEYS, Health, Ready

# More than this many seconds, a day, is surely meant otherwise; and the guest's shell can count that far.
MAX_SECONDS = 86400
MAX_STARTS = 1000
_PROBES = tuple(f.name for f in fields(Ready) if f.name not in ("timeout", "origin"))
_HEALTH_PROBES = tuple(p for p in _PROBES if p != "notify")
# What busybox's wget can ask, and a shell's single quotes can hold.
_URL = re.compile(r"http://[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:/[!-&(-~]*)?\Z")


def check_item(item: Item, section: str) -> Iterator[Diagnostic]:
    """All findings about an *item* of *section* that need nothing but the item."""
    yield from _places(item, section)
    if section == "services":
        yield from _service(item)
    if item.timeout is not None:
        yield from _seconds("timeout", item.timeout, item.origin.at("timeout"), 1)


def check_notify(spec: Spec) -> Iterator[Diagnostic]:
    """A service that wants a file descriptor, which containerd does not pass on."""
    if not any(re.search(r"(?:^|/)containerd(?:$|[:@])", image) for image in spec.init or ()):
        return
    for service in spec.services or ():
        if service.ready is not None and service.ready.notify:
            advice = "use another key of `ready`, or remove containerd from `init`"
            span = service.ready.origin.at("notify")
            yield problem("F065", "containerd gives a service no file descriptor to notify", span, advice)


def _places(item: Item, section: str) -> Iterator[Diagnostic]:
    wrong = [k for k in SERVICE_KEYS if section != "services"]
    wrong += [k for k, sections in STEP_KEYS.items() if section not in sections]
    for key in wrong:
        if (key,) not in item.origin.spans:
            continue
        where = " and ".join(f"`{s}`" for s in STEP_KEYS.get(key, ("services",)))
        if key == "needs":
            advice = "remove it: steps run in the order of the list"
        elif key == "timeout":
            advice = "remove it; a service's limits are `stop: {timeout: ...}` and `ready: {timeout: ...}`"
        else:
            advice = f"remove it, or move {item.name} to {where}"
        yield problem("F060", f"`{key}` belongs to {where}, not to `{section}`", item.origin.at(key), advice)


def _service(item: Item) -> Iterator[Diagnostic]:
    at = item.origin.at
    backoff, limit, stop = item.backoff, item.start_limit, item.stop
    if backoff is not None:
        first = 1 if backoff.first is None else backoff.first
        for key in ("first", "most"):
            if getattr(backoff, key) is not None:
                yield from _seconds(key, getattr(backoff, key), backoff.origin.at(key), 1)
        if backoff.most is not None and backoff.most < first:
            advice = f"write `most: {first}` or more"
            yield problem("F064", "`most` is less than the first wait", backoff.origin.at("most"), advice)
    if limit is not None:
        yield from _seconds("within", limit.within, limit.origin.at("within"), 1)
        if not 1 <= limit.starts <= MAX_STARTS:
            advice = f"write a number from 1 to {MAX_STARTS}"
            yield problem("F064", f"{limit.starts} is no number of starts", limit.origin.at("starts"), advice)
    if item.restart == "no" and (backoff or limit):
        key = "backoff" if backoff else "startLimit"
        advice = "remove it, or write `restart: on-failure`"
        yield warning("F054", f"`{key}` has no effect with `restart: no`", at(key), advice)
    if stop is not None:
        if stop.timeout is not None:
            yield from _seconds("timeout", stop.timeout, stop.origin.at("timeout"), 1)
        if stop.signal is not None:
            yield from _signal(stop.signal, stop.origin.at("signal"))
    if item.ready is not None:
        yield from _asked("ready", item.ready, _PROBES)
    if item.health is not None:
        yield from _health(item.health)
        yield from _asked("health", item.health, _HEALTH_PROBES)


def _signal(given: int | str, span: Span | None) -> Iterator[Diagnostic]:
    try:
        signal.parse(given)
    except ValueError:
        guess = "SIG" + str(given).upper().removeprefix("SIG")
        usual = "write a name such as SIGTERM, SIGINT, SIGQUIT or SIGRTMIN+3, or a number from 1 to 64"
        advice = did_you_mean(guess, tuple(signal.NUMBERS), usual)
        yield problem("F064", f"{given!r} is not a signal", span, advice)


def _health(health: Health) -> Iterator[Diagnostic]:
    at = health.origin.at
    for key, value in (("interval", health.interval), ("retries", health.retries)):
        if value is not None:
            yield from _seconds(key, value, at(key), 1)
    if health.start_period is not None:
        yield from _seconds("startPeriod", health.start_period, at("startPeriod"), 0)


def _asked(word: str, ready: Ready | Health, probes: tuple[str, ...]) -> Iterator[Diagnostic]:
    at = ready.origin.at
    values = {k: getattr(ready, k) for k in probes}
    given = [k for k, v in values.items() if not (v is None or v is False or v == ())]
    if len(given) != 1:
        if any((k,) in ready.origin.spans for k in probes if getattr(ready, k) is None):
            return  # one is given and could not be read, which is reported already
        what = " and ".join(f"`{k}`" for k in given) or "nothing that can be asked"
        span = at(given[1]) if given else ready.origin.span
        advice = "keep one of them" if given else f"add one of {', '.join(probes)}"
        yield problem("F063", f"`{word}` has {what}", span, advice)
    for key in ("file", "socket"):
        path = getattr(ready, key)
        if path is not None and not path.startswith("/"):
            advice = f"write `{key}: /{path.lstrip('./')}`"
            yield problem("F064", f"the path {path!r} is not absolute", at(key), advice)
    if ready.tcp is not None and not 0 < ready.tcp < 65536:
        yield problem("F064", f"{ready.tcp} is not a port", at("tcp"), "write a number from 1 to 65535")
    if ready.http is not None and not _URL.match(ready.http):
        advice = "write it such as http://127.0.0.1:8080/health; a `command:` can ask anything else"
        yield problem("F064", f"{ready.http!r} is not a URL that can be asked", at("http"), advice)
    if ready.timeout is not None:
        yield from _seconds("timeout", ready.timeout, at("timeout"), 1)


def _seconds(key: str, value: int, span: Span | None, least: int) -> Iterator[Diagnostic]:
    if not least <= value <= MAX_SECONDS:
        advice = f"write seconds, {least} to {MAX_SECONDS}"
        yield problem("F064", f"`{key}: {value}` is out of range", span, advice)
