"""How a container is supervised, compiled to shell for the guest's init: part of its `prepare`.

Variables are words that need no quotes, `needs` a list of them; `ready` and `healthy` are functions that ask with the
functions of `usr/lib/finback/watch`.
"""

from __future__ import annotations

import shlex

from finback.resolve.plan import Container
from finback.spec.supervision import Health, Ready

# A step that hangs must not keep the machine from ending.
LAST_SECONDS = 90


def variables(container: Container) -> list[str]:
    """The lines for the container's `prepare`."""
    chosen = container.supervision
    if container.section != "services":
        limit = chosen.limit or (LAST_SECONDS if container.section == "onshutdown" else 0)
        return [f"on_failure={chosen.on_failure} limit={limit}"]
    settings = container.settings
    required = [use.name for use in container.secrets if not use.optional]
    return [
        f"needs={shlex.quote(' '.join(chosen.needs))}",
        *([f"secrets={shlex.quote(' '.join(required))}"] if required else []),
        f"restart={chosen.restart} first_wait={chosen.first_wait} longest_wait={chosen.longest_wait}",
        f"starts={chosen.starts} window={chosen.window}",
        f"stop_signal={chosen.stop_signal} stop_within={chosen.stop_within}",
        # How another program is run in its container.
        f"cwd={shlex.quote(settings.cwd or '/')} confined={'yes' if settings.no_new_privileges else ''}",
        f"asked={_how(chosen.ready)} ready_within={chosen.ready_within}",
        *(["ready() {", f"\t{_question(chosen.ready)}", "}"] if _how(chosen.ready) == "poll" else []),
        *_health(chosen.health),
    ]


def _health(health: Health | None) -> list[str]:
    if health is None:
        return ["health="]
    return [
        f"health={health.on_failure} health_interval={health.interval} health_timeout={health.timeout}",
        f"health_retries={health.retries} health_start={health.start_period}",
        *("healthy() {", f"\t{_question(health)}", "}"),
    ]


def _how(ready: Ready | None) -> str:
    if ready is None:
        return ""
    return "notify" if ready.notify else "poll"


def _question(ready: Ready | Health | None) -> str:
    """What succeeds once the service is ready, or while it is well."""
    assert ready is not None
    if ready.tcp is not None:
        # As /proc/net/tcp writes it.
        return f"tcp {ready.tcp:04X}"
    words = {
        "file": ready.file, "socket": ready.socket, "http": ready.http, "inside": ready.command,
    }  # fmt: skip
    name, value = next((k, v) for k, v in words.items() if v is not None)
    return shlex.join([name, *([value] if isinstance(value, str) else value)])
