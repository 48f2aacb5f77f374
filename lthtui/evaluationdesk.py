"""What the app does about evaluations outside of the screen: reads, lists and queues them.

Every method may take long and is called in a thread.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from engine import outstanding, registry
from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import evaluations, preview
from lthtui.counting import counted
from lthtui.evaluationlook import Look, look
from lthtui.evaluationtable import called, rank
from lthtui.heat import Span, wrapped
from lthtui.places import Folder, Unshown
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.launch.queue import Submitted
    from lthtui.measured import Measured
    from lthtui.runview import RunView

LIMIT = 8 * 1024 * 1024  # bytes of a document that is drawn
MOST = 12  # tickets whose documents are drawn together
Left = dict[str, tuple[tuple[int, str], ...]]  # by run: levels and labels


@dataclass(frozen=True)
class Choice:
    """An evaluation that may be asked for: its name, its usual tickets, and what it measures."""

    name: str
    levels: str
    about: str


class EvaluationDesk:
    """Knows the evaluations of the runs of one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def look(self, run: RunView, name: str) -> Look:
        """What there is to see of what an evaluation found of a run's tickets."""
        made = {
            called(run, one.level): one for one in run.measured if one.name == name and one.files
        }
        heads = sorted(made, key=rank)[:MOST]
        files = dict.fromkeys(
            PurePosixPath(path).name for head in heads for path in made[head].files
        )
        for file in files:
            documents = {head: _document(run, made[head], file) for head in heads}
            known = {head: one for head, one in documents.items() if one is not None}
            if found := look(file, known):
                return found
        return _written(run, [made[head] for head in heads])

    def left(self, runs: Sequence[RunView]) -> Left:
        """What runs have yet to make, in the order in which they will."""
        found: Left = {}
        for run in runs:
            directory = RunDirectory(run.directory)
            try:
                tasks = outstanding.left(directory, directory.spec()) if run.directory else []
            except (OSError, ValueError):
                tasks = []
            found[run.run_id] = tuple(task.key for task in tasks)
        return found

    def choices(self) -> tuple[Choice, ...]:
        """All evaluations that there are."""
        return tuple(
            Choice(name, _levels(name), registry.about("evaluations", name))
            for name in registry.names("evaluations")
        )

    def ask(self, run_ids: Sequence[str], names: Sequence[str], levels: str) -> str:
        """Queue evaluations of runs as `lthtui evaluate` does; say what became of it.

        Raises:
            UsageError: as there.
        """
        from lthtui.launch import queue

        wanted = evaluations.wanted(",".join(names), (), levels)
        runs = [RunDirectory.open(self._root / "runs" / run) for run in run_ids]
        final = [evaluations.final(run) for run in runs]
        asked = [(run, evaluations.of_run(wanted, run, self._root)) for run in final]
        return _became(queue.evaluate(asked))


def _levels(name: str) -> str:
    fields = registry.load("evaluations", name).Settings.model_fields
    return ", ".join(str(one) for one in fields["levels"].default)


def _document(run: RunView, measured: Measured, file: str) -> Any:
    """A JSON document of an evaluation; None where it is missing, odd or huge."""
    path = next((one for one in measured.files if PurePosixPath(one).name == file), "")
    try:
        data, whole = Folder(Path(run.directory)).head(path, LIMIT)
        return json.loads(data) if whole <= LIMIT else None
    except (OSError, ValueError, RecursionError, RuntimeError, Unshown):
        return None


def _written(run: RunView, made: Sequence[Measured]) -> Look:
    """Files that have no drawing, one after another, as the tab of files shows them."""
    place = Folder(Path(run.directory))
    found = [preview.look(place, path) for one in made for path in one.files]

    def lines(width: int) -> Iterator[Any]:
        for one in found:
            yield (Span(one.title, bold=True),)
            yield from preview.lines(one, width)
            yield ()

    if not found:
        return Look(lines=lambda width: wrapped("it left no files; its numbers are all", width))
    return Look(lines=lambda width: [*lines(width)])


def _became(submitted: Sequence[Submitted]) -> str:
    """What became of evaluations of runs, in words."""
    words = {
        "resumed": "queued for {}",
        "active": "left to {} under way",
        "finished": "made before, of {}",
    }
    counts: Counter[str] = Counter(one.action for one in submitted)
    said = [
        word.format(counted(counts[action], "run"))
        for action, word in words.items()
        if counts[action]
    ]
    if not said:
        raise UsageError("no run to evaluate")
    return clean_line(f"evaluations {', '.join(said)}", 500)
