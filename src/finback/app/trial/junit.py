"""Reports as JUnit XML, which build servers show. Source: the schema of Jenkins' xUnit plug-in, junit-10.xsd."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from finback.app.trial.system import Trial

# What XML 1.0 can't hold, section 2.2, production Char.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def encode(trials: Iterable[Trial]) -> bytes:
    """The report about *trials*."""
    root = ET.Element("testsuites")
    for trial in trials:
        failures = sum(o.asked and not o.passed for o in trial.outcomes)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_text(trial.name),
            tests=str(max(1, len(trial.outcomes))),
            failures=str(failures),
            errors="1" if trial.trouble else "0",
            skipped=str(sum(not o.asked for o in trial.outcomes)),
            time=f"{trial.seconds:.3f}",
        )
        for outcome in trial.outcomes:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=_text(trial.name),
                name=_text(outcome.name),
                time=f"{outcome.seconds:.3f}",
            )
            if not outcome.asked:
                ET.SubElement(case, "skipped", message=_text(outcome.seen))
            elif not outcome.passed:
                failure = ET.SubElement(case, "failure", message=_text(outcome.seen))
                causes = [f"{d.span or trial.source}: {d.code}: {d.message}; {d.help}" for d in trial.causes]
                failure.text = _text("\n".join([f"{outcome.span}: {outcome.seen}", *causes]))
        if trial.trouble:
            case = ET.SubElement(suite, "testcase", classname=_text(trial.name), name="boot", time="0.000")
            ET.SubElement(case, "error", message=_text(trial.trouble))
        if trial.tail:
            ET.SubElement(suite, "system-out").text = _text(trial.tail)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
