"""A container's seccomp profile: the default one, or one from a file, as the OCI runtime configuration has it.

A file is either that, `linux.seccomp`, or the form of Docker and Podman, whose rules depend on capabilities and
architectures. Source: OCI runtime specification 1.2, config-linux.md, section "Seccomp"; moby/profiles, seccomp.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from finback.codec import strict_json
from finback.codec.strict_json import JsonError, Node
from finback.ground.diagnostic import error
from finback.ground.platform import Platform
from finback.ground.source import Span
from finback.host.store import Store
from finback.resolve.plan import Container
from finback.spec.capability import expand
from finback.spec.model import Settings
from finback.spec.syscall import (
    ALLOWED,
    BY_CAPABILITY,
    NEW_NAMESPACES,
    NEW_TIME,
    PERSONALITIES,
    REFUSED_FAMILIES,
)

LIMIT = 1 << 20
# An unknown system call does not exist, so that programs fall back to an older one.
ENOSYS = 38
EPERM = 1
_ARCHITECTURES = {
    "amd64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    "arm64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    "riscv64": ("SCMP_ARCH_RISCV64",),
    "s390x": ("SCMP_ARCH_S390X", "SCMP_ARCH_S390"),
}
_UINT64 = (1 << 64) - 1
_RULE = ("names", "action", "errnoRet", "args")


def profile(container: Container, platform: Platform, store: Store) -> dict[str, Any] | None:
    """The profile of *container*; None where it has none.

    Raises:
        FinbackError: F095, its file is no profile; store errors.

    """
    settings = container.settings
    if container.seccomp is not None:
        return from_file(store.read(container.seccomp, LIMIT), settings, platform, container.origin.at("seccomp"))
    return default(settings, platform) if settings.seccomp == "default" else None


def default(settings: Settings, platform: Platform) -> dict[str, Any]:
    """The default profile for a container with the capabilities of *settings*."""
    more = {n for c in _capabilities(settings) for n in BY_CAPABILITY.get(c, ())}
    allowed = {*ALLOWED, *more, *(settings.syscalls or ())}
    rules = [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": ENOSYS,
        "architectures": list(_ARCHITECTURES.get(platform.architecture, ())),
        "syscalls": [*rules, *(r for r in _by_argument(platform) if r["names"][0] not in allowed)],
    }


def _by_argument(platform: Platform) -> Iterator[dict[str, Any]]:
    """The rules for calls that are allowed with some arguments. No two of them fit the same call, for libseccomp does
    not say which it would take.
    """
    # On s390x, the stack comes first. clone3 has its flags in memory, where no filter sees them.
    flags = 1 if platform.architecture == "s390x" else 0
    for name, index, new in (("clone", flags, NEW_NAMESPACES), ("unshare", 0, NEW_NAMESPACES | NEW_TIME)):
        yield _allowed(name, index, "SCMP_CMP_MASKED_EQ", new, 0)
        for bit in range(new.bit_length()):
            lower = new & ((1 << bit) - 1)
            if new & (1 << bit):
                # The lowest of the flags that are set is this one.
                compared = _compared(index, "SCMP_CMP_MASKED_EQ", lower | 1 << bit, 1 << bit)
                yield {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM, "args": [compared]}
    for value in PERSONALITIES:
        yield _allowed("personality", 0, "SCMP_CMP_EQ", value)
    first, last = REFUSED_FAMILIES[0], REFUSED_FAMILIES[-1]
    yield _allowed("socket", 0, "SCMP_CMP_LT", first)
    for value in range(first + 1, last):
        yield _allowed("socket", 0, "SCMP_CMP_EQ", value)
    yield _allowed("socket", 0, "SCMP_CMP_GT", last)


def _allowed(name: str, index: int, operator: str, value: int, second: int | None = None) -> dict[str, Any]:
    compared = _compared(index, operator, value, second)
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [compared]}


def _compared(index: int, operator: str, value: int, second: int | None = None) -> dict[str, Any]:
    return {"index": index, "value": value, **({} if second is None else {"valueTwo": second}), "op": operator}


def from_file(data: bytes, settings: Settings, platform: Platform, span: Span | None) -> dict[str, Any]:
    """The profile that a file's *data* describes.

    Raises:
        FinbackError: F095, it is none.

    """
    try:
        return _decoded(strict_json.read(data), settings, platform)
    except ValueError as failure:
        raise error(
            "F095",
            f"this is no seccomp profile: {failure}"[:300],
            span,
            help="name a JSON file as Docker and Podman take it, `default`, or `unconfined`",
        ) from None


def _decoded(body: Node, settings: Settings, platform: Platform) -> dict[str, Any]:
    action = body.need("defaultAction").text()
    if not action.startswith("SCMP_ACT_"):
        raise JsonError(f"its defaultAction is {action[:40]!r}")
    rules = [_rule(r) for r in body.get("syscalls").items() if _counts(r, _capabilities(settings), platform)]
    kept: dict[str, Any] = {}
    if body.get("defaultErrnoRet"):
        kept["defaultErrnoRet"] = body.get("defaultErrnoRet").integer()
    for key in ("architectures", "flags"):
        if body.get(key):
            kept[key] = _words(body.get(key))
    if "architectures" not in kept and body.get("archMap").items():
        kept["architectures"] = _mapped(body.get("archMap"), platform)
    return {"defaultAction": action, **kept, "syscalls": rules}


def _words(listed: Node) -> list[str]:
    return [word.text() for word in listed.items()]


def _capabilities(settings: Settings) -> frozenset[str]:
    return frozenset({*expand(settings.capabilities), *expand(settings.ambient)})


def _rule(rule: Node) -> dict[str, Any]:
    """The rule as runtimes take it. Source: OCI runtime specification 1.2, config-linux.md, "Seccomp"."""
    out: dict[str, Any] = {"names": _words(rule.get("names")) or [rule.need("name").text()]}
    for key in _RULE[1:]:
        found = rule.get(key)
        if found and found.value != []:
            out[key] = [_argument(a) for a in found.items()] if key == "args" else _scalar(found)
    return out


def _scalar(value: Node) -> str | int:
    return value.integer() if isinstance(value.value, int) else value.text()


def _argument(argument: Node) -> dict[str, Any]:
    numbers = {k: argument.get(k).integer(high=_UINT64) for k in ("index", "value", "valueTwo") if argument.get(k)}
    return {**numbers, "op": argument.need("op").text()}


def _counts(rule: Node, held: Collection[str], platform: Platform) -> bool:
    """Whether a rule's conditions hold. A kernel of `minKernel` is taken for granted: those here are newer."""
    includes, excludes = rule.get("includes"), rule.get("excludes")
    arches = {platform.architecture, *(a.removeprefix("SCMP_ARCH_").lower() for a in _native(platform))}
    wanted, unwanted = _words(includes.get("arches")), _words(excludes.get("arches"))
    if (wanted and not arches & set(wanted)) or arches & set(unwanted):
        return False
    return set(_words(includes.get("caps"))) <= set(held) and not set(_words(excludes.get("caps"))) & set(held)


def _native(platform: Platform) -> Sequence[str]:
    return _ARCHITECTURES.get(platform.architecture, ())[:1]


def _mapped(table: Node, platform: Platform) -> list[str]:
    for row in table.items():
        if (architecture := row.need("architecture").text()) in _native(platform):
            return [architecture, *_words(row.get("subArchitectures"))]
    return list(_native(platform))
