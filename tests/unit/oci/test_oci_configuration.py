"""What images say of their program: every form that tools write, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from finback.ground.diagnostic import FinbackError
from finback.oci import configuration
from finback.oci.configuration import Configuration


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, Configuration()),
        ({"config": None}, Configuration()),
        ({"config": {}}, Configuration()),
        ({"config": {"Entrypoint": None, "Cmd": None, "Env": None, "WorkingDir": "", "User": "", "Labels": None,
                     "StopSignal": ""}}, Configuration()),
        ({"config": {"Entrypoint": ["/e"], "Cmd": ["a"], "WorkingDir": "w"}},
         Configuration(entrypoint=("/e",), arguments=("a",), folder="/w")),
        ({"config": {"Cmd": "/bin/one text"}}, Configuration(arguments=("/bin/one text",))),
        ({"config": {"Entrypoint": [""], "Cmd": ["/a"]}}, Configuration(arguments=("/a",))),
        ({"config": {"Env": ["A=1", "B", "=C", "D="]}}, Configuration(environment=("A=1", "D="))),
        ({"config": {"StopSignal": "SIGRTMIN+3", "User": "1:2", "Labels": {"a": "b"}}},
         Configuration(stop_signal="SIGRTMIN+3", user="1:2", labels={"a": "b"})),
    ],
)  # fmt: skip
def test_forms_that_tools_write(config: dict[str, Any], expected: Configuration) -> None:
    assert configuration.read(config, "x") == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [("Entrypoint", 1), ("Cmd", [1]), ("Cmd", {}), ("Env", "A=1"), ("Env", [None]), ("WorkingDir", []), ("User", 0),
     ("StopSignal", 15), ("Labels", []), ("Labels", {"a": 1})],
)  # fmt: skip
def test_a_field_of_another_type_is_named(key: str, value: Any) -> None:
    with pytest.raises(FinbackError) as caught:
        configuration.read({"config": {key: value}}, "docker.io/x/y")
    (found,) = caught.value.diagnostics
    assert (found.code, f"config.{key}" in found.message, "docker.io/x/y" in found.message) == ("F124", True, True)


def test_a_config_that_is_no_object() -> None:
    with pytest.raises(FinbackError, match=r"\$.config is an array"):
        configuration.read({"config": [1]}, "x")


def test_path() -> None:
    assert configuration.with_path(()) == (f"PATH={configuration.DEFAULT_PATH}",)
    assert configuration.with_path(("A=1",)) == (f"PATH={configuration.DEFAULT_PATH}", "A=1")
    assert configuration.with_path(("A=1", "PATH=/x")) == ("A=1", "PATH=/x")
    assert configuration.with_path(("PATH=",)) == ("PATH=",)
