"""Runs that have no folder here, as the screens show them: what the MLflow store knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from engine import schema
from lthtui import strangers
from lthtui.notebook import Notes
from lthtui.records import LATEST, Curve, RunSummary, TicketRecord
from lthtui.runview import PLAIN, LevelView, RunView, best, noted
from lthtui.strangers import Kin
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.identity import Control

STATUS = {
    "SCHEDULED": "queued",
    "RUNNING": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "stopped",
}
MOST = 500  # runs of a server whose extremes of a metric are read


def key_of(run: RunSummary) -> str:
    """The id that the screens know a run by: our own, or MLflow's for runs that are not ours."""
    return run.run_id or run.mlflow_run_id


def views(
    runs: Iterable[RunSummary], tickets: Mapping[str, Sequence[TicketRecord]]
) -> dict[str, RunView]:
    """Runs by the ids that the screens know them by.

    Args:
        tickets: the records of levels, by MLflow's id of their run.
    """
    runs = list(runs)
    parents = {run.tags.get(strangers.PARENT, "") for run in runs}
    return {
        key_of(run): view(run, tickets.get(run.mlflow_run_id, ()), run.mlflow_run_id in parents)
        for run in runs
    }


def view(run: RunSummary, tickets: Sequence[TicketRecord], alone: bool = False) -> RunView:
    """A run from its summary and the records of its levels.

    Args:
        alone: see `strangers.kin`.
    """
    ordered = sorted(tickets, key=lambda ticket: ticket.level)
    levels = tuple({ticket.level: _level(ticket) for ticket in ordered}.values())
    named = next((ticket.level for ticket in ordered if ticket.winning), None)
    split = "test" if run.params.get("select.split") == "test" else "val"
    metric = run.params.get("select.metric", PLAIN)
    planned = schema.digits(run.tags.get(schema.LEVELS, ""))
    ended = run.end is not None and run.start is not None
    notes, kin = Notes.of(run.tags, run.run_id), _kin(run, alone)
    name = clean_line(kin.name)
    return RunView(
        run_id=clean_line(key_of(run)),
        name=name,
        experiment=clean_line(run.experiment),
        group=kin.group,
        family=run.tags.get(schema.FAMILY, ""),
        seed=kin.seed or 0,
        sparsifier=clean_line(run.sparsifier),
        dataset=clean_line(run.dataset),
        model=clean_line(run.model),
        status=_status(run),
        created=_created(run),
        levels=levels,
        planned_levels=len(levels) if planned is None else planned,
        level=_under_way(run.tags, levels),
        flops=_number(run.tags.get(schema.FLOPS, "")),
        split=split,
        picks=clean_line(run.params.get("select.level", "best")),
        controls=_control(run.tags),
        extends=clean_line(run.tags.get(schema.EXTENDS, "")),
        winner=best(levels, split, metric) if named is None else named,
        final=named is not None,
        beats_dense=_beats_dense(ordered, f"{split}_{metric}"),
        error=clean_line(run.tags.get(schema.ERROR, ""), 500),
        stored=run.mlflow_run_id,
        foreign=not strangers.is_ours(run),
        parent=run.tags.get(strangers.PARENT, ""),
        asked=run.tags.get(schema.ASKED, ""),
        user=clean_line(run.tags.get(schema.USER, "")),
        duration=(run.end or 0.0) - (run.start or 0.0) if ended else None,
        params=run.params,
        metrics=run.metrics,
        **noted(notes, name),
    )


def _status(run: RunSummary) -> str:
    """MLflow's word, or our own where it says more and is not from before."""
    said = run.tags.get(schema.STATUS, "")
    more = schema.MLFLOW_STATUS.get(said) == run.status
    return said if more else STATUS.get(run.status, "lost")


def _under_way(tags: Mapping[str, str], levels: Sequence[LevelView]) -> int | None:
    """The level that is or was trained last."""
    said = schema.digits(tags.get(schema.LEVEL, ""))
    return levels[-1].index if said is None and levels else said


def _created(run: RunSummary) -> float:
    """When it was queued, or else began."""
    queued = _number(run.tags.get(schema.CREATED, ""))
    return queued if queued is not None and 0 <= queued < LATEST else run.start or 0.0


def newest(runs: Iterable[RunSummary], key: str) -> list[RunSummary]:
    """The newest of the runs that have a metric: those of a server whose extremes are read."""
    have = [run for run in runs if key in run.metrics]
    return sorted(have, key=lambda run: -(run.start or 0.0))[:MOST]


def extremes(curve: Curve) -> tuple[float, float] | None:
    """The smallest and the largest value of a curve; None where nothing is a number."""
    values = [value for value in curve.values.tolist() if value == value]
    return (min(values), max(values)) if values else None


def _kin(run: RunSummary, alone: bool) -> Kin:
    """What a run has in common with others; runs of ours say so themselves."""
    if not strangers.is_ours(run):
        return strangers.kin(run, alone)
    name = run.params.get("name") or run.name or run.mlflow_run_id
    return Kin(run.group or run.mlflow_run_id, name, run.seed)


def _beats_dense(tickets: Sequence[TicketRecord], metric: str) -> bool | None:
    """Whether the winning level is pruned and better than dense; None where that is not known."""
    won = next((one for one in tickets if one.winning and one.kept < one.total), None)
    dense = next((one for one in tickets if one.kept == one.total and not one.search), None)
    mine, other = (one.metrics.get(f"level/{metric}") if one else None for one in (won, dense))
    return None if mine is None or other is None else mine > other


def _control(tags: Mapping[str, str]) -> Control | None:
    run, _, level = tags.get(schema.CONTROLS, "").rpartition(":")
    if not run:
        return None
    from lthtui.identity import Control  # few runs are controls, and this waits for pydantic

    sets = tuple(filter(None, tags.get(schema.CONTROL_SETS, "").split(",")))
    kind = clean_line(tags.get(schema.CONTROL, ""))
    return Control(run=clean_line(run), level=schema.digits(level), kind=kind, sets=sets)


def _level(ticket: TicketRecord) -> LevelView:
    return LevelView(
        index=ticket.level,
        density=ticket.density,
        kept=ticket.kept,
        total=ticket.total,
        planned=0,
        epochs=0,
        ended=True,
        val=ticket.val_accuracy,
        test=ticket.test_accuracy,
        seconds=ticket.metrics.get("level/seconds"),
        ticket=clean_line(ticket.name),
        inference_flops=ticket.metrics.get("level/inference_flops"),
        training_flops=ticket.metrics.get("level/training_flops"),
        device_seconds=ticket.metrics.get("level/device_seconds"),
        joules=ticket.metrics.get("level/joules"),
        search=ticket.search,
        val_balanced=ticket.metrics.get("level/val_balanced_accuracy"),
        test_balanced=ticket.metrics.get("level/test_balanced_accuracy"),
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
