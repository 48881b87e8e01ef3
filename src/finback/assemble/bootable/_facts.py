"""What is asked of a tree, and remembered: reading an image takes as long as a small build may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

from finback.assemble import own_files, root_image
from finback.assemble.bootable import Subject
from finback.assemble.bootable._program import Program, loaded, trouble
from finback.assemble.view import View
from finback.ground import canonical
from finback.ground.digest import Digest
from finback.oci import flatten
from finback.resolve.plan import Plan
from finback.tree.entry import AnyEntry, Directory

# Raised whenever the same question could have another answer.
VERSION = 4
# Where the guest mounts a file system of its own, and where it keeps containers: what is there is made at run time.
RUN_TIME = ("dev", "proc", "sys", "run", "tmp", "var", "mnt", "media", "containers", "images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked of one tree."""

    programs: tuple[Program, ...] = ()
    paths: tuple[str, ...] = ()
    """Whether something is there, or may come to be there at run time."""
    folders: tuple[str, ...] = ()
    """Whether a folder is there, or nothing that would be in the way of one."""
    loads: tuple[str, ...] = ()
    """What the program at a path has loaded when it starts: its interpreter's path, names of libraries."""
    has: tuple[str, ...] = ()
    """Whether there is something at a path, or a file of a name, which has no slash, anywhere."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers, in the order of the questions."""

    troubles: list[list[str]] = field(default_factory=list)
    there: list[bool] = field(default_factory=list)
    free: list[bool] = field(default_factory=list)
    loads: list[list[str]] = field(default_factory=list)
    has: list[bool] = field(default_factory=list)


RECORD = tuple(f.name for f in fields(Answers))


def of_container(subject: Subject, image: Digest, questions: Questions) -> Answers:
    """What is so in a container's image."""
    key = canonical.digest(["bootable", VERSION, "container", str(image), questions])

    def view() -> View:
        made = View(subject.contents.read)
        made.lay(root_image.container(flatten.entries(subject.store, image), 0))
        return made

    return _remembered(subject, key, questions, view, ())


def of_root(subject: Subject, questions: Questions) -> Answers:
    """What is so at `/`."""
    plan = subject.system.plan
    images = [pin.digest for pin in plan.init if pin.digest is not None]
    own = _own(plan)
    described = [[type(e).__name__, e.path, e.mode, getattr(e, "target", None), getattr(e, "content", None)]
                 for e in own]  # fmt: skip
    key = canonical.digest(["bootable", VERSION, "root", [str(i) for i in images], described, questions])

    def view() -> View:
        made = View(subject.contents.read)
        for image in images:
            made.lay(root_image.init(flatten.entries(subject.store, image), 0))
        made.lay(own)
        return made

    return _remembered(subject, key, questions, view, RUN_TIME)


def _own(plan: Plan) -> list[AnyEntry]:
    """What the root has besides its images."""
    made: list[AnyEntry] = []
    if plan.kernel is not None:
        made += [Directory(path=p) for p in ("lib", "lib/modules", "lib/firmware")]
    return [*made, *(own_files.entry(f, plan.epoch) for f in plan.files)]


def _remembered(
    subject: Subject, key: Digest, questions: Questions, view: Callable[[], View], unknown: Sequence[str]
) -> Answers:
    kept = subject.store.recall(key, lambda value: Answers(*(value[name] for name in RECORD)))
    if kept is not None:
        return kept
    tree = view()
    answers = Answers(
        troubles=[trouble(tree, p) for p in questions.programs],
        there=_there(tree, questions.paths, unknown),
        free=[_free(tree, p) for p in questions.folders],
        loads=[loaded(tree, p) for p in questions.loads],
        has=[tree.exists(n) if "/" in n else any(tree.named(n)) for n in questions.has],
    )
    subject.store.remember(key, {name: getattr(answers, name) for name in RECORD})
    return answers


def _there(view: View, paths: Sequence[str], unknown: Sequence[str]) -> list[bool]:
    return [view.resolve(p).split("/")[0] in unknown or view.exists(p) for p in paths]


def _free(view: View, path: str) -> bool:
    steps = view.resolve(path).split("/")
    found = (view.find("/".join(steps[:depth])) for depth in range(1, len(steps) + 1))
    return all(e is None or isinstance(e, Directory) for e in found)
