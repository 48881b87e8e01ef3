from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Source
from finback.resolve.supervision import Supervision, supervision
from finback.spec.check import check
from finback.spec.decode import load
from finback.spec.model import Spec
from finback.spec.ordering import waves


def findings(text: str) -> list[Diagnostic]:
    return list(check(load(Spec, Source("t.yml", text))))


def service(settings: str, name: str = "s") -> str:
    return f"{{name: {name}, image: i, {settings}}}"


def services(*settings: str) -> str:
    return f"services: [{', '.join(service(s, n) for n, s in zip('abcdef', settings, strict=False))}]"


WRONG = [
    (services("onFailure: halt"), "F060", "move a to `onboot`"),
    (services("timeout: 5"), "F060", "stop: {timeout"),
    ("onboot: [{name: s, image: i, restart: 'no'}]", "F060", "`services`"),
    ("onboot: [{name: s, image: i, ready: {tcp: 80}}]", "F060", "`services`"),
    ("onboot: [{name: s, image: i, needs: []}]", "F060", "order of the list"),
    ("onshutdown: [{name: s, image: i, onFailure: halt}]", "F060", "`onboot`"),
    (services("needs: [zz]"), "F061", "another service"),
    (services("needs: [long-name]") + "\nonboot: [{name: long-name, image: i}]", "F061", "ended before"),
    (services("needs: [a]"), "F062", "remove it"),
    (services("needs: [b]", "needs: [a]"), "F062", "one of these"),
    (services("needs: [b]", "needs: [c]", "needs: [b]"), "F062", "one of these"),
    (services("ready: {}"), "F063", "add one of file, socket"),
    (services("ready: {notify: false}"), "F063", "add one of"),
    (services("ready: {tcp: 80, file: /x}"), "F063", "keep one"),
    (services("ready: {tcp: 0}"), "F064", "65535"),
    (services("ready: {file: run/x}"), "F064", "file: /run/x"),
    (services("ready: {socket: x}"), "F064", "socket: /x"),
    (services("ready: {http: 'https://x/'}"), "F064", "command:"),
    (services("""ready: {http: "http://x/'"}"""), "F064", "command:"),
    (services("ready: {tcp: 80, timeout: 0}"), "F064", "86400"),
    (services("stop: {signal: SIGTRM}"), "F064", "SIGTERM"),
    (services("stop: {timeout: 100000}"), "F064", "86400"),
    (services("backoff: {first: 0}"), "F064", "86400"),
    (services("backoff: {first: 9, most: 3}"), "F064", "most: 9"),
    (services("startLimit: {starts: 0, within: 5}"), "F064", "1000"),
    (services("startLimit: {starts: 2, within: 0}"), "F064", "86400"),
    ("tests: [{name: x}]", "F066", "console"),
    ("tests: [{console: x, tcp: {port: 1}}]", "F066", "two tests"),
    ("tests: [{console: x, within: 0}]", "F064", "86400"),
    ("tests: [{console: ''}]", "F067", "look for"),
    ("tests: [{http: {port: 0}}]", "F064", "65535"),
    ("tests: [{http: {port: 80, path: x}}]", "F067", "path: /x"),
    (services("cwd: /") + "\ntests: [{service: {name: b}}]", "F061", "name a service"),
    (services("cwd: /") + "\ntests: [{service: {name: a, state: ready}}]", "F067", "state: up"),
    (services("cwd: /") + "\ntests: [{service: {name: a, state: failed}}]", "F067", "startLimit"),
    ("tests: [{exec: {command: []}}]", "F067", "name a program"),
    (services("cwd: /") + "\ntests: [{exec: {service: b, command: [x]}}]", "F061", "name a service"),
    ("tests: [{size: {most: 0}}]", "F064", "megabytes"),
    ("machine: {memory: 4}", "F064", "MiB"),
    ("machine: {cpus: 0}", "F064", "256"),
    ("machine: {disks: [2G, 2T]}", "F028", "2G"),
    ("tests: [{file: {path: ./x}}]", "F064", "path: /x"),
    ("tests: [{file: {path: /x, service: b}}]", "F061", "name a service"),
    ("tests: [{file: {path: /x, exists: false, contains: x}}]", "F067", "remove"),
    ("tests: [{do: {}}]", "F066", "powerCut"),
    ("tests: [{do: {reboot: false}}]", "F066", "powerCut"),
    ("tests: [{do: {reboot: true, powerCut: true}}]", "F066", "one after the other"),
    ("tests: [{do: {kill: b}}]", "F061", "name a service"),
    ("tests: [{do: {exec: {command: []}}}]", "F067", "name a program"),
    ("tests: [{do: {reboot: true}, console: x}]", "F066", "two tests"),
    ("tests: [{tcp: {port: 1}}]\nmachine: {networking: none}", "F067", "`exec`"),
    ("machine: {disks: ['1G,bus=ide']}", "F028", "nvme"),
    ("machine: {disks: ['1G,serial=a b']}", "F028", "serial"),
    ("init: ['finback/containerd']\n" + services("ready: {notify: true}"), "F065", "another key"),
]


@pytest.mark.parametrize(("text", "code", "remedy"), WRONG, ids=[f"{c}-{i}" for i, (_, c, _) in enumerate(WRONG)])
def test_what_is_wrong(text: str, code: str, remedy: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert remedy in found.help
    assert found.span is not None


def test_a_circle_names_its_services_and_where_they_are() -> None:
    text = "services:\n" + "".join(
        f"  - {service(f'needs: [{need}]', name)}\n" for name, need in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"))
    )
    (found,) = findings(text)
    assert found.message.endswith("a needs b needs c needs a")
    assert str(found.span) == "t.yml:4:33"
    assert found.notes == ("a is at t.yml:2:32", "b is at t.yml:3:32")


def test_two_circles_are_two_findings() -> None:
    assert [d.code for d in findings(services("needs: [b, c]", "needs: [a]", "needs: [a]"))] == ["F062", "F062"]


def test_a_back_off_without_restart_is_doubtful() -> None:
    (found,) = findings(services("restart: no, backoff: {first: 2}"))
    assert (found.code, found.severity) == ("F054", Severity.WARNING)


RIGHT = [
    services("needs: [b, b]", "restart: on-failure", "needs: [a]"),
    services("ready: {http: 'http://127.0.0.1:8080/a?b=c'}, stop: {signal: SIGQUIT, timeout: 30}"),
    services("ready: {command: [a, b], timeout: 5}, startLimit: {starts: 3, within: 9}, backoff: {most: 4}"),
    "init: ['finback/init']\n" + services("ready: {notify: true}"),
    services("restart: 'no'") + "\ntests: [{service: {name: a, state: failed}}, {tcp: {port: 22}}, {console: x}]",
    "machine: {memory: 16, cpus: 2, disks: [2G, 10M]}\ntests: [{exec: {command: [x]}}, {size: {most: 1}}]",
    "machine: {disks: ['1G,bus=nvme,serial=x-1', '1M,serial=y'], networking: none}\ntests: [{do: {powerCut: true}}]",
    "onboot: [{name: s, image: i, onFailure: reboot, timeout: 9}]\nonshutdown: [{name: s, image: i, timeout: 9}]",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right(text: str) -> None:
    assert findings(text) == []


def test_a_plain_file_gets_the_defaults() -> None:
    spec = load(Spec, Source("t.yml", services("readonly: true")))
    assert spec.services is not None
    assert supervision(spec.services[0]) == Supervision()


def test_what_is_given_is_completed() -> None:
    text = services("restart: on-failure, backoff: {first: 90}, ready: {tcp: 1, timeout: 7}, stop: {signal: SIGINT}")
    spec = load(Spec, Source("t.yml", text))
    assert spec.services is not None
    made = supervision(spec.services[0])
    assert (made.restart, made.first_wait, made.longest_wait) == ("on-failure", 90, 90)
    assert (made.ready_within, made.stop_signal, made.stop_within) == (7, "SIGINT", 5)


@given(st.dictionaries(st.integers(0, 20), st.lists(st.integers(0, 20), max_size=3), max_size=12))
def test_an_order_has_every_need_first_or_there_is_a_circle(graph: dict[int, list[int]]) -> None:
    needs = {f"s{n}": [f"s{m}" for m in ms if m in graph] for n, ms in graph.items()}
    text = "services: [" + ", ".join(service(f"needs: [{', '.join(ns)}]", n) for n, ns in needs.items()) + "]"
    circles = [d for d in findings(text) if d.code == "F062"]
    try:
        order = [n for group in waves(needs) for n in group]
    except ValueError:
        assert circles
        return
    assert not circles
    assert sorted(order) == sorted(needs)
    rank = {n: i for i, group in enumerate(waves(needs)) for n in group}
    assert all(rank[m] < rank[n] for n, ns in needs.items() for m in ns)
