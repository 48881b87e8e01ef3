"""Spec to Plan.

Each image name is substituted, expanded and looked up; each container's settings are completed from its image's label
and configuration; each host file is read once and kept by digest. Problems of several images are reported together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from finback.ground.diagnostic import Diagnostic, FinbackError, blame, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Origin, Span
from finback.oci import configuration, located
from finback.oci.configuration import Configuration
from finback.resolve.catalogue import Catalogue, Found, Preparing, Wanted
from finback.resolve.confine import CONFINED, confine
from finback.resolve.lock import Lock
from finback.resolve.plan import (
    Container,
    FilePlan,
    ImagePin,
    KernelPlan,
    Plan,
    SecretUse,
    VolumePlan,
)
from finback.resolve.sections import Text, adapted, addition
from finback.resolve.substitute import Substitute
from finback.resolve.supervision import Supervision, supervision
from finback.spec import dump, label
from finback.spec.check import allocate_ids
from finback.spec.disk import kept_at
from finback.spec.model import File, Item, Kernel, Settings, Spec, Volume

T = TypeVar("T")
SECCOMP_WORDS = ("", "default", "unconfined")

_PATH_OF_URL = re.compile(r"(https?://[^/\s]+)/\S*(?<!:)")
LABEL = "org.mobyproject.config"
SYSTEM_FOLDER = "etc/finback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Something in a folder of the machine that builds: a file if it has `content`, a link if it has `target`."""

    path: str
    """Relative to the folder; "" is the folder itself."""
    mode: int
    content: Digest | None = None
    """Of a file's content, which is in the store."""
    size: int = 0
    target: str | None = None


class HostFiles(Protocol):
    """Files of the machine that builds."""

    def folder(self, path: str, span: Span | None) -> tuple[Copied, ...] | None:
        """What is in the folder that *path*, as the spec writes it, names, itself first; None if it is no folder.

        Raises:
            FinbackError: it can't be read, or has something that can't be copied.

        """

    def read(self, path: str, span: Span | None) -> tuple[bytes, int] | None:
        """Content and permission bits of the file that *path*, as the spec writes it, names; None if it is not there.

        Raises:
            FinbackError: it can't be read, or is larger than a system file may be.

        """

    def keep(self, data: bytes) -> Digest:
        """Put *data* into the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to resolve, and by which rules."""

    spec: Spec
    name: str
    platform: Platform
    epoch: int
    substitute: Substitute
    loaders: tuple[str, ...] = ()
    """References of what the formats to be made need besides the system."""
    lock: Lock = Lock()
    frozen: bool = False


def resolve(request: Request, catalogue: Catalogue | None, files: HostFiles) -> Plan:
    """Make the plan. Without a catalogue nothing is looked up: images have no digest and containers no defaults, and
    files of this machine that are not there have no content.

    Raises:
        FinbackError: with the problems of all images and files.

    """
    return _Resolver(request, catalogue, files).plan()


class _Resolver:
    def __init__(self, request: Request, catalogue: Catalogue | None, files: HostFiles) -> None:
        self._request = request
        self._catalogue = catalogue
        self._files = files
        self._found: dict[str, Found] = {}
        self._failed: dict[str, FinbackError] = {}
        self._problems: list[Diagnostic] = []
        self._ids = allocate_ids(request.spec)

    def plan(self) -> Plan:
        spec, request = self._request.spec, self._request
        added = addition(spec)
        self._prepare((*added.early, *added.services))
        own = spec.services or ()
        plan = Plan(
            name=request.name,
            platform=request.platform,
            epoch=request.epoch,
            kernel=self._kernel(spec.kernel),
            init=self._each(enumerate(spec.init or ()), lambda i: self._image(i[1], spec.origin.at("init", i[0])).pin),
            volumes=self._each(enumerate(spec.volumes or ()), self._volume),
            early=self._containers("early", added.early),
            onboot=self._containers("onboot", spec.onboot),
            onshutdown=self._containers("onshutdown", spec.onshutdown),
            services=self._containers("services", own) + self._containers("services", added.services, len(own)),
            outputs=spec.outputs or (),
            loaders=self._each(request.loaders, self._loader),
            drivers=added.drivers,
            mount_points=added.mount_points,
            ids=self._ids,
        )
        files = self._each(enumerate(spec.files or ()), lambda f: self._file(f, plan))
        plan = replace(plan, files=tuple(f for item in files for f in item) + self._texts(added.texts))
        if self._problems:
            raise FinbackError(*_by_cause(self._problems))
        return plan

    def _prepare(self, added: tuple[Item, ...]) -> None:
        """Have all images looked up at the same time, where that can be; what fails is reported where it is named."""
        if not isinstance(self._catalogue, Preparing):
            return
        spec = self._request.spec
        named = [(spec.kernel.image, spec.kernel.origin.at("image"))] if spec.kernel and spec.kernel.image else []
        named += [(name, spec.origin.at("init", i)) for i, name in enumerate(spec.init or ())]
        named += [(v.image, v.origin.at("image")) for v in spec.volumes or () if v.image]
        items = (*(spec.onboot or ()), *(spec.onshutdown or ()), *(spec.services or ()), *added)
        named += [(i.image, i.origin.at("image")) for i in items]
        wanted = []
        for name, span in named:
            try:
                wanted.append(self._wanted(str(located.parse(self._request.substitute(name) or name)), span))
            except FinbackError:
                continue
        self._catalogue.prepare(w for w in wanted if w.locked is not None or not w.frozen)

    def _wanted(self, expanded: str, span: Span | None) -> Wanted:
        platform, request = self._request.platform, self._request
        locked = request.lock.pin(str(platform), expanded)
        return Wanted(reference=expanded, platform=platform, locked=locked, frozen=request.frozen, span=span)

    def _each(self, items: object, make: Callable[..., T | None], *, drop_none: bool = False) -> tuple[T, ...]:
        made: list[T] = []
        for item in items:  # type: ignore[attr-defined]
            try:
                value = make(item)
            except FinbackError as failure:
                self._problems += failure.diagnostics
                continue
            if value is not None or not drop_none:
                made.append(value)  # type: ignore[arg-type]
        return tuple(made)

    def _image(self, name: str, span: Span | None) -> Found:
        answer = self._request.substitute(name)
        with blame(span):
            expanded = str(located.parse(answer or name))
        substitutes = str(located.parse(name)) if answer else ""
        if expanded in self._failed:
            # It is not looked up again; the cause is reported with this place, too.
            raise FinbackError(*(replace(d, span=span) for d in self._failed[expanded].diagnostics))
        if expanded not in self._found:
            try:
                with blame(span):
                    self._found[expanded] = self._find(expanded, span)
            except FinbackError as failure:
                self._failed[expanded] = failure
                raise
        found = self._found[expanded]
        return replace(found, pin=replace(found.pin, substitutes=substitutes, origin=Origin(span)))

    def _loader(self, reference: str) -> ImagePin:
        if reference not in self._found:
            self._found[reference] = self._find(reference, None, lock="`finback lock -f FORMAT`")
        return replace(self._found[reference].pin, loader=True)

    def _find(self, expanded: str, span: Span | None, lock: str = "`finback lock`") -> Found:
        if self._catalogue is None:
            return Found(pin=ImagePin(reference=expanded))
        wanted = self._wanted(expanded, span)
        if wanted.frozen and wanted.locked is None:
            raise error(
                "F602",
                f"{expanded} is not in the lock for {wanted.platform}",
                span,
                help=f"build once without --frozen, or run {lock}, and commit the lock file",
            )
        return self._catalogue.find(wanted)

    def _kernel(self, kernel: Kernel | None) -> KernelPlan | None:
        if kernel is None or not kernel.image:
            return None
        found = self._each((kernel.image,), lambda image: self._image(image, kernel.origin.at("image")))
        if not found:
            return None
        tar = "kernel.tar" if kernel.tar is None else kernel.tar
        return KernelPlan(
            image=found[0].pin,
            cmdline=kernel.cmdline or "",
            binary=kernel.binary or "kernel",
            tar="" if tar == "none" else tar,
            tar_required=kernel.tar not in (None, "", "none"),
            ucode="" if _without_microcode(found[0].pin) else kernel.ucode or "",
            origin=kernel.origin,
        )

    def _volume(self, numbered: tuple[int, Volume]) -> VolumePlan:
        index, volume = numbered
        image = self._image(volume.image, volume.origin.at("image")).pin if volume.image else None
        return VolumePlan(
            index=index,
            name=volume.name,
            image=image,
            format=volume.format or "filesystem",
            platforms=volume.platforms or (),
            readonly=bool(volume.readonly),
            place=kept_at(self._request.spec.disks or (), volume.disk),
            origin=volume.origin,
        )

    def _containers(self, section: str, items: tuple[Item, ...] | None, first: int = 0) -> tuple[Container, ...]:
        def container(numbered: tuple[int, Item]) -> Container:
            index, item = numbered
            found = self._image(item.image, item.origin.at("image"))
            defaults = self._defaults(item, found)
            given = self._settings(item, found, defaults)
            settings, relaxed = confine(given)
            return Container(
                section=section,
                index=index,
                name=item.name,
                image=found.pin,
                settings=settings,
                supervision=self._supervision(item, found, defaults),
                seccomp=self._seccomp(item, settings),
                usual=tuple(f for f in CONFINED if getattr(given, f) is None),
                relaxed=relaxed,
                secrets=self._secrets(item),
                origin=item.origin,
            )

        return self._each(enumerate(items or (), first), container)

    def _seccomp(self, item: Item, settings: Settings) -> Digest | None:
        name, span = settings.seccomp or "", item.origin.at("seccomp")
        if name in SECCOMP_WORDS:
            return None
        read = self._files.read(name, span) if item.seccomp else None
        if read is not None:
            return self._files.keep(read[0])
        if self._catalogue is None:
            return None
        where = "" if item.seccomp else f", which the label of {item.image} names"
        raise error(
            "F022",
            f"there is no file {name}{where}",
            span,
            help="write `default`, `unconfined`, or the path of a profile from the YAML file",
        )

    def _secrets(self, item: Item) -> tuple[SecretUse, ...]:
        known = {s.name: s for s in self._request.spec.secrets or ()}
        asked = (known[n] for n in dict.fromkeys(item.secrets or ()) if n in known)
        return tuple(
            SecretUse(name=s.name, mode=int(s.mode, 8) if s.mode else 0o400, optional=bool(s.optional)) for s in asked
        )

    def _defaults(self, item: Item, found: Found) -> Configuration:
        with blame(item.origin.at("image")):
            return configuration.read(found.config, found.pin.reference)

    def _supervision(self, item: Item, found: Found, image: Configuration) -> Supervision:
        try:
            return supervision(item, image.stop_signal)
        except ValueError:
            raise error(
                "F124",
                f"image {found.pin.reference} says to stop it by {image.stop_signal!r}, which is not a signal",
                item.origin.at("image"),
                help="name one: `stop: {signal: SIGTERM}`",
            ) from None

    def _settings(self, item: Item, found: Found, image: Configuration) -> Settings:
        text = image.labels.get(LABEL)
        defaults = None
        if text:
            with blame(item.origin.at("image")):
                defaults = label.parse(text, found.pin.reference)
        settings = adapted(self._request.spec, item, label.effective(item, defaults, image))
        if self._catalogue is not None and not settings.command:
            raise error(
                "F120",
                f"{item.name} has nothing to run: image {found.pin.reference} names no program",
                item.origin.at("image"),
                help="give a `command:`",
            )
        user = settings.user
        if user == "image":
            user = image.user or "0"
        return replace(
            settings,
            # What finds the program, in the check before the build and in the machine.
            env=settings.env if self._catalogue is None else configuration.with_path(settings.env or ()),
            user=user,
            uid=self._id(settings.uid, item.origin.at("uid")),
            gid=self._id(settings.gid, item.origin.at("gid")),
            additional_gids=None
            if settings.additional_gids is None
            else tuple(
                self._id(g, item.origin.at("additionalGids", i)) for i, g in enumerate(settings.additional_gids)
            ),
        )

    def _id(self, value: int | str | None, span: Span | None) -> int:
        if isinstance(value, int):
            return value
        if value in (None, "", "root"):
            return 0
        if value not in self._ids:
            raise error(
                "F021",
                f"{value!r} is no item of this file, so it has no id",
                span,
                help=f"name an item of onboot, onshutdown or services ({', '.join(self._ids) or 'there are none'}), "
                "or give a number",
            )
        return self._ids[value]

    def _file(self, numbered: tuple[int, File], plan: Plan) -> tuple[FilePlan, ...]:
        """What an item of `files` stands for: one entry, a whole folder, or nothing."""
        index, file = numbered
        default_mode = 0o700 if file.directory else 0o600
        made = FilePlan(
            index=index,
            path=file.path.removeprefix("/"),
            mode=int(file.mode, 8) if file.mode else default_mode,
            uid=self._id(file.uid, file.origin.at("uid")),
            gid=self._id(file.gid, file.origin.at("gid")),
            origin=file.origin,
        )
        if file.directory:
            return (replace(made, directory=True),)
        if file.symlink is not None:
            return (replace(made, symlink=file.symlink, mode=0o777),)
        if file.source and file.contents is None and file.metadata is None:
            copied = self._files.folder(file.source, file.origin.at("source"))
            if copied is not None:
                return tuple(_copied(made, c, given=bool(file.mode)) for c in copied)
        data = self._file_data(file, plan)
        if data is not None:
            return (replace(made, content=self._files.keep(data), size=len(data)),)
        if file.optional:
            return ()
        if self._catalogue is None:
            # Nothing is looked up: as an image without a digest, a file without content.
            return (made,)
        raise error(
            "F022",
            f"there is no file {file.source}",
            file.origin.at("source"),
            help="paths are relative to the YAML file; `optional: true` leaves a missing file out",
        )

    def _texts(self, texts: tuple[Text, ...]) -> tuple[FilePlan, ...]:
        """What sections add, after the items of `files`."""
        first = len(self._request.spec.files or ())
        made = []
        for index, text in enumerate(texts, first):
            data = text.contents.encode("utf-8", "surrogateescape")
            content = self._files.keep(data)
            path = f"{SYSTEM_FOLDER}/{text.path}"
            made.append(
                FilePlan(index=index, path=path, mode=text.mode, content=content, size=len(data), origin=text.origin)
            )
        return tuple(made)

    def _file_data(self, file: File, plan: Plan) -> bytes | None:
        """The content; None when the file that should have it is not there."""
        if file.contents is not None:
            return file.contents.encode("utf-8", "surrogateescape")
        if file.metadata is not None:
            text = dump.to_json if file.metadata == "json" else dump.to_yaml
            return text(resolved_spec(self._request.spec, plan)).encode()
        read = self._files.read(file.source or "", file.origin.at("source"))
        return None if read is None else read[0]


def _by_cause(problems: Sequence[Diagnostic]) -> list[Diagnostic]:
    """One diagnostic for each cause, at the first of its places, with a note of the others.

    A host that can't be reached is one cause, whatever was asked of it.
    """
    found: dict[tuple[str, str], list[Diagnostic]] = {}
    for problem in problems:
        text = _PATH_OF_URL.sub(r"\1", problem.message) if problem.code.startswith("F2") else problem.message
        found.setdefault((problem.code, text), []).append(problem)
    return [_with_places(same) for same in found.values()]


def _with_places(same: list[Diagnostic]) -> Diagnostic:
    first = same[0]
    places = list(dict.fromkeys(str(d.span) for d in same[1:] if d.span is not None and d.span != first.span))
    # What is said of one image alone, such as why no component answers it, is said of each.
    notes = list(dict.fromkeys(note for d in same for note in d.notes))
    if places:
        notes.append(f"the same holds for {', '.join(places)}")
    return replace(first, notes=tuple(notes))


def _copied(top: FilePlan, found: Copied, *, given: bool) -> FilePlan:
    """The entry of something in a folder; *top* is that of the folder, whose mode may be *given* in the spec."""
    path = f"{top.path.rstrip('/')}/{found.path}" if found.path else top.path
    made = replace(top, path=path, mode=top.mode if given and not found.path else found.mode)
    if found.target is not None:
        return replace(made, symlink=found.target, mode=0o777)
    if found.content is not None:
        return replace(made, content=found.content, size=found.size)
    return replace(made, directory=True)


def resolved_spec(spec: Spec, plan: Plan) -> Spec:
    """*spec* with the references that *plan* uses in place of the names: what `metadata` files show.

    Values that `machine` gives to the machine of the tests, its secrets above all, are not for the image.
    """

    def renew(items: tuple[Item, ...] | None, containers: tuple[Container, ...]) -> tuple[Item, ...] | None:
        # Some may have failed; and after those of the file come what sections add.
        if items is None or len(items) > len(containers):
            return items
        return tuple(replace(i, image=c.image.reference) for i, c in zip(items, containers, strict=False))

    kernel = spec.kernel
    if kernel is not None and plan.kernel is not None:
        kernel = replace(kernel, image=plan.kernel.image.reference)
    return replace(
        spec,
        machine=None if spec.machine is None else replace(spec.machine, secrets=None, data=None),
        kernel=kernel,
        init=None if spec.init is None else tuple(p.reference for p in plan.init),
        onboot=renew(spec.onboot, plan.onboot),
        onshutdown=renew(spec.onshutdown, plan.onshutdown),
        services=renew(spec.services, plan.services),
    )


def _without_microcode(kernel: ImagePin) -> bool:
    """A kernel of the library answers for another, which has what Debian's main archive has not."""
    return bool(kernel.substitutes) and kernel.reference.startswith("docker.io/finback/")
