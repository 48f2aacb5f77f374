"""How many images of each class are held out and trained on, before any image is picked."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from engine.dataspec import DataSettings, LongTail
from engine.errors import DataError, some

NAMED = 5  # classes that a warning names


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


def tailed(sizes: Sequence[int], tail: LongTail) -> list[int]:
    """Let the classes get smaller in label order, from the mean of `sizes` on, rounded down.

    Exponential as Cui et al. 2019 (https://arxiv.org/abs/1901.05555, section 5.1), step as Buda et
    al. 2018 (https://arxiv.org/abs/1710.05381) with half of the classes small, one fewer where
    their number is odd.
    """
    classes, mean = len(sizes), sum(sizes) / len(sizes)
    if tail.kind == "step":
        large = classes - classes // 2
        return [int(mean * (1 if label < large else tail.factor)) for label in range(classes)]
    return [int(mean * tail.factor ** (label / max(1, classes - 1))) for label in range(classes)]


def held_out(
    sizes: Sequence[int], asked: int | float, classes: Sequence[str], warnings: list[str]
) -> list[int]:
    """Validation images per class: the same number of each, or the same share of each.

    Args:
        warnings: takes what the user should know.

    Raises:
        DataError: that is all images, or none.
    """
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
            f" must be left to train on (too small: {some(short, NAMED)})"
        )
    missing = [name for name, count in zip(classes, capped, strict=True) if not count]
    if missing:
        warnings.append(f"validation has no image of {some(missing, NAMED)}")
    return capped


def trained_on(
    sizes: Sequence[int],
    left: Sequence[int],
    settings: DataSettings,
    classes: Sequence[str],
    warnings: list[str],
) -> list[int]:
    """Training images per class, of those that validation left.

    Args:
        sizes: of the classes in the official training set.
        warnings: takes what the user should know.

    Raises:
        DataError: none.
    """
    if settings.per_class is not None:
        wanted, asked = [settings.per_class] * len(sizes), f"per_class {settings.per_class}"
    elif settings.long_tail is not None:
        tail = settings.long_tail
        wanted, asked = tailed(left, tail), f"long_tail {tail.kind} {tail.factor:g}"
    elif settings.fraction < 1:
        wanted, asked = spread(sizes, settings.fraction), f"fraction {settings.fraction:g}"
    else:
        return list(left)
    counts = [min(pair) for pair in zip(wanted, left, strict=True)]
    if not sum(counts):
        raise DataError(f"data.{asked} draws no image of {sum(sizes)}; ask for more")
    if counts != wanted:
        short = [c for c, a, b in zip(classes, counts, wanted, strict=True) if a < b]
        warnings.append(
            f"{asked}: {sum(counts)} training images instead of {sum(wanted)}, all that validation"
            f" left of {some(short, NAMED)}"
        )
    missing = [name for name, count in zip(classes, counts, strict=True) if not count]
    if missing:
        warnings.append(f"{asked}: no training image of {some(missing, NAMED)}")
    return counts
