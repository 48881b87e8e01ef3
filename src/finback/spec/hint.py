"""What to suggest for a key that a record does not have.

Tried in turn: the same word in another spelling, another tool's word for the thing, a record one level up or down that
has the key, the nearest spelling, and at last the list of keys.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

# Words of Compose files, Dockerfiles and other tools, and ours for the same thing.
_FOREIGN = {
    "environment": "env",
    "entrypoint": "command",
    "cmd": "command",
    "args": "command",
    "volume": "binds",
    "volumes": "binds",
    "caps": "capabilities",
    "cap_add": "capabilities",
    "cap": "capabilities",
    "working_dir": "cwd",
    "workdir": "cwd",
    "network_mode": "net",
    "network": "net",
    "group": "gid",
    "owner": "uid",
    "container_name": "name",
    "ulimits": "rlimits",
    "sysctls": "sysctl",
    "privileges": "noNewPrivileges",
    "content": "contents",
    "text": "contents",
    "permissions": "mode",
    "target": "symlink",
    "link": "symlink",
    "dest": "destination",
    "dst": "destination",
    "src": "source",
    "append": "cmdline",
    "args_kernel": "cmdline",
    "microcode": "ucode",
    "onstart": "onboot",
    "boot": "onboot",
    "shutdown": "onshutdown",
    "containers": "services",
    "formats": "outputs",
}
_EXPLAINED = {
    "privileged": "write `capabilities: [all]`; a container has no others than those listed",
    "cap_drop": "there is nothing to drop: a container has only the capabilities listed under `capabilities`",
    "version": "there is no format version: remove it",
    "include": "write `extends: FILE`, or name several files on the command line: they are merged in that order",
    "vars": "declare values under `params:`, and write `${params.NAME}` where they are used",
    "variables": "declare values under `params:`, and write `${params.NAME}` where they are used",
}
EDITS = ("remove", "replace", "merge", "before", "after", "add")
"""What can be done to a list of an earlier file, in the order in which it is done: `services.remove`."""


def meant(key: str, here: Iterable[str]) -> str | None:
    """The key of *here* that *key* is a misspelling of."""
    folded = {_fold(k): k for k in here}
    if _fold(key) in folded:
        return folded[_fold(key)]
    from difflib import get_close_matches

    near = get_close_matches(_fold(key), folded, 1)
    return folded[near[0]] if near else None


def for_key(key: str, here: Iterable[str], below: Mapping[str, str], above: Iterable[str], parent: str) -> str:
    """The remedy for the unknown *key*.

    *here* are the keys of the record; *below* maps keys of nested records to the keys that hold those records; *above*
    are the keys of the record that encloses this one, which is its *parent*.
    """
    known = list(here)
    foreign = _FOREIGN.get(key.lower())
    if foreign in known:
        return f"did you mean {foreign}?"
    if key.lower() in _EXPLAINED and "image" in {*known, *above, *below}:
        return _EXPLAINED[key.lower()]
    near = meant(key, known)
    if near and _fold(near) == _fold(key):
        return f"did you mean {near}?"
    name, _, operation = key.rpartition(".")
    if operation in EDITS and name in known:
        return f"it would change a list that an earlier file has, and there is none here: write `{name}:`"
    return _by_place(key, known, below, above, parent)


def _by_place(key: str, known: list[str], below: Mapping[str, str], above: Iterable[str], parent: str) -> str:
    """The remedy for a key that may belong elsewhere."""
    near = meant(key, known)
    if key in below:
        return f"it belongs below `{below[key]}:`, indented more"
    if key in above and parent:
        return f"it belongs one level up: indent it like `{parent}:`"
    lines = textwrap.wrap(", ".join(known), 88, break_on_hyphens=False)
    return f"did you mean {near}?" if near else "known keys: " + "\n".join(lines)


def _fold(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "").replace(".", "")
