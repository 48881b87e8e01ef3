"""Codes of family F9: finback itself is at fault."""

from __future__ import annotations

from finback.ground.errors.code import Code

INTERNAL = Code(
    "F900",
    "A fault of finback itself, whatever the input was",
    "No input may lead here, also no faulty or hostile one. Please report it: `CONTRIBUTING.md` says where. Run the "
    "same command with `finback --debug ...`, which prints the trace, and attach it and, if you can, the input.\n\n"
    "Outputs appear only when they are whole, so nothing half-written was left.",
)
