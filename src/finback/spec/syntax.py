"""What libyaml and PyYAML say about text that is not YAML, in words that help.

Both name the place where their grammar broke, which is often past the slip, and use the grammar's terms. Each rule
below recognises one of their complaints (the C parser's wording and the Python one's) and says what the writer did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from finback.ground.diagnostic import FinbackError, error
from finback.ground.source import Source, Span

_Said = tuple[str, str, str]
"""Code, message, remedy."""


def explain(failure: yaml.MarkedYAMLError, source: Source) -> FinbackError:
    """*failure* as a diagnostic: F001, or F031 for LinuxKit's package templates."""
    complaint = _Complaint(
        failure.problem or "",
        failure.context or "",
        _Place(source, failure.problem_mark or failure.context_mark),
        _Place(source, failure.context_mark or failure.problem_mark),
    )
    for rule in (_character, _missing_colon, _extra_colon, _unclosed, _misplaced):
        said = rule(complaint)
        if said is not None:
            place, (code, message, remedy) = said
            return error(code, message, place.span, help=remedy)
    text = ": ".join(part for part in (failure.context, failure.problem) if part)
    return error("F001", f"not YAML: {text}", complaint.at.span, help="check the punctuation before this place")


class _Place:
    """A position in the text, and what stands there."""

    def __init__(self, source: Source, mark: Any) -> None:
        self._source = source
        self.line = source.line(mark.line) if mark else ""
        column = min(mark.column, len(self.line)) if mark else 0
        self.rest = self.line[column:]
        self.number = mark.line + 1 if mark else 1
        word = re.match(r"[^\s#]+", self.rest)
        self.span = Span(source, mark.line, column, len(word[0]) if word else 1) if mark else None
        self.indent = self.line[: len(self.line) - len(self.line.lstrip(" \t"))]

    @property
    def above_number(self) -> int:
        """The number, from 1, of the line with content before this one; 0 when there is none."""
        number = self.number - 1
        while number > 0 and (not (line := self._source.line(number - 1).strip()) or line.startswith("#")):
            number -= 1
        return number

    @property
    def above(self) -> str:
        """The line with content before this one."""
        return self._source.line(self.above_number - 1).partition(" #")[0] if self.above_number else ""

    def only_first(self) -> _Place:
        """The same place, one character wide."""
        if self.span:
            self.span = Span(self._source, self.span.line, self.span.column)
        return self

    def from_indent(self) -> _Place:
        """What stands between the indentation and this place."""
        if self.span and self.span.column > len(self.indent):
            self.span = Span(self._source, self.span.line, len(self.indent), self.span.column - len(self.indent))
        return self

    def line_above(self) -> _Place:
        """The line with content before this one."""
        number, line = self.above_number, self.above
        text = line.strip()
        self.span = Span(self._source, number - 1, line.index(text), len(text))
        return self


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What the parser said: the problem and its place, what it was reading and where that began."""

    problem: str
    context: str
    at: _Place
    begun: _Place


def _character(complaint: _Complaint) -> tuple[_Place, _Said] | None:
    """A character that can't begin a value, or an escape that does not exist."""
    problem, at = complaint.problem, complaint.at
    if "unknown escape character" in problem:
        remedy = "inside double quotes write `\\\\` for a backslash, or use single quotes, which know no escapes"
        return at, ("F001", "there is no such escape", remedy)
    if "tab character" in problem:
        return at.only_first(), ("F001", "this line is indented with a tab", "indent with spaces: YAML knows no tabs")
    if "cannot start any token" not in problem:
        return None
    if "\t" in at.indent or at.rest.startswith("\t"):
        return at.only_first(), ("F001", "this line is indented with a tab", "indent with spaces: YAML knows no tabs")
    if at.rest.startswith("@pkg:"):
        return at, ("F031", f"`{at.rest.split()[0]}` is a LinuxKit package template", TEMPLATE_REMEDY)
    character = at.rest[:1]
    quoted = '"' + at.rest.rstrip().replace("\\", "\\\\").replace('"', '\\"') + '"'
    return at, ("F001", f"a value can't begin with `{character}`", f"put it in quotes: {quoted}")


TEMPLATE_REMEDY = (
    "templates work in LinuxKit's own source tree only: write the image that it stands for, such as "
    "linuxkit/init:TAG, or finback/init from the library"
)


def _missing_colon(complaint: _Complaint) -> tuple[_Place, _Said] | None:
    """A word that stands where a key must, without its colon."""
    if "could not find expected ':'" not in complaint.problem:
        return None
    begun = complaint.begun
    word = begun.rest.split(None, 1)[0] if begun.rest.split() else ""
    if re.match(r"-\w", begun.rest):
        return begun, ("F001", f"`{word}` is not a list element", f"put a space after the dash: `- {word[1:]}`")
    remedy = "write `key: value`; the lines of a longer text are indented more than its key"
    return begun, ("F001", f"`{word}` is followed by no colon, so it is no key", remedy)


def _extra_colon(complaint: _Complaint) -> tuple[_Place, _Said] | None:
    """`: ` where no key can be."""
    at = complaint.at
    if "mapping values are not allowed" not in complaint.problem or at.span is None:
        return None
    before = at.line[: at.span.column]
    if re.search(r"\S:\s+\S", before):
        key, _, value = at.line.strip().partition(": ")
        quoted = f"{key}: '{value}'" if "'" not in value else f'{key}: "..."'
        remedy = f"put the text in quotes if the second colon belongs to it: {quoted}"
        return at.only_first(), ("F001", "a second `: ` on one line", remedy)
    glued = re.match(r"\s*(?:- )?([\w.]+):(\S.*?)\s*\Z", at.above)
    if glued:
        remedy = f"put a space after the colon: `{glued[1]}: {glued[2]}`"
        return at.line_above(), ("F001", f"`{glued[1]}:{glued[2]}` is no key, for no space follows its colon", remedy)
    if ":" not in at.above:
        remedy = f"if it is a key, write `{at.above.strip()}:`"
        return at.line_above(), ("F001", "this line has no colon, and the next one is a key", remedy)
    above = f"line {at.above_number}"
    remedy = f"indent it as {above}; or end {above} with its colon, so that it can hold this"
    return at.from_indent(), ("F001", f"{above} has a value already, so it can't hold this key", remedy)


def _unclosed(complaint: _Complaint) -> tuple[_Place, _Said] | None:
    """Quotes and brackets without an end."""
    problem, context, at, begun = complaint.problem, complaint.context, complaint.at, complaint.begun
    if "unexpected end of stream" in problem or "unexpected document indicator" in problem:
        return begun.only_first(), ("F001", "the quote that begins here is never closed", "add the closing quote")
    if "flow" not in context:
        return None
    use = re.match(r"\{params\.[^}]*\}", at.rest)
    if use:
        message = f"within brackets, `${use[0]}` needs quotes"
        return at, ("F001", message, f'write "${use[0]}"')
    bracket, close = ("[", "]") if "sequence" in context else ("{", "}")
    if begun.number == at.number and at.rest.strip() and "<stream end>" not in problem:
        return at, ("F001", f"a comma or `{close}` is missing before this", "separate elements with `, `")
    remedy = f"add `{close}` where it ends, and `, ` between its elements"
    return begun.only_first(), ("F001", f"the `{bracket}` that begins here is never closed", remedy)


def _misplaced(complaint: _Complaint) -> tuple[_Place, _Said] | None:
    """A line whose indentation or first character fits none of the blocks that are open."""
    problem, context, at, begun = complaint.problem, complaint.context, complaint.at, complaint.begun
    if "<document start>" in problem:
        remedy = "remove it, or indent it as part of what stands above; one file holds one document"
        return at, ("F001", "this stands after the end of the document", remedy)
    if "block collection" in context:
        wanted, kind = "`- `", f"list that begins on line {begun.number}"
    elif "block mapping" in context:
        wanted, kind = "a key", f"mapping that begins on line {begun.number}"
    else:
        return None
    if at.rest.startswith(("'", '"')) or (at.line[: at.span.column].strip() if at.span else ""):
        remedy = "put the whole value in one pair of quotes"
        return at, ("F001", "the value went on after it had ended", remedy)
    column = begun.span.column if begun.span else 0
    remedy = f"its elements begin with {wanted} indented by {column}; this line is indented by {len(at.indent)}"
    element = re.match(r"\s*-\s+", at.above)
    if "collection" in context and element and re.match(r"[\w.]+:", at.rest):
        remedy = f"to belong to the element of line {at.above_number}, indent it by {len(element[0])}"
    elif len(at.indent) == column and "collection" in context:
        remedy = f"begin it with `- `, or indent it less if the list of line {begun.number} ends here"
    return at, ("F001", f"this line fits neither the {kind} nor what is around it", remedy)
