"""Paths put into a tree one after the other: what would contradict what is there already.

A file may take the place of a file. A file in the place of a folder, something below what is no folder, and something
below a symbolic link are contradictions: what became of them would depend on who unpacks the tree.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Literal

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span

Kind = Literal["folder", "file", "link"]
# Links on one path that Linux follows (path_resolution(7)).
HOPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Something at a path."""

    path: str
    kind: Kind
    owner: str
    """What put it there, for messages: "the image linuxkit/init", "an item of `files`"."""
    span: Span | None = None
    target: str = ""
    """Where a link leads."""
    fixed: bool = False
    """Nothing else may take its place: others rely on it."""


class Overlay:
    """What is at each path so far."""

    def __init__(self, code: str) -> None:
        """*code* is that of the diagnostics."""
        self._code = code
        self._at: dict[str, Placed] = {}
        self._folders: set[str] = set()

    def put(self, new: Placed) -> Diagnostic | None:
        """Put *new* over what is there; what is wrong with that, and then nothing is put."""
        steps = new.path.split("/")
        above = ["/".join(steps[:depth]) for depth in range(1, len(steps))]
        for path in above:
            there = self._at.get(path)
            if there is not None and there.kind != "folder":
                return self._below(new, there)
        old = self._at.get(new.path)
        if new.kind == "folder" and old is not None and old.kind != "folder":
            return self._clash(new, old, f"/{new.path} is a folder here, and a {old.kind} elsewhere")
        if new.kind != "folder" and (new.path in self._folders or (old is not None and old.kind == "folder")):
            old = old or next(p for path, p in self._at.items() if path.startswith(f"{new.path}/"))
            return self._clash(new, old, f"/{new.path} is a {new.kind} here, and a folder elsewhere")
        same = old is not None and new.kind == old.kind == "link" and new.target == old.target
        if old is not None and old.fixed and new.kind != "folder" and not same:
            return self._clash(new, old, f"/{new.path} can't be replaced: it is a {old.kind} that {old.owner} needs")
        if old is None or not (old.kind == new.kind == "folder"):
            self._at[new.path] = new
        self._folders.update(above)
        return None

    def _below(self, new: Placed, there: Placed) -> Diagnostic:
        if there.kind == "file":
            return self._clash(new, there, f"/{new.path} lies below /{there.path}, which is a file")
        meant = self._followed(new.path)
        advice = (
            f"write the path that is meant: {meant}" if meant else "let the link lead to a folder: it leads in a circle"
        )
        return self._clash(
            new, there, f"/{new.path} lies below /{there.path}, which is a link to {there.target}", advice
        )

    def _followed(self, path: str) -> str | None:
        """*path* with the links that lead there followed; None where they lead in a circle."""
        for _ in range(HOPS):
            steps = path.split("/")
            above = ("/".join(steps[:depth]) for depth in range(1, len(steps)))
            link = next((p for a in above if (p := self._at.get(a)) is not None and p.kind == "link"), None)
            if link is None:
                return path
            leads = posixpath.join("/", posixpath.dirname(link.path), link.target, path[len(link.path) + 1 :])
            path = posixpath.normpath(leads).strip("/")
        return None

    def _clash(self, new: Placed, old: Placed, message: str, advice: str = "") -> Diagnostic:
        where = f" at {old.span}" if old.span is not None else ""
        return Diagnostic(
            code=self._code,
            message=message,
            span=new.span,
            help=advice or "give one of them another path, or remove it",
            notes=(f"/{old.path} is of {old.owner}{where}",),
        )
