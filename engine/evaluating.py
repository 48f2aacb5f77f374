"""Runs the evaluations a spec lists on a ticket; one that fails costs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

from engine.context import Context, Result
from engine.events import Evaluated, Event, Warned
from engine.plugin import Settings
from engine.registry import load
from engine.rundir import RunDirectory
from engine.spec import RunSpec


def evaluate(directory: RunDirectory, spec: RunSpec, context: Context) -> Iterator[Event]:
    """Run every listed evaluation, store its files in the run's folder, and report."""
    for settings in spec.evaluate:
        try:
            yield _evaluate(directory, settings, context)
        except Exception as error:  # an evaluation must never cost the run its result
            message = f"evaluation {settings.name} of level {context.level} failed: {error!r}"
            yield Warned(level=context.level, message=message)


def _evaluate(directory: RunDirectory, settings: Settings, context: Context) -> Evaluated:
    result: Result = load("evaluations", settings.name).evaluate(settings, context)
    return keep(directory, context.level, settings.name, result)


def keep(directory: RunDirectory, level: int, name: str, result: Result) -> Evaluated:
    """Store the files of what `name` found in a level, and say what it found."""
    folder = directory.evaluations / f"{level:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for file, document in result.files.items():
        (folder / file).write_text(json.dumps(document, indent=1))
        paths.append(str((folder / file).relative_to(directory.path)))
    return Evaluated(level=level, name=name, metrics=result.metrics, files=tuple(paths))
