"""Explain an error code: what it means, why, and what to do."""

from __future__ import annotations

import click

from finback.cli import _streams


@click.command("explain")
@click.argument("code", metavar="CODE|NAME")
def COMMAND(code: str) -> None:  # noqa: N802
    """Explain an error code: what it means, why it is an error, an example with and without it.

    \b
    finback explain F141
    finback explain no-component
    """  # noqa: D301
    from finback.ground import errors

    found = errors.find(code)
    if not found:
        from difflib import get_close_matches

        names = [name for name, _ in errors.declarations()]
        near = get_close_matches(code.lower(), names, 3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Codes are F and three digits, such as F141."
        raise click.BadParameter(f"there is no error code {code!r}. {hint}")
    for index, (name, declared) in enumerate(found):
        if index:
            _streams.result("")
        _streams.result(f"{declared.number} {name}")
        _streams.result(f"{declared.meaning}.")
        if declared.explanation:
            width = min(100, _streams.width() or 100)
            _streams.result("\n" + click.wrap_text(declared.explanation, width=width, preserve_paragraphs=True))
        for title, example in (("wrong", declared.wrong), ("right", declared.right)):
            if example:
                _streams.result("\n".join(["", f"{title}:", *(f"    {line}" for line in example.splitlines())]))
