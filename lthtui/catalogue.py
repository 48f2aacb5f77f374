"""All that can be asked of some runs, with what it is in words, for whoever chooses among it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lthtui import fields
from lthtui.board import percent
from lthtui.fields import REDUCERS, Field, Misread, Reducer
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.runview import RunView

ABOUT = {
    "name": "what a group is called, and the seed of a run",
    "id": "the name of its folder",
    "status": "what it is doing",
    "seed": "of its random draws",
    "experiment": "what it belongs to, also in MLflow",
    "sparsifier": "the method that prunes",
    "dataset": "what it learns",
    "model": "the network",
    "control": "what it is a control by, such as null; nothing of other runs",
    "group": "the id of what differs in seeds and folds only",
    "level": "how many prunings it is past, of how many",
    "density": "share of weights that its ticket keeps",
    "sparsity": "share of weights that its ticket is without",
    "val": "accuracy of its ticket on validation images, and its level",
    "test": "accuracy of its ticket on test images",
    "gain": "test accuracy over dense, in points; val decides which tickets win",
    "winning": "whether its ticket is pruned and beats dense; nothing while that is open",
    "best_level": "the level of its ticket",
    "size": "of its ticket's file",
    "eta": "time that it will still take",
    "created": "when it was queued",
    "duration": "from its first start to its newest sign of life",
    "user": "who queued it",
    "device": "what it runs on",
    "note": "what people wrote of it",
    "error": "why it failed",
    "archived": "whether it was put aside",
}
EXAMPLES = ("val@10%", "test@10%", "gain@10%")  # of what can be asked at any share of weights
_MEASURED: dict[Reducer, str] = {
    "last": "its newest value",
    "min": "its smallest value",
    "max": "its largest value",
}


@dataclass(frozen=True)
class Entry:
    """A field, and what it is in words."""

    field: Field
    about: str


def entries(runs: Iterable[RunView]) -> tuple[Entry, ...]:
    """All fields that runs have, built-in ones first; of metrics also their extremes.

    Of what can be asked at any share of weights there are examples where runs have levels.
    """
    runs = list(runs)
    names = fields.names(runs)
    known = frozenset(names)
    found: list[Entry] = []
    for name in names:
        one = Field.parse(name, known)
        measured = one.family == "metrics"
        more = [f"{reducer}({one.key})" for reducer in REDUCERS[1:]] if measured else []
        found += [Entry(each, about(each)) for each in (one, *map(Field.parse, more))]
    examples = EXAMPLES if any(run.levels for run in runs) else ()
    sparse = [Entry(each, about(each)) for each in map(Field.parse, examples)]
    return (*found[: len(ABOUT)], *sparse, *found[len(ABOUT) :])


def about(field: Field) -> str:
    """What a field is."""
    if field.kept is not None:
        kept = f"{field.key} where about {percent(field.kept)} of weights are kept"
        return f"{kept} (±12% of that, else –); type any share"
    if field.family == "run":
        return ABOUT[field.key]
    if field.family == "evaluations":
        return "what an evaluation measured of its ticket"
    if field.family != "metrics":
        return "setting" if field.family == "params" else "tag"
    reducer = field.reducer
    if reducer == "best":
        smaller = fields.smaller_is_better(field.key)
        return f"metric, its best value: the {'smallest' if smaller else 'largest'}"
    return f"metric, {_MEASURED[reducer]}"


def found(known: Sequence[Entry], typed: str) -> list[Entry]:
    """Entries that have a text in their name, those that begin with it first, or in their words.

    What is typed may be a field at a share of weights, which no list has in full.
    """
    text = typed.strip().lower()
    known = [*known, *(one for one in _sparse(text) if one not in known)]
    places = ((one, clean_line(one.field.name).lower().find(text)) for one in known)
    ranked = [(min(at, 1) if at >= 0 else 2, one) for one, at in places]
    ranked = [(rank, one) for rank, one in ranked if rank < 2 or text in one.about.lower()]
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def _sparse(text: str) -> list[Entry]:
    """The field that a text is at a share of weights, if it is one."""
    try:
        field = Field.parse(text) if "@" in text else None
    except Misread:
        return []
    return [Entry(field, about(field))] if field and field.kept is not None else []
