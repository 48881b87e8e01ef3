"""Which programs of a package a new component is made of."""

from __future__ import annotations

import pytest
from tests.contract.test_bootable import program

from finback.app.component import programs
from finback.component.closure import Closure
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.tree.content import Inline
from finback.tree.entry import File, Symlink

ELF = program()


Files = dict[str, tuple[str, bytes | str]]


def unpacked(files: Files, sources: dict[str, str] | None = None) -> tuple[Unpacked, Closure]:
    """A tree of PATH: (PACKAGE, CONTENT); a text is the target of a link."""
    made = Unpacked()
    for path, (package, content) in files.items():
        made.owners[path] = package
        source = (sources or {}).get(package)
        made.control.setdefault(package, {"Package": package, **({"Source": source} if source else {})})
        if isinstance(content, str):
            made.tree[path] = Symlink(path=path, target=content)
        else:
            made.tree[path] = File(path=path, mode=0o755, content=Inline(content))
    return made, Closure(made, Platform())


def chosen(package: str, files: Files, sources: dict[str, str] | None = None) -> programs.Choice:
    return programs.choose(package, frozenset(), *unpacked(files, sources))


def test_scripts_are_left_out_where_there_is_a_program() -> None:
    made = chosen("curl", {
        "usr/bin/a-tool": ("curl", ELF), "usr/bin/curl": ("curl", ELF), "usr/bin/curl-config": ("curl", b"#!/bin/sh\n"),
        "usr/bin/other": ("dash", ELF), "usr/lib/x": ("curl", ELF), "usr/bin/link": ("curl", "curl"),
        "usr/bin/data": ("curl", b"data"),
    })  # fmt: skip
    assert made.programs == ("/usr/bin/a-tool", "/usr/bin/curl", "/usr/bin/link")
    assert made.first == "/usr/bin/curl"
    assert [p for p, _ in made.left_out] == ["/usr/bin/curl-config", "/usr/bin/data"]
    assert made.left_out[0][1] == "needs /bin/sh, which none of its packages has"


def test_the_program_of_a_service_comes_first() -> None:
    made = chosen("bind9", {
        "usr/bin/arpaname": ("bind9", ELF), "usr/sbin/named": ("bind9", ELF),
        "usr/lib/systemd/system/named.service": ("bind9", b"[Service]\nExecStart=-/usr/sbin/named -f $OPTIONS\n"),
    })  # fmt: skip
    assert made.first == "/usr/sbin/named"


def test_what_lacks_a_library_or_a_target_is_left_out() -> None:
    made = chosen("x", {
        "usr/bin/x": ("x", ELF), "usr/bin/y": ("x", program(needed=("libnone.so.1",))),
        "usr/bin/z": ("x", "/etc/alternatives/z"),
    })  # fmt: skip
    assert made.programs == ("/usr/bin/x",)
    assert dict(made.left_out) == {
        "/usr/bin/y": "needs libnone.so.1, which none of its packages has",
        "/usr/bin/z": "leads to a file that none of its packages has",
    }


@pytest.mark.parametrize(
    ("package", "other", "name", "first"),
    [
        ("apache2", "apache2-bin", "apache2", "/usr/bin/apache2"),
        ("mariadb-server", "mariadb-server-core", "mariadbd", "/usr/bin/mariadbd"),
        ("openssh-server", "openssh-client", "sshd", "/usr/bin/sshd"),
    ],
)
def test_a_package_of_scripts_stands_for_those_of_its_source(package: str, other: str, name: str, first: str) -> None:
    files: Files = {
        "usr/bin/script": (package, b"#!/usr/bin/perl -w\n"), f"usr/bin/{name}": (other, ELF),
        "usr/bin/alien": ("perl-base", ELF),
    }  # fmt: skip
    made = chosen(package, files, {package: "s", other: "s (1.0)", "perl-base": "perl"})
    assert made.first == first
    assert made.programs == (first,)


def test_a_package_of_scripts_alone_brings_what_they_need() -> None:
    files: Files = {
        "usr/sbin/update": ("certs", b"#!/bin/sh -e\n"), "usr/sbin/perly": ("certs", b"#! /usr/bin/env perl\n"),
        "usr/bin/perl": ("perl-base", ELF),
    }  # fmt: skip
    tree, closure = unpacked(files)
    extra = programs.interpreters("certs", tree, closure)
    assert extra == {"busybox-static", "perl-base"}
    made = programs.choose("certs", extra, tree, closure)
    assert made.programs == ("/usr/sbin/perly", "/usr/sbin/update", "/usr/bin/busybox")
    assert made.packages == ("certs", "busybox-static", "perl-base")
    assert (made.shell, made.whole) == (True, True)


def test_a_script_that_the_package_is_for_is_not_left_out_for_a_link_to_its_interpreter() -> None:
    made = chosen("fail2ban", {
        "usr/bin/fail2ban-python": ("fail2ban", "python3"), "usr/bin/python3": ("python3-minimal", ELF),
        "usr/bin/fail2ban-server": ("fail2ban", b"#!/usr/bin/python3\n"),
    })  # fmt: skip
    assert (made.programs, made.first, made.whole) == (("/usr/bin/fail2ban-server",), "/usr/bin/fail2ban-server", True)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"etc/x": ("p", b"x")}, "p has no programs"),
        ({"usr/bin/x": ("p", b"#!/usr/bin/ruby\n")}, "/usr/bin/x needs /usr/bin/ruby"),
        ({"usr/bin/x": ("p", b"#!\n")}, "is not a program"),
        ({"usr/bin/x": ("p", program(needed=("libnone.so.1",)))}, "needs libnone.so.1"),
    ],
)
def test_what_can_not_start_is_said(files: Files, said: str) -> None:
    with pytest.raises(FinbackError, match=said) as failure:
        chosen("p", files)
    (found,) = failure.value.diagnostics
    assert found.code == "F149"
    assert found.help


def test_what_the_definition_brings_is_not_missing() -> None:
    tree, _ = unpacked({"usr/bin/x": ("p", b"#!/bin/sh\n"), "usr/bin/y": ("p", program(needed=("libown.so.1",)))})
    provided = frozenset({"usr/bin/sh", "usr/lib/libown.so.1"})
    assert Closure(tree, Platform(), provided).of({"usr/bin/x", "usr/bin/y"}) == {"usr/bin/x", "usr/bin/y"}
    with pytest.raises(FinbackError):
        Closure(tree, Platform(), frozenset()).of({"usr/bin/x"})
