"""What is wrong, or not explained, in a component's definition, as far as its text tells."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from finback.component.bench import Machine, subject
from finback.component.definition import ComponentFile, Concatenation, Keep
from finback.component.library import Component
from finback.component.merged_usr import moved
from finback.component.privilege import is_word, privileges
from finback.component.proof import Proof
from finback.ground.diagnostic import Diagnostic
from finback.spec.check import check as check_spec
from finback.spec.settings import check_settings, problem

SUMMARY = 120
_PORT = re.compile(r"([0-9]{1,5})/(tcp|udp)")
NOBODY = 65534


def check(component: Component) -> Iterator[Diagnostic]:
    """All findings about *component*."""
    for rule in RULES:
        yield from rule(component)


def _summary(component: Component) -> Iterator[Diagnostic]:
    text, span = component.definition.summary, component.definition.origin.at("summary")
    if text != " ".join(text.split()) or not text or len(text) > SUMMARY:
        yield problem("F100", "the summary is not one line", span, f"write one of at most {SUMMARY} letters")
    elif text.endswith("."):
        yield problem("F100", "the summary ends with a full stop", span, "leave it out")
    elif text[0].islower() and text.split()[0].isalpha() and text.split()[0] != component.name:
        yield problem("F100", "the summary begins with a small letter", span, f"write {text[0].upper()}{text[1:8]}...")


def _settings(component: Component) -> Iterator[Diagnostic]:
    if component.definition.label is not None:
        yield from check_settings(component.definition.label)


def _reasons(component: Component) -> Iterator[Diagnostic]:
    definition = component.definition
    reasons = definition.reasons or {}
    had = {p.word: p for p in privileges(definition)}
    for word, privilege in had.items():
        if not reasons.get(word, "").strip():
            advice = f"leave it out, or say what for: `reasons: {{{word}: ...}}`"
            yield problem("F102", f"{component.name} {privilege.meaning} for no reason", privilege.span, advice)
    for field, given in (("reasons", reasons), ("unproven", definition.unproven or {})):
        for word in given:
            if word not in had:
                known = ", ".join(had) or "none"
                what = f"it does not have {word}" if is_word(word) else f"{word!r} is no privilege"
                advice = f"remove it; what needs a reason here: {known}"
                yield problem("F103", f"`{field}`: {what}", definition.origin.at(field, word), advice)


def _users(component: Component) -> Iterator[Diagnostic]:
    definition = component.definition
    label = definition.label
    known = {str(u.uid): u.name for u in definition.users or ()} | {u.name: u.name for u in definition.users or ()}
    if label is not None and label.uid and label.uid != NOBODY and str(label.uid) not in known:
        advice = f"add it: `users: [{{name: {component.name}, uid: {label.uid}}}]`"
        yield problem("F104", f"no user of the image has the id {label.uid}", label.origin.at("uid"), advice)
    ids: dict[int, str] = {}
    for user in definition.users or ():
        if user.uid in ids:
            message = f"{user.name} and {ids[user.uid]} are both {user.uid}"
            yield problem("F104", message, user.origin.at("uid"), "give one of them another id")
        ids[user.uid] = user.name


def _ports(component: Component) -> Iterator[Diagnostic]:
    config = component.definition.config
    ports = (config.exposed_ports if config else None) or ()
    for i, text in enumerate(ports):
        found = _PORT.fullmatch(text)
        if found is None or not 0 < int(found[1]) < 65536:
            span = config.origin.at("exposedPorts", i) if config else None
            yield problem("F105", f"{text!r} is not a port", span, "write NUMBER/tcp or NUMBER/udp")
    proof = component.definition.test or Proof()
    if proof.services or proof.onboot:
        # Others may listen.
        return
    for test in proof.expect or ():
        asked = test.http or test.tcp
        if asked is not None and f"{asked.port}/tcp" not in ports:
            advice = f"declare it: `config: {{exposedPorts: [{asked.port}/tcp]}}`"
            message = f"{component.name} listens on a port that it does not declare"
            yield problem("F105", message, asked.origin.at("port"), advice)


def _proof(component: Component) -> Iterator[Diagnostic]:
    proof = component.definition.test
    if proof is None or not proof.expect:
        advice = "say what shows that it does its job: `test: {expect: [...]}`; of what nothing can: `unseen: ...`"
        span = component.definition.origin.at("test")
        yield problem("F106", f"{component.name} has no test", span, advice)
        return
    yield from check_spec(Machine(subjects=(subject(component),)).spec("ttyS0"))


def _places(component: Component) -> Iterator[Diagnostic]:
    """Each path is given once, as one thing: /bin/x is /usr/bin/x, and nothing lies below what is no directory."""
    given: dict[str, ComponentFile | Concatenation] = {}
    items: list[ComponentFile | Concatenation] = [*(component.definition.concatenate or ())]
    items += component.definition.files or ()
    for item in items:
        path = moved(posixpath.normpath(f"/{item.path}").strip("/"))
        earlier = given.setdefault(path, item)
        if earlier is not item:
            advice = "keep one of them"
            yield problem("F101", f"{_described(earlier)}, and then {_described(item)}", item.origin.span, advice)
    for path, item in given.items():
        for above in _above(path):
            found = given.get(above)
            if found is not None and not (isinstance(found, ComponentFile) and found.directory):
                message = f"{item.path} lies below something that is no directory: {_described(found)}"
                yield problem("F101", message, item.origin.span, "name it by the directory that it is to be in")


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _described(item: ComponentFile | Concatenation) -> str:
    if isinstance(item, Concatenation):
        return f"{item.path} is joined of {item.of}"
    if item.symlink is not None:
        return f"{item.path} is a link to {item.symlink}"
    return f"{item.path} is a {'directory' if item.directory else 'file'}"


def _lists(component: Component) -> Iterator[Diagnostic]:
    """Nothing is named twice where once is enough."""
    definition = component.definition
    keep = definition.keep or Keep()
    lists = {
        "packages": (definition.packages, definition.origin), "without": (definition.without, definition.origin),
        "answers": (definition.answers, definition.origin), "programs": (keep.programs, keep.origin),
        "paths": (keep.paths, keep.origin), "data": (keep.data, keep.origin), "drop": (keep.drop, keep.origin),
    }  # fmt: skip
    for key, (values, origin) in lists.items():
        for index, value in enumerate(values or ()):
            if value in (values or ())[:index]:
                message = f"`{key}` names {value} twice"
                yield problem("F101", message, origin.at(key, index), "remove one of them")


RULES: tuple[Callable[[Component], Iterator[Diagnostic]], ...] = (
    _summary, _settings, _reasons, _users, _ports, _proof, _places, _lists,
)  # fmt: skip
