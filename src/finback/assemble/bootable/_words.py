"""Trouble with a program in words, with a remedy."""

from __future__ import annotations

from collections.abc import Sequence


def describe(trouble: Sequence[str]) -> tuple[str, str]:
    """The predicate for a program with *trouble*, and what to do about it."""
    kind, what, *more = trouble
    if kind == "absent":
        advice = f"it has {', '.join(more)}: name one of them" if more else "mind the spelling"
        return f"runs {what}, which its image does not have", f"{advice}, or use an image that has it"
    if kind == "mode":
        return f"runs {what}, which is no executable file", 'make it executable in the image: chmod +x; or mode: "0755"'
    if kind == "format":
        return f"needs {what}, which is neither a program nor a script", "a script begins with #! and an interpreter"
    if kind == "machine":
        return (
            f"runs {what}, which is for {more[0]}, on a machine of {more[1]}",
            f"use an image for {more[1]}, or build for {more[0]} with --arch",
        )
    need = "the interpreter" if kind == "interpreter" else "the library"
    return (
        f"runs {more[0]}, which needs {need} {what}, and the image has none",
        "use an image that has it, or link the program statically",
    )
