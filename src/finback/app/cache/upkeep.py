"""The store kept in order: what is in it, what may go, what is damaged.

Whatever lies in the store is there for the sake of a *holder*: a name in its index, or a record of work done. A blob
goes when its last holder does. Blobs without a holder, such as images that only a lock file pins, stay as long as they
are of use. What was of use within the last hour stays in any case: another process may be at work with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from finback.app.workspace import Workspace
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host import clock, inventory
from finback.host.inventory import Blob, Record
from finback.host.store import REF_NAME, Store
from finback.oci.reach import Reach, digests
from finback.oci.reference import Reference

GRACE = 3600
DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An image, or anything else, that has a name in the store."""

    name: str
    digest: Digest
    media_type: str
    platforms: tuple[str, ...]
    """Of an index, those that are in the store."""
    size: int
    """Bytes in the store, those shared with others among them."""
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How the store's bytes are spent."""

    kind: str
    count: int
    size: int
    reclaimable: int
    """Bytes that nothing has used within a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was removed."""

    names: tuple[str, ...] = ()
    records: int = 0
    blobs: int = 0
    size: int = 0
    left: int = 0
    """Bytes of blobs that are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What `verify` found and did."""

    blobs: int
    size: int
    damaged: tuple[Digest, ...]
    """Blobs that were removed."""
    records: int
    """Records that were removed because what they speak of is gone."""
    names: tuple[str, ...]
    """Names that were taken away, because their manifests are gone."""
    incomplete: tuple[str, ...]
    """Names of which something else is missing now."""
    index: str = ""
    """Where an index that could not be read was put aside."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """Something that blobs are kept for: a name, a record, or (for a blob that nothing names) only its use."""

    used: float
    blobs: frozenset[Digest]
    name: str = ""
    record: Record | None = None

    @property
    def order(self) -> tuple[bool, float]:
        """The first goes first: what can be made again before what somebody named, the longest unused first."""
        return bool(self.name), self.used


def listing(workspace: Workspace) -> tuple[Named, ...]:
    """Everything that has a name, sorted by it.

    Raises:
        FinbackError: F406, the index is damaged.

    """
    store = workspace.store
    sizes = {b.digest: b for b in inventory.blobs(store)}
    reach = Reach(store)
    return tuple(sorted((_described(d, sizes, reach) for d in _names(store)), key=lambda n: n.name))


def _names(store: Store) -> list[dict[str, str]]:
    """The named descriptors: name, digest, media type."""
    out = []
    for descriptor in store.named():
        name = (descriptor.get("annotations") or {}).get(REF_NAME)
        if name:
            media_type = str(descriptor.get("mediaType", ""))
            out.append({"name": str(name), "digest": str(descriptor.get("digest", "")), "type": media_type})
    return out


def _described(descriptor: dict[str, str], sizes: dict[Digest, Blob], reach: Reach) -> Named:
    digest = _digest(descriptor["digest"])
    needed = [sizes[d] for d in reach.of_manifest(digest) if d in sizes]
    return Named(
        name=descriptor["name"],
        digest=digest,
        media_type=descriptor["type"],
        platforms=reach.platforms(digest),
        size=sum(b.size for b in needed),
        used=max((b.used for b in needed), default=0.0),
    )


def _digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except ValueError:
        raise error(
            "F406", f"the store's index names {text!r}, which is no digest", help="run `finback cache verify`"
        ) from None


def find(name: str, workspace: Workspace) -> tuple[str, Digest, str]:
    """The whole name, the digest and the media type of what is called *name* in the store.

    Raises:
        FinbackError: F189, nothing is.

    """
    named = {n["name"]: n for n in _names(workspace.store)}
    found = named[_known(name, list(named))]
    return found["name"], _digest(found["digest"]), found["type"]


def remove(names: Iterable[str], workspace: Workspace) -> Collected:
    """Take names away, and what only they held.

    Raises:
        FinbackError: F189, there is no such name; nothing is removed then.

    """
    store = workspace.store
    known = [n["name"] for n in _names(store)]
    chosen = [_known(name, known) for name in names]
    reach = Reach(store)
    held: set[Digest] = set()
    for descriptor in _names(store):
        if descriptor["name"] in chosen:
            held |= reach.of_manifest(_digest(descriptor["digest"]))
    store.untag(set(chosen))
    with store.lock("collect"):
        others = frozenset().union(*(h.blobs for h in _holders(store, reach)))
        gone = [b for b in inventory.blobs(store) if b.digest in held - others]
        return _discarded(store, gone, (), tuple(chosen))


def _known(name: str, known: list[str]) -> str:
    """*name* as the index has it: written so, or expanded, with or without the tag that it lacks."""
    spellings = [name]
    try:
        reference = Reference.parse(name)
        spellings += [str(reference), f"{reference}:latest", f"{name}:latest"]
    except FinbackError:
        pass
    found = next((s for s in spellings if s in known), None)
    if found is None:
        from difflib import get_close_matches

        near = [n for s in spellings for n in get_close_matches(s, known, 1)]
        hint = f"did you mean {near[0]}?" if near else "`finback cache ls` lists the names"
        raise error("F189", f"nothing in the store is called {name}", help=hint)
    return found


def collect(days: float, cap: int | None, workspace: Workspace) -> Collected:
    """Remove what nothing has used for *days*, names excepted; then the longest unused until *cap* bytes are left.

    Raises:
        FinbackError: F404 or F405, the store can't be changed.

    """
    store = workspace.store
    with store.lock("collect"):
        now = clock.now()
        blobs = {b.digest: b for b in inventory.blobs(store)}
        holders = sorted(_holders(store, Reach(store), blobs), key=lambda h: h.order)
        refcounts = Counter(d for h in holders for d in h.blobs)
        total = sum(b.size for b in blobs.values())
        goners: list[_Holder] = []
        for holder in holders:
            old = not holder.name and now - holder.used > days * DAY
            over = cap is not None and total > cap
            if not (old or over or _dead(holder)) or now - holder.used < GRACE:
                continue
            goners.append(holder)
            refcounts.subtract(holder.blobs)
            total -= sum(blobs[d].size for d in holder.blobs if not refcounts[d])
        names = tuple(h.name for h in goners if h.name)
        store.untag(set(names))
        fallen = {d for h in goners for d in h.blobs if not refcounts[d]}
        return _discarded(
            store, [blobs[d] for d in fallen], [h.record for h in goners if h.record], names
        )  # fmt: skip


def _dead(holder: _Holder) -> bool:
    """Whether it is a record of things that are gone."""
    record = holder.record
    return record is not None and (record.value is None or any(d not in holder.blobs for d in digests(record.value)))


def _holders(store: Store, reach: Reach, blobs: dict[Digest, Blob] | None = None) -> list[_Holder]:
    """Everything that holds blobs. With *blobs*, those that nothing else holds are there as holders of themselves."""
    known = blobs if blobs is not None else {b.digest: b for b in inventory.blobs(store)}
    out = []
    for descriptor in _names(store):
        held = reach.of_manifest(_digest(descriptor["digest"])) & known.keys()
        used = max((known[d].used for d in held), default=0.0)
        out.append(_Holder(used, frozenset(held), name=descriptor["name"]))
    for record in inventory.records(store):
        held = reach.of_record(record.value) & known.keys()
        out.append(_Holder(record.used, frozenset(held), record=record))
    if blobs is not None:
        taken = frozenset().union(*(h.blobs for h in out))
        out += [_Holder(b.used, frozenset((d,))) for d, b in blobs.items() if d not in taken]
    return out


def _discarded(store: Store, blobs: Iterable[Blob], records: Iterable[Record], names: tuple[str, ...]) -> Collected:
    # Records first: one that speaks of a blob that is gone costs whoever believes it.
    forgotten = sum(inventory.discard_record(store, r) for r in records)
    gone = [b for b in blobs if inventory.discard_blob(store, b)]
    return Collected(
        names=names,
        records=forgotten,
        blobs=len(gone),
        size=sum(b.size for b in gone),
        left=sum(b.size for b in inventory.blobs(store)),
    )


def usage(workspace: Workspace) -> tuple[Usage, ...]:
    """The store's bytes by what they are for; a blob counts for the first kind that needs it."""
    store = workspace.store
    now = clock.now()
    blobs = {b.digest: b for b in inventory.blobs(store)}
    kinds: dict[str, set[Digest]] = {"named images": set(), "work": set(), "unnamed": set()}
    count: Counter[str] = Counter()
    for holder in _holders(store, Reach(store), blobs):
        kind = "named images" if holder.name else "work" if holder.record else "unnamed"
        count[kind] += 1
        kinds[kind] |= holder.blobs
    out = []
    seen: set[Digest] = set()
    for kind, held in kinds.items():
        mine = [blobs[d] for d in held - seen]
        seen |= held
        idle = 0 if kind == "named images" else sum(b.size for b in mine if now - b.used > DAY)
        out.append(Usage(kind=kind, count=count[kind], size=sum(b.size for b in mine), reclaimable=idle))
    for kind, folder in (("package indexes", "debian"), ("temporary", "tmp")):
        size = inventory.folder_size(store.root / folder)
        out.append(Usage(kind=kind, count=0, size=size, reclaimable=0))
    return tuple(out)


def verify(workspace: Workspace) -> Checked:
    """Read every blob; remove the damaged ones and all that speaks of them, so that the next build makes them anew.

    Raises:
        FinbackError: F404 or F405, the store can't be read or changed.

    """
    store = workspace.store
    with store.lock("collect"):
        aside = _mend_index(store)
        before = list(inventory.blobs(store))
        damaged = [b for b in before if not inventory.sound(store, b)]
        for blob in damaged:
            inventory.discard_blob(store, blob)
        reach = Reach(store)
        dead = [h.record for h in _holders(store, reach) if h.record is not None and _dead(h)]
        forgotten = sum(inventory.discard_record(store, r) for r in dead)
        names = {n["name"]: _digest(n["digest"]) for n in _names(store)}
        lost = [name for name, digest in names.items() if not store.has(digest)]
        store.untag(set(lost))
        kept = {name: digest for name, digest in names.items() if name not in lost}
        incomplete = [name for name, digest in kept.items() if not reach.is_whole(digest)]
    return Checked(
        blobs=len(before),
        size=sum(b.size for b in before),
        damaged=tuple(b.digest for b in damaged),
        records=forgotten,
        names=tuple(sorted(lost)),
        incomplete=tuple(sorted(incomplete)),
        index=aside,
    )


def _mend_index(store: Store) -> str:
    """Put an index that can't be read aside, and begin a new one."""
    try:
        for descriptor in _names(store):
            _digest(descriptor["digest"])
    except FinbackError as failure:
        if failure.diagnostics[0].code != "F406":
            raise
        aside = str(inventory.set_aside_index(store))
        Store(store.root)
        return aside
    return ""
