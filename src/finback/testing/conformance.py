"""What finback needs of a registry, as checks that any real one can be put to.

Each check uses repositories of its own, raises AssertionError where the registry fails it, and needs a registry that
lets everybody, or the user of the subject's credentials, push. `CHECKS` are what finback can't do without, `STRICT`
what the specification only recommends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.event import silent
from finback.ground.platform import ARCHITECTURES, Platform
from finback.host.store import Store
from finback.host.web import Request
from finback.oci import artifact, image, manifest, push
from finback.oci.manifest import Descriptor, Document
from finback.oci.pull import pull
from finback.oci.push import Target
from finback.oci.reference import Reference
from finback.oci.registry import Registries, pull_scope

PART = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The registry that is put to the test, and two stores, the second one empty."""

    host: str
    connect: Callable[[], Registries]
    """Fresh clients, which know no tokens."""
    here: Store
    there: Store

    def target(self, repository: str, mount_from: str = "") -> Target:
        """A repository to push to, in parts of 1 MiB."""
        return Target(self.connect().get(self.host), repository, mount_from, part=PART)

    def pull(self, repository: str, reference: str, architecture: str = "amd64") -> Document:
        """What came into the second store."""
        name = Reference.parse(f"{self.host}/{repository}{reference}")
        return pull(self.connect(), name, Platform("linux", architecture), self.there, silent).manifest


def pushed(subject: Subject, repository: str, tag: str, data: bytes, architecture: str = "amd64") -> Document:
    """An image of one layer, pushed."""
    config = {"os": "linux", "architecture": architecture, "config": {}}
    digest = image.write(subject.here, [subject.here.put(data)], config)
    document = manifest.read(subject.here.read(digest))
    target = subject.target(repository)
    push.image(target, subject.here, document, silent)
    push.document(target, document.body, document.media_type, tag or document.digest)
    return document


def images_come_back(subject: Subject) -> None:
    """What was pushed is pulled by tag and by digest, byte by byte."""
    data = os.urandom(100_000)
    document = pushed(subject, "conformance/image", "v1", data)
    assert subject.pull("conformance/image", ":v1").body == document.body
    assert subject.there.read(Digest.of(data)) == data
    assert subject.pull("conformance/image", f"@{document.digest}").body == document.body


def tags_move(subject: Subject) -> None:
    """A tag names what was pushed last."""
    pushed(subject, "conformance/moving", "v1", b"old")
    document = pushed(subject, "conformance/moving", "v1", b"new")
    assert subject.pull("conformance/moving", ":v1").digest == document.digest


def large_blobs_go_in_parts(subject: Subject) -> None:
    """An upload in several requests."""
    data = os.urandom(3 * PART + 17)
    pushed(subject, "conformance/parts", "v1", data)
    subject.pull("conformance/parts", ":v1")
    assert subject.there.read(Digest.of(data)) == data


def blobs_are_mounted_or_sent(subject: Subject) -> None:
    """A blob of another repository is in this one afterwards; a second time it need not move.

    Some registries keep all repositories' blobs together.
    """
    data = os.urandom(1000)
    pushed(subject, "conformance/source", "v1", data)
    described = artifact.described("x", Digest.of(data), len(data))
    target = subject.target("conformance/mounted", "conformance/source")
    assert push.blob(target, subject.here, described, _ignored) in ("mounted", "", "there already")
    assert push.blob(target, subject.here, described, _ignored) == "there already"


def indexes_are_chosen_from(subject: Subject) -> None:
    """An index of every architecture, from which only one is fetched."""
    entries = []
    for architecture in ARCHITECTURES:
        document = pushed(subject, "conformance/index", "", architecture.encode(), architecture)
        made_for = Platform("linux", architecture)
        entries.append(
            Descriptor(
                media_type=document.media_type, digest=document.digest, size=len(document.body), platform=made_for
            )
        )
    target = subject.target("conformance/index")
    push.document(target, push.index(entries), manifest.INDEX, "v1")
    for architecture, entry in zip(ARCHITECTURES, entries, strict=True):
        assert not subject.there.has(Digest.of(architecture.encode()))
        assert subject.pull("conformance/index", ":v1", architecture).digest == entry.digest
        assert subject.there.has(Digest.of(architecture.encode()))


def ranges_are_served(subject: Subject) -> None:
    """What a transfer that broke needs to go on."""
    data = os.urandom(5000)
    pushed(subject, "conformance/range", "v1", data)
    home = subject.connect().get(subject.host).home
    url = home.url(f"conformance/range/blobs/{Digest.of(data)}")
    reply = home.ask(Request(url=url, headers={"Range": "bytes=4000-"}), pull_scope("conformance/range"))
    assert (reply.status, reply.body) == (206, data[4000:])
    assert reply.headers["Content-Range"] == "bytes 4000-4999/5000"


def what_is_not_there_is_said(subject: Subject) -> None:
    """Tags, manifests and repositories that are not there."""
    pushed(subject, "conformance/some", "v1", b"x")
    for repository, reference in (("some", ":v2"), ("some", f"@sha256:{'0' * 64}"), ("none", ":v1")):
        try:
            subject.pull(f"conformance/{repository}", reference)
        except FinbackError as failure:
            code = failure.diagnostics[0].code
        else:
            code = ""
        assert code == "F206", (repository, reference, code)


def damaged_uploads_are_refused(subject: Subject) -> None:
    """Bytes that have another digest than they claim."""
    target = subject.target("conformance/damaged")
    started = target.ask("POST", target.url("blobs/uploads/"), body=b"")
    assert started.status == 202, started.status
    place = push.place_of(target, started)
    wrong = f"{place}{'&' if '?' in place else '?'}digest=sha256:{'0' * 64}"
    reply = target.ask("PUT", wrong, {"Content-Type": "application/octet-stream"}, b"data")
    assert reply.status == 400, reply.status


def manifests_without_blobs_are_refused(subject: Subject) -> None:
    """A manifest that names a blob which is not there."""
    missing = Descriptor(media_type=image.LAYER, digest=Digest.of(os.urandom(10)), size=10)
    config = artifact.described("c", subject.here.put(b"{}"), 2)
    target = subject.target("conformance/incomplete")
    push.blob(target, subject.here, config, _ignored)
    body = artifact.write([missing], config, {})
    reply = target.ask("PUT", target.url("manifests/v1"), {"Content-Type": manifest.MANIFEST}, body)
    assert reply.status in (400, 404), reply.status


def artifacts_refer_to_others(subject: Subject) -> None:
    """What is about an image is found, by the referrers API or the tag that stands in for it."""
    document = pushed(subject, "conformance/subject", "v1", b"subject")
    target = subject.target("conformance/subject")
    config = Descriptor(media_type=artifact.CONFIG, digest=subject.here.put(b"{}"), size=2)
    made = []
    for number in range(2):
        layer = artifact.described("note", subject.here.put(b"%d" % number), 1)
        body = artifact.write([layer], config, {"number": str(number)}, document.descriptor)
        about = manifest.read(body)
        push.image(target, subject.here, about, silent)
        made.append(push.document(target, body, manifest.MANIFEST, about.digest))
    found = subject.connect().get(subject.host).referrers("conformance/subject", document.digest, artifact.SYSTEM)
    assert {f.digest for f in found} == set(made)
    assert {json.dumps(dict(f.annotations)) for f in found} == {'{"number": "0"}', '{"number": "1"}'}


CHECKS: tuple[Callable[[Subject], None], ...] = (
    images_come_back,
    tags_move,
    large_blobs_go_in_parts,
    blobs_are_mounted_or_sent,
    indexes_are_chosen_from,
    what_is_not_there_is_said,
    damaged_uploads_are_refused,
    artifacts_refer_to_others,
)
STRICT: tuple[Callable[[Subject], None], ...] = (ranges_are_served, manifests_without_blobs_are_refused)


def _ignored(done: int) -> None:
    del done
