"""To a registry: blobs that it lacks, then what names them.

Source: OCI distribution specification 1.1, "Push", "Mounting a blob from another repository", "Pushing Manifests with
Subject".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.event import Emit
from finback.host.store import Store
from finback.host.web import SHOWN, Reply, Request, Upload, redacted, resolved
from finback.oci import fan_out, manifest
from finback.oci.manifest import Descriptor, Document
from finback.oci.registry import Registry, fallback_tag
from finback.tree.content import Slice

# Larger blobs go in pieces, so that a break costs one piece.
PART = 64 << 20
# A registry may copy a whole blob before it answers.
SECONDS = 600
TRIES = 4


@dataclass(frozen=True, slots=True)
class Target:
    """A repository to push to, and another one of the same registry that may have the same blobs."""

    registry: Registry
    repository: str
    mount_from: str = ""
    part: int = PART

    @property
    def scopes(self) -> tuple[str, ...]:
        """What pushing needs."""
        other = (f"repository:{self.mount_from}:pull",) if self.mount_from else ()
        return (f"repository:{self.repository}:pull,push", *other)

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Any = None) -> Reply:
        """The answer to a request to the registry itself, never to a mirror."""
        seconds = SECONDS if method in ("PATCH", "PUT") else None
        request = Request(method=method, url=url, headers=headers or {}, body=body, seconds=seconds)
        return self.registry.home.ask(request, *self.scopes)

    def url(self, path: str, **query: str) -> str:
        """The address of a thing in the repository."""
        return self.registry.home.url(f"{self.repository}/{path}", **query)

    def problem(self, reply: Reply, what: str) -> FinbackError:
        """The error for an answer that is not the one hoped for."""
        return self.registry.home.problem(reply, f"{what} of {self.repository}")


def blob(target: Target, store: Store, descriptor: Descriptor, advance: fan_out.Advance) -> str:
    """Have a stored blob in the repository; for people: `there already`, `mounted`, or "" for what was sent.

    Raises:
        FinbackError: F401, F402 the store lacks it; F205 refused, F207 misunderstood, F209 it does not get through.

    """
    present = target.ask("HEAD", target.url(f"blobs/{descriptor.digest}"))
    if present.status == 200:
        return "there already"
    if present.status != 404:
        raise target.problem(present, f"blob {descriptor.digest}")
    mounting = {"mount": str(descriptor.digest), "from": target.mount_from} if target.mount_from else {}
    for attempt in range(1, TRIES + 1):
        # A registry that does not mount begins an upload instead.
        started = target.ask("POST", target.url("blobs/uploads/", **mounting), body=b"")
        if started.status == 201 and mounting:
            return "mounted"
        if started.status != 202:
            raise target.problem(started, "an upload")
        if _send(target, store, descriptor, started, advance):
            break
        if attempt == TRIES:
            raise error(
                "F209",
                f"blob {descriptor.digest} does not get through to {target.registry.name}",
                help="check the network and how large a request the registry and any proxy let through",
            )
    return ""


def _send(target: Target, store: Store, descriptor: Descriptor, started: Reply, advance: fan_out.Advance) -> bool:
    """Send a blob in pieces; False when the upload is lost and has to begin anew."""
    # Hashed once before it goes: what is damaged here should not be refused there.
    store.verified(descriptor.digest)
    at, location = 0, place_of(target, started)
    whole = descriptor.size <= target.part
    while not whole and at < descriptor.size:
        end = min(at + target.part, descriptor.size)
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{at}-{end - 1}"}
        reply = _try(target, "PATCH", location, headers, _body(store, descriptor, range(at, end), advance))
        if reply is None or reply.status == 416:
            # Where a piece broke off, the registry knows how far it came.
            reply = target.ask("GET", location)
            if reply.status != 204:
                return False
        elif reply.status not in (202, 204):
            raise target.problem(reply, f"blob {descriptor.digest}")
        at, location = _reached(reply, end), place_of(target, reply)
    body = _body(store, descriptor, range(descriptor.size), advance) if whole else b""
    return _commit(target, location, descriptor, body)


def _commit(target: Target, location: str, descriptor: Descriptor, body: Upload | bytes) -> bool:
    url = f"{location}{'&' if urlsplit(location).query else '?'}digest={quote(str(descriptor.digest), safe='')}"
    reply = _try(target, "PUT", url, {"Content-Type": "application/octet-stream"}, body)
    if reply is None or reply.status == 404:
        # It may have got through, with only the answer lost.
        return target.ask("HEAD", target.url(f"blobs/{descriptor.digest}")).status == 200
    if reply.status not in (201, 204):
        raise target.problem(reply, f"blob {descriptor.digest}")
    return True


def _try(target: Target, method: str, url: str, headers: Mapping[str, str], body: Upload | bytes) -> Reply | None:
    """The answer; None when there was none. A piece is not simply sent again: part of it may have got through."""
    try:
        return target.ask(method, url, headers, body)
    except FinbackError as failure:
        if [d.code for d in failure.diagnostics] != ["F201"]:
            raise
        return None


def _body(store: Store, descriptor: Descriptor, part: range, advance: fan_out.Advance) -> Upload:
    def read() -> Iterator[bytes]:
        done = part.start
        for chunk in store.chunks(Slice(descriptor.digest, part.start, len(part))):
            yield chunk
            done += len(chunk)
            advance(done)

    return Upload(read=read, size=len(part))


def place_of(target: Target, reply: Reply) -> str:
    """Where to go on. Source: distribution specification 1.1: it may be relative."""
    where = reply.headers.get("Location")
    found = resolved(reply.url, where or "")
    allowed = ("https",) if target.registry.home.base.startswith("https:") else ("http", "https")
    if not where or found is None or urlsplit(found).scheme not in allowed:
        raise error(
            "F207",
            f"registry {target.registry.name} says to send the data to {redacted(found or str(where))[:SHOWN]}",
            help="this is the registry's fault, or that of a proxy before it that hides that it is reached by TLS",
        )
    return found


def _reached(reply: Reply, sent: int) -> int:
    """How many bytes are there."""
    said = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", reply.headers.get("Range", ""))
    if said is None:
        return sent
    # An upload without any bytes can't be told from one with a single byte: a piece is always larger.
    return int(said[1]) + 1 if int(said[1]) else 0


def document(target: Target, body: bytes, media_type: str, reference: str | Digest) -> Digest:
    """Put a manifest or an index under a tag or its digest; what it is about learns of it.

    Raises:
        FinbackError: F205 refused, F206 something that it names is missing, F207 misunderstood.

    """
    reply = target.ask("PUT", target.url(f"manifests/{reference}"), {"Content-Type": media_type}, body)
    if reply.status not in (200, 201, 202):
        raise target.problem(reply, f"manifest {reference}")
    found = manifest.read(body, media_type)
    if found.subject is not None and not reply.headers.get("OCI-Subject"):
        _refer(target, found, found.subject.digest)
    return found.digest


def _refer(target: Target, about: Document, subject: Digest) -> None:
    """Add to the index that stands in for the referrers API. Source: "Referrers Tag Schema"."""
    tag = fallback_tag(subject)
    known = target.registry.find(target.repository, tag)
    entry = replace(about.descriptor, artifact_type=about.kind, annotations=about.annotations)
    others = [m for m in (known.manifests if known else ()) if m.digest != about.digest]
    document(target, index([*others, entry]), manifest.INDEX, tag)


def index(entries: Iterable[Descriptor], **annotations: str) -> bytes:
    """The bytes of an index."""
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": manifest.INDEX}
    body["manifests"] = [e.written() for e in entries]
    if annotations:
        body["annotations"] = annotations
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def image(target: Target, store: Store, found: Document, emit: Emit) -> None:
    """Push the blobs of a stored manifest; the manifest itself is for `document`.

    Raises:
        FinbackError: as `blob`.

    """
    assert found.config is not None

    def job(descriptor: Descriptor, advance: fan_out.Advance) -> str:
        return blob(target, store, descriptor, advance)

    fan_out.run(target.repository, (found.config, *found.layers), job, emit)
