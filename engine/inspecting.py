"""What a data set really holds: every image is read, counted, measured and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

from engine import sheets
from engine.choice import Choice
from engine.dataspec import DataSettings
from engine.errors import DataError
from engine.opened import Look, Opened, open_set

MOST = 1000  # broken images and duplicates that are named
OFTEN = 100  # images between two notes of how many have been read


def inspect(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Look at a data set, and draw pictures of it.

    Args:
        asked: `data` and `augmentation` (or null), as in a resolved spec; `seed` of the draws;
            `sheet` and `strip`, PNG files to write (or null); `per_class`, images of each class on
            them (or null); `progress`, a text file for how many images have been read, and how many
            there are (or null).

    Returns:
        The numbers, as `report` has them, and `shown`: label and number of images of each row.

    Raises:
        DataError: it is not there, no image can be read, or a picture cannot be written.
    """
    settings = Choice("datasets").resolve(asked["data"])
    assert isinstance(settings, DataSettings)
    opened = open_set(settings)
    found = report(opened, asked["progress"])
    if asked["augmentation"] is None:
        rows = sheets.by_class(opened, asked["per_class"])
    else:
        augmentation = Choice("augmentations").resolve(asked["augmentation"])
        rows = sheets.augmented(opened, augmentation, asked["seed"])
    if not rows:
        raise DataError(f"no training image can be read: {found['broken'][0]['error']}")
    for key, draw in (("sheet", sheets.sheet), ("strip", sheets.strip)):
        if asked[key] is not None:
            _write(draw(rows), Path(asked[key]))
    return {**found, "shown": [{"label": row.label, "images": len(row.images)} for row in rows]}


def report(opened: Opened, progress: str | None = None) -> dict[str, Any]:
    """Numbers about a data set.

    Returns:
        `classes`; `splits`: per split the number of `images` and how many are of each class
        (`per_class`); `width` and `height`: least, median and largest, in pixels (null if no image
        can be read); `modes`: images of each mode; `broken`: split, id and error of each image that
        cannot be read; `duplicates`: pairs of the same content in two splits; how many of both
        there are, since only the first are named; `warnings`.
    """
    looks = _looks(opened, progress)
    good = [look for found in looks.values() for look in found if look.size]
    broken, doubled = _broken(opened, looks), _duplicates(opened, looks)
    return {
        "classes": list(opened.classes),
        "splits": {name: _counts(opened, name) for name in opened.splits},
        "width": _spread([look.size[0] for look in good if look.size]),
        "height": _spread([look.size[1] for look in good if look.size]),
        "modes": dict(Counter(look.mode for look in good).most_common()),
        "broken": broken[:MOST],
        "broken_images": len(broken),
        "duplicates": doubled[:MOST],
        "duplicate_images": len(doubled),
        "warnings": list(opened.warnings),
    }


def _looks(opened: Opened, progress: str | None) -> dict[str, list[Look]]:
    """What every image of each split is; notes now and then how many have been read."""
    whole, found = sum(len(one.ids) for one in opened.splits.values()), 0
    looks: dict[str, list[Look]] = {split: [] for split in opened.splits}
    for split, inner in looks.items():
        for look in opened.looks(split):
            inner.append(look)
            found += 1
            if progress and found % OFTEN == 0:
                Path(progress).write_text(f"{found} {whole}")
    return looks


def _counts(opened: Opened, split: str) -> dict[str, Any]:
    labels = opened.splits[split].labels
    counts = Counter(labels)
    return {"images": len(labels), "per_class": [counts[n] for n in range(len(opened.classes))]}


def _spread(values: Sequence[int]) -> list[int] | None:
    return [min(values), median_low(values), max(values)] if values else None


def _broken(opened: Opened, looks: Mapping[str, Sequence[Look]]) -> list[dict[str, str]]:
    return [
        {"split": split, "id": name, "error": look.error}
        for split, found in looks.items()
        for name, look in zip(opened.splits[split].ids, found, strict=True)
        if look.error
    ]


def _duplicates(opened: Opened, looks: Mapping[str, Sequence[Look]]) -> list[dict[str, Any]]:
    """Pairs of images with the same content, the second in a later split than the first."""
    seen: dict[bytes, tuple[str, str]] = {}
    found = []
    for split, inner in looks.items():
        named = zip(opened.splits[split].ids, inner, strict=True)
        mine = {look.digest: name for name, look in named if look.size}
        for digest, name in mine.items():
            if digest in seen:
                other, before = seen[digest]
                found.append({"splits": [other, split], "ids": [before, name]})
        seen = {digest: (split, name) for digest, name in mine.items()} | seen
    return found


def _write(picture: Any, path: Path) -> None:
    try:
        picture.save(path, "PNG")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None
