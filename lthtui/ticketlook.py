"""What the app shows of one ticket: its card, its size, its layers, and the level before."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from engine.overlap import Overlap
from lthtui import heat, overlap, ticketindex, verdict
from lthtui.board import accuracy, percent
from lthtui.checked import Check
from lthtui.densitymap import FLOOR, Kept, figures, short
from lthtui.fields import Field
from lthtui.heat import Line, Span
from lthtui.planning import size
from lthtui.text import clean_line
from lthtui.ticketindex import Ticket

NAME = 24  # cells of a layer's name
WIDEST = 40  # cells of a bar
COUNT = "weights"
Fact = tuple[str, str]  # a label and what stands behind it


@dataclass(frozen=True)
class Look:
    """A ticket and what is on disk of it.

    Attributes:
        kept: weights that live, by layer; `totals` all of them.
        card: as it lies beside the ticket; not cleaned.
        before: the level before, and what the two masks share; None where that is not known.
        check: what came of scoring it again; None if nobody asked for that.
        trouble: what cannot be read of it, in one line.
    """

    ticket: Ticket
    kept: Kept = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[int, Overlap] | None = None
    check: Check | None = None
    trouble: str = ""


def lines(look: Look, width: int) -> list[Line]:
    """What there is to say, for a view of this width."""
    head, rest = (
        [line for label, text in facts if text for line in heat.fact(label, text, width)]
        for facts in (_head(look), _card(look))
    )
    return [
        *_title(look, width),
        *head,
        *_checked(look, width),
        (),
        *_layers(look, width),
        (),
        *rest,
    ]


def worth(ticket: Ticket) -> str:
    """What a ticket came to, in words."""
    if ticket.picked:
        return verdict.standing([ticket.run])
    if not ticket.level.ended:
        return "in training"
    if ticket.level.search:
        return "searched for a mask"
    return "not the level that its run picked" if ticket.level.sparse else "all weights"


def _title(look: Look, width: int) -> list[Line]:
    ticket = look.ticket
    sign = verdict.MARK if ticket.winning else verdict.PICKED if ticket.picked else ""
    tone = "winning" if ticket.winning else ""
    title = f"{sign} {ticket.label}".strip()
    said = worth(ticket)
    if cell_len(title) + 2 + len(said) > width:
        parts = textwrap.wrap(title, max(width, 10))
        return [*((Span(part, tone, bold=True),) for part in parts), *heat.wrapped(said, width)]
    return [(Span(title, tone, bold=True), Span(f"  {said}", "dim"))]


def _head(look: Look) -> list[Fact]:
    ticket, level = look.ticket, look.ticket.level
    scores = f"val {accuracy(level.val)}  test {accuracy(level.test)}"
    gained = ticket.of(Field.parse("gain"))
    if gained is not None:
        scores += f"  {100 * float(gained):+.1f} over dense".replace("-", "−")
    return [
        ("kept", f"{percent(level.density)}, {level.kept:,} of {level.total:,} weights"),
        ("accuracy", scores),
        ("weights", _weights(look)),
        ("before", _before(*look.before) if look.before else ""),
    ]


def _checked(look: Look, width: int) -> list[Line]:
    """What came of scoring it again."""
    if look.check is None:
        return []
    return heat.fact("checked", look.check.said, width, "failed" if look.check.failed else "")


def _weights(look: Look) -> str:
    where, _ = ticketindex.weights(look.ticket)
    known = look.ticket.level.bytes
    if where != "kept" or known is None:
        return where
    return f"{where}, {size(known)} in {clean_line(look.ticket.level.ticket or '', 400)}"


def _before(level: int, found: Overlap) -> str:
    """How much of the level before the ticket is."""
    inside = found.within(0, 1)
    share = "" if inside is None else f"; {percent(inside)} of its weights were there"
    chance = overlap.figure(found.by_chance(0, 1))
    return f"IoU {overlap.figure(found.iou(0, 1))} with level {level}, {chance} by chance{share}"


def _card(look: Look) -> list[Fact]:
    """What only the card knows, and the run's id."""
    card = look.card
    spec = card.get("spec") if isinstance(card.get("spec"), dict) else {}
    environment = card.get("environment")
    about = environment if isinstance(environment, dict) else {}
    made = " ".join(f"{key} {about[key]}" for key in ("device", "torch") if about.get(key))
    classes = card.get("classes")
    facts = {
        "run": look.ticket.run.run_id,
        "sha256": str(card.get("sha256", ""))[:16],
        "digest": str(card.get("digest", ""))[:16],
        "prunable": (spec or {}).get("prunable") or _within(spec, "sparsifier", "prunable"),
        "rewind": _within(spec, "sparsifier", "rewind"),
        "classes": f"{len(classes):,}" if isinstance(classes, list) else None,
        "made on": made,
    }
    return [(key, clean_line(str(value))) for key, value in facts.items() if value]


def _within(spec: Any, part: str, key: str) -> Any:
    found = spec.get(part) if isinstance(spec, dict) else None
    return found.get(key) if isinstance(found, dict) else None


def _layers(look: Look, width: int) -> list[Line]:
    """A bar for each layer, on a logarithmic scale."""
    if not look.totals:
        return heat.wrapped(look.trouble or "its mask is not known", width)
    shares = {
        name: look.kept[name] / total if total else 0.0 for name, total in look.totals.items()
    }
    least = max(min(shares.values()) / 2, FLOOR)
    names = {name: short(name, NAME) for name in shares}
    lead = max(cell_len(name) for name in names.values()) + 1
    count = max(len(COUNT), *(len(f"{total:,}") for total in look.totals.values()))
    room = min(max(width - lead - count - 8, 4), WIDEST)
    scale = "kept, log scale"[:room]
    drawn: list[Line] = [
        (Span(f"{'layer':<{lead}}{scale:<{room}}{COUNT:>{count + 8}}", "dim"),),
    ]
    for name, share in shares.items():
        bar = heat.bar(heat.logarithmic(share, least) if share else 0.0, room)
        tone = "" if share else "failed"
        numbers = f" {figures(share):>6} {look.totals[name]:>{count},}"
        drawn.append((Span(names[name].ljust(lead)), bar, Span(numbers, tone)))
    if look.trouble:
        drawn += heat.wrapped(look.trouble, width, "failed")
    return drawn
