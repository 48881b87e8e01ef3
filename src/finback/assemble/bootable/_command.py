"""The files that a command line starts: its program, the program that a wrapper starts, the script that a shell reads.

Source: sh(1) in POSIX, "OPTIONS"; python(1); busybox's applets; tini's and dumb-init's README.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

SHELLS = frozenset({"sh", "ash", "bash", "dash", "hush", "ksh", "mksh", "zsh"})
PYTHONS = ("python",)
# Options that take an argument.
SHELL_OPTIONS = ("-o", "+o", "-O", "+O", "--rcfile", "--init-file")
PYTHON_OPTIONS = ("-W", "-X")
# Programs that start the command behind their options, with the options that take an argument.
WRAPPERS = {
    "tini": ("-p", "-e"), "tini-static": ("-p", "-e"), "dumb-init": ("-r", "--rewrite"), "catatonit": ("-P",),
    "setsid": (), "nohup": (), "env": ("-u", "-C", "-S", "--unset", "--chdir"), "exec": (),
}  # fmt: skip


def started(command: Sequence[str]) -> list[tuple[str, bool]]:
    """The names that *command* gives to files that must be there, the program first; and whether each is a script that
    another program reads, which need not be executable. Where arguments tell nothing for certain, what is before them.
    """
    found = []
    rest = list(command)
    while rest:
        name, *rest = rest
        found.append((name, False))
        base = posixpath.basename(name)
        if base == "busybox" and rest and rest[0] in SHELLS:
            base, *rest = rest
        if base in SHELLS or base.rstrip("0123456789.") in PYTHONS:
            script = _script(rest, SHELL_OPTIONS if base in SHELLS else PYTHON_OPTIONS)
            return [*found, (script, True)] if script else found
        if base not in WRAPPERS:
            break
        rest = _behind_options(base, rest)
    return found


def _script(rest: Sequence[str], arguments: Sequence[str]) -> str:
    """The first operand, where *arguments* are the options that take one; "" where none is, or it is no file's name."""
    given = iter(rest)
    for word in given:
        if word in arguments:
            next(given, None)
        elif word == "--":
            return next(given, "")
        elif word == "-" or (word[:1] == "-" and word[1:2] != "-" and set(word) & set("cms")):
            # The program is in an argument, a module, or comes by standard input.
            return ""
        elif word[:1] not in ("-", "+"):
            return word
    return ""


def _behind_options(name: str, rest: Sequence[str]) -> list[str]:
    given = list(rest)
    while given:
        word = given[0]
        if word == "--":
            return given[1:]
        if word in WRAPPERS[name]:
            given = given[2:]
        elif word.startswith("-") or (name == "env" and "=" in word):
            given = given[1:]
        else:
            break
    return given
