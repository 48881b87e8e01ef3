"""Which image answers a name: rules such as ``linuxkit/*=finback/*``.

A rule's left side is an image name without tag, in which one ``*`` stands for anything but a slash; what it matched
replaces the ``*`` on the right. The first rule that fits wins. The tag or digest of the name is dropped unless the
right side gives one: a pin of one image says nothing about another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from finback.ground.diagnostic import error
from finback.oci import located

Substitute = Callable[[str], str | None]
"""Takes an image name as the spec writes it; gives the name that answers it, or None to leave it as it is."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One substitution."""

    pattern: str
    target: str

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read ``PATTERN=TARGET``.

        Raises:
            FinbackError: F020, it has another form.

        """
        pattern, equals, target = text.partition("=")
        if not equals or not pattern or not target or pattern.count("*") > 1 or target.count("*") > pattern.count("*"):
            raise error(
                "F020", f"{text!r} is not a substitution", help="write PATTERN=TARGET, such as 'linuxkit/*=finback/*'"
            )
        return cls(pattern, target)

    def apply(self, name: str) -> str | None:
        """The name that answers *name* (without tag), or None when the rule does not fit."""
        head, star, tail = self.pattern.partition("*")
        found = re.fullmatch(re.escape(head) + ("([^/]+)" if star else "()") + re.escape(tail), name)
        return self.target.replace("*", found[1]) if found else None


def substitute(rules: Iterable[Rule], library: Substitute | None = None) -> Substitute:
    """Combine *rules*, and after them the names that the *library* answers."""
    fixed = tuple(rules)

    def answer(name: str) -> str | None:
        reference = located.parse(name)
        familiar = reference.familiar_name
        for rule in fixed:
            for spelling in dict.fromkeys((familiar, reference.name)):
                target = rule.apply(spelling)
                if target is not None:
                    return target
        return library(reference.name) if library else None

    return answer
