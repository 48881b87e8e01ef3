"""What `disks` promises, and what faults do to it: machines that are started again and again with the same disk."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SYSTEMS = Path(__file__).parent / "systems"
MIB = 1 << 20
# Where finback's mark lies on a disk.
MARK = 64 << 10
SECONDS = 300

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


@dataclass
class Guest:
    """A system that was built, beside its disks."""

    folder: Path
    name: str

    @property
    def state(self) -> Path:
        return self.folder / "s/finback/machines" / self.name

    def finback(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "finback", *arguments],
            cwd=self.folder,
            env={**os.environ, "XDG_STATE_HOME": str(self.folder / "s")},
            input=given,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def start(self, *disks: str, options: tuple[str, ...] = ()) -> None:
        words = [w for d in disks for w in ("--disk", d)]
        started = self.finback("run", "--detach", "--accel", "tcg", "--mem", "384", *words, *options, self.name)
        assert started.returncode == 0, started.stderr

    def console(self) -> str:
        return (self.state / "console.log").read_text(errors="replace")

    def until(self, text: str, seconds: float = SECONDS) -> str:
        """The console, once it has shown *text*, a regular expression."""
        limit = time.monotonic() + seconds
        while not re.search(text, self.console()):
            assert time.monotonic() < limit, f"no {text!r} in\n{self.console()[-3000:]}"
            time.sleep(0.1)
        return self.console()

    def asked(self, script: str, seconds: float = SECONDS) -> str:
        """What *script* prints in the machine itself, once it succeeds."""
        limit = time.monotonic() + seconds
        while True:
            done = self.finback("shell", self.name, given=script)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < limit, done.stdout + done.stderr + self.console()[-3000:]
            time.sleep(0.5)

    def stop(self) -> None:
        assert "has stopped" in self.finback("stop", self.name, "--timeout", "90").stderr

    def cut(self) -> None:
        """A power cut."""
        os.kill(int((self.state / "pid").read_text()), signal.SIGKILL)
        limit = time.monotonic() + 10
        while self.finback("status", self.name).returncode == 0:
            assert time.monotonic() < limit
            time.sleep(0.1)

    def boot(self, *disks: str, script: str, options: tuple[str, ...] = ()) -> str:
        """What *script* prints in a boot from its start to its orderly end."""
        self.start(*disks, options=options)
        try:
            return self.asked(script)
        finally:
            self.stop()


Maker = Callable[[str, str], Guest]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    def made(name: str, text: str) -> Guest:
        (tmp_path / f"{name}.yml").write_text(text)
        guest = Guest(tmp_path, name)
        built = guest.finback("build", f"{name}.yml")
        assert built.returncode == 0, built.stderr
        return guest

    return made


HEAD = "kernel: {image: finback/kernel, cmdline: console=ttyS0}\ninit: [finback/init]\n"


def test_a_disk_and_its_volumes(tmp_path: Path) -> None:
    shutil.copy(SYSTEMS / "disks.yml", tmp_path)
    done = Guest(tmp_path, "disks").finback("test", "--accel", "tcg", "disks.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 hold" in done.stdout


@pytest.mark.slow
def test_data_outlives_the_machine_and_grows_with_the_disk(make: Maker) -> None:
    guest = make("disks", (SYSTEMS / "disks.yml").read_text())
    look = "cat /var/lib/data/volumes/fresh/starts && df -m /var/lib/data | tail -n 1 | awk '{ print $2 }'"
    said = guest.boot("d.img,size=64M", script=f"[ -s /var/lib/data/volumes/fresh/starts ] && {look}").split()
    assert said[:-1] == ["started"]
    assert 40 < int(said[-1]) < 64
    assert (guest.folder / "d.img").read_bytes()[MARK:].startswith(b"finback disk data done\n")
    os.truncate(guest.folder / "d.img", 128 * MIB)
    said = guest.boot("d.img", script=f"[ $(wc -l </var/lib/data/volumes/fresh/starts) -eq 2 ] && {look}").split()
    assert said[:-1] == ["started", "started"]
    assert 100 < int(said[-1]) < 128
    assert "making" not in guest.console()


SMALL = (
    HEAD
    + """\
disks:
  - {name: data, mount: /var/lib/data, wait: 1, onFailure: POLICY}
onboot:
  - {name: late, image: finback/busybox, command: [/bin/sh, -c, echo the system goes on]}
"""
)


def small(policy: str) -> str:
    return SMALL.replace("POLICY", policy)


@pytest.mark.slow
def test_no_disk(make: Maker) -> None:
    guest = make("none", small("halt"))
    guest.start()
    said = guest.until("the boot ends here")
    assert "there is no disk for data" in said
    assert "the machine has no disks" in said
    assert "can't open" not in said
    assert "early 000-disk-data FAILED with status 1" in said
    assert "the system goes on" not in said
    guest.finback("stop", "none", "--timeout", "0")


@pytest.mark.slow
def test_no_disk_and_the_boot_goes_on(make: Maker) -> None:
    guest = make("none", small("continue"))
    guest.start()
    assert "early 000-disk-data FAILED" in guest.until("late: the system goes on")
    guest.stop()


@pytest.mark.slow
def test_an_optional_disk_that_is_not_there_is_no_failure(make: Maker) -> None:
    text = small("halt").replace("wait: 1,", "wait: 0, optional: true,")
    guest = make("none", text + "volumes: [{name: v, disk: data}]\n")
    guest.start()
    said = guest.until("late: the system goes on")
    assert "there is no disk for data; the system goes on without" in said
    assert "volume v is in memory, for no disk is mounted on /var/lib/data" in said
    assert "FAILED" not in said
    guest.stop()


def filled(path: Path, kind: str) -> bytes:
    """Somebody else's disk, and what is on it."""
    with path.open("wb") as out:
        out.truncate(48 * MIB)
        if kind == "data":
            # Somewhere in the middle, so that no table and no signature tells of it.
            out.seek(24 * MIB)
            out.write(os.urandom(20 * MIB))
    if kind == "ext4":
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", "-L", "photos", path], check=True)
    elif kind == "table":
        subprocess.run(["sgdisk", "-n", "1:0:0", path], check=True, capture_output=True)
    return path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("ext4", "holds ext4 labelled photos"),
        ("table", "holds a partition table, gpt"),
        ("data", "of an unknown kind"),
    ],
)
def test_somebody_elses_disk_is_left_as_it_is(make: Maker, kind: str, says: str) -> None:
    guest = make("wrong", small("halt"))
    before = filled(guest.folder / "d.img", kind)
    guest.start("d.img")
    said = guest.until("the boot ends here")
    assert says in said
    assert "blkdiscard --zeroout" in said
    guest.finback("stop", "wrong", "--timeout", "0")
    assert (guest.folder / "d.img").read_bytes() == before


@pytest.mark.slow
def test_of_several_disks_the_first_that_matches_is_taken_and_found_again(make: Maker) -> None:
    text = HEAD + "disks: [{name: data, match: {minSize: 32M, maxSize: 100M, bus: virtio}, mount: /srv/data}]\n"
    guest = make("several", text)
    look = "grep -o '^/dev/vd. /srv\\|^/dev/vd.1 /srv/data' /proc/mounts"
    said = guest.boot("small.img,size=20M", "large.img,size=200M", "b.img,size=48M", "c.img,size=48M", script=look)
    assert said == "/dev/vdc1 /srv/data\n"
    # In another order, and beside an empty one that comes first.
    said = guest.boot("c.img", "small.img", "b.img", script=look)
    assert said == "/dev/vdc1 /srv/data\n"
    assert "making" not in guest.console()


@pytest.mark.slow
@pytest.mark.parametrize(("repair", "mended"), [("safe", False), ("all", True)])
def test_a_corrupt_file_system(make: Maker, repair: str, mended: bool) -> None:
    guest = make("corrupt", small("halt").replace("wait: 1,", f"wait: 1, repair: {repair},"))
    guest.boot(
        "d.img,size=64M", script="mkdir -p /var/lib/data/a && cp /bin/sh /var/lib/data/a && grep -q vda1 /proc/mounts"
    )
    with (guest.folder / "d.img").open("r+b") as disk:
        # The superblock and the descriptors of the first group behind it; the copies in other groups are sound.
        disk.seek(MIB + 1024)
        disk.write(b"\xa5" * 4096)
    before = (guest.folder / "d.img").read_bytes()
    guest.start("d.img")
    said = guest.until("the boot ends here|the system goes on")
    if mended:
        assert "the system goes on" in said
        assert (
            guest.asked("cmp /bin/sh /var/lib/data/a/sh || cmp /bin/sh /var/lib/data/lost+found/*/sh; echo $?") == "0\n"
        )
        guest.stop()
    else:
        assert "the file system on /dev/vda1 is damaged" in said
        assert "the system goes on" not in said
        guest.finback("stop", "corrupt", "--timeout", "0")
        assert (guest.folder / "d.img").read_bytes() == before


KINDS = (
    HEAD
    + """\
disks:
  - name: main
    partitions:
      - {name: swap, size: 32M, filesystem: swap}
      - {name: boot, size: 40M, filesystem: vfat, mount: /srv/boot, options: [ro]}
      - {name: data, grow: true, label: keep, mount: /srv/data}
"""
)


@pytest.mark.slow
def test_several_partitions(make: Maker) -> None:
    guest = make("kinds", KINDS)
    look = "grep -q /srv/data /proc/mounts && grep -o ' /srv/[a-z]* [a-z0-9]* r[ow]' /proc/mounts; wc -l </proc/swaps"
    said = guest.boot("d.img,size=160M", script=look).split("\n")
    assert said == [" /srv/boot vfat ro", " /srv/data ext4 rw", "2", ""]
    os.truncate(guest.folder / "d.img", 300 * MIB)
    said = guest.boot("d.img", script="set -- $(df -m /srv/data | tail -n 1); [ $2 -gt 180 ] && echo grown").split()
    assert said == ["grown"]


@pytest.mark.slow
def test_a_file_system_made_elsewhere_is_found_by_its_label(make: Maker) -> None:
    guest = make("label", HEAD + "disks: [{name: photos, match: {label: photos}, mount: /srv/photos, grow: true}]\n")
    filled(guest.folder / "d.img", "ext4")
    os.truncate(guest.folder / "d.img", 100 * MIB)
    look = "grep -q '/dev/vda /srv/photos' /proc/mounts && set -- $(df -m /srv/photos | tail -n 1) && echo $(($2 > 80))"
    assert guest.boot("d.img", script=look) == "1\n"


ENCRYPTED = (
    HEAD
    + """\
disks:
  - {name: safe, mount: /srv/safe, grow: true, encryption: {KEY}}
onboot:
  - {name: late, image: finback/busybox, command: [/bin/sh, -c, echo the system goes on]}
"""
)
KEY = "files: [{path: etc/keys/safe, contents: correct horse}]\n"
WRITE = "grep -q '/dev/mapper/safe /srv/safe' /proc/mounts && echo something secret >>/srv/safe/x && wc -l </srv/safe/x"


@pytest.mark.slow
def test_encryption_by_a_key_file(make: Maker) -> None:
    text = ENCRYPTED.replace("KEY", "keyFile: /etc/keys/safe") + KEY
    guest = make("luks", text)
    assert guest.boot("d.img,size=80M", script=WRITE) == "1\n"
    disk = (guest.folder / "d.img").read_bytes()
    assert disk[MIB:].startswith(b"LUKS\xba\xbe\x00\x02")
    assert b"something secret" not in disk
    os.truncate(guest.folder / "d.img", 160 * MIB)
    assert guest.boot("d.img", script=WRITE + " && set -- $(df -m /srv/safe | tail -n 1) && [ $2 -gt 100 ]") == "2\n"
    # Another key opens nothing, and changes nothing.
    before = (guest.folder / "d.img").read_bytes()
    other = make("luks", text.replace("correct", "wrong"))
    other.start("d.img")
    assert "can't be opened" in other.until("the boot ends here")
    other.finback("stop", "luks", "--timeout", "0")
    assert (guest.folder / "d.img").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("swtpm"), reason="no swtpm")
def test_encryption_by_the_tpm(make: Maker) -> None:
    guest = make("tpm", ENCRYPTED.replace("KEY", "tpm2: {pcrs: [7, 15]}"))
    assert guest.boot("d.img,size=80M", script=WRITE, options=("--tpm",)) == "1\n"
    assert guest.boot("d.img", script=WRITE, options=("--tpm",)) == "2\n"
    # Power cuts are no wrong guesses.
    for lines in range(3, 9):
        guest.start("d.img", options=("--tpm",))
        assert guest.asked(f"{WRITE}; sync") == f"{lines}\n"
        guest.finback("stop", "tpm", "--timeout", "0")
    # swtpm ends with the machine.
    assert not (guest.state / "tpm.pid").exists()
    # In another machine the disk stays shut.
    before = (guest.folder / "d.img").read_bytes()
    shutil.rmtree(guest.state / "tpm")
    guest.start("d.img", options=("--tpm",))
    said = guest.until("the boot ends here")
    assert "the TPM does not give out the key of safe" in said
    guest.finback("stop", "tpm", "--timeout", "0")
    assert (guest.folder / "d.img").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("swtpm"), reason="no swtpm")
def test_a_second_key_where_the_tpm_fails(make: Maker) -> None:
    key = "tpm2: {}, keyFile: /etc/keys/safe"
    guest = make("both", ENCRYPTED.replace("KEY", key) + KEY)
    assert guest.boot("d.img,size=80M", script=WRITE, options=("--tpm",)) == "1\n"
    shutil.rmtree(guest.state / "tpm")
    assert guest.boot("d.img", script=WRITE, options=("--tpm",)) == "2\n"
    assert "the TPM does not give out" in guest.console()
    # It was enrolled anew.
    assert guest.boot("d.img", script=WRITE, options=("--tpm",)) == "3\n"
    assert "the TPM does not give out" not in guest.console()


SEALED = (
    HEAD
    + """\
disks: [{name: data, mount: /var/lib/data}]
secrets: [{name: password, sealed: {disk: data}}]
services:
  - {name: app, image: finback/busybox, command: [busybox, sleep, "100000"], secrets: [password], stop: {timeout: 1}}
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("swtpm"), reason="no swtpm")
def test_a_secret_that_the_tpm_seals_is_given_once(make: Maker) -> None:
    guest = make("vault", SEALED)
    read = "cat /run/finback/secrets/app/password"
    # Longer than what a TPM seals itself.
    (guest.folder / "password").write_text("a secret of its owner\n" * 20)
    once = ("--tpm", "--secret", "password=password")
    assert guest.boot("d.img,size=64M", script=read, options=once).count("owner") == 20
    assert "password is sealed by the TPM" in guest.console()
    assert b"of its owner" not in (guest.folder / "d.img").read_bytes()
    assert guest.boot("d.img", script=read, options=("--tpm",)).count("owner") == 20
    assert "password is given by the TPM" in guest.console()
    (guest.folder / "password").write_text("another\n")
    assert guest.boot("d.img", script=read, options=once) == "another\n"
    assert guest.boot("d.img", script=read, options=("--tpm",)) == "another\n"
    # Another machine has another TPM.
    shutil.rmtree(guest.state / "tpm")
    guest.start("d.img", options=("--tpm",))
    assert "service app waits for the secret password" in guest.until("service app waits .*")
    assert "the TPM does not give out password" in guest.console()
    guest.finback("stop", "vault", "--timeout", "0")


LOGS = (
    HEAD
    + """\
disks:
  - {name: data, mount: /var/lib/data}
  - {name: logs, mount: /var/log}
volumes:
  - {name: db, disk: data}
services:
  - name: writer
    image: finback/busybox
    binds: ["db:/db"]
    command:
      - /bin/sh
      - -c
      - "n=0; while :; do n=$((n+1)); echo line $n of many; echo $n >/db/new && mv /db/new /db/n; done"
"""
)


@pytest.mark.slow
def test_power_cuts_while_formatting_and_while_writing(make: Maker) -> None:
    guest = make("cut", LOGS)
    disks = ("d.img,size=64M", "l.img,size=48M")
    # From the first sign of life of the step on, a little later each time; then while the services run.
    for pause in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0):
        guest.start(*disks)
        guest.until("early 000-disk-data")
        time.sleep(pause)
        guest.cut()
    last = 0
    for pause in (0.0, 1.0, 2.5):
        guest.start(*disks)
        said = int(guest.asked("[ -s /var/lib/data/volumes/db/n ] && cat /var/lib/data/volumes/db/n"))
        assert "FAILED" not in guest.console()
        guest.asked("sync")
        time.sleep(pause)
        guest.cut()
        assert said > 0
        last = max(last, said)
    assert guest.boot(*disks, script="[ -s /var/log/writer/current ] && ls /var/log/writer")
    for name in ("d.img", "l.img"):
        with (guest.folder / name).open("rb") as disk, (guest.folder / "part.img").open("wb") as part:
            disk.seek(MIB)
            shutil.copyfileobj(disk, part)
        checked = subprocess.run(
            ["/usr/sbin/e2fsck", "-f", "-n", guest.folder / "part.img"], capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stdout


CHATTY = (
    HEAD
    + """\
disks: [{name: logs, mount: /var/log}]
services:
  - name: chatty
    image: finback/busybox
    runtime: {mkdir: [/run/count]}
    binds: ["/run/count:/count"]
    command:
      - /bin/sh
      - -c
      - |
        n=0
        while usleep 50000; do
          n=$((n+1))
          printf '%01000d\\n' $n
          echo $n >/count/new && mv /count/new /count/n
        done
"""
)


@pytest.mark.slow
def test_a_full_folder_of_logs_stops_no_service(make: Maker) -> None:
    guest = make("full", CHATTY)
    guest.start("d.img,size=24M")
    assert guest.asked("[ -s /var/log/chatty/current ] && ls /var/log/chatty")
    # Again and again, for old logs make room.
    fill = "dd if=/dev/zero bs=4k >>/var/log/ballast 2>/dev/null; sleep 1"
    guest.asked(f"until dmesg | grep -q '/var/log is full: what services say is lost'; do {fill}; done")
    # More than any pipe takes: it does not wait for its logger.
    first = int(guest.asked("cat /run/count/n"))
    later = int(guest.asked(f"[ $(cat /run/count/n) -gt {first + 200} ] && cat /run/count/n"))
    guest.asked(f"rm /var/log/ballast; [ $(tail -n 1 /var/log/chatty/current | sed 's/.* 0*//') -gt {later} ]")
    assert guest.finback("logs", "full", "chatty").stdout.count("\n") > 10
    guest.stop()
