"""Whether two groups differ by more than their runs do: tests, p values, Holm's correction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, isfinite, nan, sqrt
from statistics import fmean
from typing import Literal, TypeVar

Test = Literal["paired", "wilcoxon", "unpaired"]
TESTS: dict[Test, str] = {
    "paired": "paired t-test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "unpaired": "Welch's unpaired t-test",
}
LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))  # p values and the stars that they get
LEAST = 0.05  # p below which a difference is called significant
SAME = 1e-12  # relative differences that are rounding
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Finding:
    """What a test says of one group against another.

    Attributes:
        difference: of the means; of pairs where the test is.
        n: how many runs count: pairs, or of an unpaired test those of the smaller group.
        p: two-sided; None where the test says nothing, and `why` it does not.
        holm: p corrected for all comparisons that were made.
        why: what keeps the test from saying anything, or from ever saying "significant".
    """

    difference: float | None
    n: int
    p: float | None = None
    holm: float | None = None
    why: str = ""

    @property
    def stars(self) -> str:
        """One for a corrected p below 0.05, two below 0.01, three below 0.001."""
        if self.holm is None:
            return ""
        return next((stars for below, stars in LEVELS if self.holm < below), "")


def test(
    mine: Mapping[K, float], other: Mapping[K, float], kind: Test, overlap: float = 0.0
) -> Finding:
    """Compare two groups by their values, by what pairs them: the seed, or the fold and the seed.

    A value that is no number is no reason to leave its pair out: nothing can be said then.

    Args:
        overlap: held-out images to training images where pairs share training images, as folds do:
            the variance of a mean of n differences is then taken as (1/n + overlap) times theirs
            (Nadeau and Bengio 2003, Inference for the generalization error; for folds with several
            seeds each, Bouckaert and Frank 2004). The other tests cannot be corrected so.
    """
    pairs = [one for one in mine if one in other]
    shown = [*mine.values(), *other.values()]
    if kind != "unpaired":
        shown = [of[one] for of in (mine, other) for one in pairs]
        differences = [mine[one] - other[one] for one in pairs]
    if not all(map(isfinite, shown)):
        return Finding(None, len(pairs), why="a value is no number")
    if kind == "unpaired":
        return _welch([*mine.values()], [*other.values()])
    if not differences:
        return Finding(None, 0, why="no seed in common")
    size = max(map(abs, shown))
    return _paired(differences, size, overlap) if kind == "paired" else _wilcoxon(differences, size)


def holm(findings: Sequence[Finding | None]) -> list[Finding | None]:
    """Correct p values for their number (Holm 1979): the k-th smallest of m times m - k + 1.

    Those without a p, and None, do not count.
    """
    order = [at for at, one in enumerate(findings) if one is not None and one.p is not None]
    order.sort(key=lambda at: _p(findings[at]))
    corrected, highest = [*findings], 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * _p(findings[at])))
        if (one := corrected[at]) is not None:
            corrected[at] = replace(one, holm=highest)
    return corrected


def mean(values: Sequence[float]) -> float:
    """NaN where one of the values is no number, or infinite."""
    return fmean(values) if all(map(isfinite, values)) else nan


def deviation(values: Sequence[float]) -> float:
    """The sample deviation of two values or more; NaN where one is no number, or infinite."""
    middle = mean(values)
    return sqrt(fsum((one - middle) ** 2 for one in values) / (len(values) - 1))


def _p(finding: Finding | None) -> float:
    return finding.p if finding is not None and finding.p is not None else 1.0


def _paired(differences: Sequence[float], size: float, overlap: float) -> Finding:
    n, middle = len(differences), fmean(differences)
    if n < 2:
        return Finding(middle, n, why="one seed in common; a test needs two")
    spread = deviation(differences)
    if spread <= SAME * size:
        return Finding(middle, n, why="the same difference in all seeds")
    return Finding(middle, n, _tails(middle / (spread * sqrt(1 / n + overlap)), n - 1))


def _welch(mine: Sequence[float], other: Sequence[float]) -> Finding:
    n = min(len(mine), len(other))
    if not n:
        return Finding(None, 0, why="nothing to compare")
    middle = fmean(mine) - fmean(other)
    if n < 2:
        return Finding(middle, n, why="one seed; a test needs two")
    a, b = (deviation(values) ** 2 / len(values) for values in (mine, other))
    if a + b <= (SAME * max(map(abs, (*mine, *other)))) ** 2:
        return Finding(middle, n, why="the same value in all seeds")
    freedom = (a + b) ** 2 / (a**2 / (len(mine) - 1) + b**2 / (len(other) - 1))
    return Finding(middle, n, _tails(middle / sqrt(a + b), freedom))


def _tails(t: float, freedom: float) -> float:
    """The probability of a t at least as far from 0."""
    from scipy.special import stdtr  # it takes a third of a second

    return float(2 * stdtr(freedom, -abs(t)))


def _wilcoxon(differences: Sequence[float], size: float) -> Finding:
    """Exact, also with ties; differences of zero are left out, as Wilcoxon did."""
    middle = fmean(differences)
    moved = [one for one in differences if abs(one) > SAME * size]
    n = len(moved)
    if not n:
        return Finding(middle, n, why="no difference in any seed")
    ranks = _ranks([abs(one) for one in moved], SAME * size)
    up = sum(rank for rank, one in zip(ranks, moved, strict=True) if one > 0)
    p = _signed(ranks, min(up, sum(ranks) - up))
    least = 2.0 ** (1 - n)
    return Finding(middle, n, p, why=f"{n} pairs: p is at least {least:.2g}" * (least >= LEAST))


def _ranks(sizes: Sequence[float], same: float) -> list[int]:
    """Twice the ranks from 1, so that the middle ranks of ties are whole numbers."""
    return [
        sum(other < one - same for other in sizes) + sum(other <= one + same for other in sizes) + 1
        for one in sizes
    ]


def _signed(ranks: Sequence[int], least: int) -> float:
    """The share of all signs with a sum of ranks at most `least` on either side."""
    sums = Counter({0: 1})
    for rank in ranks:
        sums.update({total + rank: count for total, count in [*sums.items()]})
    within = sum(count for total, count in sums.items() if total <= least)
    return min(1.0, 2 * within / 2.0 ** len(ranks))
