"""`secrets` with `sealed`: a step after the disks, which keeps what was given, and gives what was kept."""

from __future__ import annotations

from finback.ground.source import Origin
from finback.resolve.sections import Addition, Section, Text
from finback.spec.disk import kept_at
from finback.spec.model import Item, Spec

NAME = "sealed"
IMAGE = "finback/sealed-secrets"
PCRS = (7,)


def add(spec: Spec) -> Addition:
    """The step, and a line for each: its name, where it is kept, and the registers to which it is bound."""
    found = [(s.name, s.sealed) for s in spec.secrets or () if s.sealed is not None]
    if not found:
        return Addition()
    place = Origin(spec.origin.at("secrets"))
    mounts = {seal.disk: kept_at(spec.disks or (), seal.disk) for _, seal in found}
    lines = [
        f"{name} {mounts[seal.disk]} {','.join(map(str, sorted(set(PCRS if seal.pcrs is None else seal.pcrs))))}\n"
        for name, seal in found
    ]
    binds = tuple(f"{mount}:{mount}" for mount in sorted(set(mounts.values())))
    # Whoever needs a secret waits for it, and it is said why it did not come.
    step = Item(name=NAME, image=IMAGE, binds_add=binds, on_failure="continue", origin=place)
    return Addition(early=(step,), texts=(Text(path="sealed", contents="".join(lines), origin=place),))


SECTION = Section(rank=15, add=add)
