"""Says in lines, and in pictures for a terminal, what was found in a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from lthtui import heat
from lthtui.aligned import aligned
from lthtui.counting import counted
from lthtui.fitting import fitted
from lthtui.picture import Picture, drawn
from lthtui.text import clean_line

NAMED = 10  # broken files and duplicates that are listed
CLASSES = 40  # that are listed
NAME, COUNT, BAR = 22, 7, range(4, 21)  # cells of a class's name, a number and a bar
CELLS = 16  # of a picture in a terminal
Titled = tuple[str, Picture]


def lines(report: Mapping[str, Any], width: int = 80) -> Iterator[str]:
    """What was found, cleaned, with a table of at most `width` cells."""
    splits = report["splits"]
    images = ", ".join(f"{found['images']:,} {name}" for name, found in splits.items())
    yield f"{len(report['classes']):,} classes; {images} images"
    yield from _shapes(report)
    yield ""
    yield from _balance(report["classes"], splits, width)
    yield ""
    broken, doubled = report["broken_images"], report["duplicate_images"]
    yield f"{counted(broken, 'image')} cannot be read" if broken else "every image can be read"
    named = (f"{one['split']}: {one['error']}" for one in report["broken"])
    yield from _first(named, broken)
    if doubled:
        yield f"{counted(doubled, 'image')} of one split in another split, too"
    else:
        yield "no image is in two splits"
    pairs = (zip(one["splits"], one["ids"], strict=True) for one in report["duplicates"])
    yield from _first((" = ".join(map(" ".join, pair)) for pair in pairs), doubled)


def _shapes(report: Mapping[str, Any]) -> Iterator[str]:
    """Sizes and kinds of pixels."""
    for name in ("width", "height"):
        if report[name]:
            least, median, most = report[name]
            between = f"{least} to {most} pixels, median {median}"
            yield f"{name:<8}{between if least < most else f'{least} pixels'}"
    modes = ", ".join(f"{mode} ({count:,})" for mode, count in report["modes"].items())
    yield f"{'pixels':<8}{clean_line(modes)}"


def _balance(classes: Sequence[str], splits: Mapping[str, Any], width: int) -> Iterator[str]:
    """Images of each class in each split, and bars that say how balanced it is."""
    names = [fitted(clean_line(name), NAME, right=False).rstrip() for name in classes[:CLASSES]]
    room = (width - max(map(cell_len, ["class", *names]))) // len(splits) - COUNT - 3
    bars = min(max(room, BAR.start), BAR.stop - 1)
    counts = [found["per_class"] for found in splits.values()]
    rows = [
        [name, *(_part(per_class[n], max(per_class), bars) for per_class in counts)]
        for n, name in enumerate(names)
    ]
    yield from aligned(["class", *(f"{name:>{COUNT}}" for name in splits)], rows)
    if len(classes) > CLASSES:
        named = zip(splits, counts, strict=True)
        spans = (f"{min(one):,} to {max(one):,} {name}" for name, one in named)
        yield f"and {len(classes) - CLASSES:,} more; {', '.join(spans)} images in a class"


def _part(count: int, most: int, bar: int) -> str:
    """A number of images, and a bar that is full for the largest class of the split."""
    return f"{count:>{COUNT},} {heat.bar(count / (most or 1), bar).text}"


def _first(named: Iterator[str], count: int) -> Iterator[str]:
    """The first of what is wrong."""
    for _, line in zip(range(NAMED), named, strict=False):
        yield f"  {clean_line(line, 500)}"
    if count > NAMED:
        yield f"  and {count - NAMED:,} more; --json names up to 1,000"


def gallery(
    rows: Sequence[Mapping[str, Any]], pictures: Sequence[Picture], width: int, high: int
) -> Iterator[heat.Line]:
    """One picture of each row of a sheet, as many as there is room for.

    Args:
        rows: label and number of images of each row, in the order of `pictures`.
        width, high: of the room, in cells.
    """
    across, most = _room(width, high)
    firsts = [(label, inner[0]) for label, inner in _parted(rows, pictures)][: across * most]
    for begin in range(0, len(firsts), across):
        yield from _side_by_side(firsts[begin : begin + across])
    if len(firsts) < len(rows):
        yield (heat.Span(f"and {len(rows) - len(firsts)} more; -o FILE.png shows all"),)


def draws(
    rows: Sequence[Mapping[str, Any]], pictures: Sequence[Picture], width: int, high: int
) -> Iterator[heat.Line]:
    """The same for an augmentation: each image stands before its draws."""
    across, most = _room(width, high)
    for label, inner in _parted(rows, pictures)[:most]:
        titles = [label, *("" for _ in inner[1:across])]
        yield from _side_by_side(list(zip(titles, inner, strict=False)))


def _room(width: int, high: int) -> tuple[int, int]:
    """Pictures beside and below one another, each with a line for its label."""
    return max(width // (CELLS + 1), 1), max(high // (CELLS // 2 + 1), 1)


def _parted(
    rows: Sequence[Mapping[str, Any]], pictures: Sequence[Picture]
) -> list[tuple[str, Sequence[Picture]]]:
    """The pictures of each row."""
    found, at = [], 0
    for row in rows:
        found.append((str(row["label"]), pictures[at : at + row["images"]]))
        at += row["images"]
    return found


def _side_by_side(titled: Sequence[Titled]) -> Iterator[heat.Line]:
    """Pictures below their labels."""
    labels = (set_cell_size(clean_line(label), CELLS) for label, _ in titled)
    yield tuple(heat.Span(f"{label} ") for label in labels)
    for row in zip(*(drawn(picture, CELLS) for _, picture in titled), strict=True):
        yield tuple(span for line in row for span in (*line, heat.Span(" ")))
