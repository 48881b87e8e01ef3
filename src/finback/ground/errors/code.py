"""The declaration of an error code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """An error code, declared once; its name is the name of the constant that it is bound to.

    `finback explain` prints it, and the reference page of errors is made from these declarations.
    """

    number: str
    """Stable: `F` and three digits, of which the first is the family."""
    meaning: str
    """What is wrong, as a short sentence without a full stop."""
    explanation: str = ""
    """Why that is an error, and what to do. Paragraphs of Markdown."""
    wrong: str = ""
    """An example that has the error: YAML of a spec, or commands that begin with `$ `."""
    right: str = ""
    """The same example without the error."""
