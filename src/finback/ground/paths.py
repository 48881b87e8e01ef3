"""Paths as the library's users give them: what Python's own functions take."""

from __future__ import annotations

from os import PathLike

StrPath = str | PathLike[str]
