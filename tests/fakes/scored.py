"""Groups to compare, made by hand from their test accuracies; they have no folder."""

from __future__ import annotations

from dataclasses import replace

from lthtui.board import Board, board
from lthtui.runview import LevelView, RunView

TOTAL = 1000


def level(index, density, test, **more):
    """Validation is 5 points above the test accuracy; times and costs go with the density."""
    facts = {
        "index": index,
        "density": density,
        "kept": round(TOTAL * density),
        "total": TOTAL,
        "planned": 2,
        "epochs": 2,
        "ended": True,
        "val": None if test is None else test + 0.05,
        "test": test,
        "seconds": 10.0,
        "ticket": None,
        "inference_flops": 100.0 * density,
        "training_flops": 600.0 * density,
        "losses": (2.0, 1.0),
        "validations": ((1, 0.5), (2, 0.6)),
    }
    return LevelView(**{**facts, **more})


def run(group, seed, scores, winner=None, **more):
    """A finished run of a group.

    Args:
        scores: test accuracy by density, level by level.
        winner: the picked level; the last one otherwise.
    """
    levels = tuple(level(at, density, test) for at, (density, test) in enumerate(scores.items()))
    facts = {
        "run_id": f"{group}-s{seed}",
        "name": "spec",
        "experiment": "e",
        "group": group,
        "family": "f",
        "seed": seed,
        "sparsifier": group,
        "dataset": "digits",
        "model": "resnet20",
        "status": "finished",
        "levels": levels,
        "winner": len(levels) - 1 if winner is None else winner,
        "final": True,
        "params": {"seed": str(seed), "sparsifier.name": group},
    }
    return RunView(**{**facts, **more})


def shown(*runs, names=None) -> Board:
    """A board of runs whose groups are called by their ids, or by `names`."""
    labels = {one.group: one.group for one in runs} | (names or {})
    return board({one.run_id: one for one in runs}, labels, {})


def unfinished(one):
    """The run as it was before it ended."""
    return replace(one, status="running", final=False)
