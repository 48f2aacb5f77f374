"""Which images a run trains and validates on: ranked by hash, so the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine import classcounts, examples
from engine.dataspec import DataSettings
from engine.description import Description
from engine.errors import DataError, some
from engine.mislabelling import mislabelled


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
        labels: what each of those is trained as; not as it is listed where the settings say so.
        val: positions in `held`; empty for no validation.
        held: the list that validation comes from: the official one, or the training list.
        warnings: what the user should know, such as a subset that was capped.
    """

    train: tuple[int, ...]
    labels: tuple[int, ...]
    val: tuple[int, ...]
    held: Listing
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subset:
    """The ids that a run trains and validates on, and the hash that names them.

    Attributes:
        relabelled: the training images whose labels are others than listed, with those.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    relabelled: Mapping[str, int] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of both sets of ids, and of labels that are not as listed."""
        named = [sorted(self.train), sorted(self.val)]
        text = json.dumps(
            [*named, *([sorted(self.relabelled.items())] if self.relabelled else [])],
            separators=(",", ":"),
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """What a run's folder keeps of it, as JSON."""
        labels = {"relabelled": dict(self.relabelled)} if self.relabelled else {}
        return {"train": self.train, "val": self.val, **labels, "sha256": self.hash}


def draw(lists: Lists, settings: DataSettings) -> Draw:
    """Pick validation images, then training images from the rest.

    Each class is ranked by SHA-256 of (data.seed, id). Validation takes the first ranks, or those
    of its fold, the same ones for any fraction; training takes the next, so a smaller subset lies
    within a larger one.

    Raises:
        DataError: an image is listed twice or has an unknown label, a class has no image, the set
            has no official validation list, nothing would be left to train on, or `data.examples`
            lists what this run may not train on.
    """
    check(lists)
    ranked = _ranked(lists.train, len(lists.classes), settings.seed)
    warnings: list[str] = []
    held, val = _validation(lists, settings, ranked, warnings)
    if settings.examples is not None:
        train = _listed(lists, settings, [held.ids[position] for position in val], warnings)
    else:
        out = set(val) if held is lists.train else set()
        left = [[position for position in ranks if position not in out] for ranks in ranked]
        sizes, rest = ([len(ranks) for ranks in one] for one in (ranked, left))
        counts = classcounts.trained_on(sizes, rest, settings, lists.classes, warnings)
        train = _first(left, counts)
    return Draw(train, _labels(lists, train, settings), val, held, tuple(warnings))


def subset(lists: Lists, drawn: Draw) -> Subset:
    """The ids of what is drawn."""
    train = tuple(lists.train.ids[position] for position in drawn.train)
    listed = (lists.train.labels[position] for position in drawn.train)
    given = zip(train, drawn.labels, listed, strict=True)
    return Subset(
        train,
        tuple(drawn.held.ids[position] for position in drawn.val),
        {name: label for name, label, before in given if label != before},
    )


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
        subset=subset(lists, drawn).hash,
        warnings=drawn.warnings,
    )


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


def _ranked(listing: Listing, classes: int, seed: int) -> list[list[int]]:
    """Positions in the list per class, by ascending hash."""
    prefix = hashlib.sha256(f"{seed}\x1f".encode())
    ranked: list[list[tuple[bytes, int]]] = [[] for _ in range(classes)]
    for position, (name, label) in enumerate(zip(listing.ids, listing.labels, strict=True)):
        digest = prefix.copy()
        digest.update(name.encode())
        ranked[label].append((digest.digest(), position))
    return [[position for _, position in sorted(ranks)] for ranks in ranked]


def _validation(
    lists: Lists,
    settings: DataSettings,
    ranked: Sequence[Sequence[int]],
    warnings: list[str],
) -> tuple[Listing, tuple[int, ...]]:
    """The list that validation comes from, and positions in it."""
    if settings.folds is not None:
        return lists.train, _fold(settings.fold, settings.folds, ranked, lists.classes, warnings)
    if settings.validation == "none":
        return lists.train, ()
    if settings.validation != "official":
        sizes = [len(ranks) for ranks in ranked]
        counts = classcounts.held_out(sizes, settings.validation, lists.classes, warnings)
        return lists.train, _first(ranked, counts)
    if lists.val is None:
        raise DataError(
            f"{settings.name} has no official validation list; set data.validation to a number"
            " of images, a share such as 0.1, or none"
        )
    return lists.val, tuple(range(len(lists.val.ids)))


def _fold(
    fold: int,
    folds: int,
    ranked: Sequence[Sequence[int]],
    classes: Sequence[str],
    warnings: list[str],
) -> tuple[int, ...]:
    """One of the parts that all images are dealt into in turn, class after class.

    Parts differ by one image at most, in all and of each class.
    """
    total = sum(map(len, ranked))
    if folds > total:
        raise DataError(f"data.folds {folds} are more than the {total} official training images")
    if single := [name for name, ranks in zip(classes, ranked, strict=True) if len(ranks) < 2]:
        raise DataError(
            f"data.folds {folds} leaves no image to train on in one fold of classes with a single"
            f" one ({some(single, classcounts.NAMED)}); give data.validation instead"
        )
    dealt = enumerate((label, p) for label, ranks in enumerate(ranked) for p in ranks)
    held = [pair for turn, pair in dealt if turn % folds == fold]
    present = {label for label, _ in held}
    missing = [name for label, name in enumerate(classes) if label not in present]
    if missing:
        warnings.append(f"validation has no image of {some(missing, classcounts.NAMED)}")
    return tuple(sorted(position for _, position in held))


def _labels(lists: Lists, train: Sequence[int], settings: DataSettings) -> tuple[int, ...]:
    """What the training images are trained as."""
    ids = [lists.train.ids[position] for position in train]
    labels = [lists.train.labels[position] for position in train]
    return mislabelled(ids, labels, len(lists.classes), settings.random_labels, settings.seed)


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
        warnings.append(f"data.examples: no training image of {some(missing, classcounts.NAMED)}")
    return positions


def _count(ids: Sequence[str]) -> str:
    return f"{len(ids)} image(s), such as '{ids[0]}',"


def _first(ranked: Sequence[Sequence[int]], counts: Sequence[int]) -> tuple[int, ...]:
    """The positions of the first ranks of each class, ascending."""
    taken = zip(ranked, counts, strict=True)
    return tuple(sorted(position for ranks, count in taken for position in ranks[:count]))
