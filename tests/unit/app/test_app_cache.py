"""`finback cache`, and a store under fire: full disks, interrupts, company, flipped bits."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.image_files import Layout, layer

from finback.app.cache import transfer as cache_transfer
from finback.app.cache import upkeep as cache
from finback.app.planning import Inputs, make_plan
from finback.app.settings import Settings
from finback.app.workspace import Workspace
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.host.record import file_name
from finback.host.store import Store
from finback.oci import image
from finback.oci.flatten import entries

HOUR = 3600
DAY = 86400
Finback = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def workspace(store: Store) -> Workspace:
    return Workspace(emit=silent, settings=Settings(), cache=store.root)


def aged(store: Store, seconds: float, *digests: Digest) -> None:
    """Let blobs (default: everything) be unused for as long."""
    then = time.time() - seconds
    for path in [store.path(d) for d in digests] or [p for p in store.root.rglob("*") if p.is_file()]:
        os.utime(path, (then, then))


def named(store: Store, name: str, *layers: bytes) -> Digest:
    digest = image.write(store, [store.put(data) for data in layers], {"os": "linux", "architecture": "amd64"})
    store.tag(name, {"mediaType": image.MANIFEST, "digest": str(digest), "size": store.size(digest)})
    return digest


def blobs(store: Store) -> set[str]:
    return {p.name for p in (store.root / "blobs/sha256").iterdir()}


def test_names_are_listed_and_removed_without_what_others_share(store: Store, workspace: Workspace) -> None:
    shared = layer("shared")
    one = named(store, "docker.io/library/one:latest", shared, layer("one"))
    two = named(store, "docker.io/a/two:1", shared)
    listed = cache.listing(workspace)
    assert [(n.name, n.digest, n.platforms) for n in listed] == [
        ("docker.io/a/two:1", two, ("linux/amd64",)), ("docker.io/library/one:latest", one, ("linux/amd64",)),
    ]  # fmt: skip
    with pytest.raises(FinbackError, match="called a/tow") as failure:
        cache.remove(["one", "a/tow:1"], workspace)
    assert "docker.io/a/two:1" in failure.value.diagnostics[0].help
    done = cache.remove(["one"], workspace)
    assert done.names == ("docker.io/library/one:latest",)
    assert done.blobs == 3
    assert [e.path for e in entries(Store(store.root), two)] == ["shared"]
    assert cache.remove(["a/two:1"], workspace).left == 0
    assert not blobs(store)


def test_what_is_not_used_any_more_is_collected(store: Store, workspace: Workspace) -> None:
    kept = named(store, "docker.io/library/kept", layer("kept"))
    held, loose, fresh = store.put(b"held"), store.put(b"loose"), store.put(b"fresh")
    store.remember(Digest.of(b"key"), {"blob": str(held)})
    store.remember(Digest.of(b"dead"), {"blob": str(Digest.of(b"never there"))})
    aged(store, 40 * DAY)
    aged(store, 2 * DAY, fresh)
    # The record was of use: so is what it speaks of.
    assert store.recall(Digest.of(b"key"))
    done = cache.collect(30, None, workspace)
    assert (done.blobs, done.records, done.names) == (1, 1, ())
    assert not store.path(loose).exists()
    assert store.path(held).exists()
    assert store.path(fresh).exists()
    assert [e.path for e in entries(store, kept)] == ["kept"]
    aged(store, 40 * DAY)
    assert cache.collect(30, None, workspace).blobs == 2


def test_the_longest_unused_goes_first_when_there_is_a_cap(store: Store, workspace: Workspace) -> None:
    for days, name in ((9, "old"), (5, "newer"), (7, "middle")):
        aged(store, days * DAY, named(store, f"docker.io/library/{name}", os.urandom(1000) + layer(name)))
        aged(store, days * DAY, *(Digest("sha256", b) for b in blobs(store) if time.time() - (
            store.root / "blobs/sha256" / b).stat().st_mtime < DAY))  # fmt: skip
    loose = store.put(bytes(3000))
    aged(store, 2 * DAY, loose)
    total = cache.collect(30, None, workspace).left
    # What has no name goes before what has one, however new.
    done = cache.collect(30, total - 1, workspace)
    assert (done.names, done.blobs) == ((), 1)
    assert not store.has(loose)
    assert cache.collect(30, done.left - 1, workspace).names == ("docker.io/library/old",)
    assert cache.collect(30, 0, workspace).names == ("docker.io/library/middle", "docker.io/library/newer")
    assert not blobs(store)
    # What another process may be at work with stays.
    store.put(b"new")
    assert cache.collect(0, 0, workspace).blobs == 0


def test_shared_blobs_stay_while_one_that_needs_them_stays(store: Store, workspace: Workspace) -> None:
    shared = layer("shared")
    old, new = named(store, "docker.io/library/old", shared), named(store, "docker.io/library/new", shared, layer("n"))
    aged(store, 9 * DAY)
    aged(store, DAY, new)
    size = cache.collect(30, None, workspace).left
    done = cache.collect(30, size - 1, workspace)
    assert done.names == ("docker.io/library/old",)
    assert not store.path(old).exists()
    assert [e.path for e in entries(Store(store.root), new)] == ["n", "shared"]


def test_damage_is_found_and_mended(store: Store, workspace: Workspace) -> None:
    good = named(store, "docker.io/library/good", layer("good"))
    bad = named(store, "docker.io/library/bad", layer("bad"))
    half = named(store, "docker.io/library/half", layer("half"))
    segment = store.put(b"segment")
    store.remember(Digest.of(b"key"), {"blob": str(segment)})
    aged(store, 9 * DAY)
    assert cache.verify(workspace).damaged == ()
    for digest in (bad, Digest.of(layer("half")), segment):
        data = bytearray(store.path(digest).read_bytes())
        data[len(data) // 2] ^= 1
        store.path(digest).write_bytes(data)
        aged(store, 9 * DAY, digest)
    found = cache.verify(workspace)
    assert set(found.damaged) == {bad, Digest.of(layer("half")), segment}
    assert (found.names, found.incomplete) == (("docker.io/library/bad",), ("docker.io/library/half",))
    assert found.records == 1
    assert store.recall(Digest.of(b"key")) is None
    assert {n.digest for n in cache.listing(workspace)} == {good, half}
    again = cache.verify(workspace)
    assert (again.damaged, again.names, again.index) == ((), (), "")


def test_damaged_records_are_found_and_removed(store: Store, workspace: Workspace) -> None:
    """Verify reports a record that was damaged, one that was pointed at other bytes, and one of an older finback."""
    segment, other = store.put(b"segment"), store.put(b"other")
    keys = [Digest.of(word) for word in (b"good", b"flipped", b"pointed")]
    for key in keys:
        store.remember(key, {"blob": str(segment), "size": 7})
    good, flipped, pointed = (store.root / "actions" / file_name(k) for k in keys)
    flipped.write_bytes(flipped.read_bytes().replace(b"size", b"sise"))
    pointed.write_bytes(pointed.read_bytes().replace(str(segment).encode(), str(other).encode()))
    (good.parent / Digest.of(b"old").encoded).write_text('{"blob": "x"}')
    aged(store, 9 * DAY)
    assert cache.verify(workspace).records == 3
    assert list(good.parent.iterdir()) == [good]
    assert cache.verify(workspace).records == 0


NO_DIGEST = b'{"manifests": [{"digest": "x", "annotations": {"org.opencontainers.image.ref.name": "a"}}]}'


@pytest.mark.parametrize("damage", [b"{", b'{"manifests": 3}', b'{"manifests": [3]}', NO_DIGEST])
def test_a_damaged_index_is_put_aside(damage: bytes, store: Store, workspace: Workspace) -> None:
    digest = store.put(b"blob")
    (store.root / "index.json").write_bytes(damage)
    found = cache.verify(workspace)
    assert cache.listing(workspace) == ()
    assert store.has(digest)
    assert Path(found.index).read_bytes() == damage


def test_usage_counts_each_blob_once(store: Store, workspace: Workspace) -> None:
    named(store, "docker.io/library/one", layer("one"))
    store.remember(Digest.of(b"key"), {"blob": str(store.put(b"w" * 700))})
    store.put(b"u" * 300)
    (store.root / "debian" / "index").write_bytes(b"d" * 50)
    kinds = {u.kind: u for u in cache.usage(workspace)}
    total = sum(p.stat().st_size for p in (store.root / "blobs/sha256").iterdir())
    assert kinds["named images"].size + 1000 == total
    assert (kinds["work"].size, kinds["unnamed"].size, kinds["package indexes"].size) == (700, 300, 50)
    assert kinds["unnamed"].reclaimable == 0
    aged(store, 2 * DAY)
    assert {u.kind: u.reclaimable for u in cache.usage(workspace)}["unnamed"] == 300


@pytest.mark.parametrize("tag", [":1", "", ":latest"])
def test_what_was_imported_needs_no_registry(tag: str, tmp_path: Path, store: Store, workspace: Workspace) -> None:
    """As with LinuxKit, whose cache is asked first (compat 3.8)."""
    layout = Layout()
    listed = {"schemaVersion": 2, "manifests": [layout.image("a", "amd64"), layout.image("r", "arm64")]}
    index = layout.put(json.dumps(listed).encode(), "application/vnd.oci.image.index.v1+json")
    layout.named(f"localhost:9/web{tag or ':latest'}", index)
    cache_transfer.take(layout.write(tmp_path / "in"), workspace)
    (tmp_path / "x.yml").write_text(f"services: [{{name: w, image: 'localhost:9/web{tag}'}}]\n")
    for architecture, name in (("amd64", "a"), ("arm64", "r")):
        inputs = Inputs(files=(str(tmp_path / "x.yml"),), platform=Platform("linux", architecture))
        plan, _ = make_plan(inputs, workspace)
        assert plan.services[0].image.digest is not None
        assert [e.path for e in entries(store, plan.services[0].image.digest)] == [name]
        # And with the lock that was written.
        assert make_plan(replace(inputs, frozen=True), workspace)[0] == plan
    with pytest.raises(FinbackError, match="localhost:9"):
        make_plan(replace(inputs, platform=Platform("linux", "s390x")), workspace)
    cache.remove([f"localhost:9/web{tag}"], workspace)
    assert store.tagged(f"localhost:9/web{tag or ':latest'}") is None


def test_tags_of_a_layout_belong_to_the_image_that_is_named(tmp_path: Path, store: Store, workspace: Workspace) -> None:
    layout = Layout()
    for tag in ("1.0", "latest"):
        annotations = {"org.opencontainers.image.ref.name": tag}
        layout.index.append({**layout.image(f"a{tag}", "amd64", "gzip"), "annotations": annotations})
    layout.index.append(layout.image("b", "amd64", "gzip"))
    folder = layout.write(tmp_path / "in")
    with pytest.raises(FinbackError, match="without a name"):
        cache_transfer.take(folder, workspace)
    layout.index.pop()
    found = cache_transfer.take(layout.write(tmp_path / "tags"), workspace, "registry.example.com/app")
    assert [i.name for i in found] == ["registry.example.com/app:1.0", "registry.example.com/app:latest"]
    assert store.tagged("registry.example.com/app:1.0") is not None


def test_images_are_imported_and_exported(tmp_path: Path, store: Store, workspace: Workspace) -> None:
    layout = Layout()
    listed = {"schemaVersion": 2, "manifests": [layout.image("a", "amd64", "gzip"), layout.image("r", "arm64", "zstd")]}
    index = layout.put(json.dumps(listed).encode(), "application/vnd.oci.image.index.v1+json")
    layout.index.append({**index, "annotations": {"io.containerd.image.name": "docker.io/library/web:1"}})
    layout.write(tmp_path / "in.tar", packed=True)
    with (tmp_path / "in.tar").open("rb") as stream:
        (imported,) = cache_transfer.take(stream, workspace)
    assert imported.name == "docker.io/library/web:1"
    assert cache.listing(workspace)[0].platforms == ("linux/amd64", "linux/arm64")
    name, digest, kind = cache.find("web:1", workspace)
    for form, architecture, path in (("oci", "arm64", "r"), ("docker", "amd64", "a"), ("filesystem", "arm64", "r")):
        out = io.BytesIO()
        platform = Platform.parse(architecture)
        what = cache_transfer.Export(name=name, digest=digest, media_type=kind, platform=platform, form=form)
        cache_transfer.write(what, out, workspace)
        out.seek(0)
        with tarfile.open(fileobj=out) as archive:
            names = archive.getnames()
        if form == "filesystem":
            assert names == [path]
            continue
        (tmp_path / f"{form}.tar").write_bytes(out.getvalue())
        other = Workspace(emit=silent, settings=Settings(), cache=tmp_path / form)
        source = "oci-layout" if form == "oci" else "docker-archive"
        from finback.resolve.catalogue import Wanted

        wanted = Wanted(reference=f"{source}:{tmp_path}/{form}.tar:web:1", platform=Platform.parse(architecture))
        found = other.catalogue().find(wanted)
        assert found.pin.digest is not None
        assert [e.path for e in entries(other.store, found.pin.digest)] == [path]
    nameless = Layout()
    nameless.index.append(nameless.image("x"))
    with pytest.raises(FinbackError, match="without a name"):
        cache_transfer.take(nameless.write(tmp_path / "nameless"), workspace)


def test_a_folder_that_linuxkit_made_is_a_store(tmp_path: Path) -> None:
    layout = Layout()
    layout.named("docker.io/linuxkit/init:1", layout.image("init", compression="gzip"))
    folder = layout.write(tmp_path / "cache")
    (folder / ".lock").touch()
    workspace = Workspace(emit=silent, settings=Settings(), cache=folder)
    (found,) = cache.listing(workspace)
    assert (found.name, found.platforms) == ("docker.io/linuxkit/init:1", ("linux/amd64",))
    assert [e.path for e in entries(workspace.store, found.digest)] == ["init"]
    workspace.store.tag("docker.io/library/b", {"mediaType": image.MANIFEST, "digest": str(found.digest), "size": 1})
    index = json.loads((folder / "index.json").read_text())
    assert [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]] == [
        "docker.io/linuxkit/init:1", "docker.io/library/b",
    ]  # fmt: skip


# The same through the command line, with a system that is built of a layout.


@pytest.fixture
def finback(tmp_path: Path) -> Finback:
    layout = Layout()
    layout.named("init", layout.image("init"))
    layout.named("web", layout.image("web", compression="gzip"))
    layout.write(tmp_path / "images")
    (tmp_path / "web.yml").write_text(
        "init: ['oci-layout:images:init']\nservices:\n  - {name: web, image: 'oci-layout:images:web'}\n"
    )

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            env=environment(tmp_path), **options,  # type: ignore[call-overload]
        )  # fmt: skip

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "finback", "--progress", "quiet", *arguments]


def environment(tmp_path: Path) -> dict[str, str]:
    home = {f"XDG_{k}_HOME": str(tmp_path / k.lower()) for k in ("CACHE", "CONFIG", "STATE")}
    return {**os.environ, **home, "LC_ALL": "C.UTF-8"}


BUILD = ("build", "-f", "kernel+initrd,tar", "--dir", "out", "web.yml")
TAR = ("build", "-f", "tar", "--dir", "out", "web.yml")


def test_flipped_bits_never_reach_an_artifact(finback: Finback, tmp_path: Path) -> None:
    done = finback(*TAR)
    assert done.returncode == 0, done.stderr
    sound = (tmp_path / "out/web.tar").read_bytes()
    blobs = sorted((tmp_path / "cache/finback/blobs/sha256").iterdir())
    assert len(blobs) >= 7
    for blob in blobs:
        if not blob.exists():
            continue
        data = bytearray(blob.read_bytes())
        data[len(data) // 3] ^= 0x10
        blob.write_bytes(data)
        done = finback(*TAR)
        # What can be taken again is; what is of the plan alone is made again.
        assert done.returncode == 0, (blob.name, done.stderr)
        assert (tmp_path / "out/web.tar").read_bytes() == sound
    assert finback("cache", "verify").returncode == 0


def test_verify_says_what_was_damaged(finback: Finback, tmp_path: Path) -> None:
    assert finback(*TAR).returncode == 0
    blob = max((tmp_path / "cache/finback/blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    done = finback("cache", "verify")
    assert done.returncode == 4
    assert f"damaged, removed: sha256:{blob.name}" in done.stdout
    assert json.loads(finback("cache", "verify", "--json").stdout)["damaged"] == []
    assert "without a name" in finback("cache", "du").stdout
    assert json.loads(finback("cache", "ls", "--json").stdout) == []
    assert finback("cache", "rm", "nothing").returncode == 5 or "F189" in finback("cache", "rm", "nothing").stderr
    assert finback("cache", "gc", "--size", "10x").returncode == 2
    assert "0 blobs" in finback("cache", "gc", "--size", "0").stdout


def is_sound(folder: Path) -> None:
    """What a dead process has left is no harm: every blob is whole, the index reads."""
    for blob in (folder / "blobs/sha256").glob("*"):
        assert Digest.of(blob.read_bytes()).encoded == blob.name
    json.loads((folder / "index.json").read_text())


def test_interrupts_at_any_moment_leave_a_sound_store(finback: Finback, tmp_path: Path) -> None:
    begun = time.monotonic()
    assert finback(*TAR).returncode == 0
    whole = time.monotonic() - begun
    sound = (tmp_path / "out/web.tar").read_bytes()
    rng = random.Random(3)
    statuses = set()
    for number in range(12):
        folder = tmp_path / f"store{number}"
        out = f"out{number}"
        arguments = ("--cache", str(folder), "build", "-f", "tar", "--dir", out, "web.yml")
        running = subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(rng.uniform(0.3, 1.1) * whole)
        running.send_signal(signal.SIGINT if number % 3 else signal.SIGKILL)
        statuses.add(running.wait(30))
        if (folder / "index.json").exists():
            is_sound(folder)
        target = tmp_path / out / "web.tar"
        assert not target.exists() or target.read_bytes() == sound
        done = finback("--cache", str(folder), "build", "-f", "tar", "--dir", out, "web.yml")
        assert done.returncode == 0, done.stderr
        assert target.read_bytes() == sound
        assert not list((folder / "tmp").iterdir())
    assert statuses & {130, -signal.SIGINT, -signal.SIGKILL}


def test_several_builds_at_once_in_one_store(finback: Finback, tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            command("build", "-f", "tar", "--dir", f"out{n}", "--lock", f"{n}.lock", "web.yml"), cwd=tmp_path,
            env=environment(tmp_path), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )
        for n in range(4)
    ]  # fmt: skip
    said = [p.communicate(timeout=60)[1] for p in running]
    assert [p.returncode for p in running] == [0] * 4, said
    assert len({(tmp_path / f"out{n}/web.tar").read_bytes() for n in range(4)}) == 1
    is_sound(tmp_path / "cache/finback")
    assert finback("cache", "verify").returncode == 0


def test_a_full_disk_is_said_and_leaves_a_sound_store(finback: Finback, tmp_path: Path) -> None:
    def limit(size: int) -> Callable[[], None]:
        def apply() -> None:
            # As a full disk has it: a write that fails. The signal that comes with it would end the process.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        return apply

    statuses = []
    for size in (0, 100, 700, 3000, 20_000):
        done = finback(*TAR, preexec_fn=limit(size))
        statuses.append(done.returncode)
        assert done.returncode in (0, 5), done.stderr
        assert "Traceback" not in done.stderr
        if done.returncode:
            assert "error[F4" in done.stderr
            assert not (tmp_path / "out/web.tar").exists()
        if (tmp_path / "cache/finback/index.json").exists():
            is_sound(tmp_path / "cache/finback")
    assert 5 in statuses
    done = finback(*TAR)
    assert done.returncode == 0, done.stderr


@pytest.mark.tools
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_small_file_system_gets_full(finback: Finback, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "none", small], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        done = finback("--cache", str(small), *TAR)
        assert done.returncode == 5, done.stderr
        assert "F403" in done.stderr
        assert "--cache" in done.stderr
        is_sound(small)
        assert not list((small / "tmp").iterdir())
    finally:
        subprocess.run(["umount", small], check=True)
