"""What there is to say about runs in one line: what went wrong, or what the ticket is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lthtui import columns
from lthtui.board import Group, accuracy, percent, settled
from lthtui.fields import Field
from lthtui.table import NOTHING

if TYPE_CHECKING:
    from lthtui.runview import LevelView, RunView

MARK = "◆"  # of a ticket that beats dense
PICKED = "◇"  # of one that does not, or where nobody can tell yet


def name(group: Group, runs: Sequence[RunView]) -> str:
    """What a run of a group, or the group, is called."""
    one = len(runs) == 1 and runs[0].seeded
    return f"{group.label} {runs[0].repetition}" if one else group.label


def wins(run: RunView) -> bool:
    """Whether what it picked is a winning ticket: pruned, final, and better than dense."""
    return run.final and run.won is True


def standing(runs: Sequence[RunView], short: bool = False) -> str:
    """What repetitions of a run came to; only what beats dense is winning.

    Runs that are not settled or have no picked level do not count; empty if none is left.

    Args:
        short: say of several only how many are `winning`.
    """
    picked = [run for run in settled(runs) if run.winning]
    if not picked:
        return ""
    if not any(run.winning.sparse for run in picked if run.winning):
        return _unpruned(picked)
    many, won = len(picked), sum(map(wins, picked))
    if not all(run.final for run in picked):
        return "best so far"
    if any(run.won is None for run in picked):
        return "picked" if all(run.dense for run in picked) else "picked, no dense level of its own"
    if many == 1:
        return "winning ticket" if won else "no winning ticket"
    return f"{won} of {many} {'winning' if short else 'are winning tickets'}"


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
    """Mean and deviation of what was picked, the gain first; or the error of a run that failed.

    It names the images that decided which tickets win, as the gain is that of others: of the test,
    which follows it. Where not all runs are settled, it says once how many are.
    """
    failed = [run for run in group.runs if run.error]
    if failed:
        return f"{failed[0].repetition}: {failed[0].error}"
    runs = settled(group.runs)
    own = replace(group, runs=tuple(runs))
    found = {name: columns.summary(Field.parse(name), own) for name in ("gain", "test", "val")}
    known = [f"{name} {cell.text}" for name, cell in found.items() if cell != NOTHING]
    if not known:
        return ""
    judged = _judged(runs)
    said = len(runs) == len(group.runs) or (judged and runs[1:])  # as "1 of 2 winning"
    some = "" if said else f" ({len(runs)})"
    by = f" by {runs[0].split}" if judged else ""
    mark = f"{MARK} " if _won(runs) else ""
    return f"{mark}{', '.join(known)}; {standing(runs, short=True)}{some}{by}"


def without_ticket(runs: Sequence[RunView], index: int | None = None) -> str:
    """Why runs have no ticket of a level, or of what they picked; empty if all have one."""
    if not runs:
        return "no run is chosen"
    return next(filter(None, (_without_ticket(run, index) for run in runs)), "")


def _marked(runs: Sequence[RunView]) -> str:
    return f"{MARK} {standing(runs)}" if _won(runs) else standing(runs)


def _won(runs: Sequence[RunView]) -> bool:
    """Whether there is a winning ticket among them, and nobody waits for others."""
    return _judged(runs) and any(map(wins, runs))


def _judged(runs: Sequence[RunView]) -> bool:
    """Whether it is known of all pruned networks that were picked if they beat dense."""
    picked = [run for run in runs if run.winning]
    known = all(run.final and run.won is not None for run in picked)
    return known and any(run.winning.sparse for run in picked if run.winning)


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


def _without_ticket(run: RunView, index: int | None) -> str:
    if not run.directory:
        return (
            f"{run.run_id} has no folder here; E on its ticket writes it to a file, which a spec"
            " may name as the source of sparsifier: ticket"
        )
    wanted = run.winner if index is None else index
    level = next((one for one in run.levels if one.index == wanted), None)
    if level is None or not level.ended:
        which = "no level has" if wanted is None else f"level {wanted} has not"
        return f"{run.run_id}: {which} ended yet"
    if level.search:
        return f"level {wanted} of {run.run_id} searched for a mask and trained no ticket"
    if not level.ticket:
        return (
            f"{run.run_id} did not keep the weights of level {wanted};"
            " keep: [all] in a spec keeps all"
        )
    return ""
