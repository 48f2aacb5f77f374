"""What can be asked of a run by name: the same for columns, sorting, the filter and completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.errors import UsageError
from lthtui import evaluationfields
from lthtui.board import gain
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.board import Group
    from lthtui.runview import LevelView, RunView

Value = float | str
Family = Literal["run", "params", "tags", "metrics", "evaluations"]
Kind = Literal["text", "number", "share", "seconds", "time"]
Reducer = Literal["last", "best", "min", "max"]
REDUCERS: tuple[Reducer, ...] = ("last", "best", "min", "max")
ALIASES = {"kept": "density", "method": "sparsifier", "data": "dataset", "run": "name"}
ANSWERS = frozenset({"archived", "winning"})  # what is yes or no
SMALLER = {"loss", "error", "err", "perplexity", "nll", "ece", "mse", "mae", "seconds", "flops"}
MOST_MEANT = 3  # names that a message proposes
LISTED = "`lthtui list --columns help` names all, as v does among the app's runs"
_REDUCED = re.compile(rf"({'|'.join(REDUCERS)})\((.*)\)", re.DOTALL)
_AT = re.compile(r"(val|test|gain)@(.*)", re.DOTALL)


class Misread(UsageError):
    """Text that means nothing where fields, values or a filter are expected.

    Attributes:
        column: where in the text, from 1.
    """

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"column {column}: {problem}")
        self.column, self.problem = column, problem


class Field(NamedTuple):
    """Something that a run may have.

    Attributes:
        name: in full; `Field.parse(name)` gives the same field.
        key: its name within its family.
        kind: what its values are: text that may be a number, a number, a share of 1, seconds, or a
            time in seconds since 1970.
        reducer: which of a metric's values is meant.
        kept: the share of weights at which an accuracy is meant; None for that of the ticket.
    """

    name: str
    family: Family
    key: str
    kind: Kind = "text"
    reducer: Reducer = "last"
    kept: float | None = None

    @classmethod
    def parse(cls, text: str, known: Collection[str] | None = None) -> Field:
        """The field of a name: `val`, `sparsifier.rate`, `tags.why`, `best(epoch/val_loss)`.

        `val@5%`, `test@5%` and `gain@5%` are of the level that keeps about 5% of the weights: at
        most 12% more or fewer. Runs without such a level have no value.

        A name with a slash is a metric, one with a dot a parameter, unless `known` has it
        otherwise. `params.lr` and `metrics.loss` say which. What an evaluation measured of the
        ticket goes by `calibration/ece`; `evaluation/calibration/ece` is that of the last level.

        Args:
            known: the names that runs have, as `names` gives them; no other is a field then.

        Raises:
            Misread: it is no field's name.
        """
        reduced = _REDUCED.fullmatch(text)
        if reduced:
            key = reduced[2].strip().removeprefix("metrics.")
            at = 1 + reduced.start(2)
            if not key or (known is not None and _metric(key) not in known):
                raise Misread(at, _unknown(key, known, "metric"))
            return _reduced(key, _reducer(reduced[1]))
        if sparse := _AT.fullmatch(text):
            kept = _kept(sparse[2], 1 + sparse.start(2))
            return cls(f"{sparse[1]}@{100 * kept:g}%", "run", sparse[1], "share", kept=kept)
        name = ALIASES.get(text, text)
        if name in _BUILT_IN:
            return cls(name, "run", name, _BUILT_IN[name][0])
        found = _named(text, known)
        if found is None or (known is not None and found.name not in known):
            raise Misread(1, _unknown(text, known, "field"))
        return found

    def of(self, run: RunView, group: Group | None = None) -> Value | None:
        """The value that a run has; None if it has none.

        Args:
            group: the run's, which knows what gains are measured against.
        """
        if self.kept is not None:
            return _accuracy(self.key, run, group, self.kept)
        if self.family == "run":
            return _BUILT_IN[self.key][1](run, group)
        if self.family == "params":
            return run.params.get(self.key)
        if self.family == "tags":
            return run.tags.get(self.key)
        if self.family == "evaluations":
            return evaluationfields.of(run, self.key)
        return _measured(run, self.key, self.reducer)

    @property
    def numeric(self) -> bool:
        """Whether all its values are numbers."""
        return self.kind != "text"

    @property
    def result(self) -> bool:
        """Whether it is what a run came to, which may change until it has finished."""
        measured = self.family in ("metrics", "evaluations")
        return measured or (self.family == "run" and self.key in _RESULTS)


def names(runs: Iterable[RunView]) -> list[str]:
    """The names of all fields that runs have, built-in ones first, for completion and checks."""
    params: set[str] = set()
    metrics: set[str] = set()
    tags: set[str] = set()
    for run in runs:
        params.update(run.params)
        metrics.update(run.metrics)
        tags.update(run.tags)
    found = {_param(key) for key in params} | {_metric(key) for key in metrics}
    found |= {f"tags.{key}" for key in tags} | evaluationfields.shortened(metrics)
    return [*_BUILT_IN, *sorted(found - _BUILT_IN.keys())]


@lru_cache(65536)
def number(text: str) -> float | None:
    """The number that a text is, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def smaller_is_better(key: str) -> bool:
    """Whether the best value of a metric is its smallest, by the words of its name."""
    return not SMALLER.isdisjoint(re.split(r"[^a-z]+", key.lower()))


def split(text: str) -> list[tuple[int, str]]:
    """Names between commas, each with its column from 1; commas in brackets divide nothing."""
    found: list[tuple[int, str]] = []
    depth, begin = 0, 0
    if not text.strip():
        return found
    for at, sign in enumerate(text + ","):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and (depth <= 0 or at == len(text)):
            part = text[begin:at]
            found.append((begin + 1 + len(part) - len(part.lstrip()), part.strip()))
            begin = at + 1
    return found


def at(column: int, name: str, known: Collection[str] | None = None) -> Field:
    """As `Field.parse`, for a name that stands at a column of a longer text."""
    try:
        return Field.parse(name, known)
    except Misread as error:
        raise Misread(column + error.column - 1, error.problem) from None


def _named(text: str, known: Collection[str] | None) -> Field | None:
    """A field that is not built in: what its prefix says, or what its name looks like."""
    family, _, key = text.partition(".")
    if key and family == "params":
        return Field(_param(key), "params", key)
    if key and family == "metrics":
        return _reduced(key, "last")
    if key and family == "tags":
        return Field(text, "tags", key)
    have = known or ()
    if evaluationfields.is_one(text):
        share = evaluationfields.is_share(text)
        return Field(text, "evaluations", text, "share" if share else "number")
    if f"{text}.name" in have:  # a block of settings goes by its name, as in an override
        return Field(f"{text}.name", "params", f"{text}.name")
    if _param(text) in have or (_metric(text) not in have and _dotted(text)):
        return Field(_param(text), "params", text)
    return _reduced(text, "last") if "/" in text or _metric(text) in have else None


def _dotted(text: str) -> bool:
    return "." in text.strip(".") and "/" not in text


def _param(key: str) -> str:
    """The name of a parameter: as it is where that can be nothing else."""
    return key if _dotted(key) and not _prefixed(key) else f"params.{key}"


def _metric(key: str) -> str:
    """The name of a metric's last value: as it is where that can be nothing else."""
    return key if "/" in key and not _prefixed(key) else f"metrics.{key}"


def _is_metric(name: str) -> bool:
    """Whether a name that `names` gives is a metric's."""
    return name.startswith("metrics.") or ("/" in name and not _prefixed(name))


def _prefixed(key: str) -> bool:
    if _AT.match(key):
        return True
    return key.startswith(("params.", "metrics.", "tags.")) or bool(_REDUCED.fullmatch(key))


def _reduced(key: str, reducer: Reducer) -> Field:
    name = _metric(key) if reducer == "last" else f"{reducer}({key})"
    return Field(name, "metrics", key, "number", reducer)


def _kept(text: str, at: int) -> float:
    """The share of weights that `5%` or `0.05` is, with six digits of its percentage."""
    found = number(text.removesuffix("%"))
    share = found and float(f"{found if text.endswith('%') else 100 * found:g}") / 100
    if not share or not 0 < share <= 1:
        raise Misread(at, "expected a share of weights, such as 5% or 0.05")
    return share


def _reducer(text: str) -> Reducer:
    return next(one for one in REDUCERS if one == text)


def _measured(run: RunView, key: str, reducer: Reducer) -> float | None:
    if reducer == "last":
        return run.metrics.get(key)
    least, most = run.extremes.get(key, (None, None))
    if reducer == "best":
        return least if smaller_is_better(key) else most
    return least if reducer == "min" else most


def _unknown(text: str, known: Collection[str] | None, what: str) -> str:
    text = clean_line(text, 60)
    if not text:
        return f"expected a {what}"
    if what == "metric":
        names = [name.removeprefix("metrics.") for name in known or () if _is_metric(name)]
    else:
        names = [*_BUILT_IN, *ALIASES, *(known or ())]
    meant = " or ".join(clean_line(name, 60) for name in _near(text.lower(), names))
    return f"no {what} '{text}'; " + (f"did you mean {meant}?" if meant else LISTED)


def _near(text: str, names: Sequence[str]) -> list[str]:
    """The names that may be meant: those that end so, or else one that is written alike."""
    import difflib

    ends = [name for name in names if name.lower().endswith((f".{text}", f"/{text}"))]
    if ends:
        return ends[:MOST_MEANT]
    written = {re.split(r"[./]", name.lower())[-1]: name for name in names}
    written |= {name.lower(): name for name in names}
    return [written[one] for one in difflib.get_close_matches(text, written, n=1)]


# ---- what all runs have


def _status(run: RunView, group: Group | None) -> str:
    return "stalled" if run.stalled and run.status == "running" else run.status


def _shown_level(run: RunView) -> LevelView | None:
    """The level whose density is shown: the winning one, or else the one in training."""
    return run.winning or run.current


def _density(run: RunView, group: Group | None) -> float | None:
    level = _shown_level(run)
    return level.density if level else None


def _sparsity(run: RunView, group: Group | None) -> float | None:
    level = _shown_level(run)
    return (level.total - level.kept) / max(level.total, 1) if level else None


def _winning(run: RunView, group: Group | None) -> str | None:
    """Whether what it picked is a winning ticket, as `verdict.wins` says."""
    if not run.final or run.won is None:
        return None
    return "yes" if run.won else "no"


def _accuracy(
    key: str, run: RunView, group: Group | None, kept: float | None = None
) -> float | None:
    """`val`, `test` or `gain`, of the ticket or at a share of weights."""
    if key == "gain":
        own = {run.repetition: run.dense} if run.dense else {}
        return gain([run], group.dense if group else own, kept)
    level = run.meant(kept)
    return level.scored(key) if level else None


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


_Getter = Callable[["RunView", "Group | None"], Value | None]
_BUILT_IN: dict[str, tuple[Kind, _Getter]] = {
    "name": ("text", lambda run, _: run.name),
    "id": ("text", lambda run, _: run.run_id),
    "status": ("text", _status),
    "seed": ("number", lambda run, _: float(run.seed) if run.seeded else None),
    "experiment": ("text", lambda run, _: run.experiment),
    "sparsifier": ("text", lambda run, _: run.sparsifier or None),
    "dataset": ("text", lambda run, _: run.dataset or None),
    "model": ("text", lambda run, _: run.model or None),
    "control": ("text", lambda run, _: run.controls.kind if run.controls else None),
    "group": ("text", lambda run, _: run.group or None),
    "level": ("number", lambda run, _: _float(run.level)),
    "density": ("share", _density),
    "sparsity": ("share", _sparsity),
    "val": ("share", partial(_accuracy, "val")),
    "test": ("share", partial(_accuracy, "test")),
    "gain": ("share", partial(_accuracy, "gain")),
    "winning": ("text", _winning),
    "best_level": ("number", lambda run, _: _float(run.winner)),
    "size": ("number", lambda run, _: _float(run.winning.bytes) if run.winning else None),
    "eta": ("seconds", lambda run, _: run.eta),
    "created": ("time", lambda run, _: run.created or None),
    "duration": ("seconds", lambda run, _: run.duration),
    "user": ("text", lambda run, _: run.user or None),
    "device": ("text", lambda run, _: run.device or None),
    "note": ("text", lambda run, _: run.note or None),
    "error": ("text", lambda run, _: run.error or None),
    "archived": ("text", lambda run, _: "yes" if run.archived else "no"),
}
_RESULTS = frozenset(
    {"density", "sparsity", "winning", "val", "test", "gain", "best_level", "size", "duration"}
)
ARCHIVED = Field.parse("archived")
BUILT_IN: Sequence[str] = tuple(_BUILT_IN)
