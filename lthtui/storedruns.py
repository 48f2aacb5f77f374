"""Runs that have no folder here, as the screens show them: what the MLflow store knows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine import schema
from lthtui.identity import Control
from lthtui.notes import Notes
from lthtui.records import Curve, RunSummary, TicketRecord
from lthtui.runview import LevelView, RunView, best, noted
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.store import Store

STATUS = {
    "SCHEDULED": "queued",
    "RUNNING": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "stopped",
}


def key_of(run: RunSummary) -> str:
    """The id that the screens know a run by: our own, or MLflow's for runs that are not ours."""
    return run.run_id or run.mlflow_run_id


def view(run: RunSummary, tickets: Sequence[TicketRecord]) -> RunView:
    """A run from its summary and the records of its levels; curves are added by `with_curves`."""
    ordered = sorted(tickets, key=lambda ticket: ticket.level)
    levels = tuple({ticket.level: _level(ticket) for ticket in ordered}.values())
    named = next((ticket.level for ticket in ordered if ticket.winning), None)
    split = "test" if run.params.get("select.split") == "test" else "val"
    planned = run.tags.get(schema.LEVELS, "")
    ended = run.end is not None and run.start is not None
    notes = Notes.of(run.tags, run.run_id)
    name = clean_line(run.params.get("name") or run.name or run.mlflow_run_id)
    return RunView(
        run_id=clean_line(key_of(run)),
        name=name,
        experiment=clean_line(run.experiment),
        group=run.group or run.mlflow_run_id,
        family=run.tags.get(schema.FAMILY, ""),
        seed=run.seed or 0,
        sparsifier=clean_line(run.sparsifier),
        dataset=clean_line(run.dataset),
        model=clean_line(run.model),
        status=STATUS.get(run.status, "lost"),
        created=run.start or 0.0,
        levels=levels,
        planned_levels=int(planned) if planned.isdecimal() else len(levels),
        level=levels[-1].index if levels else None,
        flops=_number(run.tags.get(schema.FLOPS, "")),
        split=split,
        picks=clean_line(run.params.get("select.level", "best")),
        controls=_control(run.tags),
        extends=clean_line(run.tags.get(schema.EXTENDS, "")),
        winner=best(levels, split) if named is None else named,
        final=named is not None,
        beats_dense=_beats_dense(ordered, f"{split}_{run.params.get('select.metric', 'accuracy')}"),
        error=clean_line(run.tags.get(schema.ERROR, ""), 500),
        stored=run.mlflow_run_id,
        user=clean_line(run.tags.get(schema.USER, "")),
        duration=(run.end or 0.0) - (run.start or 0.0) if ended else None,
        params=run.params,
        metrics=run.metrics,
        **noted(notes, name),
    )


def with_curves(run: RunView, store: Store) -> RunView:
    """The run with its training curves, which are read from the store."""
    losses = _points(store.curve(run.stored, "epoch/train_loss"))
    validations = _points(store.curve(run.stored, "epoch/val_accuracy"))
    return replace(run, losses=losses, validations=validations)


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
    sets = tuple(filter(None, tags.get(schema.CONTROL_SETS, "").split(",")))
    kind = clean_line(tags.get(schema.CONTROL, ""))
    number = int(level) if level.isdecimal() else None
    return Control(run=clean_line(run), level=number, kind=kind, sets=sets)


def _points(curve: Curve) -> tuple[tuple[int, float], ...]:
    return tuple(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


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
        search=ticket.search,
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
