"""Plan to System: the parts in LinuxKit's order, each image once.

Source: compat 2.1; docs/explanation/guest.md for the layout.
"""

from __future__ import annotations

from dataclasses import replace

from finback.assemble import kernel as kernels
from finback.assemble import mount_point, own_files, root_image, seccomp, user, volumes
from finback.assemble.bundle import bundle
from finback.assemble.shape import Shape, of_image
from finback.assemble.system import ImagePart, OwnPart, Part, System
from finback.ground import canonical
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.source import NOWHERE, Origin
from finback.host.store import Store
from finback.oci import located
from finback.resolve.plan import ImagePin, Plan, VolumePlan
from finback.spec.ordering import waves
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, Directory, File

FILES = "linuxkit.files"
LINUXKIT_INIT = "linuxkit/init"
ISSUE = b"\nWelcome to LinuxKit\n(this system was built by finback)\n\n"
# Folders on which the guest mounts memory.
MADE_AT_RUN_TIME = ("run", "tmp", "var")


def build(plan: Plan, store: Store) -> System:
    """The system of *plan*, whose images are in the store.

    Raises:
        FinbackError: F038, F039, F095, F127 and F150 to F156, see where they are raised; store errors.

    """
    volumes.check(plan)
    root = Shape(directories=frozenset(root_image.TOUCHED) if plan.init else frozenset())
    for pin in plan.init:
        root = root.under(of_image(_digest(pin), store))
    parts: list[Part] = []
    if plan.kernel is not None:
        # Our own convention is a merged /usr; an init image may have another.
        prefix = "usr" if not plan.init or root.place("lib/modules").startswith("usr/") else ""
        parts.append(_image(plan.kernel.image, "kernel", prefix, "kernel", plan.kernel.origin))
    parts += _issue(plan, root)
    parts += [_image(pin, f"init[{i}]", "", "init", pin.origin) for i, pin in enumerate(plan.init)]
    parts += volumes.parts(plan, _volume_image)
    parts += _container_images(plan)
    # What is there already, so that it is not made again with another mode.
    known = {*root.directories, *root.links}
    parts += _mount_points(plan, root, known)
    parts += _bundles(plan, known, store)
    parts += _files(plan, root, known)
    return System(
        name=plan.name,
        platform=plan.platform,
        epoch=plan.epoch,
        plan=plan,
        boot=None if plan.kernel is None else kernels.boot(plan.kernel, _digest(plan.kernel.image), store),
        parts=tuple(parts),
    )


def image_path(image: Digest) -> str:
    """Where the tree of a container's image is in the machine."""
    return f"/images/{image.short}"


def _digest(pin: ImagePin) -> Digest:
    if pin.digest is None:
        raise error("F153", f"{pin.reference} is not resolved", help="build from a resolved plan")
    return pin.digest


def _image(pin: ImagePin, location: str, prefix: str, flavour: str, origin: Origin) -> ImagePart:
    return ImagePart(
        source=pin.reference, location=location, image=_digest(pin), prefix=prefix, flavour=flavour, origin=origin
    )


def _volume_image(volume: VolumePlan, prefix: str) -> ImagePart:
    assert volume.image is not None
    flavour = "layout" if volume.format == "oci" else "init"
    return _image(volume.image, volumes.location(volume), prefix, flavour, volume.origin)


def _container_images(plan: Plan) -> list[Part]:
    """Each image once, at the first container that uses it."""
    parts: dict[Digest, Part] = {}
    for container in plan.containers:
        digest = _digest(container.image)
        if digest not in parts:
            location = f"{container.section}[{container.index}]"
            prefix = image_path(digest).lstrip("/")
            parts[digest] = _image(container.image, location, prefix, "container", container.origin)
    return list(parts.values())


def _mount_points(plan: Plan, root: Shape, known: set[str]) -> list[Part]:
    """Folders to mount on, where they are not made at run time."""
    parts: list[Part] = []
    for place in plan.mount_points:
        path = root.place(place.lstrip("/"))
        if path.split("/")[0] not in MADE_AT_RUN_TIME and path not in known:
            entries = tuple(own_files.with_parents([Directory(path=path, mtime=plan.epoch)], known, plan.epoch))
            parts.append(OwnPart(source=FILES, location="mount_points", entries=entries))
    return parts


def _bundles(plan: Plan, known: set[str], store: Store) -> list[Part]:
    places = volumes.paths(plan)
    parts: list[Part] = []
    for container in plan.containers:
        digest = _digest(container.image)
        complete = replace(container, settings=user.settled(container, digest, store))
        made = bundle(
            complete,
            image_path(digest),
            places,
            plan.epoch,
            seccomp.profile(container, plan.platform, store),
            mount_point.missing(complete, digest, places, store),
        )
        fresh = [e for e in made if e.path not in known]
        location = f"{container.section}[{container.index}]"
        entries = tuple(own_files.with_parents(fresh, known, plan.epoch))
        parts.append(
            OwnPart(source=container.image.reference, location=location, entries=entries, origin=container.origin)
        )
    return parts


def _files(plan: Plan, root: Shape, known: set[str]) -> list[Part]:
    """The plan itself, without the name of the build and what is no part of the system; the order of the services; and
    the items of `files`.
    """
    groups = waves({s.id: s.supervision.needs for s in plan.services})
    texts = {
        "plan.json": canonical.encode(replace(plan, name="", loaders=())),
        "services": "".join(f"{' '.join(g)}\n" for g in groups).encode(),
    }
    items: list[tuple[str, AnyEntry, Origin]] = [
        ("files", File(path=f"etc/finback/{name}", content=Inline(text), mtime=plan.epoch), NOWHERE)
        for name, text in texts.items()
        if text
    ]
    items += [(f"files[{f.index}]", own_files.entry(f, plan.epoch), f.origin) for f in plan.files]
    parts: list[Part] = []
    for location, entry, origin in items:
        placed = replace(entry, path=root.place(entry.path))
        entries = tuple(own_files.with_parents([placed], known, plan.epoch))
        parts.append(OwnPart(source=FILES, location=location, entries=entries, origin=origin))
    return parts


def _issue(plan: Plan, root: Shape) -> list[Part]:
    """What LinuxKit's init shows on the consoles, where the file names that one and another image answers it. It comes
    before the images and `files`, whose own /etc/issue wins. Source: compat, tools 1.
    """
    for pin in plan.init:
        if pin.substitutes and located.parse(pin.substitutes).familiar_name == LINUXKIT_INIT:
            made = File(path=root.place("etc/issue"), content=Inline(ISSUE), mtime=plan.epoch)
            entries = tuple(own_files.with_parents([made], set(), plan.epoch))
            return [OwnPart(source=FILES, location="issue", entries=entries, origin=pin.origin, replaceable=True)]
    return []
