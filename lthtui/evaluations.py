"""Evaluations as a command line, or the app, asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from engine import outstanding, retention
from engine.errors import Damaged, UsageError, did_you_mean
from engine.evaluationspec import EvaluationSettings
from engine.rundir import RunDirectory, Status, status
from engine.sources import TICKET, Source, replaced
from engine.spec import Evaluations, RunSpec
from lthtui import overrides, sources, specerrors
from lthtui.launch import folders, retrying
from lthtui.monitor import Watched
from lthtui.overrides import Override
from lthtui.text import clean_line


class _Asked(BaseModel):
    """The part of a spec that lists evaluations."""

    model_config = ConfigDict(strict=True)
    evaluate: Evaluations


def wanted(names: str, changes: Sequence[str], levels: str) -> tuple[EvaluationSettings, ...]:
    """The evaluations that a command line asks for.

    Args:
        names: with commas between them; empty for none.
        changes: settings, as `fgsm.epsilon=4`; several values make several evaluations.
        levels: words and numbers with commas between them; empty for what each has by itself.

    Raises:
        UsageError: there is no such evaluation or setting; FileError: an override cannot be read.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()]
    given: dict[str, list[Override]] = {name: [] for name in asked}
    for change in overrides.read_all(changes):
        name, *field = map(str, change.path)
        if name not in given or not field:
            near = did_you_mean(name, asked)
            raise UsageError(f"{'.'.join(map(str, change.path))}: not one of --with{near}")
        given[name].append(change)
    listed = [
        {"name": name, **levelled(levels), **fields}
        for name in asked
        for fields in _each(given[name])
    ]
    return _validated(listed)


def levelled(text: str) -> dict[str, Any]:
    """What `--level` sets."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    return {"levels": [int(w) if w.isdecimal() else w for w in words]} if words else {}


def of_run(
    wanted: Iterable[EvaluationSettings], run: RunDirectory, root: Any
) -> tuple[EvaluationSettings, ...]:
    """The evaluations as they are asked of one run: with the tickets and images they refer to.

    Raises:
        UsageError: such a ticket is not there or broken, or the run has no ticket to evaluate.
    """
    spec = run.spec()

    def find(at: str, source: Source) -> Source:
        try:
            return sources.resolved(source, spec.repetition, root)
        except Damaged as error:
            raise UsageError(f"{at}: {error}; name another ticket, as RUN or RUN:LEVEL") from None

    found = tuple(
        folders.rooted(replaced(settings, find, f"{settings.name}.")) for settings in wanted
    )
    told = outstanding.told(run)
    return tuple(_fixed(run, settings, told, spec) for settings in found)


def final(run: RunDirectory) -> RunDirectory:
    """The run, whose tickets are final, or will be without anybody's help.

    Raises:
        UsageError: they are not.
    """
    state = status(run)
    if state != Status.FINISHED and not retrying.goes_on(run):
        raise UsageError(
            f"{run.run_id} is {state}, so its tickets are not final; lthtui resume {run.run_id}"
        )
    return run


def _each(changes: Sequence[Override]) -> Iterator[dict[str, Any]]:
    """The settings of every combination of values."""
    for values in product(*(change.values for change in changes)):
        fields: dict[str, Any] = {}
        for change, value in zip(changes, values, strict=True):
            node = fields
            *blocks, last = map(str, change.path[1:])
            for block in blocks:
                node = node.setdefault(block, {})
            node[last] = value.data
        yield fields


def _validated(listed: list[dict[str, Any]]) -> tuple[EvaluationSettings, ...]:
    tree = {"evaluate": listed}
    try:
        return _Asked.model_validate({"evaluate": tuple(listed)}).evaluate
    except ValidationError as error:
        findings = specerrors.explain(error, tree, ())
        raise UsageError("; ".join(_said(one, listed) for one in findings)) from None


def _said(finding: specerrors.Finding, listed: Sequence[Mapping[str, Any]]) -> str:
    """A finding with the evaluation and the setting that it is about."""
    _, index, *field = *finding.path, ""
    at = [str(listed[index]["name"]), *map(str, field[:-1])] if isinstance(index, int) else []
    return clean_line(f"{'.'.join(at) or '--with'}: {finding.message}", 1000)


def left(run: Watched) -> list[outstanding.Task]:
    """What a finished run has yet to make, and nobody has tried in vain."""
    if not run.progress.winning:
        return []
    return outstanding.unreached(run.directory, run.directory.spec())


def missed(run: RunDirectory) -> int:
    """How many evaluations a finished run has yet to make, and nobody has tried in vain."""
    try:
        return len(outstanding.unreached(run, run.spec())) if _finished(run) else 0
    except (OSError, ValueError):
        return 0


def _finished(run: RunDirectory) -> bool:
    return status(run) == Status.FINISHED


def _fixed(
    run: RunDirectory, settings: EvaluationSettings, told: outstanding.Told, spec: RunSpec
) -> EvaluationSettings:
    """The same of the tickets of a finished run that are there; should one be gone later, it fails.

    Words, such as all, mean those that are there; other levels are refused.
    """
    if not told.history:
        return settings
    levels = {
        level
        for word in settings.levels
        for level in retention.named(word, spec.select, told.history)
    }
    ended = range(len(told.history))
    kept = {level for level in ended if (run.level(level) / TICKET).is_file()}
    beyond = [w for w in settings.levels if isinstance(w, int) and w not in ended]
    if beyond:
        raise UsageError(f"{run.run_id} has no level {beyond[0]}, only 0 to {len(ended) - 1}")
    named = levels.intersection(settings.levels)
    if levels and (named - kept or not levels & kept):
        raise UsageError(outstanding.unkept(run, min(levels - kept)))
    if not _finished(run) or not levels:
        return settings
    return settings.model_copy(update={"levels": tuple(sorted(levels & kept))})
