"""A container's seccomp profile: the default one, or one from a file, as the OCI runtime configuration has it.

A file is either that, `linux.seccomp`, or the form of Docker and Podman, whose rules depend on capabilities and
architectures. Source: OCI runtime specification 1.2, config-linux.md, section "Seccomp"; moby/profiles, seccomp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from finback.codec import strict_json
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
        body = strict_json.plain(data)
        action = body["defaultAction"]
        rules = [_rule(r) for r in body.get("syscalls") or () if _counts(r, _capabilities(settings), platform)]
        kept = {k: body[k] for k in ("defaultErrnoRet", "architectures", "flags") if body.get(k) is not None}
        if not str(action).startswith("SCMP_ACT_"):
            raise ValueError(f"its defaultAction is {action!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise error(
            "F095",
            f"this is no seccomp profile: {failure!r}"[:300],
            span,
            help="name a JSON file as Docker and Podman take it, `default`, or `unconfined`",
        ) from None
    if "architectures" not in kept and body.get("archMap"):
        kept["architectures"] = _mapped(body["archMap"], platform)
    return {"defaultAction": action, **kept, "syscalls": rules}


def _capabilities(settings: Settings) -> frozenset[str]:
    return frozenset({*expand(settings.capabilities), *expand(settings.ambient)})


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    names = rule.get("names") or [rule["name"]]
    return {"names": list(names), **{k: rule[k] for k in _RULE[1:] if rule.get(k) is not None and rule[k] != []}}


def _counts(rule: Mapping[str, Any], capabilities: Iterable[str], platform: Platform) -> bool:
    """Whether a rule's conditions hold. A kernel of `minKernel` is taken for granted: those here are newer."""
    held = set(capabilities)
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    arches = {platform.architecture, *(a.removeprefix("SCMP_ARCH_").lower() for a in _native(platform))}
    if includes.get("arches") and not arches & set(includes["arches"]):
        return False
    if includes.get("caps") and not set(includes["caps"]) <= held:
        return False
    if excludes.get("arches") and arches & set(excludes["arches"]):
        return False
    return not (excludes.get("caps") and set(excludes["caps"]) & held)


def _native(platform: Platform) -> Sequence[str]:
    return _ARCHITECTURES.get(platform.architecture, ())[:1]


def _mapped(table: Sequence[Mapping[str, Any]], platform: Platform) -> list[str]:
    for row in table:
        if row["architecture"] in _native(platform):
            return [row["architecture"], *(row.get("subArchitectures") or ())]
    return list(_native(platform))
