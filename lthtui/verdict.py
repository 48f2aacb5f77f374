"""What there is to say about runs in one line: what went wrong, or what the ticket is worth."""

from __future__ import annotations

from lthtui.board import Group, accuracy, percent
from lthtui.runview import RunView


def name(group: Group, runs: tuple[RunView, ...]) -> str:
    """What a run of a group, or the group, is called."""
    return group.label if len(runs) > 1 else f"{group.label} s{runs[0].seed}"


def note(group: Group, runs: tuple[RunView, ...]) -> str:
    """One line about a run or, if there are several, about their group."""
    if len(runs) > 1:
        return of_group(group)
    return runs[0].error or of_run(runs[0]) or runs[0].warning


def of_run(run: RunView) -> str:
    """What the winning ticket is worth; empty before a level has ended."""
    won = run.winning
    if won is None:
        return ""
    name = "winning ticket" if run.final else "best so far"
    if not won.sparse:
        name = "picked retraining, nothing pruned" if won.index else "dense"
    text = f"{'◆ ' if won.sparse else ''}{name}: level {won.index}, {percent(won.density)} kept"
    if won.val is not None:
        text += f", val {accuracy(won.val)}"
    if won.test is not None:
        text += f", test {accuracy(won.test)}"
    if run.dense and run.dense is not won and run.dense.test is not None:
        text += f" (dense {accuracy(run.dense.test)})"
    return text + ("; no level beats dense" if run.beats_dense is False else "")


def of_group(group: Group) -> str:
    """Mean and deviation of the winning tickets; the errors of failed runs first."""
    failed = [run for run in group.runs if run.error]
    if failed:
        return f"s{failed[0].seed}: {failed[0].error}"
    _, _, _, _, val, test, gain, _ = (cell.text for cell in group.rows[0].cells)
    text = f"◆ {len(group.runs)} seeds: val {val}, test {test}"
    below = sum(run.beats_dense is False for run in group.runs)
    text += f", gain {gain}" if gain != "–" else ""
    return text + (f"; {below} not better than dense" if below else "")
