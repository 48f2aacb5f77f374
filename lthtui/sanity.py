"""Sanity checks of tickets: what of a ticket matters, judged against controls that lack it.

Frankle et al. 2021, Pruning neural networks at initialization: why are we missing the mark?
(https://arxiv.org/abs/2009.08576); Su et al. 2020, Sanity-checking pruning methods
(https://arxiv.org/abs/2009.11094). "As good without" is shown as in tests of non-inferiority: a
difference that was not found is no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lthtui import paired
from lthtui.counting import counted
from lthtui.paired import Difference, Values
from lthtui.significance import LEAST

Verdict = Literal["needed", "not needed", "not known", "not run"]
MARGIN = 0.01  # of accuracy: what a ticket may be better by and still count as no better
WORDS: Mapping[Verdict, str] = {
    "needed": "the ticket needs it",
    "not needed": "it does as well without",
    "not known": "not known",
    "not run": "not run",
}
# What each kind of control has in place of the ticket's own.
CHECKS: Mapping[str, str] = {
    "same_layer": "places drawn anew in each layer",
    "random": "places drawn anew anywhere",
    "uniform": "places drawn anew, all layers equally dense",
    "erk": "places drawn anew, layers as dense as ERK",
    "reinit": "first weights drawn anew",
    "shuffle": "first weights exchanged in each layer",
    "labels": "a mask found on random labels",
}


@dataclass(frozen=True)
class Check:
    """A ticket against one kind of control of it.

    Attributes:
        difference: test accuracy of the ticket less that of the control; None without a pair.
        margin: see `MARGIN`.
        tests: how many checks were tested together.
        missing: ids of the tickets' runs that have no such control.
    """

    kind: str
    difference: Difference | None
    margin: float
    tests: int
    missing: tuple[str, ...] = ()

    @property
    def instead(self) -> str:
        """What the control has in place of the ticket's own."""
        return CHECKS[self.kind]

    @property
    def verdict(self) -> Verdict:
        """What the statistics say."""
        if self.difference is None:
            return "not run"
        if self.difference.more:
            return "needed"
        interval = self.difference.interval
        return "not needed" if interval and interval[1] < self.margin else "not known"

    @property
    def seeds(self) -> int | None:
        """About how many pairs would tell, where it is not known; None where nobody can say.

        That is the fewer of those that show the difference that was seen, and those that show that
        it is below the margin.
        """
        if self.verdict != "not known" or self.difference is None or self.difference.mean is None:
            return None
        mean, threshold = self.difference.mean, LEAST / max(1, self.tests)  # as Holm's strictest
        found = self.difference.needed(mean, threshold), self.difference.needed(self.margin - mean)
        return min((one for one in found if one), default=None)

    @property
    def why(self) -> str:
        """Why it is not known; empty where it is."""
        if self.verdict != "not known" or self.difference is None:
            return ""
        pairs = counted(len(self.difference.values), "pair")
        if self.difference.finding.p is None:
            return f"{pairs}: {self.difference.finding.why}"
        more = f"about {self.seeds} would tell" if self.seeds else f"{paired.MOST} would not tell"
        return f"{pairs}; {more} with a power of 80 %, at this difference and spread"


def checks(
    ticket: Values,
    controls: Mapping[str, Values],
    missing: Mapping[str, Sequence[str]],
    margin: float = MARGIN,
) -> tuple[Check, ...]:
    """All checks, in their order; those that were run are corrected for their number.

    Args:
        ticket: its test accuracy by repetition.
        controls: by kind, theirs.
        missing: by kind, the runs without such a control.
    """
    made = {kind: Difference.of(ticket, controls.get(kind, {})) for kind in CHECKS}
    run = {kind: one for kind, one in made.items() if one.values}
    tested = dict(zip(run, paired.corrected(run.values()), strict=True))
    many = sum(one.finding.p is not None for one in tested.values())
    return tuple(
        Check(kind, tested.get(kind), margin, many, tuple(missing.get(kind, ()))) for kind in CHECKS
    )


def said(found: Sequence[Check]) -> str:
    """What all checks together say, in one sentence."""
    within = 100 * found[0].margin if found else 0.0
    parts: Mapping[Verdict, str] = {
        "needed": "is worse with",
        "not needed": f"is as good, within {counted(within, 'point')}, with",
        "not known": "may or may not be worse with",
        "not run": "was not tried with",
    }
    told = []
    for verdict, words in parts.items():
        names = [one for one in found if one.verdict == verdict]
        which = [f"{one.instead} ({one.kind})" if one.difference else one.kind for one in names]
        if which:
            told.append(f"{words} {_listed(which)}")
    return f"The ticket {'; '.join(told)}."


def described(check: Check) -> dict[str, Any]:
    """As JSON."""
    return {
        "kind": check.kind,
        "instead": check.instead,
        "verdict": check.verdict,
        "difference": paired.described(check.difference) if check.difference else None,
        "margin": check.margin,
        "why": check.why,
        "seeds": check.seeds,
        "missing": [*check.missing],
    }


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
