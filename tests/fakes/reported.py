"""Subjects of reports, made by hand: runs with folders whose journals tell of evaluations."""

import json

from engine.events import Evaluated
from engine.rundir import RunDirectory
from lthtui.colours import colours
from lthtui.reports.subject import Subject
from lthtui.runview import LevelView, RunView


def level(index, density, test, val=None, **more):
    """A level of 1,000 prunable weights; validation says what the test does unless told."""
    facts = {
        "index": index,
        "density": density,
        "kept": round(1000 * density),
        "total": 1000,
        "planned": 2,
        "epochs": 2,
        "ended": True,
        "val": test if val is None else val,
        "test": test,
        "seconds": 10.0,
        "ticket": None,
        "inference_flops": 100.0 * density,
        "training_flops": 600.0 * density,
    }
    return LevelView(**{**facts, **more})


class Made:
    """Makes runs below a folder, and subjects of them."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, method, seed, *levels, group="", **more):
        """A finished run that picked its last level unless told."""
        name = f"{method}{group}"
        directory = RunDirectory(self.folder / f"{name}-s{seed}")
        directory.path.mkdir(parents=True, exist_ok=True)
        facts = {
            "run_id": f"{name}-s{seed}",
            "name": name,
            "experiment": "e",
            "group": name,
            "family": "f",
            "seed": seed,
            "sparsifier": method,
            "dataset": "digits",
            "model": "resnet20",
            "status": "finished",
            "winner": levels[-1].index,
            "final": True,
            "beats_dense": True,
            "directory": str(directory.path),
        }
        return RunView(**{**facts, "levels": levels, **more})

    def imp(self, seed, *tests, **more):
        """Levels that keep 1, 1/2, 1/4 ... of all weights."""
        return self.run(
            "imp", seed, *(level(i, 0.5**i, one) for i, one in enumerate(tests)), **more
        )

    def evaluated(self, run, index, label, metrics, **documents):
        """Note in a run's journal what an evaluation found, with its JSON documents by name."""
        directory = RunDirectory(self.folder / run.run_id)
        folder = directory.evaluations / f"{index:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, document in documents.items():
            (folder / f"{name}.json").write_text(json.dumps(document))
            files.append(str((folder / f"{name}.json").relative_to(directory.path)))
        found = {"metrics": metrics, "files": tuple(files), "attempt": 1}
        self.noted(run, Evaluated(level=index, name=label, **found))

    def noted(self, run, event):
        """Add an event to a run's journal."""
        with RunDirectory(self.folder / run.run_id).events_file.open("a") as file:
            file.write(event.model_dump_json() + "\n")

    def subject(self, *runs, known=(), labels=None, spread="std", words=("e",)):
        """A report on these runs."""
        groups = [run.group for run in runs]
        return Subject(
            title="e",
            words=words,
            runs=runs,
            known=(*runs, *known),
            labels={group: group for group in groups} | (labels or {}),
            colours=colours(groups),
            spread=spread,
            given={},
        )


def cells(table):
    """A table's cells by the first of their row and their column: text, or values."""
    return {
        (row[0], name): cell if isinstance(cell, str) else cell.values
        for row in table.rows
        for name, cell in zip(table.header, row, strict=True)
    }
