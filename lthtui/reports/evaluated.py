"""What evaluations found of runs: their numbers over repetitions, and their documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from engine import outstanding
from engine.evaluationspec import EvaluationSettings
from engine.events import Evaluated, EvaluationFailed, Tail, TicketSaved
from engine.repetition import Repetition
from engine.rundir import RunDirectory
from lthtui.runview import LevelView, RunView
from lthtui.text import clean_line

FEW = 6  # values of a setting that are told
MOST = 3  # tickets that a note names
REPLACED = "was of a ticket in whose place there is another now; `lthtui evaluate` makes it again"
Which = Literal["dense", "ticket"] | int  # a run's own dense level, its picked one, or a number


@dataclass(frozen=True)
class Made:
    """One evaluation of one ticket.

    Attributes:
        label: its name with the settings that are not at their defaults.
        folder: of its run, in which its files are.
    """

    level: int
    label: str
    metrics: Mapping[str, float]
    files: tuple[str, ...]
    folder: Path

    def document(self, file: str) -> Any:
        """One of its JSON documents; None where it is missing or damaged."""
        path = next((one for one in self.files if Path(one).name == file), None)
        if path is None:
            return None
        try:
            return json.loads((self.folder / path).read_bytes())
        except (OSError, ValueError):
            return None


class Evaluations:
    """All evaluations of some runs; those that only MLflow knows have none here."""

    def __init__(self, runs: Iterable[RunView]) -> None:
        self._folders = {
            run.run_id: RunDirectory(Path(run.directory)) for run in runs if run.directory
        }
        self._told = {run: _read(directory) for run, directory in self._folders.items()}
        self._made = {run: [*told.made.values()] for run, told in self._told.items()}

    @cached_property
    def asked(self) -> Mapping[str, EvaluationSettings]:
        """All settings, defaults too, of what was asked for, by label."""
        found = (one for run in self._made for one in _asked(self._folders[run]))
        return {settings.label: settings for settings in found}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What they are called, each once, in the order in which they were made."""
        found = (one.label for made in self._made.values() for one in made)
        return tuple(dict.fromkeys(found))

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """What was asked for in vain, and why, as sentences: once of all tickets alike."""
        found: dict[tuple[str, str], list[str]] = {}
        for run, told in self._told.items():
            for (level, label), why in told.lost.items():
                found.setdefault((label, why), []).append(f"level {level} of {run}")
        return tuple(
            f"{clean_line(label)} of {', '.join(of[:MOST])}"
            f"{f' and {len(of) - MOST} more' if len(of) > MOST else ''} {clean_line(why, 500)}"
            for (label, why), of in found.items()
        )

    def called(self, name: str) -> tuple[str, ...]:
        """The labels of an evaluation: its name, and its name with settings."""
        return tuple(one for one in self.labels if one == name or one.startswith(f"{name} "))

    def made(self, run: RunView) -> Sequence[Made]:
        """All that was evaluated of a run."""
        return self._made.get(run.run_id, ())

    def of(self, run: RunView, label: str, which: Which = "ticket") -> Made | None:
        """What was found of one ticket."""
        level = meant(run, which)
        if level is None:
            return None
        found = (one for one in self.made(run) if one.label == label)
        return next((one for one in found if one.level == level.index), None)

    def values(
        self, runs: Iterable[RunView], label: str, metric: str, which: Which = "ticket"
    ) -> dict[Repetition, float]:
        """A number by repetition, of the runs for which it is known."""
        made = {run.repetition: self.of(run, label, which) for run in runs}
        return {
            one: found.metrics[metric]
            for one, found in made.items()
            if found and metric in found.metrics
        }

    def every(self, label: str) -> list[dict[str, Any]]:
        """The documents that an evaluation made of any ticket, those that are mappings."""
        file = f"{label.split(' ')[0]}.json"
        made = (one for found in self._made.values() for one in found if one.label == label)
        read = (one.document(file) for one in made)
        return [document for document in read if isinstance(document, dict)]

    def documents(
        self, runs: Sequence[RunView], label: str, file: str, which: Which = "ticket"
    ) -> dict[Repetition, Any]:
        """A document by repetition, of the runs that have it."""
        made = {run.repetition: self.of(run, label, which) for run in runs}
        read = {one: found.document(file) for one, found in made.items() if found}
        return {one: document for one, document in read.items() if document is not None}


def meant(run: RunView, which: Which) -> LevelView | None:
    """The level of a run that is meant; a ticket that nothing was pruned of is none."""
    if which == "dense":
        return run.dense
    if which == "ticket":
        return run.winning if run.winning and run.winning.sparse else None
    return next((level for level in run.ended_levels if level.index == which), None)


def told(evaluations: Evaluations, labels: Iterable[str]) -> str:
    """How evaluations were set, and on how many test images, as sentences."""
    sentences = []
    for label in dict.fromkeys(labels):
        settings = evaluations.asked.get(label)
        words = [*_images(evaluations, label), *(_set(settings) if settings else ())]
        if words:
            sentences.append(f" {label}: {', '.join(words)}.")
    return "".join(sentences)


def _images(evaluations: Evaluations, label: str) -> Iterator[str]:
    """On how many test images, where the documents say."""
    counts = {
        one["images"]
        for document in evaluations.every(label)
        for one in (document, document.get("test"))
        if isinstance(one, dict) and isinstance(one.get("images"), int)
    }
    if counts:
        yield f"{' or '.join(f'{count:,}' for count in sorted(counts))} test images"


def _set(settings: EvaluationSettings) -> Iterator[str]:
    """Settings that are single values, or a few."""
    dumped = settings.model_dump(mode="json")
    for name in (one for one in dumped if one not in ("name", "levels", "images")):
        several = dumped[name] if isinstance(dumped[name], list) else [dumped[name]]
        told = all(isinstance(one, str | float | int) and one != "" for one in several)
        if 0 < len(several) <= FEW and told:
            yield f"{name.replace('_', ' ')} {' '.join(map(str, several))}"


def _asked(directory: RunDirectory) -> Iterator[EvaluationSettings]:
    """What a run's spec lists, as far as it can be read, and what was asked for later."""
    with suppress(OSError, ValueError):
        yield from directory.spec().evaluate
    yield from outstanding.asked(directory)


class _Told(NamedTuple):
    """What a journal tells by level and label: the newest results, and why there are none."""

    made: dict[outstanding.Key, Made]
    lost: dict[outstanding.Key, str]


def _read(directory: RunDirectory) -> _Told:
    """The newest of each, of the newest tickets, in the order in which they were first made."""
    newest, vain = dict[outstanding.Key, Evaluated](), dict[outstanding.Key, str]()
    tail = Tail(directory.events_file)
    for line in tail.lines():
        told = b'"evaluat' in line or b'"ticket_saved"' in line
        event = tail.event(line) if told else None
        if isinstance(event, TicketSaved | Evaluated):
            for key in [key for key, one in newest.items() if one.outdated(event)]:
                del newest[key]
                vain[key] = REPLACED
        if isinstance(event, Evaluated):
            newest[event.level or 0, event.name] = event
            vain.pop((event.level or 0, event.name), None)
        if isinstance(event, Evaluated) and event.inapplicable:
            vain[event.level or 0, event.name] = f"does not apply: {event.inapplicable}"
        elif isinstance(event, EvaluationFailed):
            vain[event.level or 0, event.name] = f"failed: {event.error}"
    made = {
        (level, label): Made(level, label, one.metrics, one.files, directory.path)
        for (level, label), one in newest.items()
        if not one.inapplicable
    }
    return _Told(made, vain)
