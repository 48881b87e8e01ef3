"""The library as a whole: built by several processes, published, taken from there, compared with the archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from finback.app.library.build import Job, Report, Request, build_library, built
from finback.app.library.push import Request as Push
from finback.app.library.push import push_library
from finback.app.library.status import library_status
from finback.app.settings import Settings
from finback.app.workspace import Workspace
from finback.component.library import Library
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.oci import image
from finback.oci.flatten import entries
from finback.oci.network import Network, Rule
from finback.resolve import published
from finback.resolve.catalogue import Wanted
from finback.resolve.plan import ImagePin, PackagePin, loader_reference
from finback.testing.registry import FakeRegistry

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
GOOD = "summary: Says hello\ncategory: tool\nfiles: [{path: /hello, contents: hello}]\n"
FOR_ARM = GOOD + "exceptions: {amd64: its chips are arm64, riscv64: the same, s390x: the same}\n"
# What is to be kept is in no package.
BAD = "summary: Fails\ncategory: tool\nkeep: {paths: [/nothing]}\n"
PIN = PackagePin(name="a", version="1", architecture="amd64", filename="a.deb", size=1, digest=Digest.of(b"1"))


class Bench:
    """A folder of components, and workspaces that know no others."""

    def __init__(self, folder: Path, registry: FakeRegistry) -> None:
        self.folder = folder
        self.registry = registry
        self.base = f"{registry.host}/parts"

    def define(self, definitions: dict[str, str]) -> None:
        for name, text in definitions.items():
            (self.folder / "components" / name).mkdir(parents=True, exist_ok=True)
            (self.folder / "components" / name / "component.yml").write_text(text)

    def workspace(self, store: str = "store", published: str = "") -> Workspace:
        network = Network((Rule(pattern="*", insecure="http"),))
        out = Workspace(
            emit=silent, settings=Settings(), cache=self.folder / store, network=network, published=published
        )
        out._library = Library((self.folder / "components",))
        return out

    def build(self, *platforms: Platform) -> Report:
        return build_library(Request(platforms=platforms or (AMD64,), jobs=1), self.workspace())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    # What the processes of the pool find.
    monkeypatch.setenv("FINBACK_LIBRARY", str(tmp_path / "components"))
    with FakeRegistry() as registry:
        yield Bench(tmp_path, registry)


def find(workspace: Workspace, name: str, locked: ImagePin | None = None, *, frozen: bool = False) -> ImagePin:
    wanted = Wanted(reference=loader_reference(name), platform=AMD64, locked=locked, frozen=frozen)
    return workspace.catalogue().find(wanted).pin


def test_one_that_fails_stops_none_of_the_others(bench: Bench) -> None:
    bench.define({"zz-good": GOOD, "zz-bad": BAD, "zz-arm": FOR_ARM})
    report = bench.build(AMD64, ARM64)
    done = {(o.job.name, o.job.platform.architecture) for o in report.outcomes if o.pin}
    assert done == {("zz-good", "amd64"), ("zz-good", "arm64"), ("zz-arm", "arm64")}
    assert [o.problems[0].code for o in report.failed] == ["F143", "F143"]
    assert report.exceptions == ((Job(name="zz-arm", platform=AMD64), "its chips are arm64"),)


def test_a_build_goes_on_where_it_was(bench: Bench) -> None:
    bench.define({"zz-one": GOOD})
    assert [o.fresh for o in bench.build().outcomes] == [True]
    bench.define({"zz-two": GOOD})
    assert {o.job.name: o.fresh for o in bench.build().outcomes} == {"zz-one": False, "zz-two": True}


def test_a_definition_that_makes_the_same_image_is_known(bench: Bench) -> None:
    bench.define({"zz-one": GOOD})
    (first,) = bench.build().outcomes
    bench.define({"zz-one": f"keep: {{drop: [/usr/share/none]}}\n{GOOD}"})
    (second,) = bench.build().outcomes
    assert first.pin is not None
    assert second.pin is not None
    known = built(second.job, bench.workspace().store)
    assert (second.fresh, first.pin.digest) == (False, second.pin.digest)
    assert known is not None
    assert known.definition == second.pin.definition != first.pin.definition


def test_what_is_published_is_what_is_built(bench: Bench) -> None:
    bench.define({"zz-good": GOOD, "zz-arm": FOR_ARM})
    report = bench.build(AMD64, ARM64)
    pushed = push_library(Push(reference=bench.base), bench.workspace())
    assert [(p.reference, p.platforms) for p in pushed] == [
        (f"{bench.base}/zz-arm:latest", ("linux/arm64",)),
        (f"{bench.base}/zz-good:latest", ("linux/amd64", "linux/arm64")),
    ]
    pin = find(bench.workspace("other", bench.base), "zz-good")
    (local,) = (o.pin for o in report.outcomes if o.job == Job(name="zz-good", platform=AMD64))
    assert pin == local


def test_another_finback_takes_what_was_published_before_a_definition_changed(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    bench.build()
    push_library(Push(reference=f"{bench.base}:1"), bench.workspace())
    old = find(bench.workspace("other", f"{bench.base}:1"), "zz-good")
    bench.define({"zz-good": GOOD.replace("contents: hello", "contents: bye")})
    bench.build()
    push_library(Push(reference=f"{bench.base}:2"), bench.workspace())
    new = find(bench.workspace("other", f"{bench.base}:2"), "zz-good")
    assert new != old
    # The lock holds what it pins, whatever the tag names and the definition here says.
    assert find(bench.workspace("third", f"{bench.base}:2"), "zz-good", old, frozen=True) == old


def test_a_users_own_component_is_built(bench: Bench, tmp_path: Path) -> None:
    bench.define({"zz-good": GOOD})
    workspace = bench.workspace("other", bench.base)
    workspace._library = Library((tmp_path / "components", tmp_path / "shipped"))
    assert find(workspace, "zz-good").definition == workspace.library.get("zz-good").digest
    assert not bench.registry.seen


def test_what_is_not_published_is_an_error(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    with pytest.raises(FinbackError) as failure:
        find(bench.workspace("other", bench.base), "zz-good")
    assert failure.value.diagnostics[0].code == "F128"
    lost = ImagePin(reference=loader_reference("zz-good"), digest=Digest.of(b"gone"))
    with pytest.raises(FinbackError) as failure:
        find(bench.workspace("other", bench.base), "zz-good", lost)
    assert "lock" in failure.value.diagnostics[0].message


def test_an_image_that_lies_about_itself_is_refused(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    bench.build()
    push_library(Push(reference=bench.base), bench.workspace())
    repository = bench.registry.repositories["parts/zz-good"]
    kind, body = repository.manifests[repository.tags["latest"]]
    index = json.loads(body)
    for text in ("", "[]", "{}", published.encode(ImagePin(reference="x", digest=Digest.of(b"other")))):
        index["manifests"][0]["annotations"] = {published.PIN: text}
        changed = json.dumps(index).encode()
        repository.manifests[str(Digest.of(changed))] = (kind, changed)
        repository.tags["latest"] = str(Digest.of(changed))
        with pytest.raises(FinbackError) as failure:
            find(bench.workspace("other", bench.base), "zz-good")
        assert failure.value.diagnostics[0].code == ("F301" if "digest" in text else "F127")


def test_layers_are_compressed_for_the_way_and_the_image_is_the_one_that_was_built(bench: Bench) -> None:
    bench.define({"zz-good": GOOD.replace("contents: hello", f"contents: {'hello ' * 10_000}")})
    bench.build()
    (pushed,) = push_library(Push(reference=f"{bench.base}:1"), bench.workspace())
    assert pushed.size < 10_000
    repository = bench.registry.repositories["parts/zz-good"]
    kinds = [layer["mediaType"] for _, body in repository.manifests.values()
             for layer in json.loads(body).get("layers", ())]  # fmt: skip
    assert set(kinds) == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    workspace = bench.workspace("other", f"{bench.base}:1")
    pin = find(workspace, "zz-good")
    assert pin.digest is not None
    assert entries(workspace.store, pin.digest)
    assert workspace.store.read(pin.digest) == bench.workspace().store.read(pin.digest)
    # Nothing is sent twice.
    seen = len(bench.registry.seen)
    push_library(Push(reference=f"{bench.base}:1"), bench.workspace())
    assert not [s for s in bench.registry.seen[seen:] if s.method in ("POST", "PATCH")]


def test_a_library_with_uncompressed_layers_is_still_taken(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    bench.build()
    push_library(Push(reference=bench.base), bench.workspace())
    repository, store = bench.registry.repositories["parts/zz-good"], bench.workspace().store
    kind, body = repository.manifests[repository.tags["latest"]]
    index = json.loads(body)
    pin = find(bench.workspace("one", bench.base), "zz-good")
    assert pin.digest is not None
    found = image.load(store, pin.digest).document
    for blob in found.layers:
        repository.blobs[str(blob.digest)] = store.read(blob.digest)
    repository.manifests = {str(pin.digest): (found.media_type, found.body)}
    index["manifests"][0] |= {"digest": str(pin.digest), "size": len(found.body)}
    changed = json.dumps(index).encode()
    repository.manifests[str(Digest.of(changed))] = (kind, changed)
    repository.tags = {"latest": str(Digest.of(changed))}
    assert find(bench.workspace("two", bench.base), "zz-good") == pin
    assert find(bench.workspace("three", bench.base), "zz-good", pin, frozen=True) == pin


def test_what_was_not_built_is_not_pushed(bench: Bench) -> None:
    bench.define({"zz-good": GOOD, "zz-bad": BAD})
    with pytest.raises(FinbackError) as failure:
        push_library(Push(reference=bench.base), bench.workspace())
    assert "nothing of the library" in failure.value.diagnostics[0].message
    bench.build()
    with pytest.raises(FinbackError) as failure:
        push_library(Push(reference=bench.base), bench.workspace())
    assert failure.value.diagnostics[0].notes == ("zz-bad for amd64",)
    assert len(push_library(Push(reference=bench.base, incomplete=True), bench.workspace())) == 1


def test_architectures_are_added_to_what_is_there(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    bench.build(AMD64, ARM64)
    for add, there in ((False, 1), (True, 2), (False, 1)):
        platform = ARM64 if add else AMD64
        (pushed,) = push_library(Push(reference=bench.base, platforms=(platform,), add=add), bench.workspace())
        assert len(pushed.platforms) == there


class FakeArchive:
    """Says what the archive has now."""

    def __init__(self, *found: PackagePin) -> None:
        self.found = found

    def solve(self, *_: object) -> tuple[PackagePin, ...]:
        return self.found


def test_status_says_what_moved_and_marks_security(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    workspace = bench.workspace()
    assert [c.state for c in library_status((), (AMD64,), "", workspace)] == ["missing"]
    bench.build()
    assert library_status((), (AMD64,), "", workspace) == ()
    bench.define({"zz-good": GOOD + "packages: [a]\n"})
    workspace = bench.workspace()
    newer = replace(PIN, version="2", archive="debian-security", digest=Digest.of(b"2"))
    workspace._archives["amd64"] = FakeArchive(newer)  # type: ignore[assignment]
    changes = library_status((), (AMD64,), "", workspace)
    assert [(c.state, c.package, c.before, c.now, c.security) for c in changes] == [
        ("definition", "", "", "", False),
        ("package", "a", "", "2", True),
    ]


def test_status_of_what_is_published(bench: Bench) -> None:
    bench.define({"zz-good": GOOD})
    bench.build()
    push_library(Push(reference=bench.base), bench.workspace())
    elsewhere = bench.workspace("other")
    assert library_status((), (AMD64,), bench.base, elsewhere) == ()
    assert [c.state for c in library_status((), (AMD64, ARM64), bench.base, elsewhere)] == ["missing"]
    assert built(Job(name="zz-good", platform=AMD64), elsewhere.store) is None
