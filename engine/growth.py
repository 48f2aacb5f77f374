"""How much of a finished run a longer one can take over and still be as if trained from the start.

Two plans are compared, and what the finished run kept. Nothing is taken over that the longer run
would have trained in another way, or could not go on from.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count
from typing import TYPE_CHECKING, Any

from engine import registry
from engine.durations import Duration
from engine.errors import UsageError
from engine.plan import Level, Plan, Planned, plan
from engine.rundir import RunDirectory
from engine.sources import TICKET
from engine.spec import RunSpec
from engine.trainspec import Constant, Cosine

if TYPE_CHECKING:
    from engine.sparsifier import Sparsifier


@dataclass(frozen=True)
class Left:
    """What a finished level left behind.

    Attributes:
        weights: whether its ticket was kept.
        onward: whether it left what another level starts from, though none was planned.
    """

    weights: bool
    onward: bool


@dataclass(frozen=True)
class Kept:
    """What a finished run left behind.

    Attributes:
        levels: from 0, as far as there are any.
        rewinds: schedule positions of level 0 whose weights were kept.
        end: whether the checkpoint of its very last step was.
    """

    levels: Sequence[Left]
    rewinds: Collection[int]
    end: bool


@dataclass(frozen=True)
class Shared:
    """What is taken over.

    Attributes:
        levels: so many, from level 0.
        epochs: of a single training that goes on; 0 where whole levels are taken over.
        steps: optimizer steps of all that.
        why: why not more of the finished run; empty if all of it is.
    """

    levels: int
    epochs: int
    steps: int
    why: str = ""


def look(directory: RunDirectory) -> Kept:
    """What a run's folder holds, by the names of its files: whoever reads them checks them."""
    found = []
    for index in count():
        folder = directory.level(index)
        try:
            meta = json.loads((folder / "manifest.json").read_bytes())["body"]["meta"]
            onward = bool(meta.get("onward", False))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            break
        found.append(Left((folder / TICKET).is_file(), onward))
    named = (path.name for path in directory.rewind.glob("[0-9]*"))
    rewinds = {int(name) for name in named if name.isdecimal()}
    return Kept(found, rewinds, any(directory.partial.glob("000-[0-9]*")))


def shared(old: RunSpec, new: RunSpec, images: int, kept: Kept) -> Shared:
    """What run `new` can take over of the finished run `old`; both train on `images` images.

    Raises:
        UsageError: nothing, and why.
        SpecError: a plan cannot be carried out.
    """
    if differs := sorted(_differing(old, new)):
        raise UsageError(
            f"{' and '.join(differs)} would be other than in the finished run, so that every level"
            " would be trained in another way; `lthtui run` trains it anew"
        )
    before, after = plan(old, images), plan(new, images)
    if len(before.levels) == len(after.levels) == 1 and before.levels != after.levels:
        return _epochs(old, new, before, after, kept)
    return _levels(_Pair(old, new, before, after, kept))


def fixed(spec: RunSpec, laid_out: Plan) -> str:
    """Why a training could not go on for more epochs as if they had been planned; empty if it can.

    A checkpoint of its last step is worth keeping only where it can.
    """
    if len(laid_out.levels) > 1:
        return "only a single training goes on where it ended"
    (planned,) = laid_out.levels
    if isinstance(spec.train.schedule, Cosine):
        return (
            "cosine spans the whole training, so that more epochs change the learning rate of those"
            " that there are"
        )
    if isinstance(planned.level.lasts, Duration):
        return "how long it trains does not follow from train.epochs"
    constant = isinstance(spec.train.schedule, Constant)
    if planned.level.learning_rate == "last" and not constant:
        return "it trains at the last learning rate of its schedule, which more epochs may change"
    return ""


def epochs_of(planned: Planned, per_epoch: int) -> int:
    """Epochs that a level trains, the parts of one at its ends included."""
    return -(-planned.end // per_epoch) - planned.first // per_epoch


@dataclass(frozen=True)
class _Pair:
    """A finished run and a longer one."""

    old: RunSpec
    new: RunSpec
    before: Plan
    after: Plan
    kept: Kept

    def obstacle(self, first: int) -> str:
        """Why the longer run cannot begin to train with level `first`; empty if it can."""
        last = first - 1
        left, ended = self.kept.levels[last], first == len(self.before.levels)
        if first == len(self.after.levels):
            return ""
        if ended and not left.onward:
            return f"level {last} was the last, and left nothing for another to start from"
        method, was = _sparsifier(self.new), _sparsifier(self.old)
        if method.keeps_optimizer(first) and (ended or not was.keeps_optimizer(first)):
            return f"what the optimizer remembers at the end of level {last} was not kept"
        for point in self.after.rewinds:
            step = point.in_steps(self.after.steps_per_epoch)
            if step and step not in self.kept.rewinds:
                return f"the weights at {point} of level 0 were not kept"
        if self.after.levels[first].level.start is None and not self._ends_with_weights(last):
            return f"the weights that level {last} ended with were not kept"
        return ""

    def _ends_with_weights(self, level: int) -> bool:
        """Whether a level's last weights are there, beside those of its best epoch."""
        if self.old.select.epoch == "last":
            return self.kept.levels[level].weights
        following = self.before.levels[level + 1 : level + 2] or self.before.levels[level:]
        return following[0].level.start is None or len(self.before.levels) == 1


def _levels(pair: _Pair) -> Shared:
    """The first levels, as far as they are the same and another can begin after them."""
    before, after, left = pair.before.levels, pair.after.levels, pair.kept.levels
    pairs = list(zip(before, after, strict=False))[: len(left)]
    same = next((i for i, (one, two) in enumerate(pairs) if one != two), len(pairs))
    why = _difference(before, after, same) if same < len(pairs) else ""
    while same and (obstacle := pair.obstacle(same)):
        same, why = same - 1, why or obstacle
    if not same:
        raise UsageError(
            f"nothing can be taken over: {why or 'no level of it is finished'}; `lthtui run` trains"
            " the longer run from the start"
        )
    return Shared(same, 0, sum(planned.steps for planned in after[:same]), why)


def _epochs(old: RunSpec, new: RunSpec, before: Plan, after: Plan, kept: Kept) -> Shared:
    """All epochs of a single training."""
    (one,), (two,) = before.levels, after.levels
    epochs = epochs_of(one, before.steps_per_epoch)
    why = fixed(old, before) or _spanning(new, before, after) or _scored(new, epochs)
    if not why and two.end < one.end:
        why = "it would be shorter"
    if not why and not kept.end:
        why = "no checkpoint of its last step was kept"
    if why:
        raise UsageError(
            f"its epochs cannot be taken over: {why}; `lthtui run` trains the longer run from the"
            " start"
        )
    return Shared(0, epochs, one.steps)


def _spanning(spec: RunSpec, before: Plan, after: Plan) -> str:
    """Whether mask updates lie elsewhere in the longer training."""
    window = getattr(spec.sparsifier, "window", None)
    if not callable(window):
        return ""
    of = [window(p.levels[0], p.steps_per_epoch, spec.train.multiplier) for p in (before, after)]
    if of[0] == of[1]:
        return ""
    return "its mask updates lie at shares of the training (give sparsifier.stop in epochs instead)"


def _scored(spec: RunSpec, epochs: int) -> str:
    """Whether epochs near the old end were scored that the longer training would not score."""
    cadence = spec.train.evaluate
    near = range(max(1, epochs - cadence.last + 1), epochs)  # the last one is scored anew
    if all(cadence.every and epoch % cadence.every == 0 for epoch in near):
        return ""
    return f"train.evaluate.last had its last {cadence.last} epochs validated"


def _sparsifier(spec: RunSpec) -> Sparsifier[Any]:
    made: Sparsifier[Any] = registry.load("sparsifiers", spec.sparsifier.name).Sparsifier(
        spec.sparsifier
    )
    return made


def _differing(old: RunSpec, new: RunSpec) -> Iterator[str]:
    """Dotted fields that make the result, differ, and do not show in the plan alone."""
    one, two = dict(_flat(old.identity())), dict(_flat(new.identity()))
    planned = {"train.epochs", *(f"sparsifier.{name}" for name in _sparsifier(old).planned)}
    for field in {*one, *two} - planned:
        if one.get(field) != two.get(field):
            yield field


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _difference(before: Sequence[Planned], after: Sequence[Planned], index: int) -> str:
    """In what level `index` of the longer run is another than that of the finished one."""
    one, two = before[index], after[index]
    differ = [f.name for f in fields(Level) if _of(one, f.name) != _of(two, f.name)]
    if not differ:
        return f"level {index} would train {two.steps:,} steps instead of {one.steps:,}"
    if {"rate", "target"} & {*differ} and "density" not in differ:
        if index + 1 == len(before):
            return f"level {index} was the last, so that nothing was pruned after it"
        one, two, differ = before[index + 1], after[index + 1], ["density"]
    number, field = one.level.index, differ[0]
    was, now = _of(one, field), _of(two, field)
    if field == "density" and None not in (was, now):
        return f"level {number} would keep {now:.2%} of the weights instead of {was:.2%}"
    return f"level {number} would have {field} {now} instead of {was}"


def _of(planned: Planned, field: str) -> Any:
    return getattr(planned.level, field)
