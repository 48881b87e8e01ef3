from __future__ import annotations

import subprocess

import pytest

from finback.assemble.supervise import variables
from finback.resolve.plan import Container, ImagePin
from finback.resolve.supervision import Supervision
from finback.spec.model import Settings
from finback.spec.supervision import Ready


def lines(supervision: Supervision, section: str = "services", settings: Settings | None = None) -> list[str]:
    return variables(
        Container(
            section=section,
            index=0,
            name="n",
            image=ImagePin(reference="i"),
            settings=settings or Settings(),
            supervision=supervision,
        )
    )


def test_a_step_has_a_policy_and_a_limit() -> None:
    assert lines(Supervision(on_failure="halt", limit=9), "onboot") == ["on_failure=halt limit=9"]


def test_a_plain_service_asks_nothing() -> None:
    assert lines(Supervision()) == [
        "needs=''",
        "restart=always first_wait=1 longest_wait=60",
        "starts=0 window=0",
        "stop_signal=SIGTERM stop_within=5",
        "cwd=/ confined=",
        "asked= ready_within=60",
        "health=",
    ]


def test_other_programs_run_in_its_container_as_it_does() -> None:
    script = "\n".join(lines(Supervision(), settings=Settings(cwd="/srv/a b;$x", no_new_privileges=True)))
    done = subprocess.run(
        ["sh", "-c", f'{script}\necho "$cwd" "$confined"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == "/srv/a b;$x yes\n"


@pytest.mark.parametrize(
    ("ready", "question"),
    [
        (Ready(tcp=80), ["tcp", "0050"]),
        (Ready(file="/run/it's $HOME"), ["file", "/run/it's $HOME"]),
        (Ready(socket="/run/a b"), ["socket", "/run/a b"]),
        (Ready(http="http://x/?a&b"), ["http", "http://x/?a&b"]),
        (Ready(command=("sh", "-c", "echo '$(id)'; `x`")), ["inside", "sh", "-c", "echo '$(id)'; `x`"]),
    ],
)
def test_a_question_reaches_its_function_unchanged(ready: Ready, question: list[str]) -> None:
    script = "\n".join(lines(Supervision(ready=ready)))
    for name in ("tcp", "file", "socket", "http", "inside"):
        script += f'\n{name}() {{ printf "%s\\n" {name} "$@"; }}'
    done = subprocess.run(["sh", "-c", f"{script}\nready"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == question
    assert "asked=poll" in script


def test_needs_are_a_list_of_words() -> None:
    script = "\n".join(lines(Supervision(needs=("a", "b-c"))))
    done = subprocess.run(["sh", "-c", f"{script}\nprintf '%s.' $needs"], capture_output=True, text=True, check=True)
    assert done.stdout == "a.b-c."
