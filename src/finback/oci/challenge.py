"""What a server asks for before it answers: the field WWW-Authenticate.

Source: RFC 9110, sections 11.2 to 11.6.1 (challenges), 5.6.1 (lists), 5.6.2 (tokens), 5.6.4 (quoted strings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(_TOKEN)
_SPACE = re.compile(r" +")
_SEPARATORS = re.compile(r"[ \t]*(?:,[ \t]*)*")
# Ends where the challenge does; `realm="x"` begins in the same way.
_TOKEN68 = re.compile(r"([A-Za-z0-9._~+/-]+=*)(?=[ \t]*(?:,|\Z))")
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e])*)")')
_END = re.compile(r"[ \t]*(?=,|\Z)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove who one is."""

    scheme: str
    """In lower case."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    token: str = ""
    """What some schemes have in place of parameters."""

    def __str__(self) -> str:
        quoted = {n: re.sub(r'(["\\])', r"\\\1", v) for n, v in self.parameters.items()}
        rest = self.token or ", ".join(f'{n}="{v}"' for n, v in quoted.items())
        return f"{self.scheme} {rest}".rstrip()


def parse(text: str) -> tuple[Challenge, ...]:
    """The challenges of a field's value; several fields are joined with commas before.

    Raises:
        ValueError: the text is not a list of challenges.

    """
    found: list[Challenge] = []
    at = _skip(text, 0)
    while at < len(text):
        scheme = _SCHEME.match(text, at)
        if scheme is None:
            raise ValueError(f"expected the name of a scheme at character {at + 1}")
        challenge, at = _rest(scheme[0].lower(), text, scheme.end())
        found.append(challenge)
        at = _skip(text, at)
    return tuple(found)


def _rest(scheme: str, text: str, at: int) -> tuple[Challenge, int]:
    """The challenge after its scheme, and where it ends."""
    space = _SPACE.match(text, at)
    if space is None:
        return Challenge(scheme), _end(text, at)
    token = _TOKEN68.match(text, space.end())
    if token is not None:
        return Challenge(scheme, token=token[1]), token.end()
    parameters: dict[str, str] = {}
    end = space.end()
    while (parameter := _PARAMETER.match(text, _skip(text, end))) is not None:
        name, plain, quoted = parameter.groups()
        if name.lower() in parameters:
            raise ValueError(f"{name} is given twice")
        parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        end = _end(text, parameter.end())
    return Challenge(scheme, parameters), _end(text, end)


def _skip(text: str, at: int) -> int:
    found = _SEPARATORS.match(text, at)
    return found.end() if found else at


def _end(text: str, at: int) -> int:
    found = _END.match(text, at)
    if found is None:
        raise ValueError(f"expected a comma at character {at + 1}")
    return found.end()
