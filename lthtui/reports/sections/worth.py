"""Worth: what of a gain pruning gives, and what of a ticket it rests on, by controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lthtui import worth, worthwords
from lthtui.counting import counted
from lthtui.paired import Difference
from lthtui.reports.model import Absent, Block, Cell, Details, Number, Section, Table
from lthtui.reports.subject import Subject
from lthtui.reports.wording import UNKNOWN, minus
from lthtui.runview import PLAIN
from lthtui.worth import PARTS, Worth


def build(subject: Subject) -> Section | Absent | None:
    """The gain's parts, the sanity checks, both in words; None where nothing was pruned."""
    found, _ = worth.found(subject.runs, subject.labels, subject.known)
    if not found:
        return None
    told = [one for one in found if _controlled(one)]
    if not told:
        asked = ("--kind", "split,sanity")
        title = "What of the gain is pruning's, and whether any other mask would do"
        return Absent(title, (subject.command("control", *asked),))
    blocks: list[Block] = [_parts(told)]
    if any(check.difference for one in told for check in one.checks):
        blocks.append(_checks(told))
    for one in told:
        blocks += [f"{one.label}: {minus(sentence)}" for sentence in worthwords.said(one)]
    missing = dict.fromkeys(line for one in found for line in worthwords.commands(one))
    if missing:
        blocks.append(Details("What was not run", "\n".join(missing)))
    return Section("What the gain is worth", tuple(blocks))


def _controlled(one: Worth) -> bool:
    return bool(one.accuracies["null"] or one.accuracies["budget"]) or any(
        check.difference for check in one.checks
    )


def _parts(found: Sequence[Worth]) -> Table:
    header = ("method", *(f"{mine} − {other}" for mine, other, _ in PARTS.values()))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.label, *(_number(one.parts[name]) for name in PARTS)) for one in found
    )
    said = "; ".join(f"{mine} − {other}: {what}" for mine, other, what in PARTS.values())
    caption = (
        "A ticket's gain in test accuracy, split by controls, run by run. null: as many trainings"
        " and picks without pruning; budget: one dense training as long as all of them."
        f" {said}. * p < 0.05, ** 0.01, *** 0.001: paired t-tests, Holm-corrected for each method."
        f"{_balanced(found)}"
    )
    return Table("gain-split", caption, header, rows)


def _balanced(found: Sequence[Worth]) -> str:
    """Of which methods accuracies are balanced ones, as a sentence."""
    labels = ", ".join(one.label for one in found if one.metric != PLAIN)
    return f" Balanced accuracy, by which levels are picked, of {labels}." if labels else ""


def _number(difference: Difference) -> Number:
    return Number.of(difference.values.values(), "points", stars=difference.finding.stars)


def _checks(found: Sequence[Worth]) -> Table:
    header = ("method", "the ticket less what has", "difference", "95 % interval", "p", "verdict")
    caption = (
        "Sanity checks (Frankle et al. 2021, Su et al. 2020): test accuracy of the ticket less that"
        " of a control that has something else in its place. It is needed where the difference is"
        " significant, and not where its whole interval is below"
        f" {counted(100 * _margin(found), 'point')}.{_balanced(found)}"
    )
    rows = tuple(row for one in found for row in _lines(one))
    return Table("sanity-checks", caption, header, rows)


def _margin(found: Sequence[Worth]) -> float:
    return next(check.margin for one in found for check in one.checks)


def _lines(one: Worth) -> Iterator[tuple[Cell, ...]]:
    for check in one.checks:
        difference = check.difference
        if difference is None:
            continue
        interval = difference.interval
        ends = (f"{100 * end:+.2f}" for end in interval or ())
        between = minus(" to ".join(ends)) or UNKNOWN
        yield (
            one.label,
            f"{check.instead} ({check.kind})",
            Number.of(difference.values.values(), "points"),
            between,
            Number.p(difference.finding),
            check.verdict,
        )
