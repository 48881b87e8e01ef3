"""Write the reference pages that are made from the model and the declarations; `--check` only compares."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from finback.app import assembly
from finback.app.component import record as component_record
from finback.app.settings import Settings
from finback.cli import cli
from finback.component.library import Component, Library
from finback.component.measurement import measured
from finback.ground import errors
from finback.ground.diagnostic import Family
from finback.spec.schema import EDIT, schema

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = """\
Results go to standard output, everything else to standard error. `finback --progress` is `auto`, `tty`, `plain`,
`json` or `quiet`; `-q` is the last. `auto` draws progress on a terminal, and writes plain lines to anything else, to a
terminal that can't move its cursor (`TERM=dumb`), and where `CI` is set. `NO_COLOR` turns colours off. What a guest
writes (`exec`, `logs`, `status`) is shown on a terminal without its escape sequences and control characters, and goes
to files and pipes as it is; `shell` and `exec --tty` are sessions of a terminal and change nothing.

`json` makes each line of standard error a JSON object, whose `event` is `started`, `advanced`, `finished` or `failed`
(of a piece of work), `noted` (a remark, as `text`), or `warned` and `error` (with `code`, `message`, `place`, `help`,
`notes`; an error of the command line has no code). What a guest writes there and the questions of `login` are as they
are.

Exit status: 1 a spec, an image or the lock is wrong, 2 the command line, 3 something could not be reached, 4 a
signature or a digest does not hold, 5 the store, an output or this machine, 6 a machine that was run."""
ASSEMBLIES = """\
`finback assembly list` shows them, `assembly show NAME` prints one, and `assembly new FOLDER --from NAME` begins a
system of your own with it. `finback test` boots one and asks what its `tests` say. "At most" is what kernel and initrd
may be together, which the first of the tests checks. "Machine" is what the tests give it."""
TESTS = """\
Each in a machine that QEMU emulated in software, most with others in the same machine: from its start until all held
(`finback component test --record`). How a component is tested stands in its `component.yml`."""
PRIVILEGES = """\
What `finback component probe --record` has tried: without each privilege in the second column, the component's test
fails. Components that are not here have not been probed as they are now; those without an entry have no privilege at
all."""
BAR = "\\|"
EDITS = """\
`${params.NAME}` in a value stands for a param. A list `NAME` that an extended or earlier file has is edited by
`NAME.remove`, `NAME.replace`, `NAME.merge`, `NAME.before`, `NAME.after` and `NAME.add`: see
[how to extend a file](../how-to/extend.md). Keys of the file that begin with `x-` say nothing and may hold
anything: they are places for YAML anchors."""
CONFIGURATION = """\
finback needs no configuration. What a user sets once is in `$XDG_CONFIG_HOME/finback/config.yml`, usually
`~/.config/finback/config.yml`. An environment variable of the same meaning takes precedence over the file, and an
option on the command line over both."""
# Every variable that the code reads, by what it is for.
VARIABLES = {
    "Debian's archive": {
        "FINBACK_MIRROR": "URL of a Debian mirror. Overrides `mirror`.",
        "FINBACK_SECURITY_MIRROR": "URL of a mirror of the security archive. Overrides `securityMirror`.",
        "FINBACK_KEYRING": "OpenPGP keyring that must have signed the archive. Overrides `keyring`.",
        "FINBACK_SUITE": "Debian suite of components. Overrides `suite`, but not `suites` of an architecture.",
        "FINBACK_CHECK_VALID_UNTIL": "`false` accepts an archive that has expired or is older than one "
        "seen before, with a warning. "
        "Overrides `checkValidUntil`.",
    },
    "Components and images": {
        "FINBACK_LIBRARY": "Folders of components, separated as in `PATH`. Overrides `library`.",
        "FINBACK_LIBRARY_FROM": "Where finback's components are published. Overrides `libraryFrom`.",
        "LINUXKIT_MIRROR": "Mirrors of registries as LinuxKit takes them: `REGISTRY=URL`, separated by commas.",
        "SOURCE_DATE_EPOCH": "The time of all files that a build makes, in seconds since 1970.",
    },
    "Registries and engines": {
        "REGISTRY_AUTH_FILE": "File with the credentials of registries, as Podman and skopeo use it.",
        "DOCKER_CONFIG": "Folder with Docker's `config.json`, which has credentials. Default: `~/.docker`.",
        "DOCKER_HOST": "Socket of the Docker engine that `docker-daemon:` and `build --docker` ask: `unix:///PATH`.",
        "http_proxy, https_proxy, all_proxy": "Proxies. In capitals too, except `http_proxy`.",
        "no_proxy": "Hosts and domains that are reached without a proxy, separated by commas. In capitals too.",
    },
    "Folders": {
        "HOME": "What `~` stands for below. Without it, the account's entry in the user database says that.",
        "XDG_CACHE_HOME": "The store is in `finback` below it. Default: `~/.cache`.",
        "XDG_CONFIG_HOME": "`config.yml` is in `finback` below it. Default: `~/.config`.",
        "XDG_STATE_HOME": "Machines keep their state in `finback` below it. Default: `~/.local/state`.",
        "XDG_RUNTIME_DIR": "Sockets of machines are in `finback` below it. Default: a folder of the user in `/tmp`.",
    },
    "The terminal": {
        "FINBACK_DEBUG": "`1` shows where in finback an error was raised, as `--debug` does.",
        "FINBACK_PROGRESS": "How progress is shown, as `--progress` takes it.",
        "FINBACK_CACHE, LINUXKIT_CACHE": "Folder of the store, as `--cache` takes it.",
        "NO_COLOR": "When set, nothing is coloured.",
        "CI": "When set, progress is shown as on something that is no terminal.",
        "TERM": "What the terminal understands; nothing is drawn on one that is `dumb`. It is handed to the guest by "
        "`finback shell`.",
    },
}
REFERENCE = ROOT / "docs" / "reference"


def yaml_page() -> str:
    """Every key of the YAML file, from the schema."""
    whole = schema()
    lines = ["# The YAML file", "", "Made from the model by `scripts/reference.py`.", "", EDITS, ""]
    parts = [("The file", whole), *whole["$defs"].items()]
    for name, part in parts:
        if part["description"].startswith(EDIT):
            continue
        lines += [f"## {name}", "", part.get("description", ""), "", "| key | meaning |", "|---|---|"]
        required = part.get("required", ())
        for key, value in part["properties"].items():
            if value.get("description", "").startswith(EDIT):
                continue
            text = value.get("description", "").replace("|", "\\|")
            lines.append(f"| `{key}`{' (required)' if key in required else ''} | {text} |")
        lines.append("")
    return "\n".join(lines)


def configuration_page() -> str:
    """Every key of the configuration file, from its model, and every environment variable."""
    whole = schema(Settings)
    lines = ["# Configuration", "", "Made from the model by `scripts/reference.py`.", "", CONFIGURATION, ""]
    lines += ["## The file", "", "| key | meaning |", "|---|---|", *_keys(whole)]
    lines += ["", "Each element of `registries`:", "", "| key | meaning |", "|---|---|"]
    lines += [*_keys(whole["$defs"]["RegistrySettings"]), "", "```yaml", "registries:", "  - name: docker.io"]
    lines += ["    mirrors: [https://mirror.example.com]", "  - name: registry.example.com:5000", "    insecure: http"]
    lines += ["```", "", "## Environment variables", ""]
    for title, variables in VARIABLES.items():
        lines += [f"### {title}", "", "| variable | meaning |", "|---|---|"]
        for names, meaning in variables.items():
            lines.append(f"| {', '.join(f'`{n}`' for n in names.split(', '))} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def _keys(part: dict[str, Any]) -> Iterator[str]:
    for key, value in part["properties"].items():
        if not value.get("description", "").startswith(EDIT) and "." not in key:
            yield f"| `{key}` | {value.get('description', '').replace('|', BAR)} |"


ERRORS = """\
An error has a code, which never changes its meaning, and a name. The first two characters of the code are its
family, which decides the exit status. `finback explain CODE` prints what stands here. Wrong use of the command line
ends with status 2, an interrupt with 130, and an output whose reader has gone with 141."""


def errors_page() -> str:
    """Every error code, from its declaration."""
    lines = ["# Errors", "", "Made from the declarations by `scripts/reference.py`.", "", ERRORS, ""]
    lines += ["| family | what is wrong | status |", "|---|---|---|"]
    meanings = descriptions_of(Family)
    lines += [f"| {f.value} | {meanings[f.name]} | {f.status} |" for f in Family]
    known = list(errors.declarations())
    for family in Family:
        lines += ["", f"## {family.value}: {meanings[family.name].rstrip('.')}", "", "| code | name | meaning |"]
        lines.append("|---|---|---|")
        members = [(name, code) for name, code in known if code.number.startswith(family.value)]
        for name, code in members:
            lines.append(f"| {code.number} | `{name}` | {code.meaning.replace('|', BAR)} |")
        for name, code in members:
            if code.explanation or code.wrong:
                lines += ["", f"### {code.number} {name}", "", code.explanation or f"{code.meaning}."]
            for title, example in (("Wrong", code.wrong), ("Right", code.right)):
                if example:
                    lines += ["", f"{title}:", "", "```text", example.rstrip(), "```"]
    return "\n".join([*lines, ""])


def descriptions_of(family: type[Family]) -> dict[str, str]:
    """The text below each member of an enumeration."""
    found: dict[str, str] = {}
    name = ""
    for statement in ast.parse(inspect.getsource(family)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name:
            found[name] = " ".join(str(statement.value.value).split())
    return found


def components_page() -> str:
    """The library, from its definitions and the recorded tests and probes."""
    library = Library((ROOT / "components",))
    lines = ["# Components", "", "Made from `components/` by `scripts/reference.py`.", ""]
    lines += ["| component | category | what it is | answers |", "|---|---|---|---|"]
    known = [library.get(name) for name in library.names()]
    for component in known:
        definition = component.definition
        answers = ", ".join(f"`{a}`" for a in definition.answers or ())
        lines.append(f"| `finback/{component.name}` | {definition.category} | {definition.summary} | {answers} |")
    lines += ["", "## Tests", "", TESTS, "", "| component | passed after | what holds | what it does not show |"]
    lines += ["|---|---|---|---|", *(_tested(c) for c in known)]
    lines += ["", "## Privileges", "", PRIVILEGES, "", "| component | needed | not tried |", "|---|---|---|"]
    lines += [row for c in known for row in _probed(c)]
    return "\n".join([*lines, "", *_sizes(library)])


def _tested(component: Component) -> str:
    record = component_record.tested(component)
    proof = component.definition.test
    current = record is not None and record.passed and record.digest == str(component.proof_digest)
    if record is not None and current:
        seconds, what = f"{record.seconds} s", "; ".join(record.tests or ())
    else:
        seconds, what = "", "not tested" if proof and proof.expect else ""
    unseen = (proof.unseen if proof else None) or ""
    return f"| `{component.name}` | {seconds} | {what.replace('|', BAR)} | {unseen} |"


def _probed(component: Component) -> Iterator[str]:
    record = component_record.probed(component)
    if record is not None and record.passed and record.digest == str(component.proof_digest):
        needed, untried = (", ".join(f"`{w}`" for w in words or ()) for words in (record.needed, record.untried))
        yield f"| `{component.name}` | {needed} | {untried} |"


def assemblies_page() -> str:
    """The reference assemblies, from their YAML and README files."""
    lines = ["# Assemblies", "", "Made from `assemblies/` by `scripts/reference.py`.", "", ASSEMBLIES, ""]
    lines += ["| assembly | what it is | at most | machine | images | tests |", "|---|---|---|---|---|---|"]
    for name in assembly.names():
        found = assembly.get(name)
        machine = found.spec.machine
        needs = [f"{machine.memory} MiB" if machine and machine.memory else "1024 MiB"]
        needs += [f"disk {disk}" for disk in (machine.disks if machine else None) or ()]
        images = ", ".join(i.removeprefix("finback/") for i in found.images)
        tests = len(found.spec.tests or ())
        row = (f"[`{name}`](../../assemblies/{name}/README.md)", found.summary, f"{found.budget} MB", ", ".join(needs))
        lines.append(f"| {' | '.join(row)} | {images} | {tests} |")
    return "\n".join([*lines, ""])


SIZES = """\
## Size and surface

What images hold, measured on amd64 (arm64 where there is no other) by `finback library measure`, beside the packages
that apt would install for the same, without Recommends and Essential. Programs are ELF files, libraries among them.
Set-id files run as their owner or group, whoever starts them. Ports are those that the component listens on as it
comes. Memory-safe is what the leading package, by Debian's record of what it was built with, or the definition says
to be written in Go or Rust."""


def _sizes(library: Library) -> list[str]:
    """What was recorded of each component's image."""
    rows, built = [], Counter[str]()
    for name in library.names():
        component = library.get(name)
        found = measured(component)
        built.update(found.keys())
        one = found.get("amd64") or found.get("arm64")
        if one is None:
            continue
        definition = component.definition
        ports = ", ".join((definition.config.exposed_ports or ()) if definition.config else ())
        language = one.language or (definition.annotations or {}).get("org.finback.memory-safe", "")
        rows.append(
            f"| `finback/{name}` | {one.size / 1e6:.1f} | {one.closure_size / 1e6:.0f} | {one.packages} of "
            f"{one.closure_packages} | {one.files} | {one.programs} | {len(one.set_id or ())} | {ports} | {language} |"
        )
    count = ", ".join(f"{n} for {a}" for a, n in sorted(built.items()))
    head = "| component | MB | apt, MB | packages | files | programs | set-id | ports | memory-safe |"
    lines = [SIZES, "", f"Built: {count}.", "", head, "|---|--:|--:|--:|--:|--:|--:|---|---|", *rows]
    lines += ["", "## Not for every architecture", "", "| component | architecture | why |", "|---|---|---|"]
    for name in library.names():
        exceptions = library.get(name).definition.exceptions or {}
        lines += [f"| `finback/{name}` | {a} | {why} |" for a, why in sorted(exceptions.items())]
    return [*lines, ""]


def commands_page() -> str:
    """Every command, from what it says about itself."""
    lines = ["# Commands", "", "Made from the commands by `scripts/reference.py`.", "", COMMANDS, ""]
    group = click.Context(cli, info_name="finback")
    for name in cli.list_commands(group):
        command = cli.get_command(group, name)
        assert command is not None
        lines += _command(command, f"finback {name}")
    return "\n".join(lines)


def _command(command: click.Command, name: str) -> list[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    # Click's mark for a paragraph that keeps its lines: examples.
    prose, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    lines = [f"## {name}", "", "```text", usage, "```", "", prose.strip(), ""]
    if examples:
        lines += ["```text", examples.strip(), "```", ""]
    options = [p.get_help_record(context) for p in command.params if isinstance(p, click.Option)]
    rows = [f"| `{o[0].replace('|', BAR)}` | {o[1].replace('|', BAR)} |" for o in options if o]
    if rows:
        lines += ["| option | meaning |", "|---|---|", *rows, ""]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            lines += _command(found, f"{name} {inner}")
    return lines


def main() -> int:
    """Write the pages, or compare them."""
    stale = []
    pages = {
        "assemblies.md": assemblies_page,
        "commands.md": commands_page,
        "components.md": components_page,
        "configuration.md": configuration_page,
        "errors.md": errors_page,
        "yaml.md": yaml_page,
    }
    for name, make in pages.items():
        text = make()
        path = REFERENCE / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    for name in stale:
        print(f"docs/reference/{name} is not up to date: run scripts/reference.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
