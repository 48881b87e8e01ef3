from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from finback.cli import cli
from finback.component.check import check
from finback.component.library import Library
from finback.component.privilege import privileges
from finback.ground.diagnostic import FinbackError, Severity

LIBRARY = Library((Path(__file__).resolve().parents[3] / "components",))

SOUND = """\
summary: Answers over HTTP
category: application
packages: [web]
keep: {programs: [/usr/bin/web]}
users: [{name: web, uid: 50}]
config: {entrypoint: [/usr/bin/web], exposedPorts: [8080/tcp]}
label: {uid: 50, readonly: true, noNewPrivileges: true}
test: {expect: [{http: {port: 8080}}]}
"""


def findings(folder: Path, text: str) -> list[tuple[str, int, int]]:
    (folder / "web").mkdir(exist_ok=True)
    (folder / "web" / "component.yml").write_text(text)
    found = check(Library((folder,)).get("web"))
    return [(d.code, d.span.line + 1, d.span.column + 1) for d in found if d.span]


def test_a_sound_component_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "column"),
    [
        ("over HTTP", "over HTTP.", "F100", 1, 10),
        ("Answers over HTTP", "answers over HTTP", "F100", 1, 10),
        ("over HTTP", "over " * 30, "F100", 1, 10),
        ("readonly: true", "readonly: false", "F102", 7, 28),
        ("noNewPrivileges: true", "pid: host, noNewPrivileges: true", "F102", 7, 39),
        ("readonly: true", "capabilities: [CAP_CHOWN], readonly: true", "F102", 7, 33),
        ("readonly: true", "ambient: [CAP_CHOWN], readonly: true", "F102", 7, 28),
        ("readonly: true", "capabilities: [all], readonly: true", "F102", 7, 33),
        ("readonly: true", "binds: ['/var/x:/x'], readonly: true", "F102", 7, 26),
        ("readonly: true", "syscalls: [unshare], readonly: true", "F102", 7, 28),
        ("readonly: true", "seccomp: unconfined, readonly: true", "F102", 7, 27),
        ("readonly: true", "readonlyPaths: [], readonly: true", "F102", 7, 33),
        ("readonly: true", "maskedPaths: [], readonly: true", "F102", 7, 31),
        ("readonly: true", "ipc: host, readonly: true", "F102", 7, 23),
        ("readonly: true", "devices: [{path: all, type: c}], binds: ['/dev:/dev'], readonly: true", "F102", 7, 27),
        ("/usr/bin/web]}\n", "/usr/bin/web, /usr/bin/busybox]}\n", "F102", 4, 33),
        (", exposedPorts: [8080/tcp]", "", "F102", 7, 8),
        ("test:", "reasons: {CAP_CHOWN: it owns}\ntest:", "F103", 8, 22),
        ("test:", "unproven: {luck: it has}\ntest:", "F103", 8, 18),
        ("uid: 50}]", "uid: 51}]", "F104", 7, 14),
        ("uid: 50}]", "uid: 50}, {name: w, uid: 50}]", "F104", 5, 46),
        ("[web]", "[web, db, web]", "F101", 3, 21),
        ("[/usr/bin/web]}\n", "[/usr/bin/web, /usr/bin/web]}\n", "F101", 4, 33),
        ("test:", "files: [{path: /etc/x, symlink: a}, {path: /etc/x, symlink: b}]\ntest:", "F101", 8, 37),
        ("test:", "files: [{path: /bin/x, symlink: a}, {path: usr//bin/x, contents: b}]\ntest:", "F101", 8, 37),
        ("test:", "files: [{path: /x, symlink: a}, {path: /x/y, contents: b}]\ntest:", "F101", 8, 33),
        ("test:", "files: [{path: /x, contents: a}]\nconcatenate: [{path: /x, of: /y/*}]\ntest:", "F101", 8, 9),
        ("8080/tcp", "8080", "F105", 6, 53),
        ("port: 8080", "port: 8081", "F105", 8, 31),
        ("test: {expect: [{http: {port: 8080}}]}\n", "", "F106", 1, 1),
        ("expect: [{http: {port: 8080}}]", "unseen: all of it", "F106", 8, 7),
        ("http: {port: 8080}", "service: {name: other}", "F061", 8, 34),
    ],
)  # fmt: skip
def test_findings_have_a_place(old: str, new: str, code: str, line: int, column: int, tmp_path: Path) -> None:
    assert old in SOUND
    assert (code, line, column) in findings(tmp_path, SOUND.replace(old, new))


@pytest.mark.parametrize("name", LIBRARY.names())
def test_the_librarys_components_are_sound_and_explained(name: str) -> None:
    assert [str(d.span) + " " + d.message for d in check(LIBRARY.get(name)) if d.severity is Severity.ERROR] == []


def test_a_reason_answers_what_is_asked(tmp_path: Path) -> None:
    text = SOUND.replace("readonly: true", "capabilities: [CAP_CHOWN], readonly: true")
    assert findings(tmp_path, text.replace("test:", "reasons: {CAP_CHOWN: it owns}\ntest:")) == []


@pytest.mark.parametrize(
    "bind", ["/etc/web:/etc/web:ro", "/run/config:/run/config:ro", "/run/resolvconf/resolv.conf:/x"]
)
def test_configuration_and_name_servers_are_no_privilege(bind: str, tmp_path: Path) -> None:
    assert findings(tmp_path, SOUND.replace("readonly: true", f"binds: ['{bind}'], readonly: true")) == []


def test_what_is_not_run_has_no_privileges(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "component.yml").write_text("summary: S\ncategory: runtime\npackages: [runc]\n")
    assert not list(privileges(Library((tmp_path,)).get("x").definition))


def test_the_command_says_where_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library" / "web").mkdir(parents=True)
    (tmp_path / "library" / "web" / "component.yml").write_text(SOUND.replace("readonly: true", "readonly: false"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "finback").mkdir()
    (tmp_path / "finback" / "config.yml").write_text(f"library: [{tmp_path / 'library'}]\n")
    done = CliRunner().invoke(cli, ["component", "check", "web"])
    assert done.exit_code == 1, done.output
    assert "component.yml:7:28: error[F102]: web can write to its root for no reason" in done.output
    assert "1 components: 1 errors, no warnings" in done.output


def test_a_new_component_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "finback").mkdir()
    (tmp_path / "finback" / "config.yml").write_text(f"library: [{tmp_path}]\n")
    done = CliRunner().invoke(cli, ["component", "new", "greet", "--dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert findings_of(tmp_path, "greet") == []
    again = CliRunner().invoke(cli, ["component", "new", "greet", "--dir", str(tmp_path)])
    assert again.exit_code == 1
    assert isinstance(again.exception, FinbackError) or "F109" in again.output
    odd = CliRunner().invoke(cli, ["component", "new", "../x", "--dir", str(tmp_path)])
    assert odd.exit_code == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["finback", "greet"]


def findings_of(folder: Path, name: str) -> list[str]:
    return [d.message for d in check(Library((folder,)).get(name))]
