"""Command lines on their way to the kernel: the kernel gets the same words by every way, or the way refuses."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.assemble import command_line
from finback.assemble.command_line import UnsayableError, Way, findings, grub, words
from finback.assemble.system import Boot, System
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.outputs import FORMATS
from finback.resolve.plan import ImagePin, KernelPlan, Plan
from finback.tree.content import Slice

LINES = st.text(st.sampled_from("abc=.,-_/%@+:[]{}()<>*?~!#$&|;`^ \t\n\"'\\é"), max_size=40)


def system(cmdline: str, architecture: str = "amd64", name: str = "t") -> System:
    platform = Platform(architecture=architecture)
    kernel = KernelPlan(image=ImagePin(reference="k"), cmdline=cmdline)
    boot = Boot(kernel=Slice(Digest.of(b""), 0, 0), kernel_mode=0o644, cmdline=cmdline, source="k")
    plan = Plan(name=name, platform=platform, epoch=0, kernel=kernel)
    return System(name=name, platform=platform, epoch=0, plan=plan, boot=boot, parts=())


def parsed(line: str) -> list[tuple[str, str | None]]:
    """Names and values as the kernel reads them: lib/cmdline.c, next_arg."""
    out: list[tuple[str, str | None]] = []
    at = 0
    while at < len(line):
        if line[at].isspace() and line[at].isascii():
            at += 1
            continue
        quoted = within = line[at] == '"'
        begin = at = at + quoted
        equals = -1
        while at < len(line) and (within or not (line[at].isspace() and line[at].isascii())):
            equals = at if equals <= begin and line[at] == "=" and at > begin else equals
            within ^= line[at] == '"'
            at += 1
        word = line[begin:at]
        if equals <= begin:
            out.append((word.removesuffix('"') if quoted else word, None))
            continue
        name, value = word[: equals - begin], word[equals - begin + 1 :]
        if value.startswith('"'):
            value = value[1:].removesuffix('"')
        elif quoted:
            value = value.removesuffix('"')
        out.append((name, value))
    return out


def by_grub(argument: str) -> str:
    """What GRUB makes of an argument of `linux`: grub-core/lib/cmdline.c."""
    escaped = re.sub(r"[\\'\"]", lambda m: "\\" + m[0], argument)
    return f'"{escaped}"' if " " in argument else escaped


def shell_words(text: str) -> list[str]:
    """The words of a text in which all that is special stands in single quotes."""
    found = re.findall(r"'([^']*)'|([A-Za-z0-9_@%+=:,./-]+)", text)
    return [quoted or bare for quoted, bare in found]


@given(LINES)
@settings(max_examples=500)
def test_the_words_stay_what_they_are(line: str) -> None:
    for write in (command_line.plain, command_line.syslinux, command_line.boot_entry, command_line.ipxe):
        try:
            written = write(line)
        except UnsayableError:
            continue
        assert "\n" not in written
        assert words(written) == words(line)
        assert parsed(written) == parsed(line)


@given(LINES)
@settings(max_examples=500)
def test_grub_passes_the_same_to_the_kernel(line: str) -> None:
    try:
        written = grub(line)
    except UnsayableError:
        return
    assert parsed(" ".join(map(by_grub, shell_words(written)))) == parsed(line)


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("grub-emu"), reason="no grub-emu")
def test_grubs_own_shell_leaves_the_words_alone(tmp_path: Path) -> None:
    lines = [
        "memmap=64M$1G", "a;b", "a|b", "a&b", "{a}", "a#b #c", "$root ${root}", "*?[a-z]", "~ !x", "<a >b", "(hd0)",
        'dyndbg="file a.c +p" x', 'a="$b"', "`ls`", "é", "-x --y", "%d%s",
    ]  # fmt: skip
    said = [f"echo {grub(line)}" for line in lines]
    (tmp_path / "grub.cfg").write_text("\n".join([*said, "halt", ""]))
    command = ["grub-emu", "-d", str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout.decode()).replace("\r", "").split("Welcome to GRUB!\n\n")[-1]
    wanted = [" ".join("".join(w.split('"')) for w in words(line)) for line in lines]
    assert [s.strip() for s in shown.splitlines()[: len(lines)]] == wanted


@pytest.mark.parametrize("line", ["a='b", "a=\\b", 'a"b', 'a="b"c'])
def test_what_grub_would_change_is_refused(line: str) -> None:
    with pytest.raises(UnsayableError):
        grub(line)
    found = list(findings(system(line), "deb", FORMATS.get("deb").ways))
    assert [d.code for d in found] == ["F162"]
    assert "GRUB" in found[0].message


@pytest.mark.parametrize(
    ("way", "line"),
    [
        (command_line.IPXE, "a=${b}"),
        (command_line.IPXE, "a && b"),
        (command_line.IPXE, "a ; b"),
        (command_line.IPXE, 'a="b  c"'),
        (command_line.SYSLINUX, "-"),
        (command_line.SYSLINUX, "initrd=/other"),
        (command_line.SYSTEMD_BOOT, '"a=b c" d="e f"'),
        (command_line.UNIFIED, 'a="b\nc"'),
    ],
)
def test_what_other_loaders_would_change_is_refused(way: Way, line: str) -> None:
    assert [d.code for d in findings(system(line), "x", (way,))] == ["F162"]


@pytest.mark.parametrize(
    ("architecture", "limit"), [("amd64", 2047), ("arm64", 2047), ("riscv64", 1023), ("s390x", 4095)]
)
def test_the_kernels_limit(architecture: str, limit: int) -> None:
    ways = (command_line.DIRECT,)
    assert list(findings(system("x" * limit, architecture), "kernel+initrd", ways)) == []
    found = list(findings(system("x" * (limit + 3), architecture), "kernel+initrd", ways))
    assert [d.code for d in found] == ["F163"]
    assert "3 bytes too long" in found[0].message
    # Bytes count, not characters.
    assert list(findings(system("é" * limit, architecture), "kernel+initrd", ways))


def test_every_format_leaves_room_for_what_its_loader_adds() -> None:
    for name, form in FORMATS:
        for way in form.ways:
            if way.architectures is not None and "amd64" not in way.architectures:
                continue
            room = 2047 - len(way.added(system("")).encode()) - way.reserved
            assert list(findings(system("x" * room), name, (way,))) == []
            assert [d.code for d in findings(system("x" * (room + 1)), name, (way,))] == ["F163"]


def test_what_boots_nothing_takes_any_line() -> None:
    assert {name for name, form in FORMATS if not form.ways} == {"tar", "docker"}
    assert list(findings(replace(system("x" * 9000), boot=None), "kernel+initrd", (command_line.DIRECT,))) == []
