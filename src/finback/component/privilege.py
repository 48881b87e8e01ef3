"""What a component's containers may do beyond running a program on a read-only root, by the words that name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from finback.component.definition import Definition, ImageConfig, Keep
from finback.component.glob import parted
from finback.ground.source import Span
from finback.spec.capability import CAPABILITIES
from finback.spec.model import Settings
from finback.spec.mount import parse_bind

NAME_SERVERS = "/run/resolvconf/resolv.conf"
SHELLS = ("busybox", "sh", "dash", "bash")
WORDS = (
    "all", "net", "pid", "ipc", "uts", "userns", "devices", "writable", "newPrivileges", "syscalls", "confinement",
    "shell",
)  # fmt: skip
"""Words of `reasons` beside capabilities and the sources of binds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """One privilege of a component."""

    word: str
    """A capability, `all`, the source of a bind, or one of `WORDS`."""
    meaning: str
    """For messages: "it ..."."""
    span: Span | None


def privileges(definition: Definition) -> Iterator[Privilege]:
    """What needs a reason."""
    if is_run(definition):
        label = definition.label or Settings()
        yield from _capabilities(label)
        yield from _namespaces(definition, label)
        yield from _places(label)
        if not label.readonly:
            yield Privilege(word="writable", meaning="can write to its root", span=_at(definition, "readonly"))
        if not label.no_new_privileges:
            meaning = "can gain privileges from set-user-id programs"
            yield Privilege(word="newPrivileges", meaning=meaning, span=_at(definition, "noNewPrivileges"))
        yield from _confinement(label)
        yield from _shell(definition)


def is_run(definition: Definition) -> bool:
    """Whether containers are made of it; otherwise it is unpacked into the machine's root, or into an image."""
    config = definition.config or ImageConfig()
    return bool(definition.label or config.entrypoint or config.cmd)


def _at(definition: Definition, key: str) -> Span | None:
    return definition.label.origin.at(key) if definition.label else definition.origin.span


def _capabilities(label: Settings) -> Iterator[Privilege]:
    seen = set()
    for key in ("capabilities", "ambient"):
        for i, name in enumerate(getattr(label, key) or ()):
            if name not in seen and name.lower() != "none":
                seen.add(name)
                word = "all" if name.lower() == "all" else name
                meaning = "has every capability" if word == "all" else f"has {name}"
                yield Privilege(word=word, meaning=meaning, span=label.origin.at(key, i))


def _namespaces(definition: Definition, label: Settings) -> Iterator[Privilege]:
    ports = definition.config.exposed_ports if definition.config else None
    asks = any(b.startswith(NAME_SERVERS) for b in label.binds or ())
    # Ports, and a resolver's file, say by themselves what the network is for.
    if label.net in (None, "host", "root") and not ports and not asks:
        yield Privilege(word="net", meaning="is in the machine's network", span=_at(definition, "net"))
    for key, what in (("pid", "sees all processes"), ("ipc", "shares the machine's IPC"), ("uts", "can set the name")):
        if getattr(label, key) in ("host", "root"):
            yield Privilege(word=key, meaning=what, span=label.origin.at(key))
    if label.userns == "host":
        yield Privilege(word="userns", meaning="has no users of its own", span=label.origin.at("userns"))


def _places(label: Settings) -> Iterator[Privilege]:
    for i, text in enumerate(label.binds or ()):
        try:
            bind = parse_bind(text)
        except ValueError:
            continue
        configuration = "ro" in bind.options and (
            bind.source.startswith("/run/config") or (bind.source.startswith("/etc/") and bind.source.count("/") > 1)
        )
        # Nodes are of no use without the permission, and the other way round.
        node = bool(label.devices) and (bind.source == "/dev" or bind.source.startswith("/dev/"))
        if bind.source != NAME_SERVERS and not configuration and not node:
            meaning = f"has the machine's {bind.source}"
            yield Privilege(word=bind.source, meaning=meaning, span=label.origin.at("binds", i))
    if label.devices:
        yield Privilege(word="devices", meaning="may use devices", span=label.origin.at("devices"))


def _confinement(label: Settings) -> Iterator[Privilege]:
    if label.syscalls:
        meaning = f"may call {', '.join(label.syscalls)}"
        yield Privilege(word="syscalls", meaning=meaning, span=label.origin.at("syscalls"))
    loose = {
        "seccomp": label.seccomp == "unconfined",
        "maskedPaths": label.masked_paths == (),
        "readonlyPaths": label.readonly_paths == (),
    }
    key = next((k for k, is_so in loose.items() if is_so), None)
    if key:
        yield Privilege(word="confinement", meaning="is less confined than is usual", span=label.origin.at(key))


def _shell(definition: Definition) -> Iterator[Privilege]:
    keep = definition.keep or Keep()
    scripts = any((f.contents or "").startswith("#!/bin/sh") for f in definition.files or ())
    for i, (program, _) in enumerate(map(parted, keep.programs or ())):
        if program.rpartition("/")[2] in SHELLS and not scripts:
            yield Privilege(word="shell", meaning=f"has a shell, {program}", span=keep.origin.at("programs", i))


def is_word(word: str) -> bool:
    """Whether *word* names a privilege at all."""
    return word in WORDS or word in CAPABILITIES or word.startswith("/")
