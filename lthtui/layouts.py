"""Asks the worker program what the shapes of networks rule out, before anything is queued."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import SpecError
from lthtui.readying import Ready
from lthtui.specfiles import Expansion
from lthtui.yamlfile import FileError

Ask = Callable[[Sequence[str]], Mapping[str, Any]]


def check(expansions: Sequence[Expansion], ask: Ask, say: Callable[[str], None]) -> None:
    """Refuse runs whose layers cannot have the masks that they ask for.

    Args:
        ask: has the worker program carry out a verb; only where its answer is not known already.
        say: tells that this is done, since it takes seconds.

    Raises:
        FileError: all of them, with their places.
    """
    found = [error for error in refusals(expansions, ask, say) if error is not None]
    if found:
        raise FileError(problem for error in found for problem in error.problems)


def refusals(
    expansions: Sequence[Expansion], ask: Ask, say: Callable[[str], None]
) -> list[FileError | None]:
    """As `check`, but returns what is wrong with each spec file."""
    asked = [[(run, _asked(run)) for run in (*one.runs, *one.ends)] for one in expansions]
    distinct = list(dict.fromkeys(what for each in asked for _, what in each if what is not None))
    if not distinct:
        return [None for _ in expansions]
    say("checking the layers ...")
    refused = _refused(distinct, ask)
    found: list[FileError | None] = []
    for each in asked:
        problems = [run.problem(refused[what]) for run, what in each if what in refused]
        found.append(FileError(problems) if problems else None)
    return found


def _asked(run: Ready) -> str | None:
    """What to ask about a run; None where shapes rule nothing out."""
    spec, images = run.spec, run.images
    method = registry.load("sparsifiers", spec.sparsifier.name).Sparsifier(spec.sparsifier)
    taken = spec.start.ticket.named or spec.start.file is not None
    if not taken and not method.rests_on_shapes(spec):
        return None
    parts = {
        "model": spec.model,
        "loss": spec.loss,
        "start": spec.start,
        "sparsifier": spec.sparsifier,
    }
    dumped = {name: part.model_dump(mode="json") for name, part in parts.items()}
    shape = {"classes": len(images.classes), "channels": images.channels, "size": images.size}
    return json.dumps({**dumped, **shape})


def _refused(asked: Sequence[str], ask: Ask) -> dict[str | None, SpecError]:
    """Of what is asked about, what is refused, and why."""
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / "asked.json"
        file.write_text(f"[{','.join(asked)}]")
        answers = ask(["lay-out", str(file)])["refusals"]
    return {one: SpecError(**why) for one, why in zip(asked, answers, strict=True) if why}
