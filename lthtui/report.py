"""What is said about runs that have ended: the curve, the levels, the winning ticket."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean, stdev

from engine.repetition import unit
from lthtui.aligned import aligned
from lthtui.board import Group, board, operations
from lthtui.charts import Chart, Curve, Point, accuracy_chart
from lthtui.counting import counted
from lthtui.plots import dense_score, point_of, points
from lthtui.runview import LevelView, RunView
from lthtui.verdict import MARK, standing, wins

DETAILED = 3  # groups up to which each has a table of its levels
DRAWN = 8  # groups up to which their curves fit one chart
LISTED = 8  # tickets that are listed
LEVELS = ("level", "kept", "weights", "val %", "test %", "seconds")
COSTS = ("FLOPs/image", "train FLOPs")  # shown where they are known
GROUPS = ("", "n", "level", "kept", "val %", "test %", "dense val %", "dense test %")


def grouped(runs: Sequence[RunView], labels: Mapping[str, str]) -> tuple[Group, ...]:
    """Runs by everything but their seed, in the order in which they were given."""
    order = {run.group: index for index, run in reversed([*enumerate(runs)])}
    found = board({run.run_id: run for run in runs}, labels, {}).groups
    return tuple(sorted(found, key=lambda group: order[group.id]))


def curves(groups: Sequence[Group]) -> Chart | None:
    """Accuracy on the selecting images against weights kept; None if there is no line to draw.

    Groups that are measured against different dense networks have no common dense line.
    """
    drawn = [
        Curve(group.label, [points(run) for run in group.runs], _winners(group))
        for group in groups[:DRAWN]
    ]
    if not any(len(line) > 1 for curve in drawn for line in curve.seeds):
        return None
    runs = [run for group in groups[:DRAWN] for run in group.runs]
    alike = len({run.family for run in runs}) == 1
    dense = dense_score(runs, groups[0].dense) if alike else None
    return accuracy_chart(drawn, y_label=f"{_split(runs[0])} accuracy", dense=dense)


def tables(groups: Sequence[Group]) -> Iterator[str]:
    """The levels of each of a few groups with their verdict, or one line for each of many."""
    if len(groups) > DETAILED:
        yield from aligned(GROUPS, map(_summary, groups))
        return
    for group in groups:
        if any(run.ended_levels for run in group.runs):
            over = f", mean ± deviation over {_count(group.runs)}" if group.runs[1:] else ""
            yield f"{group.label}{over}"
            yield from _table(group)
            yield from verdict(group)


def verdict(group: Group) -> Iterator[str]:
    """What a group's runs found, in words: nothing is called winning that does not beat dense.

    Seeds are summed up whether they won or not: a mean over winners alone would flatter.
    """
    runs = [run for run in group.runs if run.final and run.winning]
    if not runs:
        return
    if not any(run.winning.sparse for run in runs if run.winning):
        yield from _unpruned(runs)
        return
    yield f"{standing(runs)} (on {_split(runs[0])} images)"
    yield f"  ticket  {_picked(runs)}"
    if all(run.dense for run in runs):
        yield f"  dense   {_accuracies([run.dense for run in runs])}"
        if runs[1:]:
            yield f"  gain    {_gains(runs)}, {_each(runs)}"


def _unpruned(runs: Sequence[RunView]) -> Iterator[str]:
    """What runs without any pruning came to, which is no ticket, whatever was picked."""
    picked = _accuracies([run.winning for run in runs])
    if all(run.winning and not run.winning.index for run in runs):
        yield f"{standing(runs)}{_over(runs)}: {picked}"
        return
    yield f"{standing(runs)}{_over(runs)}"
    yield f"  picked  {picked}, {_which(runs)}"
    if all(run.dense and run.dense is not run.winning for run in runs):
        yield f"  dense   {_accuracies([run.dense for run in runs])}"
        each = f", {_each(runs)}" if runs[1:] else ""
        yield f"  gain    {_gains(runs)}{each}, without any pruning"


def _which(runs: Sequence[RunView]) -> str:
    """Which of the trainings after the first was picked."""
    retrained, picks = max(len(run.ended_levels) for run in runs) - 1, runs[0].picks
    if retrained == 1:
        return "the only retraining"
    picked = f"the {picks}" if picks in ("best", "last") else f"level {picks}"
    return f"{picked} of {retrained} retrainings"


def _over(runs: Sequence[RunView]) -> str:
    return f", {_count(runs)}" if runs[1:] else ""


def _count(runs: Sequence[RunView]) -> str:
    return counted(len(runs), unit(run.repetition for run in runs))


def _each(runs: Sequence[RunView]) -> str:
    return "seed by seed" if unit(run.repetition for run in runs) == "seed" else "pair by pair"


def _gains(runs: Sequence[RunView]) -> str:
    """Ticket less dense, of the same run."""
    pairs = [(run.winning, run.dense) for run in runs if run.winning and run.dense]
    found = []
    for split in ("val", "test"):
        scores = [(getattr(ticket, split), getattr(dense, split)) for ticket, dense in pairs]
        gains = [mine - other for mine, other in scores if mine is not None and other is not None]
        found.append(f"{split} {spread(gains, '+.2f')} %")
    return ", ".join(found)


def tickets(groups: Sequence[Group], names: Mapping[str, str]) -> Iterator[str]:
    """Where the picked tickets are, as far as their weights were kept."""
    kept = [
        (run, run.winning.ticket)
        for group in groups
        for run in group.runs
        if run.final and run.winning and run.winning.ticket
    ]
    for run, ticket in kept[:LISTED]:
        yield f"ticket  {names[run.run_id]}  {_near(os.path.join(run.directory, ticket))}"
    if len(kept) > LISTED:
        yield f"        and {len(kept) - LISTED} more; `lthtui ticket list` shows all"


def spread(values: Iterable[float | None], form: str = ".2f", scale: float = 100.0) -> str:
    """Mean and sample deviation, as `97.10 ± 0.35`, of the values that are known."""
    known = [scale * value for value in values if value is not None]
    if not known:
        return "–"
    width = form.removeprefix("+")
    return format(mean(known), form) + (f" ± {stdev(known):{width}}" if known[1:] else "")


def _table(group: Group) -> Iterator[str]:
    costs = any(level.training_flops for run in group.runs for level in run.ended_levels)
    header = (*LEVELS, *(COSTS if costs else ()), "")
    return aligned(header, _levels(group, costs))


def _levels(group: Group, costs: bool) -> Iterator[Sequence[str]]:
    ended = [level for run in group.runs for level in run.ended_levels]
    for index in sorted({level.index for level in ended}):
        levels = [level for level in ended if level.index == index]
        yield (
            str(index),
            f"{_kept(levels)}%",
            f"{round(mean(level.kept for level in levels)):,}",
            spread(level.val for level in levels),
            spread(level.test for level in levels),
            spread((level.seconds for level in levels), ".1f", 1.0),
            *(_costs(levels) if costs else ()),
            _mark(group, index) or _search(group, index),
        )


def _costs(levels: Sequence[LevelView]) -> Iterator[str]:
    """Mean operations of inference and of training."""
    for name in ("inference_flops", "training_flops"):
        known = [count for level in levels if (count := getattr(level, name)) is not None]
        yield operations(mean(known)) if known else "–"


def _mark(group: Group, index: int) -> str:
    """Whose winning ticket a level is; a level that was picked but lost to dense is no winner."""
    picked = [
        run for run in group.runs if run.final and run.winner == index and _chosen(run.winning)
    ]
    won = [run for run in picked if wins(run)]
    shown = won or picked
    if not shown:
        return ""
    seeds = " " + " ".join(str(run.repetition) for run in shown) if group.runs[1:] else ""
    return f"{MARK} winning{seeds}" if won else f"picked{seeds}"


def _search(group: Group, index: int) -> str:
    """Whose search a level was on the way to the ticket: no ticket was trained there."""
    runs = [(run, one) for run in group.runs for one in run.ended_levels if one.index == index]
    searches = [run for run, one in runs if one.search]
    if not searches:
        return ""
    seeds = "".join(f" {run.repetition}" for run in searches) if len(searches) < len(runs) else ""
    return f"search{seeds}"


def _chosen(level: LevelView | None) -> bool:
    """Whether a picked level was picked among others: the first of a dense run was not."""
    return level is not None and (level.sparse or level.index > 0)


def _summary(group: Group) -> Sequence[str]:
    picked = [run.winning for run in group.runs if run.final and run.winning]
    dense = [run.dense for run in group.runs if run.dense]
    return (
        group.label,
        str(len(group.runs)),
        " ".join(str(level.index) for level in picked) or "–",
        f"{_kept(picked)}%" if picked else "–",
        spread(level.val for level in picked),
        spread(level.test for level in picked),
        spread(level.val for level in dense),
        spread(level.test for level in dense),
    )


def _picked(runs: Sequence[RunView]) -> str:
    levels = [run.winning for run in runs if run.winning]
    which = sorted({level.index for level in levels})
    return f"{_accuracies(levels)}, level {', '.join(map(str, which))}, {_kept(levels)} % kept"


def _kept(levels: Sequence[LevelView]) -> str:
    """Mean density in percent, with a deviation where it is not the same in all runs."""
    densities = [level.density for level in levels]
    alike = len({level.kept for level in levels}) == 1
    return spread(densities[:1] if alike else densities)


def _accuracies(levels: Sequence[LevelView | None]) -> str:
    known = [level for level in levels if level]
    val, test = (level.val for level in known), (level.test for level in known)
    return f"val {spread(val)} %, test {spread(test)} %"


def _winners(group: Group) -> list[Point]:
    won = [(run, run.winning) for run in group.runs if wins(run)]
    return [point for run, level in won if level for point in point_of(run, level)]


def _split(run: RunView) -> str:
    return "test" if run.split == "test" else "validation"


def _near(path: str) -> str:
    """A path as it is named from the current folder, if it lies below."""
    below = os.path.relpath(path)
    return path if below.startswith(os.pardir) else below
