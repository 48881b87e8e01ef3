"""The command line as a user meets it, without network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Finback = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[3]
TALK = ROOT / "tests" / "fixtures" / "linuxkit" / "talk.yml"


@pytest.fixture
def finback(tmp_path: Path) -> Finback:
    env = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "FINBACK_MIRROR": "http://127.0.0.1:9/debian",
        # Registries can't be reached, without asking anybody for their names.
        "https_proxy": "http://127.0.0.1:9",
        "LC_ALL": "C.UTF-8",
    }
    env.pop("http_proxy", None)

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "finback", *arguments]
        return subprocess.run(
            command,
            env={**env, **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


def test_version_and_help_are_instant_and_whole(finback: Finback) -> None:
    assert finback("version", "--short").stdout.strip() == "0.1.0"
    shown = finback("--help").stdout
    assert "Build artifacts from one YAML file" in shown
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "finback", "version"], capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"yaml", "urllib3", "rich", "pysequoia", "asyncio", "tarfile", "lzma", "finback.spec.model"}


def test_plan_without_looking_up_needs_nothing(finback: Finback, tmp_path: Path) -> None:
    done = finback("plan", "--no-resolve", str(TALK))
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [s["name"] for s in plan["services"]] == ["rngd", "nginx"]
    assert "nothing in this file configures a network" in done.stderr
    assert not list(tmp_path.glob("*.lock"))


@pytest.mark.parametrize("path", sorted((ROOT / "tests/fixtures/linuxkit").glob("*.yml")), ids=lambda p: p.stem)
def test_every_linuxkit_file_has_a_plan(finback: Finback, path: Path) -> None:
    done = finback("plan", "--no-resolve", str(path))
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["name"] == path.stem.split(".")[0]
    missing = [f for f in plan.get("files", []) if not (f.get("content") or f.get("symlink") or f.get("directory"))]
    # Files of the machine that builds are not there; that is said, with the line.
    assert done.stderr.count("F022") == len(missing)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("build", "none.yml"), 5, "F410"),
        (("build", "bad.yml"), 1, "bad.yml:1:1"),
        (("build", "web.yml"), 3, "F201"),
        (("build", "unknown.yml"), 1, "did you mean finback/nginx"),
        (("build", "foreign.yml"), 3, "use --library"),
        (("build", "-f", "nope", "web.yml"), 1, "F010"),
        (("build", "--frozen", "web.yml"), 1, "F602"),
        (("build", "--arch", "vax", "web.yml"), 2, "not a platform"),
        (("build", "--substitute", "x", "web.yml"), 1, "F020"),
        (("component", "show", "nginks"), 1, "did you mean finback/nginx"),
        (("why",), 2, "Missing argument"),
        (("biuld",), 2, "Did you mean build"),
        (("run", "web"), 1, ""),
        (("stop", "web"), 1, ""),
        (("status", "web"), 1, ""),
    ],
)
def test_what_goes_wrong_is_said(
    finback: Finback, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    (tmp_path / "bad.yml").write_text("kernal: {}\n")
    (tmp_path / "web.yml").write_text("init: [finback/init]\n")
    (tmp_path / "unknown.yml").write_text("init: [finback/nginks]\n")
    (tmp_path / "foreign.yml").write_text("init: ['linuxkit/init:v1']\n")
    done = finback(*arguments)
    if arguments[0] in ("run", "stop", "status"):
        assert done.returncode in (5, 6)
        assert "error[F52" in done.stderr
    else:
        assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    made = {p.name for p in tmp_path.iterdir()} - {"bad.yml", "web.yml", "unknown.yml", "foreign.yml"}
    assert made <= {"cache", "config", "state"}


@pytest.mark.parametrize(
    ("arguments", "status", "code", "said"),
    [
        (("build", "none.yml"), 5, "F410", "none.yml"),
        (("build", "bad.yml"), 1, "F004", "kernal"),
        (("build", "web.yml"), 3, "F201", "can't be reached"),
        (("build", "--bogus", "web.yml"), 2, "", "--bogus"),
        (("build",), 2, "", "Missing argument"),
        (("biuld",), 2, "", "Did you mean build"),
        ((), 2, "", "Missing command"),
        (("stop", "web"), 5, "F527", "no machine web"),
        (("run", "web"), 5, "F522", "web-kernel"),
        (("run", "web", "--disk", "a,bus=b"), 2, "", "--disk"),
        (("login",), 2, "", "--password-stdin"),
        (("--debug", "why", "/x", "none.yml"), 5, "F410", "none.yml"),
    ],
)
def test_errors_for_programs_are_json(
    finback: Finback, tmp_path: Path, arguments: tuple[str, ...], status: int, code: str, said: str
) -> None:
    (tmp_path / "bad.yml").write_text("kernal: {}\n")
    (tmp_path / "web.yml").write_text("init: [finback/init]\n")
    done = finback("--progress", "json", *arguments)
    assert done.returncode == status
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert events[-1]["event"] == "error"
    assert events[-1]["code"] == code
    assert said in events[-1]["message"]
    assert events[-1].keys() == {"event", "code", "message", "place", "help", "notes"}


@pytest.mark.parametrize("folder", ["file", "file/below", "/proc/finback"])
def test_an_output_folder_that_can_not_be_made_is_named(finback: Finback, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "web.yml").write_text("files: [{path: etc/x, contents: x}]\n")
    done = finback("build", "-f", "tar", "--dir", folder, "web.yml")
    assert done.returncode in (2, 5)
    assert folder in done.stderr
    assert "there is no file" not in done.stderr


def test_what_is_no_layout_on_standard_input_is_called_that(finback: Finback) -> None:
    done = finback("cache", "import", "-")
    assert done.returncode == 1
    assert "standard input is no OCI layout" in done.stderr


def test_what_no_component_answers_is_said_of_each_image(finback: Finback, tmp_path: Path) -> None:
    images = ["mkimage:v0.8", "test-ltp:1", "dhcpd:1", "something-else:1"]
    (tmp_path / "x.yml").write_text("init:\n" + "".join(f"  - linuxkit/{i}\n" for i in images))
    done = finback("plan", "--library", "x.yml")
    assert done.returncode == 3
    said = "no component of the library answers linuxkit/"
    assert f"{said}mkimage: disks are made by `finback build --format raw-bios`" in done.stderr
    assert f"{said}test-ltp: it is a test suite" in done.stderr
    assert f"{said}dhcpd: did you mean linuxkit/dhcpcd?" in done.stderr
    assert f"{said}something-else: `finback component list`" in done.stderr
    # One registry that can't be reached is still one error.
    assert done.stderr.count("error[F201]") == 1


def test_a_machine_that_can_not_start_leaves_nothing_and_says_nothing_else(finback: Finback, tmp_path: Path) -> None:
    done = finback("run", "web")
    assert done.stderr.startswith("error[F52")
    assert not (tmp_path / "state" / "finback" / "machines" / "web").exists()


def test_schema_components_and_completion(finback: Finback) -> None:
    assert json.loads(finback("schema").stdout)["$schema"].endswith("2020-12/schema")
    rows = json.loads(finback("component", "list", "--json").stdout)
    assert {"kernel", "init", "nginx", "redis", "sshd"} <= {r["name"] for r in rows}
    assert "_FINBACK_COMPLETE" in finback("completion", "bash").stdout
    assert json.loads(finback("ps", "--json").stdout) == []


def test_values_for_the_machine_of_the_tests_are_not_in_the_image(finback: Finback, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text(
        "files:\n  - {path: etc/spec.yml, metadata: yaml}\n  - {path: etc/spec.json, metadata: json}\n"
        "machine: {memory: 300, secrets: {pw: hunter2}, data: hunter3}\n"
    )
    assert finback("build", "-f", "tar", "web.yml").returncode == 0
    made = (tmp_path / "web.tar").read_bytes()
    assert b"memory: 300" in made
    assert b"hunter" not in made
    # What names a path says it: as a person may write it.
    assert "/etc/spec.yml" in finback("why", "//etc/../etc/./spec.yml", "web.yml").stdout
