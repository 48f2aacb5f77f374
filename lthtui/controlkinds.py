"""What each kind of control changes of the spec of the run that it controls.

A control is the source run's own spec with as little changed as its kind needs, so that it differs
in nothing else. It names the run and the level that it controls.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import SpecError, UsageError
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.spec import RunSpec
from lthtui import sanity, specfiles
from lthtui.labels import SHORT
from lthtui.text import clean_line

Doc = dict[str, Any]
Ask = Callable[[Sequence[str]], Mapping[str, Any]]
NAME = 64  # characters of a spec's name


@dataclass(frozen=True)
class Original:
    """A run whose ticket is controlled.

    Attributes:
        reference: the ticket as a spec names it.
        whole: the run as a spec names it whose level does not matter.
        ticket: the ticket as it was found, or why there is none to control.
        levels: how many there are.
        searches: whether some after the first only search, so that nothing is picked among them.
        epochs: epochs of all of them, over all its training images.
        parameters: of the whole network, pruned weights included.
    """

    directory: RunDirectory
    spec: RunSpec
    reference: str
    whole: str
    ticket: Source | str
    levels: int
    searches: bool
    epochs: float
    parameters: int

    def remaining(self, ticket: Source) -> int:
        """Parameters that the ticket has: those kept, and those that cannot be pruned."""
        return self.parameters - ticket.total + ticket.kept

    @property
    def named(self) -> bool:
        """Whether its spec's name means it and no other group's run."""
        return self.reference.startswith(f"{self.spec.name}:")

    @property
    def single(self) -> dict[str, Any]:
        """What a control of one level has instead of a numbered level to select."""
        level = self.spec.select.level
        return {"select.level": level} if isinstance(level, int) else {}


def kinds(text: str) -> list[str]:
    """The kinds that are meant: names of kinds or of sets with commas between them.

    Raises:
        UsageError: there is no such kind.
    """
    found: dict[str, None] = {}
    for name in text.split(","):
        if name not in (*KINDS, *SETS):
            known = f"{', '.join(SETS)}, or {', '.join(KINDS)}"
            raise UsageError(f"no control '{clean_line(name)}'; {known}")
        found |= dict.fromkeys(SETS.get(name, (name,)))
    return [*found]


def check(kind: str, run: Original) -> None:
    """Refuse what cannot be made, in words of controls."""
    name, source = run.directory.run_id, getattr(run.spec.sparsifier, "source", None)
    known = isinstance(source, Source) and source.run
    instead = f"; control {source.run} --level {source.level}" if source and known else ""
    if kind not in WHOLE and isinstance(run.ticket, str):
        raise UsageError(run.ticket)
    if kind in MOVED and isinstance(run.ticket, Source) and not run.ticket.whole:
        raise UsageError(
            f"{name} knows only what the weights that its own mask keeps began with, and this keeps"
            f" others{instead}"
        )
    if kind == "labels" and run.spec.data.random_labels == 1:
        raise UsageError(f"{name} found its own mask on random labels")
    if kind == "labels" and not run.spec.labelled:
        raise UsageError(f"{name} trains without labels, so random ones would change nothing")
    if kind == "null":
        try:
            _dense_like(run)
        except SpecError as error:
            raise UsageError(f"{name}: {error}{instead}") from None


def documents(kind: str, runs: Sequence[Original], ask: Ask) -> list[Doc]:
    """The spec files of one kind of control, runs that differ in their seed only in one."""
    seeds: dict[str, list[int]] = {}
    known: dict[tuple[str, int], Doc] = {}

    def narrowed(run: Original) -> Doc:
        assert isinstance(run.ticket, Source), "checked before"
        key = run.spec.group, run.remaining(run.ticket)
        if key not in known:
            known[key] = _narrowed(run.spec, key[1], ask)
        return known[key]

    for run in runs:
        text = json.dumps(_document(kind, run, narrowed))
        seeds.setdefault(text, []).append(run.spec.seed)
    return [{**json.loads(text), "seeds": found} for text, found in seeds.items()]


def _document(kind: str, run: Original, narrowed: _Narrowed) -> Doc:
    settings, instead = _MADE[kind](run, narrowed)
    data: Doc = run.spec.model_dump(mode="json", exclude_defaults=True, exclude={"seed"})
    data |= {"name": _called(kind, run), "experiment": run.spec.experiment_name}
    if sparsifier := settings.pop("sparsifier", None):
        data["sparsifier"] = sparsifier
    select = {k: v for k, v in data.pop("select", {}).items() if f"select.{k}" not in instead}
    if select := {**select, **settings.pop("select", {})}:
        data["select"] = select
    for block, changed in settings.items():
        data.setdefault(block, {}).update(changed)
    data["controls"] = {"source": run.whole if kind in WHOLE else run.reference, "kind": kind}
    if instead:
        data["controls"]["instead"] = instead
    return data


def _called(kind: str, run: Original) -> str:
    """The name of a control; of one that others name, no other group's has it."""
    among = "" if run.named or kind not in FIRST.values() else f"-{run.spec.group[:SHORT]}"
    end = f"{among}-{kind}"
    return f"{run.spec.name[: NAME - len(end)]}{end}"


def _ticket(**settings: Any) -> _Kind:
    def make(run: Original, narrowed: object) -> tuple[Doc, Doc]:
        return {"sparsifier": {"name": "ticket", "source": run.reference, **settings}}, run.single

    return make


def _label_noise(run: Original, narrowed: object) -> tuple[Doc, Doc]:
    """All that the run did, but on labels that say nothing; it keeps the ticket of this level."""
    assert isinstance(run.ticket, Source), "checked before"
    settings: Doc = {"data": {"random_labels": 1.0}, "select": {"level": run.ticket.level}}
    before = run.spec.data.random_labels, run.spec.select.level
    return settings, dict(zip(("data.random_labels", "select.level"), before, strict=True))


def _labels(run: Original, narrowed: object) -> tuple[Doc, Doc]:
    """The mask that was found there, on the true labels and the ticket's own first weights."""
    source = f"{_called(FIRST['labels'], run)}:best"
    ticket = {"name": "ticket", "source": source, "weights_source": run.reference}
    return {"sparsifier": ticket}, run.single


def _null(run: Original, narrowed: object) -> tuple[Doc, Doc]:
    """As many trainings, returns and picks, without pruning."""
    settings: Doc = {"sparsifier": {**_dense(run), **_dense_like(run)}}
    level = run.spec.select.level
    if level != "best" or not run.searches:
        return settings, {}
    return {**settings, "select": {"level": "last"}}, {"select.level": level}


def _dense_like(run: Original) -> Doc:
    """Trainings like those of the run.

    Raises:
        SpecError: dense has none such.
    """
    null = registry.load("sparsifiers", "dense").null(run.spec.sparsifier, run.levels)
    dump: Doc = null.model_dump(mode="json", exclude_defaults=True)
    return dump


def _small_dense(run: Original, narrowed: _Narrowed) -> tuple[Doc, Doc]:
    """The widest dense network that has no more parameters than the ticket."""
    model = narrowed(run)
    before = {f"model.{field}": getattr(run.spec.model, field) for field in model}
    return {"sparsifier": _dense(run), "model": model}, {**before, **run.single}


def _narrowed(spec: RunSpec, parameters: int, ask: Ask) -> Doc:
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(specfiles.write(spec))
        return dict(ask(["narrow", str(file), str(parameters)])["model"])


def _budget(run: Original, narrowed: object) -> tuple[Doc, Doc]:
    """One dense training of as many epochs as the whole run had."""
    before = run.spec.train.multiplier
    multiplier = max(1, round(run.epochs)) / run.spec.train.epochs
    settings = {"sparsifier": _dense(run), "train": {"multiplier": multiplier}}
    return settings, {"train.multiplier": before, **run.single}


def _dense(run: Original) -> Doc:
    """No pruning, with the density counted over the same weights."""
    return {"name": "dense", "prunable": run.spec.prunable}


_Narrowed = Callable[[Original], Doc]
_Kind = Callable[[Original, _Narrowed], tuple[Doc, Doc]]
MOVED = ("same_layer", "random", "uniform", "erk", "labels")  # which keep others than the ticket
WHOLE = ("null", "budget")  # of all that the run did, whichever level is taken
KINDS: dict[str, _Kind] = {
    **{mask: _ticket(mask=mask) for mask in ("same_layer", "random", "uniform", "erk")},
    "reinit": _ticket(weights="reinit"),
    "shuffle": _ticket(weights="shuffle"),
    "labels": _labels,
    "small_dense": _small_dense,
    "null": _null,
    "budget": _budget,
}
FIRST = {"labels": "label_noise"}  # the runs whose tickets a kind takes
_MADE: dict[str, _Kind] = {**KINDS, "label_noise": _label_noise}
SETS = {"all": tuple(KINDS), "split": WHOLE, "sanity": tuple(sanity.CHECKS)}
