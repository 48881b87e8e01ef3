from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.host import file
from finback.host.record import file_name
from finback.host.store import Store
from finback.tree.content import Slice


def code(failure: pytest.ExceptionInfo[FinbackError]) -> str:
    return failure.value.diagnostics[0].code


def test_a_blob_comes_back(store: Store) -> None:
    digest = store.put(b"hello")
    assert store.read(digest) == b"hello"
    assert b"".join(store.chunks(Slice(digest, 1, 3))) == b"ell"
    assert (store.root / "oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'


def test_a_flipped_bit_is_found_and_the_blob_removed(store: Store) -> None:
    digest = store.put(b"hello")
    store.path(digest).write_bytes(b"hellp")
    with pytest.raises(FinbackError) as failure:
        store.read(digest)
    assert code(failure) == "F401"
    assert not store.has(digest)
    store.put(b"hello")
    store.path(digest).write_bytes(b"hellq")
    with pytest.raises(FinbackError):
        list(Store(store.root).chunks(Slice(digest, 0, 5)))


def test_wrong_bytes_and_too_many_bytes_never_enter(store: Store) -> None:
    with pytest.raises(FinbackError) as failure, store.ingest(Digest.of(b"a")) as ingest:
        ingest.write(b"b")
    assert code(failure) == "F301"
    with pytest.raises(FinbackError) as failure, store.ingest(limit=3) as ingest:
        ingest.write(b"abcd")
    assert code(failure) == "F302"
    assert not list((store.root / "tmp").iterdir())
    assert not list((store.root / "blobs/sha256").iterdir())


def test_an_interrupt_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), store.ingest() as ingest:  # noqa: PT012 - the block is what is tested
        ingest.write(b"x")
        raise KeyboardInterrupt
    assert not list((store.root / "tmp").iterdir())
    with pytest.raises(KeyboardInterrupt), file.writing(tmp_path / "out") as out:  # noqa: PT012 - as above
        out.write(b"x")
        raise KeyboardInterrupt
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


def test_a_full_disk_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FinbackError) as failure, file.writing(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert code(failure) == "F403"
    with pytest.raises(FinbackError) as failure, store.ingest():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert code(failure) == "F403"
    assert failure.value.status == 5


def test_appending_checks_every_blob(store: Store, tmp_path: Path) -> None:
    one, two = store.put(b"one" * 1000), store.put(b"two" * 1000)
    with file.writing(tmp_path / "out") as out:
        file.append_verified(store, out, [Slice(one, 0, 3000), Slice(two, 3, 6)])
    assert (tmp_path / "out").read_bytes() == b"one" * 1000 + b"twotwo"
    fresh = Store(store.root)
    fresh.path(two).write_bytes(b"twx" * 1000)
    with pytest.raises(FinbackError), file.writing(tmp_path / "bad") as out:
        file.append_verified(fresh, out, [Slice(one, 0, 3000), Slice(two, 0, 3000)])
    assert not (tmp_path / "bad").exists()


def test_two_processes_use_one_store(store: Store) -> None:
    script = (
        "import sys;from pathlib import Path;from finback.host.store import Store;s=Store(Path(sys.argv[1]))\n"
        "for i in range(30):\n s.put(b'%d'%i); s.tag(sys.argv[2]+str(i), {'digest':'x','size':1,'mediaType':'y'})"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(store.root), n]) for n in "ab"]
    assert [p.wait(60) for p in running] == [0, 0]
    assert all(store.tagged(f"{n}{i}") for n in "ab" for i in range(30))


def test_actions_are_remembered_and_damage_is_forgotten(store: Store) -> None:
    key = Digest.of(b"k")
    assert store.recall(key) is None
    store.remember(key, {"a": 1})
    assert store.recall(key) == {"a": 1}
    other = Digest.of(b"other")
    path = store.root / "actions" / file_name(key)
    whole = path.read_bytes()
    # A record that was copied to another key's place does not belong there.
    (store.root / "actions" / file_name(other)).write_bytes(whole)
    assert store.recall(other) is None
    assert store.recall(key, lambda value: value["b"]) is None
    for position in range(len(whole)):
        for bit in (0, 3, 7):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            assert store.recall(key) in (None, {"a": 1})
    for odd in (b"{", b"[]", b"[" * 100_000, b'{"value": {"a": 2}}', b""):
        path.write_bytes(odd)
        assert store.recall(key) is None


def test_records_of_others_can_be_distrusted(store: Store) -> None:
    key, mine = Digest.of(b"k"), Digest.of(b"mine")
    Store(store.root).remember(key, 1)
    assert store.recall(key) == 1
    store.distrust_records()
    assert store.recall(key) is None
    store.remember(mine, 2)
    assert store.recall(mine) == 2


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"manifests": [1]}', b'{"manifests": [{"annotations": 1}]}'])
def test_naming_something_mends_a_damaged_index(store: Store, damage: bytes) -> None:
    (store.root / "index.json").write_bytes(damage)
    with pytest.raises(FinbackError, match="put aside"):
        store.tag("x", {"digest": str(Digest.of(b"x"))})
    store.tag("x", {"digest": str(Digest.of(b"x"))})
    assert store.tagged("x")
    assert [p.read_bytes() for p in store.root.glob("index.json.damaged.*")] == [damage]


def test_a_blob_that_damage_made_larger_is_removed(store: Store) -> None:
    digest = store.put(b"small")
    other = Store(store.root)
    other.path(digest).write_bytes(b"x" * 100)
    with pytest.raises(FinbackError) as failure:
        other.read(digest, limit=50)
    assert code(failure) == "F401"
    assert not other.has(digest)
    large = store.put(b"x" * 100)
    with pytest.raises(FinbackError) as failure:
        store.read(large, limit=50)
    assert code(failure) == "F303"
    assert store.has(large)


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: p.symlink_to(p.name), lambda p: p.symlink_to("none")])
def test_what_is_no_file_counts_as_absent(store: Store, make: Callable[[Path], object]) -> None:
    """A pipe is not waited for."""
    key, digest = Digest.of(b"key"), store.put(b"x")
    store.remember(key, 1)
    other = Store(store.root)
    for path in (store.path(digest), *(store.root / "actions").iterdir()):
        path.unlink()
        make(path)
    assert other.recall(key) is None
    assert not other.has(digest)
    for read in (other.read, other.verified, lambda d: list(other.stream(d))):
        with pytest.raises(FinbackError) as failure:
            read(digest)
        assert code(failure) == "F402"
    assert other.put(b"x") == digest
    assert other.read(digest) == b"x"
    other.remember(key, 2)
    assert store.recall(key) == 2


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(FinbackError) as failure:
        file.read(tmp_path / "big", limit=10)
    assert code(failure) == "F411"
    with pytest.raises(FinbackError) as failure:
        file.read(tmp_path / "none", limit=10)
    assert code(failure) == "F410"


def test_zeros_are_a_hole_only_where_nothing_was(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with file.writing(path) as out:
        out.write(b"begin")
        file.skip(out, 10 << 20)
        out.write(b"end")
        file.skip(out, 3 << 20)
    assert path.read_bytes() == b"begin" + bytes(10 << 20) + b"end" + bytes(3 << 20)
    assert path.stat().st_blocks * 512 < 1 << 20
    with path.open("r+b") as old:
        file.skip(old, 7)
    assert path.read_bytes()[:12] == bytes(12)
    pipe = io.BytesIO()
    file.skip(pipe, 3 << 20)
    assert pipe.getvalue() == bytes(3 << 20)
