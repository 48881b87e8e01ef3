"""Which formats a build makes, and what they need besides the system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finback.ground.diagnostic import Diagnostic, FinbackError, blame
from finback.ground.platform import Platform
from finback.outputs import FORMATS, Format
from finback.resolve.plan import loader_reference
from finback.spec.model import Output


def named(formats: Iterable[str], outputs: Sequence[Output]) -> tuple[Output, ...]:
    """What the command line names, or else what the file does."""
    return tuple(Output(format=f) for f in formats) or tuple(outputs)


def find(output: Output) -> Format:
    """The declaration of an output's format.

    Raises:
        FinbackError: F010, there is none.

    """
    with blame(output.origin.at("format")):
        return FORMATS.get(output.format)


def loaders(outputs: Iterable[Output], platform: Platform) -> tuple[str, ...]:
    """References of the components that the formats take boot loaders from.

    Raises:
        FinbackError: F010 there is no such format; F026 one can't be made for *platform*.

    """
    found: dict[str, None] = {}
    problems: list[Diagnostic] = []
    for output in outputs:
        needed = find(output).loaders
        if needed is None:
            continue
        if platform.architecture not in needed:
            problems.append(
                Diagnostic(
                    code="F026",
                    message=f"{output.format} can't be made for {platform.architecture}",
                    span=output.origin.at("format"),
                    help=f"it can be for {', '.join(needed)}; kernel+initrd can be made for every architecture",
                )
            )
            continue
        found.update((loader_reference(c), None) for c in needed[platform.architecture])
    if problems:
        raise FinbackError(*problems)
    return tuple(found)
