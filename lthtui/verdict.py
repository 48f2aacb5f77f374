"""What there is to say about runs in one line: what went wrong, or what the ticket is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lthtui import columns
from lthtui.board import Group, accuracy, percent
from lthtui.fields import Field
from lthtui.runview import LevelView, RunView

MARK = "◆"  # of a ticket that beats dense
PICKED = "◇"  # of one that does not, or where nobody can tell yet


def name(group: Group, runs: Sequence[RunView]) -> str:
    """What a run of a group, or the group, is called."""
    return group.label if len(runs) > 1 else f"{group.label} s{runs[0].seed}"


def wins(run: RunView) -> bool:
    """Whether what it picked is a winning ticket: pruned, final, and better than dense."""
    return run.final and run.beats_dense is True


def standing(runs: Sequence[RunView]) -> str:
    """What runs that differ in their seed only came to; only what beats dense is winning.

    Runs without a picked level do not count; empty if none has one.
    """
    picked = [run for run in runs if run.winning]
    if not picked:
        return ""
    if not any(run.winning.sparse for run in picked if run.winning):
        return _unpruned(picked)
    many, won = len(picked), sum(map(wins, picked))
    if not all(run.final for run in picked):
        return "best so far"
    if any(run.beats_dense is None for run in picked):
        return "picked" if all(run.dense for run in picked) else "picked, no dense level of its own"
    if many == 1:
        return "winning ticket" if won else "no winning ticket"
    return f"{won} of {many} are winning tickets"


def note(group: Group, runs: Sequence[RunView]) -> str:
    """One line about a run or, if there are several, about their group."""
    if len(runs) > 1:
        return of_group(group)
    return runs[0].error or of_run(runs[0]) or runs[0].warning


def of_run(run: RunView) -> str:
    """What the picked level is worth; empty before a level has ended."""
    picked = run.winning
    if picked is None:
        return ""
    level = f"level {picked.index} at {percent(picked.density)}, "
    shown = level if picked.sparse else f"level {picked.index}, " if picked.index else ""
    return f"{_marked([run])}: {shown}{', '.join(_scores(picked, run.dense))}".rstrip(" :,")


def of_group(group: Group) -> str:
    """Mean and deviation of what was picked; the errors of failed runs first."""
    failed = [run for run in group.runs if run.error]
    if failed:
        return f"s{failed[0].seed}: {failed[0].error}"
    asked = (Field.parse(name) for name in ("val", "test", "gain"))
    parts = [f"{one.name} {columns.summary(one, group).text}" for one in asked]
    known = ", ".join(part for part in parts if not part.endswith("–"))
    return f"{_marked(group.runs)}: {known}" if known else ""


def _marked(runs: Sequence[RunView]) -> str:
    judged = all(run.final and run.beats_dense is not None for run in runs if run.winning)
    said = standing(runs)
    return f"{MARK} {said}" if judged and any(map(wins, runs)) else said


def _unpruned(runs: Sequence[RunView]) -> str:
    """What runs without any pruning are: no tickets, whatever was picked."""
    if all(run.winning and not run.winning.index for run in runs):
        control = runs[0].controls
        return control.kind if control else "dense"
    return "nothing pruned, so no ticket"


def _scores(picked: LevelView, dense: LevelView | None) -> Iterator[str]:
    """Accuracies with dense's beside them, which is named once."""
    called = "dense "
    for split in ("val", "test"):
        value = getattr(picked, split)
        beside = getattr(dense, split, None) if dense is not picked else None
        if value is not None:
            yield f"{split} {accuracy(value)}" + (
                "" if beside is None else f" ({called}{accuracy(beside)})"
            )
            called = ""
