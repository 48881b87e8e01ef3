"""The reference assemblies: whole systems to run as they are, or to begin one's own with.

An assembly is a folder, ``assemblies/NAME/``, with ``NAME.yml``, a ``README.md`` that says what it is in its first
sentence, and whatever files the YAML names.
"""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass
from pathlib import Path

from finback.app.settings import data_folder
from finback.ground.diagnostic import error
from finback.ground.source import Source
from finback.host import file, folder
from finback.spec.load import load_all
from finback.spec.model import Spec

LIMIT = 1 << 20
README = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A reference assembly."""

    name: str
    folder: Path
    text: str
    """Its YAML."""
    readme: str
    """What there is to know about it."""
    spec: Spec
    """What its YAML says."""

    @property
    def path(self) -> Path:
        """Its YAML file."""
        return self.folder / f"{self.name}.yml"

    @property
    def summary(self) -> str:
        """The README's first sentence."""
        paragraphs = [p for p in self.readme.split("\n\n") if p.strip() and not p.startswith("#")]
        text = " ".join(paragraphs[0].split()) if paragraphs else ""
        return text.partition(". ")[0].removesuffix(".")

    @property
    def images(self) -> tuple[str, ...]:
        """The images that it is made of, each once, in the order of the file."""
        spec = self.spec
        items = (*(spec.onboot or ()), *(spec.onshutdown or ()), *(spec.services or ()))
        kernel = (spec.kernel.image,) if spec.kernel and spec.kernel.image else ()
        return tuple(dict.fromkeys((*kernel, *(spec.init or ()), *(i.image for i in items))))

    @property
    def budget(self) -> int | None:
        """Megabytes (10⁶ bytes) that its kernel and initrd keep within."""
        return next((t.size.most for t in self.spec.tests or () if t.size), None)


def names() -> tuple[str, ...]:
    """The names of all assemblies, sorted."""
    found = data_folder("assemblies").glob("*/*.yml")
    return tuple(sorted(p.stem for p in found if p.stem == p.parent.name))


def get(name: str) -> Assembly:
    """The assembly *name*.

    Raises:
        FinbackError: F058, there is none; F4xx, it can't be read; F0xx, its YAML is wrong.

    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise error("F058", f"there is no assembly {name!r}", help=hint + "`finback assembly list` shows all")
    place = data_folder("assemblies") / name
    path = place / f"{name}.yml"
    text = file.read(path, limit=LIMIT).decode("utf-8", "surrogateescape")
    return Assembly(
        name=name,
        folder=place,
        text=text,
        readme=file.read(place / README, limit=LIMIT).decode("utf-8", "replace"),
        spec=load_all((Source(str(path), text),))[0],
    )


EXTENSION = """\
# What is given here is laid over the assembly, which `finback assembly show {name}` prints.
extends: finback/{name}
"""


def begin(place: Path, assembly: Assembly, *, extend: bool = False) -> Path:
    """Make the folder *place* with a YAML file that is called as the folder is: a copy of *assembly*, or an extension.

    Raises:
        FinbackError: F412, *place* is there already; F403 no space, F404 not permitted, F405 any other trouble.

    """
    if place.exists() or place.is_symlink():
        raise error("F412", f"{place} is there already", help="give another name, or remove it")
    with folder.placed(place) as temporary:
        if extend:
            temporary.mkdir()
            text = EXTENSION.format(name=assembly.name)
            with file.writing(temporary / f"{place.name}.yml") as out:
                out.write(text.encode())
            return place / f"{place.name}.yml"
        shutil.copytree(assembly.folder, temporary, ignore=shutil.ignore_patterns(README, "*.lock"))
        (temporary / assembly.path.name).rename(temporary / f"{place.name}.yml")
    return place / f"{place.name}.yml"
