"""What can be known to be wrong in `secrets`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.model import Spec
from finback.spec.settings import check_mode, did_you_mean, problem, warning

# QEMU's names of items have at most 55 characters, of which `opt/io.systemd.credentials/` takes 27.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,27}\Z")


def check_secrets(spec: Spec) -> Iterator[Diagnostic]:
    """All findings about the secrets of *spec*."""
    seen: dict[str, Span | None] = {}
    for secret in spec.secrets or ():
        span = secret.origin.at("name")
        if not NAME.match(secret.name):
            advice = "use at most 28 letters, digits, and . _ - after the first"
            yield problem("F078", f"{secret.name!r} is not a name for a secret", span, advice)
        if secret.name in seen:
            note = f"the first is at {seen[secret.name]}"
            yield problem("F078", f"there are two secrets {secret.name!r}", span, "remove one", note)
        seen.setdefault(secret.name, span)
        if secret.mode is not None:
            yield from check_mode("F078", secret.mode, secret.origin.at("mode"), "0400")
    used = set()
    for name, place in _uses(spec):
        used.add(name)
        if name not in seen:
            advice = did_you_mean(name, seen, f"declare it: `secrets: [{{name: {name}}}]`")
            yield problem("F079", f"there is no secret {name!r}", place, advice)
    for name, span in seen.items():
        if name not in used:
            yield warning("F075", f"nothing asks for the secret {name}", span, "add it to `secrets` of a service")


def _uses(spec: Spec) -> Iterator[tuple[str, Span | None]]:
    for item in (*(spec.onboot or ()), *(spec.onshutdown or ()), *(spec.services or ())):
        for i, name in enumerate(item.secrets or ()):
            yield name, item.origin.at("secrets", i)
    for link in (spec.network.interfaces if spec.network else None) or ():
        own = link.wireguard
        if own is not None and own.secret:
            yield own.secret, own.origin.at("secret")
        for peer in (own.peers if own else None) or ():
            if peer.preshared_key:
                yield peer.preshared_key, peer.origin.at("presharedKey")
