"""Volumes: where they are in the machine, their entries, and who may mount them how.

Source: compat 1.13, with its defects mended: a volume is found by name in `binds` and in `mounts`, in the spec and in
an image's label, and one that is read-only has no place for changes.
"""

from __future__ import annotations

from collections.abc import Callable

from finback.assemble.system import ImagePart, OwnPart, Part
from finback.ground.diagnostic import error
from finback.ground.platform import Platform
from finback.resolve.plan import Container, Plan, VolumePlan
from finback.spec.mount import parse_bind
from finback.tree.content import Inline
from finback.tree.entry import Directory, File

FOLDER = "containers/volumes"
SOURCE = "linuxkit.volumes"
BLANK = "empty"


def paths(plan: Plan) -> dict[str, str]:
    """Where the content of each volume is in the machine, by the volume's name."""
    return {v.name: f"/{FOLDER}/{v.name}/merged" for v in plan.volumes}


def check(plan: Plan) -> None:
    """Make sure that containers mount only volumes that exist, and read-only ones read-only.

    The spec's own mounts were checked as it was read; an image's label may name volumes too.

    Raises:
        FinbackError: F038, there is no such volume; F039, it is read-only.

    """
    volumes = {v.name: v for v in plan.volumes}
    for container in plan.containers:
        for source, options in _uses(container):
            _check(container, source, options, volumes)


def _uses(container: Container) -> list[tuple[str, tuple[str, ...]]]:
    settings = container.settings
    binds = [parse_bind(b) for b in settings.binds or ()]
    found = [(b.source, b.options) for b in binds]
    found += [(m.source, m.options or ()) for m in settings.mounts or () if m.type == "bind" and m.source]
    return [(s, o) for s, o in found if not s.startswith(("/", ".", "~"))]


def _check(container: Container, source: str, options: tuple[str, ...], volumes: dict[str, VolumePlan]) -> None:
    volume = volumes.get(source)
    span = container.origin.at("image")
    if volume is None:
        raise error(
            "F038",
            f"{container.name} mounts a volume {source!r}, which there is none of",
            span,
            help="declare it under `volumes:`, or give the container `binds:` of its own",
        )
    if volume.readonly and "ro" not in options:
        raise error(
            "F039",
            f"{container.name} mounts volume {source!r} writable, and it is read-only",
            span,
            help="add `ro` to the mount's options, or remove `readonly` from the volume",
        )


def parts(plan: Plan, image: Callable[[VolumePlan, str], ImagePart]) -> list[Part]:
    """The parts of all volumes; *image* makes the part of one that has an image.

    Raises:
        FinbackError: F154, a volume of format oci is to have other platforms than the one that is built for.

    """
    made: list[Part] = []
    for volume in plan.volumes:
        if any(Platform.parse(p) != plan.platform for p in volume.platforms):
            raise error(
                "F154",
                f"volume {volume.name} can only have the image for {plan.platform}, which is built for",
                volume.origin.at("platforms"),
                help="leave `platforms` out",
            )
        folder = f"{FOLDER}/{volume.name}"
        if volume.image is None:
            made.append(_own(volume, BLANK, ("containers", FOLDER, folder, f"{folder}/lower"), plan.epoch))
        else:
            made.append(image(volume, f"{folder}/lower"))
        names = ("merged",) if volume.readonly else ("merged", "tmp")
        made.append(_own(volume, SOURCE, tuple(f"{folder}/{n}" for n in names), plan.epoch))
        if volume.place:
            # Where the guest finds the disk that keeps it.
            content = Inline(f"{volume.place}\n".encode())
            kept = File(path=f"{folder}/place", content=content, mode=0o644, mtime=plan.epoch)
            made.append(OwnPart(source=SOURCE, location=location(volume), entries=(kept,), origin=volume.origin))
    return made


def _own(volume: VolumePlan, source: str, folders: tuple[str, ...], epoch: int) -> OwnPart:
    entries = tuple(Directory(path=p, mtime=epoch) for p in folders)
    return OwnPart(source=source, location=location(volume), entries=entries, origin=volume.origin)


def location(volume: VolumePlan) -> str:
    """What LINUXKIT.location says."""
    return f"volume[{volume.index}]"
