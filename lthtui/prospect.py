"""What the text of a spec would do, while it is typed: problems, form, plan, cost, differences."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import LthError
from engine.repetition import names, unit
from lthtui import cloning, commandline, form, planning, specfiles, specpaths, yamlfile
from lthtui.board import percent
from lthtui.counting import counted
from lthtui.forecast import Forecast, forecast
from lthtui.form import Knob
from lthtui.launch import devices, queue
from lthtui.planning import Group, duration, size
from lthtui.runview import RunView
from lthtui.sources import Patience
from lthtui.specfiles import Expansion
from lthtui.text import clean, clean_line
from lthtui.yamlfile import FileError, Problem

TABLES = 3  # groups up to which all their levels are shown
GROUPS = 20  # groups that are shown at all
WORDS = {
    "new": "new",
    "resumed": "to go on",
    "active": "under way already",
    "finished": "finished already",
}


@dataclass(frozen=True)
class Line:
    """A line of the plan and its tone."""

    text: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Prospect:
    """What is known about a text.

    Attributes:
        problems: what is wrong with it; then there is no plan.
        knobs: its form; None if it is no YAML.
        runs: how many it makes; 0 where it cannot be queued.
        brief: the plan in a few lines, to decide by.
        command: the command line that does the same.
        saved: whether this command needs the text to be saved first.
    """

    text: str
    problems: tuple[Problem, ...] = ()
    knobs: tuple[Knob, ...] | None = None
    runs: int = 0
    brief: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    command: str = ""
    saved: bool = False

    @property
    def absent(self) -> bool:
        """Whether nothing is wrong with it but that its data set is not here."""
        return bool(self.problems) and all(one.absent for one in self.problems)


def prospect(
    root: Path, path: str, text: str, disk: str | None, past: Iterable[RunView] = ()
) -> Prospect:
    """Read a spec's text as `lthtui check` reads its file; never raises for what is wrong in it.

    Args:
        disk: the text in its file; None if there is none.
        past: runs whose times tell what these will take.
    """
    source, knobs = clean_line(path), None
    try:
        document = yamlfile.parse(text, source)
        document, stem = specpaths.of_runs(document, Path(path))
        knobs = form.knobs(document.data)
        expansion = specfiles.expand_document(document, stem, patience=Patience())
        return _good(root, path, (text, disk), knobs, document.data, expansion, tuple(past))
    except FileError as error:
        return Prospect(text, tuple(error.problems), knobs)
    except LthError as error:
        return Prospect(text, (Problem(source, str(error)),), knobs)


def _good(
    root: Path,
    path: str,
    texts: tuple[str, str | None],
    knobs: tuple[Knob, ...],
    data: Mapping[str, Any],
    expansion: Expansion,
    past: tuple[RunView, ...],
) -> Prospect:
    """What a text without mistakes would do."""
    groups = planning.groups(expansion.runs)
    costs = {one.first.spec.group: _forecast(one, past) for one in groups}
    known = queue.preview(root, [run.spec for run in expansion.runs])
    done = Counter[str](one.action for one in known)
    left = Counter(one.spec.group for one, was in zip(expansion.runs, known, strict=True)
                   if was.action == "new")  # fmt: skip
    count = len(expansion.runs) + len(expansion.later)
    brief = [
        _made(groups, count),
        *_time([(costs[group], runs) for group, runs in left.items()]),
        *_already(done),
    ]
    command = _command(path, texts[1], data)
    return Prospect(
        text=texts[0],
        knobs=knobs,
        runs=0 if expansion.search else count,
        brief=tuple(brief),
        lines=tuple(
            [
                *(Line(one, "" if at else "name") for at, one in enumerate(brief)),
                *_changes(root, data, expansion),
                *(line for one in groups[:GROUPS] for line in _group(one, len(groups))),
                *([Line(f"and {len(groups) - GROUPS:,} more", "dim")] if groups[GROUPS:] else []),
                *_later(expansion),
                *([Line()] if expansion.notes else []),
                *(Line(f"note: {clean(note)}", "dim") for note in expansion.notes),
            ]
        ),
        command=command or f"lthtui run {clean_line(path)}",
        saved=command is None,
    )


def _made(groups: list[Group], count: int) -> str:
    """How many runs there are, and of what they are made."""
    runs = counted(count, "run")
    sizes = {len(one.runs) for one in groups}
    if len(groups) > 1 and len(sizes) == 1:
        (size,) = sizes
        what = unit(run.spec.repetition for one in groups for run in one.runs)
        return f"{runs}: {len(groups):,} variants × {counted(size, what)}"
    return runs


def _time(parts: list[tuple[Forecast | None, int]]) -> Iterator[str]:
    """Lines of what the runs that are new will cost."""
    known = [(one, runs) for one, runs in parts if one is not None]
    if not known:
        if parts:
            yield "no past run here has this model and data; `lthtui plan` measures"
        return
    runs = sum(count for _, count in known)
    seconds = sum(one.seconds * count for one, count in known)
    first = known[0][0]
    from_runs = f"from {counted(first.runs, 'past run')} on {first.device}"
    each = "" if runs == 1 else f" a run, {duration(seconds)} one after another"
    yield f"≈ {duration(seconds / runs)}{each} ({from_runs})"
    disk = [one.disk_bytes * count for one, count in known if one.disk_bytes is not None]
    if disk:
        yield f"disk ≈ {size(sum(disk))}"
    if len(known) < len(parts):
        yield f"{len(parts) - len(known)} of {len(parts)} variants are like no past run"


def _already(done: Counter[str]) -> Iterator[str]:
    if set(done) - {"new"}:
        yield ", ".join(f"{done[one]:,} {word}" for one, word in WORDS.items() if done[one])


def _changes(root: Path, data: Mapping[str, Any], expansion: Expansion) -> Iterator[Line]:
    """What is not as in the run that the spec was cloned from."""
    found = cloning.origin(root, data)
    if found is None:
        return
    run_id, spec = found
    changes = cloning.changed(spec, [run.spec for run in expansion.runs])
    yield Line()
    yield Line(
        f"changed from {clean_line(run_id)}" if changes else f"as {clean_line(run_id)}", "name"
    )
    width = max((len(field) for field, _, _ in changes), default=0)
    for field, before, now in changes:
        yield Line(f"  {field:<{width}}  {clean_line(before)} → {clean_line(now)}", "winning")


def _group(group: Group, groups: int) -> Iterator[Line]:
    """What a group of seeds is, and its levels where there are few groups."""
    spec, plan, images = group.first.spec, group.first.plan, group.first.images
    yield Line()
    if group.differs:
        yield Line(
            clean_line(", ".join(f"{key} {value}" for key, value in group.differs.items())), "name"
        )
    else:
        yield Line(f"{spec.sparsifier.name} on {spec.data.name} with {spec.model.name}", "name")
    yield Line(_levels([planned.level.density for planned in plan.levels]))
    epochs, steps = counted(plan.epochs, "epoch"), counted(plan.steps, "step")
    yield Line(f"{epochs}, {steps} of {counted(spec.train.batch_size, 'image')}")
    if groups > TABLES:
        return
    yield Line(f"{images.train:,} training, {images.val:,} validation, {images.test:,} test images")
    yield Line(_repetitions(group))
    for one in planning.levels(group):
        density = "  -" if one["density"] is None else f"{one['density']:.4f}"
        epochs = counted(one["epochs"], "epoch")
        start = one["weights_from"]
        yield Line(f"  level {one['level']:>2}  {density}  {epochs:<10}  from {start}", "dim")


def _repetitions(group: Group) -> str:
    """As `seeds 0, 1`, also of a single one."""
    found = [run.spec.repetition for run in group.runs]
    return f"{unit(found)}s {', '.join(names(found))}"


def _levels(densities: Sequence[float | None]) -> str:
    """How many levels there are, and how dense the first and the last are, as far as is known."""
    count = counted(len(densities), "level")
    first, last = densities[0], densities[-1]
    if last is None:
        return f"{count}, as sparse as training makes them"
    if first is None:
        return f"{count}, the last with {percent(last)} of the weights"
    if len(densities) == 1:
        return f"{count} with {percent(last)} of the weights"
    return f"{count}, {percent(first)} to {percent(last)} of the weights"


def _later(expansion: Expansion) -> Iterator[Line]:
    """Runs that wait for tickets."""
    for one in expansion.later:
        yield Line(f"{one.spec.name}-{one.spec.repetition} starts after {', '.join(one.after)}")


def _forecast(group: Group, past: tuple[RunView, ...]) -> Forecast | None:
    launch = group.first.spec.launch
    if launch.slurm is not None:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        suited = devices.eligible(launch.devices, visible, launch.memory)
    except LthError:  # whoever queues it is told
        return None
    return forecast(group, past, frozenset(one.name for one in suited))


def _command(path: str, disk: str | None, data: Mapping[str, Any]) -> str | None:
    try:
        saved = yamlfile.parse(disk or "", path).data
    except FileError:
        return None
    return commandline.command(path, saved, data) if isinstance(saved, dict) else None
