"""Which images a run trains and validates on: ranked by hash, so the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from engine import examples
from engine.description import Description
from engine.errors import DataError
from engine.plugin import DataSettings


@dataclass(frozen=True)
class Listing:
    """A list of images as a data set publishes it.

    Attributes:
        source: the file it comes from, for messages.
        ids: one stable name per image.
        labels: class indices, one per image.
        places: where each image is listed, such as `train.txt:12`; empty where files have no lines.
    """

    source: str
    ids: Sequence[str]
    labels: Sequence[int]
    places: Sequence[str] = ()

    def at(self, position: int) -> str:
        """Where an image is listed."""
        return self.places[position] if self.places else f"{self.source}, image {position}"


@dataclass(frozen=True)
class Lists:
    """The official lists of a data set; `val` only where it has a validation list of its own."""

    classes: tuple[str, ...]
    train: Listing
    test: Listing
    val: Listing | None = None


@dataclass(frozen=True)
class Draw:
    """The images a run uses, as ascending positions in the lists.

    Attributes:
        train: positions in the training list.
        val: positions in `held`; empty for no validation.
        held: the list that validation comes from: the official one, or the training list.
        warnings: what the user should know, such as a subset that was capped.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    held: Listing
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subset:
    """The ids that a run trains and validates on, and the hash that names them."""

    train: tuple[str, ...]
    val: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of both sets of ids, whatever their order."""
        text = json.dumps([sorted(self.train), sorted(self.val)], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def draw(lists: Lists, settings: DataSettings) -> Draw:
    """Pick validation images, then training images from the rest.

    Each class is ranked by SHA-256 of (data.seed, id). Validation takes the first ranks, the same
    ones for any fraction; training takes the next, so a smaller subset lies within a larger one.

    Raises:
        DataError: an image is listed twice or has an unknown label, a class has no image, the set
            has no official validation list, nothing would be left to train on, or `data.examples`
            lists what this run may not train on.
    """
    check(lists)
    ranked = _ranked(lists.train, len(lists.classes), settings.seed)
    sizes = [len(ranks) for ranks in ranked]
    warnings: list[str] = []
    held, val = lists.train, [0] * len(sizes)
    if settings.validation == "official":
        if lists.val is None:
            raise DataError(
                f"{settings.name} has no official validation list; set data.validation to a number"
                " of images, a share such as 0.1, or none"
            )
        held = lists.val
    elif settings.validation != "none":
        val = _held_out(sizes, settings.validation, lists.classes, warnings)
    if held is lists.val:
        drawn = tuple(range(len(held.ids)))
    else:
        drawn = _pick(ranked, [0] * len(val), val)
    if settings.examples is not None:
        train = _listed(lists, settings, [held.ids[position] for position in drawn], warnings)
    else:
        train = _pick(ranked, val, _wanted(sizes, val, settings, lists.classes, warnings))
    return Draw(train, drawn, held, tuple(warnings))


def describe(
    lists: Lists,
    settings: DataSettings,
    channels: int,
    size: int,
    stored: tuple[int, int] | None = None,
) -> Description:
    """What `draw` gives, in numbers.

    Args:
        stored: height and width at which training images are kept, where that is not `size`.
    """
    drawn = draw(lists, settings)
    height, width = stored or (size, size)
    evaluated = len(drawn.val) + len(lists.test.ids)
    return Description(
        classes=lists.classes,
        channels=channels,
        size=size,
        train=len(drawn.train),
        val=len(drawn.val),
        test=len(lists.test.ids),
        available=len(lists.train.ids),
        bytes=channels * (len(drawn.train) * height * width + evaluated * size * size),
        subset=_ids(lists, drawn).hash,
        warnings=drawn.warnings,
    )


def _ids(lists: Lists, drawn: Draw) -> Subset:
    train = tuple(lists.train.ids[position] for position in drawn.train)
    return Subset(train, tuple(drawn.held.ids[position] for position in drawn.val))


def check(lists: Lists) -> None:
    """Refuse lists that no honest experiment can use.

    Raises:
        DataError: see `draw`; the message names the file and line.
    """
    seen: dict[str, str] = {}
    for listing in (lists.train, lists.val, lists.test):
        if listing is None:
            continue
        if not listing.ids:
            raise DataError(f"{listing.source} lists no image")
        for position, (name, label) in enumerate(zip(listing.ids, listing.labels, strict=True)):
            if not 0 <= label < len(lists.classes):
                raise DataError(
                    f"{listing.at(position)}: label {label} of image '{name}' is none of the"
                    f" {len(lists.classes)} classes (0 to {len(lists.classes) - 1})"
                )
            if name in seen:
                raise DataError(
                    f"{listing.at(position)}: image '{name}' is already listed at {seen[name]};"
                    " an image may stand in one list, once"
                )
            seen[name] = listing.at(position)
    present = set(lists.train.labels)
    for label, name in enumerate(lists.classes):
        if label not in present:
            raise DataError(f"{lists.train.source} has no image of class {label} ({name})")


def spread(sizes: Sequence[int], share: float) -> list[int]:
    """Give every class the same share, exact in total, and never less for a larger share.

    The k-th image of a class of n stands at (k - 1/2) / n; the `share * sum(sizes)` images that
    stand first are taken (Sainte-Lague's method: unlike largest remainders, it is monotone).
    """
    total = floor(share * sum(sizes) + 0.5)
    order = sorted(((k + 0.5) / n, label) for label, n in enumerate(sizes) for k in range(n))
    counts = [0] * len(sizes)
    for _, label in order[:total]:
        counts[label] += 1
    return counts


def _ranked(listing: Listing, classes: int, seed: int) -> list[list[int]]:
    """Positions in the list per class, by ascending hash."""
    prefix = hashlib.sha256(f"{seed}\x1f".encode())
    ranked: list[list[tuple[bytes, int]]] = [[] for _ in range(classes)]
    for position, (name, label) in enumerate(zip(listing.ids, listing.labels, strict=True)):
        digest = prefix.copy()
        digest.update(name.encode())
        ranked[label].append((digest.digest(), position))
    return [[position for _, position in sorted(ranks)] for ranks in ranked]


def _held_out(
    sizes: Sequence[int], asked: int | float, classes: Sequence[str], warnings: list[str]
) -> list[int]:
    """Validation images per class: the same number of each, or the same share of each."""
    if isinstance(asked, float):
        counts = spread(sizes, asked)
    else:
        if asked >= sum(sizes):
            raise DataError(
                f"data.validation {asked} leaves nothing of the {sum(sizes)} official training"
                " images to train on"
            )
        each, extra = divmod(asked, len(sizes))
        counts = [each + (label < extra) for label in range(len(sizes))]
    if not sum(counts):
        raise DataError(
            f"data.validation {asked} draws no image of {sum(sizes)}; ask for more, or none"
        )
    capped = [min(count, size - 1) for count, size in zip(counts, sizes, strict=True)]
    if capped != counts:
        short = [c for c, a, b in zip(classes, capped, counts, strict=True) if a < b]
        warnings.append(
            f"validation: {sum(capped)} images instead of {sum(counts)}, since one of each class"
            f" must be left to train on (too small: {_some(short)})"
        )
    missing = [name for name, count in zip(classes, capped, strict=True) if not count]
    if missing:
        warnings.append(f"validation has no image of {_some(missing)}")
    return capped


def _wanted(
    sizes: Sequence[int],
    held: Sequence[int],
    settings: DataSettings,
    classes: Sequence[str],
    warnings: list[str],
) -> list[int]:
    """Training images per class, of those that validation left."""
    left = [size - out for size, out in zip(sizes, held, strict=True)]
    if settings.per_class is not None:
        wanted, asked = [settings.per_class] * len(sizes), f"per_class {settings.per_class}"
    elif settings.fraction < 1:
        wanted, asked = spread(sizes, settings.fraction), f"fraction {settings.fraction:g}"
    else:
        return left
    counts = [min(pair) for pair in zip(wanted, left, strict=True)]
    if not sum(counts):
        raise DataError(f"data.{asked} draws no image of {sum(sizes)}; ask for more")
    if counts != wanted:
        short = [c for c, a, b in zip(classes, counts, wanted, strict=True) if a < b]
        warnings.append(
            f"{asked}: {sum(counts)} training images instead of {sum(wanted)}, all that validation"
            f" left of {_some(short)}"
        )
    missing = [name for name, count in zip(classes, counts, strict=True) if not count]
    if missing:
        warnings.append(f"{asked}: no training image of {_some(missing)}")
    return counts


def _listed(
    lists: Lists, settings: DataSettings, val: Sequence[str], warnings: list[str]
) -> tuple[int, ...]:
    """Positions of the images that `data.examples` lists; they may be training images only."""
    assert settings.examples is not None
    listed = examples.read(settings.examples)
    source, about = listed.source, listed.about
    if settings.examples_sha256 not in (None, listed.sha256):
        raise DataError(
            f"data.examples {source} lists other images than when this run was submitted; put"
            " those back, or submit the spec with the new ones"
        )
    if about.get("dataset", settings.name) != settings.name:
        raise DataError(
            f"data.examples {source} lists images of {about['dataset']}, not of {settings.name}"
        )
    if held := sorted(set(listed.ids) & set(val)):
        made = {name: about.get(name) for name in ("seed", "validation")}
        with_ = f" (seed {made['seed']}, validation {made['validation']})" if about else ""
        raise DataError(
            f"data.examples {source} lists {_count(held)} of this run's validation images; give"
            f" data.seed and data.validation the values that the list was made with{with_}"
        )
    known = {name: position for position, name in enumerate(lists.train.ids)}
    if unknown := sorted(set(listed.ids) - set(known)):
        raise DataError(
            f"data.examples {source} lists {_count(unknown)} that are not among the training images"
            f" in {lists.train.source}; list images of that set only"
        )
    positions = tuple(sorted(known[name] for name in listed.ids))
    present = {lists.train.labels[position] for position in positions}
    missing = [name for label, name in enumerate(lists.classes) if label not in present]
    if missing:
        warnings.append(f"data.examples: no training image of {_some(missing)}")
    return positions


def _count(ids: Sequence[str]) -> str:
    return f"{len(ids)} image(s), such as '{ids[0]}',"


def _pick(
    ranked: Sequence[Sequence[int]], start: Sequence[int], counts: Sequence[int]
) -> tuple[int, ...]:
    taken = zip(ranked, start, counts, strict=True)
    return tuple(sorted(p for ranks, first, n in taken for p in ranks[first : first + n]))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
