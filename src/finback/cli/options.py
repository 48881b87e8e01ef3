"""Options that several commands share, and the values that they stand for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from finback.app.workspace import Workspace
    from finback.oci.network import Network


_INPUTS = (
    click.argument("files", nargs=-1, required=True, metavar="FILE..."),
    click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Value of a param. Repeatable."),
    click.option("--name", help="Name of the build. Default: that of the last FILE."),
    click.option("--arch", metavar="ARCH", help="Architecture to build for. Default: this machine's."),
    click.option("--docker", is_flag=True, help="Look among the images of the local Docker or Podman first."),
    click.option(
        "--library/--no-library",
        default=None,
        help="Let the library answer every image name that it has a counterpart for. Default: as the lock file has it.",
    ),
    click.option(
        "--library-from",
        metavar="REF",
        help="Take components from where `library push` put them. Default: build them from Debian packages.",
    ),
    click.option(
        "--substitute",
        multiple=True,
        metavar="PATTERN=TARGET",
        help="Let other images answer names, such as 'linuxkit/*=finback/*'. Repeatable. Default: as the lock file has "
        "it; an empty one forgets that.",
    ),
    click.option(
        "--lock",
        "lock_file",
        type=click.Path(path_type=Path),
        help="The lock file. Default: NAME.lock beside FILE.",
    ),
    click.option("--frozen", is_flag=True, help="Refuse to build anything but what the lock file pins."),
)


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options that say where a plan comes from; the command gets `inputs` and `workspace`."""

    @functools.wraps(command)
    @click.pass_context
    def wrapped(ctx: click.Context, /, **values: Any) -> Any:
        from finback.app.planning import Inputs

        platform, docker, published = values.pop("arch"), values.pop("docker"), values.pop("library_from")
        names = ("files", "name", "substitute", "library", "lock_file", "frozen", "given")
        given = {n: values.pop(n) for n in names}
        inputs = Inputs(
            files=given["files"],
            name=given["name"] or "",
            platform=_platform(platform),
            substitutes=given["substitute"],
            library=given["library"],
            lock=given["lock_file"],
            frozen=given["frozen"],
            given=given["given"],
        )
        with open_workspace(ctx) as workspace:
            workspace.published = published or ""
            workspace.first_sources = ("docker-daemon",) if docker else ()
            return command(inputs=inputs, workspace=workspace, **values)

    for option in reversed(_INPUTS):
        wrapped = option(wrapped)
    return wrapped


def open_workspace(ctx: click.Context) -> _Opened:
    """The workspace of this run; its display is closed at the end."""
    return _Opened(ctx.find_root().obj or {})


class _Opened:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def __enter__(self) -> Workspace:
        from finback.app.workspace import Workspace
        from finback.cli.display import display
        from finback.ground.event import once

        network = _network(**self._settings.get("network", {}))
        self._display = display(self._settings.get("progress", "auto"))
        return Workspace(emit=once(self._display.emit), cache=self._settings.get("cache"), network=network)

    def __exit__(self, *_: object) -> None:
        self._display.close()


def _network(
    mirrors: tuple[str, ...] = (), authorities: tuple[Path, ...] = (), insecure: tuple[str, ...] = ()
) -> Network | None:
    """What the command line says of registries."""
    if not (mirrors or authorities or insecure):
        return None
    from finback.oci.network import Network, Rule, insecure_rules, mirror_rules

    everywhere = (Rule(pattern="*", authorities=authorities),) if authorities else ()
    return Network((*mirror_rules(mirrors), *insecure_rules(insecure), *everywhere))


def _platform(text: str | None) -> Any:
    from finback.ground.platform import Platform

    if text is None:
        return None
    try:
        return Platform.parse(text)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--arch") from None
