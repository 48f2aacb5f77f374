"""How to do it again: commands, specs, digests, and where the runs were trained."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.rundir import RunDirectory
from lthtui.labels import SHORT
from lthtui.reports import values
from lthtui.reports.model import Block, Details, Section, Table
from lthtui.reports.subject import Subject
from lthtui.reports.wording import UNKNOWN
from lthtui.rows import Row
from lthtui.runview import RunView

HEADER = ("run", "group", "digest", "images", "lthtui", "torch", "device")


def build(subject: Subject) -> Section:
    """Every run with its digest, one spec of every group, whole, and what was asked of them."""
    runs = {run.run_id: run for run in (*subject.runs, *subject.controls)}
    return Section(
        "Reproduction",
        (
            f"{values.FILE}, in the folder of this page, has all numbers in full: a line for each"
            " run, level and metric, with its seed and unit.",
            _runs([*runs.values()]),
            _commands(subject),
            *_specs(subject, [*runs.values()]),
        ),
    )


def _runs(runs: Sequence[RunView]) -> Table:
    from lthtui import provenance

    started = provenance.read(runs)
    rows = []
    for run in runs:
        about = attempts[-1].environment if (attempts := started.get(run.run_id)) else {}
        images = attempts[-1].images if attempts else {}
        commit = str(about.get("git_commit") or "")[:12] + "*" * bool(about.get("git_dirty"))
        rows.append(
            (
                run.run_id,
                run.group[:8],
                _digest(run)[:12],
                " ".join(f"{count:,} {split}" for split, count in images.items()),
                commit or UNKNOWN,
                str(about.get("torch", UNKNOWN)),
                str(about.get("device", UNKNOWN)),
            )
        )
    caption = (
        "Every run, those of controls too: a digest covers all settings that make its result, a"
        " group all but seed, fold and draw. * marks a program with changes that no commit has."
    )
    return Table("runs", caption, HEADER, tuple(rows))


def _digest(run: RunView) -> str:
    from lthtui import identity

    with suppress(OSError, ValueError):  # damaged, or removed meanwhile
        if run.directory:
            return identity.read(RunDirectory(Path(run.directory))).digest
    return UNKNOWN


def _commands(subject: Subject) -> Details:
    """What was asked of the runs once they were trained."""
    lines = [
        line
        for row in subject.methods
        for line in (*_controls(subject, row), *_asked(subject, row))
    ]
    first = "lthtui run SPEC    # each of the files below, with seeds: as in the table above"
    return Details("Commands", "\n".join([first, *lines]))


def _controls(subject: Subject, row: Row) -> Iterator[str]:
    mine = {run.run_id for run in row.runs}
    every = (run.controls for run in (*subject.runs, *subject.controls))
    kinds = dict.fromkeys(one.kind for one in every if one and one.run in mine)
    if kinds:
        yield f"lthtui control {row.first.group[:SHORT]} --kind {','.join(kinds)}"


def _asked(subject: Subject, row: Row) -> Iterator[str]:
    """Evaluations by the settings that are not at their defaults."""
    made = {one.label for run in row.runs for one in subject.evaluations.made(run)}
    for label in subject.evaluations.labels:
        settings = subject.evaluations.asked.get(label)
        if label in made and settings is not None:
            dumped = settings.model_dump(mode="json", exclude_defaults=True)
            name, levels = dumped.pop("name"), dumped.pop("levels", [])
            level = f" --level {','.join(map(str, levels))}" if levels else ""
            fields = "".join(f" {_field(f'{name}.{key}', value)}" for key, value in dumped.items())
            yield f"lthtui evaluate {row.first.group[:SHORT]} --with {name}{level}{fields}"


def _field(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return shlex.quote(f"{name}={text}")


def _specs(subject: Subject, runs: Sequence[RunView]) -> Iterator[Block]:
    if subject.here:
        yield "Each spec file below trains one run of its group: lthtui run FILE repeats it."
    first: dict[str, RunView] = {}
    for run in runs:
        first.setdefault(run.group, run)
    for group, run in first.items():
        with suppress(OSError):
            if run.directory:
                text = RunDirectory(Path(run.directory)).spec_file.read_text(errors="replace")
                label = subject.labels.get(group, run.run_id)
                yield Details(f"{label} {run.repetition}: spec.yaml", text)
