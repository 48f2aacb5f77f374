"""Runs and groups as screens get them, made by hand."""

from __future__ import annotations

from lthtui.board import Board, board
from lthtui.runview import LevelView, RunView, best


def level(index, val, test=None, kept=None):
    """An ended level that keeps 0.8 ** index of 1,000 weights, or `kept` of them."""
    kept = round(1000 * 0.8**index) if kept is None else kept
    return LevelView(index, kept / 1000, kept, 1000, 4, 4, True, val, test, 1.0, None)


def run(run_id="r", levels=(), **changes) -> RunView:
    """A finished run; of dense and one pruned level where accuracies are given."""
    whole = {
        "name": "digits",
        "experiment": "digits",
        "group": "g",
        "family": "f",
        "seed": 0,
        "sparsifier": "imp",
        "dataset": "digits",
        "model": "resnet20",
        "status": "finished",
        "levels": tuple(levels),
        "planned_levels": 3,
        "level": levels[-1].index if levels else None,
        "winner": best(levels, "val"),
        **changes,
    }
    return RunView(run_id=run_id, **whole)


def boarded(*runs, labels=None) -> Board:
    return board({one.run_id: one for one in runs}, labels or {}, {})
