"""What can be known to be wrong in the settings of one container, from their text alone.

The same rules hold for an item of a spec and for an image's label. What needs the rest of the spec, such as whether a
volume exists, is in `finback.spec.check`.

Source: compat 1.6; capabilities(7), getrlimit(2), mount_namespaces(7); OCI runtime specification 1.2.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Span
from finback.spec.capability import CAPABILITIES
from finback.spec.model import Device, Mount, Settings
from finback.spec.mount import RLIMITS, parse_bind, parse_rlimit, parse_tmpfs
from finback.spec.syscall import KNOWN

SELF_NAMED = ("mqueue", "devpts", "proc", "sysfs", "cgroup")
"""Mount types whose source may be left out, and with it the type when the source names it."""
MAX_ID = (1 << 32) - 2
_OCTAL = re.compile(r"(?:0o|0)?[0-7]{1,4}\Z")
_SIZE = re.compile(r"[1-9][0-9]*[kKmMgG]?|[1-9][0-9]?%|100%")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z", re.ASCII)
_PROPAGATIONS = ("shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable")
_FRESH = {
    "net": ("none", "new"),
    "pid": ("new",),
    "ipc": ("new",),
    "uts": ("new",),
    "userns": ("new",),
    "cgroupns": ("new",),
}


def check_settings(settings: Settings, namespaces: tuple[str, ...] = ()) -> Iterator[Diagnostic]:
    """All findings about *settings*, errors and warnings. `net` may name one of *namespaces*."""
    at = settings.origin.at
    for field in ("capabilities", "capabilities.add", "ambient"):
        yield from _capabilities(field, settings)
    for i, text in enumerate(settings.rlimits or ()):
        yield from _rlimit(text, at("rlimits", i))
    for i, text in enumerate(settings.tmpfs or ()):
        yield from _tmpfs(text, at("tmpfs", i))
    for field in ("binds", "binds.add"):
        for i, text in enumerate(getattr(settings, field.replace(".", "_")) or ()):
            yield from _bind(text, at(field, i))
    for mount in settings.mounts or ():
        yield from _mount(mount)
    for mount in (settings.runtime.mounts if settings.runtime else None) or ():
        yield from _runtime_mount(mount)
    for device in settings.devices or ():
        yield from _device(device)
    for i, text in enumerate(settings.env or ()):
        if "=" not in text:
            yield warning("F053", f"{text!r} sets nothing", at("env", i), f"write `{text}=VALUE`, or remove it")
    yield from _kernel(settings)
    yield from _words(settings, namespaces)
    yield from _without_effect(settings)


def problem(code: str, message: str, span: Span | None, help: str, *notes: str) -> Diagnostic:
    """An error as a value."""
    return Diagnostic(code=code, message=message, span=span, help=help, notes=notes)


def warning(code: str, message: str, span: Span | None, help: str) -> Diagnostic:
    """A warning as a value."""
    return Diagnostic(code=code, message=message, span=span, help=help, severity=Severity.WARNING)


def check_mode(code: str, text: str, span: Span | None, example: str) -> Iterator[Diagnostic]:
    """Permission bits in octal."""
    if not _OCTAL.match(text):
        letters = re.fullmatch(r"(?:[r-][w-][x-]){3}", text)
        mode = f"{int(re.sub('[^-]', '1', text).replace('-', '0'), 2):04o}" if letters else example
        yield problem(code, f"{text!r} is not an octal mode", span, f'write `mode: "{mode}"`')


def check_id_range(value: int | str | None, span: Span | None) -> Iterator[Diagnostic]:
    """A numeric user or group id."""
    if isinstance(value, int) and not 0 <= value <= MAX_ID:
        yield problem("F048", f"{value} is not a user or group id", span, f"write a number from 0 to {MAX_ID}")


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for a word that is not *known*."""
    words = list(known)
    near = [w for w in words if len(word) > 3 and w.startswith(word)] or difflib.get_close_matches(word, words, 1)
    return f"did you mean {near[0]}?" if near else otherwise


def _capabilities(field: str, settings: Settings) -> Iterator[Diagnostic]:
    names: tuple[str, ...] = getattr(settings, field.replace(".", "_")) or ()
    for i, name in enumerate(names):
        span = settings.origin.at(field, i)
        if name.lower() in ("all", "none"):
            if len(names) > 1:
                advice = "keep it alone in the list, or name the capabilities one by one"
                yield problem("F035", f"{name!r} stands beside other capabilities", span, advice)
        elif name not in CAPABILITIES:
            guess = "CAP_" + name.upper().replace("-", "_").removeprefix("CAP_")
            advice = did_you_mean(guess, CAPABILITIES, "capabilities(7) lists them; `all` and `none` stand alone")
            yield problem("F035", f"there is no capability {name!r}", span, advice)


def _rlimit(text: str, span: Span | None) -> Iterator[Diagnostic]:
    try:
        parse_rlimit(text)
    except ValueError as failure:
        name = text.partition(",")[0].strip()
        if name.upper().removeprefix("RLIMIT_") in RLIMITS:
            advice = f"write `{name},SOFT,HARD`, each a number or `unlimited`, such as {name},1024,unlimited"
        else:
            known = [r.lower() for r in RLIMITS]
            advice = did_you_mean(name.lower().removeprefix("rlimit_"), known, f"limits are {', '.join(known)}")
        yield problem("F036", str(failure), span, advice)


def _tmpfs(text: str, span: Span | None) -> Iterator[Diagnostic]:
    try:
        parse_tmpfs(text)
    except ValueError as failure:
        yield problem("F037", str(failure), span, "write it such as /tmp:size=64m,mode=1777")


def _bind(text: str, span: Span | None) -> Iterator[Diagnostic]:
    try:
        bind = parse_bind(text)
    except ValueError as failure:
        source = text.partition(":")[0]
        advice = (
            f"write `{text}:{text}` to bind it to the same place" if text.startswith("/") and source == text else ""
        )
        yield problem("F037", str(failure), span, advice or "write it such as /var/lib/data:/data:ro")
        return
    if bind.source.startswith((".", "~")):
        advice = (
            "binds name paths of the running machine, from its root; a file of the machine that builds comes in with "
            "`files:` and `source:`"
        )
        yield problem("F037", f"the source {bind.source!r} is not absolute", span, advice)


def _mount(mount: Mount) -> Iterator[Diagnostic]:
    kind = mount.type or (mount.source if mount.source in SELF_NAMED else None)
    if kind is None and not (mount.destination == "/dev" and mount.source in (None, "tmpfs")):
        advice = "add `type:`, such as bind, tmpfs or overlay"
        yield problem("F042", "this mount has no type", mount.origin.span, advice)
    if not mount.destination and kind not in SELF_NAMED:
        advice = "add `destination:`, the path in the container"
        yield problem("F042", "this mount has no destination", mount.origin.span, advice)


def _runtime_mount(mount: Mount) -> Iterator[Diagnostic]:
    """A mount that the guest makes before the container: nothing of it is filled in."""
    if not mount.destination:
        advice = "add `destination:`; a relative one is inside the container"
        yield problem("F042", "this mount has no destination", mount.origin.span, advice)
    if not mount.type and not {"bind", "rbind", "remount", "move"} & set(mount.options or ()):
        advice = "add `type:`, such as bind, tmpfs or overlay"
        yield problem("F042", "this mount has no type", mount.origin.span, advice)


def _device(device: Device) -> Iterator[Diagnostic]:
    at = device.origin.at
    if device.path == "all":
        return
    if not device.path.startswith("/"):
        advice = f"write `path: /dev/{device.path}`, or `path: all` for every device of the type"
        yield problem("F043", f"{device.path!r} is not the path of a device", at("path"), advice)
    if device.type == "a":
        advice = "write c for a character device or b for a block device; a belongs to `path: all`"
        yield problem("F043", "type a stands for all devices, not for one", at("type"), advice)
    if device.mode is None:
        yield problem("F043", f"device {device.path} has no mode", at("path"), 'add `mode: "0666"`')
    else:
        yield from check_mode("F043", device.mode, at("mode"), "0666")


def _kernel(settings: Settings) -> Iterator[Diagnostic]:
    """System calls, and the size of the root."""
    at = settings.origin.at
    for i, name in enumerate(settings.syscalls or ()):
        if name not in KNOWN:
            advice = did_you_mean(name, sorted(KNOWN), "syscalls(2) lists them")
            yield problem("F098", f"there is no system call {name!r}", at("syscalls", i), advice)
    if settings.root_size is not None and not _SIZE.fullmatch(settings.root_size):
        advice = "write bytes, with k, m or g, such as 64m, or a share of memory, such as 10%"
        yield problem("F099", f"{settings.root_size!r} is no size", at("rootSize"), advice)


def _words(settings: Settings, namespaces: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Namespaces and mount propagation."""
    at = settings.origin.at
    for field, fresh in _FRESH.items():
        value = getattr(settings, field)
        known = ("host", "root", *fresh, *(namespaces if field == "net" else ()))
        if value and value not in known and not value.startswith("/"):
            if value in ("none", "private"):
                advice = "write `new` for a namespace of its own"
            else:
                advice = did_you_mean(value, known, f"write {', '.join(known)}, or the path of a namespace to join")
            yield problem("F047", f"{value!r} is not a namespace", at(field), advice)
    yield from _user(settings)
    propagation = settings.rootfs_propagation
    if propagation and propagation not in _PROPAGATIONS:
        advice = did_you_mean(propagation, _PROPAGATIONS, "write shared, slave or private")
        yield problem("F047", f"{propagation!r} is not a mount propagation", at("rootfsPropagation"), advice)
    for rule in (settings.resources.devices if settings.resources else None) or ():
        if rule.access and set(rule.access) - set("rwm"):
            advice = "write letters out of r (read), w (write) and m (make the node)"
            yield problem("F047", f"{rule.access!r} is not a device access", rule.origin.at("access"), advice)


def _user(settings: Settings) -> Iterator[Diagnostic]:
    user, at = settings.user, settings.origin.at
    if user is None:
        return
    for key in ("uid", "gid", "additionalGids"):
        if (key,) in settings.origin.spans:
            yield problem("F096", f"`user` and `{key}` both say who runs it", at(key), "keep one of them")
    if not _USER.match(user):
        advice = "write `image`, or NAME[:GROUP], such as nginx:www-data or 1000:1000"
        yield problem("F096", f"{user!r} is no user", at("user"), advice)


def _without_effect(settings: Settings) -> Iterator[Diagnostic]:
    for field in ("capabilities", "binds"):
        added = getattr(settings, f"{field}_add")
        if getattr(settings, field) is not None and added:
            advice = f"move its entries to `{field}`, or remove `{field}` to keep the image's own"
            span = settings.origin.at(f"{field}.add")
            yield warning("F051", f"`{field}.add` has no effect beside `{field}`", span, advice)
    if settings.syscalls and settings.seccomp not in (None, "", "default"):
        advice = f"remove it, or `seccomp: {settings.seccomp}`"
        yield warning(
            "F051", "`syscalls` has no effect beside a profile of its own", settings.origin.at("syscalls"), advice
        )
    if settings.root_size and settings.readonly:
        advice = "remove it, or `readonly`"
        yield warning(
            "F051", "`rootSize` has no effect on a root that is read-only", settings.origin.at("rootSize"), advice
        )
