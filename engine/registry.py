"""The folder is the registry: a choice is a file, and the file's name is its name in a spec.

A module whose name begins with an underscore is a helper and no choice.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import ModuleType

from engine.errors import SpecError, did_you_mean

KINDS = ("sparsifiers", "datasets", "models", "augmentations", "losses", "evaluations")


@cache
def names(kind: str) -> list[str]:
    """List the choices of one kind, sorted, without importing any of them."""
    package = importlib.import_module(f"engine.{kind}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """Import one choice.

    Raises:
        SpecError: no file of that name exists; the message names the nearest one.
    """
    if name not in names(kind):
        singular = kind.removesuffix("s") if kind != "losses" else "loss"
        raise SpecError(f"unknown {singular} '{name}'{did_you_mean(name, names(kind))}")
    return importlib.import_module(f"engine.{kind}.{name}")


def about(kind: str, name: str) -> str:
    """What a choice is, in a sentence: the first one of its file.

    Raises:
        SpecError: as `load`.
    """
    text = inspect.getdoc(load(kind, name)) or ""
    return " ".join(text.partition("\n\n")[0].split())
