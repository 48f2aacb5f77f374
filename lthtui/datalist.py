"""What is known of every data set: what it holds, whether it lies here, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import registry
from engine.description import Description
from engine.errors import DataError
from lthtui.datasources import SOURCES, Source
from lthtui.planning import size as sized
from lthtui.text import clean_line


@dataclass(frozen=True)
class Known:
    """A data set.

    Attributes:
        name: in a spec, or for `lthtui data get` alone.
        choice: whether a spec may have it; else it is there to evaluate on.
        source: what is published of it; None for layouts of one's own images, and for what needs no
            files.
        found: what lies below the folder that was looked into, of choices.
        here: whether all of it lies there.
        problem: why it does not, if some of it does.
    """

    name: str
    about: str
    choice: bool = True
    source: Source | None = None
    found: Description | None = None
    here: bool = False
    problem: str = ""

    def describe(self) -> dict[str, Any]:
        """For JSON. Channels, side and images are null where they depend on the files."""
        source, found = self.source, self.found
        channels, size = source.shape if source else (found.channels, found.size) if found else _NO
        train, test = (found.available, found.test) if found else source.images if source else _NO
        classes = len(found.classes) if found else source.classes if source else None
        return {
            "name": self.name,
            "about": self.about,
            "choice": self.choice,
            "classes": classes,
            "channels": channels,
            "size": size,
            "train": train,
            "test": test,
            "here": self.here,
            "problem": self.problem or None,
            "bytes": source.size if source else None,
            "by_hand": source.manual if source else None,
            "urls": [file.url for file in source.files] if source else [],
            "licence": source.licence or None if source else None,
        }

    def lines(self) -> Iterator[str]:
        """Two lines for people, cleaned."""
        facts = self.describe()
        place = "here" if self.here else "part" if self.problem else ""
        line = f"{self.name:<15} {place:<5}"
        if facts["classes"]:
            side = f"{facts['size']} px" if facts["size"] else "any size"
            images = f"{facts['train']:,} + {facts['test']:,}"
            line += f"{facts['classes']:>4} classes {side:>8} x {facts['channels']:<3} {images:<19}"
        yield f"{line} {self._how()}".rstrip()
        licence = f" ({facts['licence']})" if facts["licence"] else ""
        yield f"    {clean_line(self.about.rstrip('.'), 500)}{licence}"

    def _how(self) -> str:
        if self.here or not self.source:
            return ""
        if self.source.manual:
            return "by hand"
        return f"get {sized(self.source.size)}" if self.source.size else "get"


_NO = (None, None)


def names() -> list[str]:
    """All data sets: the choices of a spec, then those to evaluate on."""
    return list(dict.fromkeys([*registry.names("datasets"), *SOURCES]))


def known(name: str, root: Path) -> Known:
    """One data set; `name` is a choice of a spec or one of `SOURCES`.

    Raises:
        SpecError: it is neither.
    """
    source = SOURCES.get(name)
    if source and name not in registry.names("datasets"):
        places = [root / file.target for file in source.files]
        return Known(name, source.about, False, source, here=all(one.exists() for one in places))
    about = registry.about("datasets", name)
    if getattr(registry.load("datasets", name).Settings, "named_by_root", False):
        return Known(name, about)
    try:
        return Known(name, about, source=source, found=described(name, root), here=True)
    except (DataError, OSError) as error:
        begun = source and any((root / file.target).exists() for file in source.files)
        return Known(name, about, source=source, problem=str(error) if begun else "")


def described(name: str, root: Path) -> Description:
    """What a data set holds below a folder, all of it.

    Raises:
        DataError: it is not there, or not whole.
    """
    module = registry.load("datasets", name)
    about = module.describe(module.Settings(root=str(root), validation="none"))
    assert isinstance(about, Description)
    return about
