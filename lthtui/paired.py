"""One thing less another, seed by seed: the mean, how sure it is, and how many seeds it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, sqrt
from typing import Any

from engine.repetition import Repetition, overlap
from lthtui import significance
from lthtui.rows import Spread
from lthtui.significance import LEAST, Finding

CONFIDENCE = 0.95
POWER = 0.8  # the chance to find a difference that is there
MOST = 1000  # seeds up to which it is worth counting
Values = Mapping[Repetition, float]


@dataclass(frozen=True)
class Difference:
    """Two things compared by the repetitions that both have.

    Attributes:
        values: the first less the second, by repetition.
        finding: what the paired t-test says, corrected for all that were tested beside it.
    """

    values: Values
    finding: Finding

    @classmethod
    def of(cls, mine: Values, other: Values) -> Difference:
        """Test it; folds do not count as independent (see `significance.test`)."""
        shared = [one for one in mine if one in other]
        values = {one: mine[one] - other[one] for one in shared}
        return cls(values, significance.test(mine, other, "paired", overlap(shared)))

    @property
    def mean(self) -> float | None:
        """Over the repetitions; None where none is shared."""
        return self.spread.mean if self.spread else None

    @property
    def spread(self) -> Spread | None:
        """Mean and sample deviation; None where no repetition is shared."""
        return Spread.of(self.values.values())

    @property
    def more(self) -> bool:
        """Whether the first is significantly more, corrected for all that was tested."""
        return self._significant and self.finding.difference is not None and not self.less

    @property
    def less(self) -> bool:
        """Whether it is significantly less."""
        return self._significant and (self.finding.difference or 0.0) < 0

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The t-interval of the mean; None where the test says nothing."""
        if self.finding.p is None or self.mean is None:
            return None
        reach = _quantile(0.5 + CONFIDENCE / 2, self.finding.n - 1) * self._error(self.finding.n)
        return self.mean - reach, self.mean + reach

    def needed(self, effect: float, threshold: float = LEAST) -> int | None:
        """About how many repetitions would find an effect with a power of 80 %.

        The spread of more of them is taken as that of these (Cohen 1988, Statistical power
        analysis, chapter 2, with t in place of z).

        Args:
            effect: the true difference from what is to be ruled out.
            threshold: p, two-sided, below which it is found.

        Returns:
            None where nobody can tell, and where `MOST` do not suffice.
        """
        if self.finding.p is None or effect <= 0:
            return None
        for n in range(2, MOST + 1):
            freedom = n - 1
            far = _quantile(1 - threshold / 2, freedom) + _quantile(POWER, freedom)
            if far * self._error(n) <= effect:
                return n
        return None

    @property
    def _significant(self) -> bool:
        return self.finding.holm is not None and self.finding.holm < LEAST

    def _error(self, n: int) -> float:
        """The standard error of a mean of `n` such differences."""
        deviation = significance.deviation([*self.values.values()])
        return deviation * sqrt(1 / n + overlap(self.values))


def corrected(found: Iterable[Difference]) -> list[Difference]:
    """Differences that were tested together (Holm 1979); see `significance.holm`."""
    known = [*found]
    findings = significance.holm([one.finding for one in known])
    return [replace(one, finding=two) for one, two in zip(known, findings, strict=True) if two]


def described(difference: Difference) -> dict[str, Any]:
    """As JSON: accuracies as fractions of 1; null for what is no number."""
    finding, spread = difference.finding, difference.spread
    interval = difference.interval
    return {
        "mean": _number(spread.mean if spread else None),
        "std": _number(spread.deviation if spread else None),
        "n": len(difference.values),
        "interval": list(interval) if interval else None,
        "p": finding.p,
        "p_holm": finding.holm,
        "why": finding.why,
        "values": [{**one.told, "value": _number(v)} for one, v in difference.values.items()],
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _quantile(share: float, freedom: int) -> float:
    """Of Student's t."""
    from scipy.special import stdtrit  # it takes a third of a second

    return float(stdtrit(freedom, share))
