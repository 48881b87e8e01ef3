from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from finback.ground.source import Source
from finback.resolve.sections import Addition, addition
from finback.spec.decode import load
from finback.spec.model import Spec

SCRIPTS = Path(__file__).resolve().parents[3] / "components/disks/rootfs/usr/lib/finback"
WHOLE = """\
disks:
  - name: data
    match: {serial: "A 1", bus: nvme, minSize: 1G, maxSize: 2T}
    onFailure: reboot
    timeout: 60
    emptiness: sample
    partitions:
      - {name: swap, size: 512M, filesystem: swap, encryption: {keyFile: /run/k}}
      - {name: logs, size: 1G, filesystem: xfs, mount: /var/log, options: [noexec], repair: all}
      - {name: a-name-that-is-long, label: short, grow: true, encryption: {passphrase: true, tpm2: {pcrs: [9, 7, 9]}}}
  - {name: old, optional: true, wait: 0, match: {label: "it's $(here)"}, filesystem: vfat, options: []}
"""


def made(text: str) -> Addition:
    return addition(load(Spec, Source("t.yml", text)))


def words(text: str) -> list[list[str]]:
    return [list(step.command or ()) for step in made(text).early]


def test_a_disk_is_a_step_before_others() -> None:
    first, second = made(WHOLE).early
    assert (first.name, first.image, first.on_failure, first.timeout) == (
        "disk-data",
        "finback/disks-all",
        "reboot",
        60,
    )
    assert (second.name, second.image, second.on_failure) == ("disk-old", "finback/disks", "halt")


def test_its_command_says_everything() -> None:
    first, second = words(WHOLE)
    assert first == [
        "/usr/lib/finback/disk", "data", "serial=A 1", "bus=nvme", f"max={2 << 40}",
        f"min={1554 << 20}", "wait=10", "emptiness=sample",
        "part", "place=swap", "size=512", "filesystem=swap", "label=swap", "repair=safe", "key_file=/run/k",
        "part", "place=logs", "size=1024", "filesystem=xfs", "label=logs", "mount=/var/log", "options=noexec",
        "repair=all",
        "part", "place=a-name-that-is-long", "filesystem=ext4", "label=short",
        "mount=/run/disks/a-name-that-is-long", "options=nosuid,nodev", "grow=yes", "repair=safe", "passphrase=yes",
        "pcrs=7,9",
    ]  # fmt: skip
    assert second == [
        "/usr/lib/finback/disk", "old", "with_label=it's $(here)", "wait=0", "optional=yes",
        "part", "place=old", "filesystem=vfat", "label=old", "mount=/run/disks/old", "repair=safe",
    ]  # fmt: skip


def test_what_the_kernel_must_have_and_where_things_are_mounted() -> None:
    found = made(WHOLE)
    assert {d.name for d in found.drivers} == {"xfs", "ext4", "vfat", "nls_cp437", "dm_crypt"}
    assert found.mount_points == ("/var/log", "/run/disks/a-name-that-is-long", "/run/disks/old")


def test_without_disks_there_is_nothing_of_it() -> None:
    assert made("init: [a]") == Addition()


def test_words_reach_the_script_unchanged(tmp_path: Path) -> None:
    """The part of the script that reads its words, with what follows replaced by a look at them."""
    text = (SCRIPTS / "disk").read_text()
    reading = text[text.index("role=$1") : text.index("if ! find_disk")]
    each = text[text.index("each() {") : text.index("# make_table")]
    script = (
        f'{each}\n{reading}\nshow() {{ printf "%s|" "$number" "$place" "$size" "$mount" "$options" "$pcrs"; echo; }}\n'
    )
    script += 'printf "%s|" "$role" "$serial" "$with_label" "$min" "$emptiness" "$count"; echo\neach show\n'
    (tmp_path / "script").write_text(script)
    for given, expected in zip(
        words(WHOLE),
        [
            (
                f"data|A 1||{1554 << 20}|sample|3|\n1|swap|512||||\n2|logs|1024|/var/log|noexec||\n"
                "3|a-name-that-is-long||/run/disks/a-name-that-is-long|nosuid,nodev|7,9|\n"
            ),
            "old||it's $(here)|0|read|1|\n1|old||/run/disks/old|||\n",
        ],
        strict=True,
    ):
        done = subprocess.run(
            ["sh", tmp_path / "script", *given[1:]], capture_output=True, text=True, check=True, timeout=20
        )
        assert done.stdout == expected


MIB = 1 << 20


@pytest.mark.parametrize(
    ("emptiness", "size", "at", "empty"),
    [
        ("read", 2000 * MIB, None, True),
        ("read", 2000 * MIB + 512, 2000 * MIB + 511, False),
        ("read", 2000 * MIB, 1000 * MIB, False),
        ("sample", 2000 * MIB, None, True),
        ("sample", 2000 * MIB, 256 * MIB - 1, False),
        ("sample", 2000 * MIB, 257 * MIB - 1, False),
        ("sample", 2000 * MIB, 257 * MIB, True),
        ("sample", 2000 * MIB, 1024 * MIB, False),
        ("sample", 2000 * MIB, 1025 * MIB, True),
        ("sample", 2000 * MIB, 1744 * MIB - 1, True),
        ("sample", 2000 * MIB, 1744 * MIB, False),
        ("sample", 2000 * MIB + 512, 2000 * MIB + 511, False),
        ("sample", 100 * MIB, 50 * MIB, False),
        ("sample", 300 * MIB, 299 * MIB, False),
        ("sample", 5 << 30, 3 << 30, False),
    ],
)
def test_a_disk_is_empty(tmp_path: Path, emptiness: str, size: int, at: int | None, empty: bool) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as out:
        out.truncate(size)
        if at is not None:
            out.seek(at)
            out.write(b"x")
    script = f". {SCRIPTS}/find\nemptiness={emptiness}\nzeros {disk} {size}\n"
    done = subprocess.run(["sh", "-c", script], check=False, timeout=60)
    assert (done.returncode == 0) == empty


def test_what_is_sealed_is_kept_by_a_step_after_the_disks() -> None:
    found = made(
        "disks: [{name: data, mount: /data}, {name: other}]\n"
        "secrets: [{name: a, sealed: {disk: data}}, {name: b}, {name: c, sealed: {disk: other, pcrs: [11, 7, 11]}}]\n"
    )
    assert [step.name for step in found.early] == ["secrets", "disk-data", "disk-other", "sealed"]
    (text,) = (t.contents for t in found.texts if t.path == "sealed")
    assert text == "a /data 7\nc /run/disks/other 7,11\n"
    step = found.early[-1]
    assert step.on_failure == "continue"
    assert {"/data:/data", "/run/disks/other:/run/disks/other"} <= set(step.binds_add or ())
