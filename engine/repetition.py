"""Which repetition of the same experiment a run is: its draw of images, its fold and its seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

DIGITS = 10  # of the longest number that a spec takes
WRITTEN = r"(?:d\d+-)?(?:f\d+-)?s\d+"  # how a repetition is written


class Repetition(NamedTuple):
    """What runs of one group differ in; those of two groups are paired where it is the same.

    It is written as in names of runs: `s0`, or `f1-s0` of a fold, and `d2-s0` of another draw.

    Attributes:
        draw: `data.seed`, which fixes the images that are drawn.
        folds: how many folds there are; 0 where a run has none.
        fold: the one that is validated on.
        seed: of initialisation, order and augmentation.
    """

    draw: int = 0
    folds: int = 0
    fold: int = 0
    seed: int = 0

    def __str__(self) -> str:
        drawn = f"d{self.draw}-" if self.draw else ""
        return f"{drawn}f{self.fold}-s{self.seed}" if self.folds else f"{drawn}s{self.seed}"

    @classmethod
    def of(cls, params: Mapping[str, str], seed: int) -> Repetition:
        """From a run's settings as MLflow has them, and its seed."""
        draw, folds, fold = (_number(params, name) for name in ("seed", "folds", "fold"))
        return cls(draw, folds, fold if folds else 0, seed)

    @property
    def told(self) -> dict[str, int | None]:
        """As JSON and tables have it; no fold where there are none."""
        return {
            "draw": self.draw,
            "fold": self.fold if self.folds else None,
            "seed": self.seed,
        }


def unit(found: Iterable[Repetition]) -> str:
    """What one of these is called: a seed where they differ in nothing else."""
    return "repetition" if len({one[:3] for one in found}) > 1 else "seed"


def names(found: Iterable[Repetition], among: Iterable[Repetition] = ()) -> list[str]:
    """What these are called where there are `among`, too: `0` and `1`, or `f0-s0` and `f1-s0`."""
    known = [*found]
    alone = unit([*known, *among]) == "seed"
    return [str(one.seed if alone else one) for one in known]


def listed(found: Iterable[Repetition], among: Iterable[Repetition] = ()) -> str:
    """These in words, as `seeds 0, 1` or `repetitions f0-s0, f1-s0`; see `names`."""
    known, others = [*found], [*among]
    plural = "s" if known[1:] else ""
    return f"{unit([*known, *others])}{plural} {', '.join(names(known, others))}"


def overlap(found: Iterable[Repetition]) -> float:
    """The share of held-out images to the others, where several folds train on the same images.

    That is 1 / (k - 1) of k folds, and 0 where there is one fold or none; see
    `lthtui.significance`.
    """
    folds = {(one.draw, one.folds, one.fold) for one in found if one.folds}
    return 1 / (min(count for _, count, _ in folds) - 1) if len(folds) > 1 else 0.0


def _number(params: Mapping[str, str], name: str) -> int:
    text = params.get(f"data.{name}", "")
    return int(text) if text.isdecimal() and len(text) <= DIGITS else 0
