"""Accuracy without the test images that share a source with training images (Barz & Denzler 2020).

CIFAR's test images have near-duplicates among its training images, and several photographs of one
skin lesion are on both sides of ISIC's split; such images are easier, and are reported apart.
Smooth images, as of skin or of fields, look alike without being of one source.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from engine.context import Context, Result
from engine.errors import DataError, Inapplicable
from engine.evaluations import _alike, _outputs
from engine.evaluationspec import EvaluationSettings
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    Pairs = dict[int, dict[str, Any]]

IMAGE, SOURCE = ("image_id", "image"), ("lesion_id", "source")
LESIONS = "HAM10000_metadata.csv"


class Settings(EvaluationSettings):
    """What counts as the same source."""

    shares: ClassVar[str] = ".*"

    likeness: float = Field(
        0.94,
        gt=0,
        le=1,
        description="correlation with a training image or its mirror image, both reduced to 16 by"
        " 16 pixels, from which on they count as one scene",
    )
    alike: Literal["cifar", "any"] = Field(
        "cifar",
        description="where images that look alike count as one scene: among CIFAR's alone (cifar),"
        " or any",
    )
    sources: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="CSV file with a column image_id and a column lesion_id (or source): what is of"
        f" one source; if unset, isic2018 takes {LESIONS} where that stands beside its lists",
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Accuracy on all test images, on those of a source of their own, and on the others.

    Raises:
        DataError: the file of sources cannot be read.
        Inapplicable: nothing says which images share a source.
    """
    test, train = context.splits.test, context.splits.train
    name = context.subject.spec.data.name
    kinds: dict[str, Pairs] = {}
    if settings.alike == "any" or name.startswith("cifar"):
        kinds["alike"] = _pairs_alike(context, settings.likeness)
    if (path := _sources_file(settings, context)) is not None:
        kinds["same source"] = _pairs_of_source(_read(path), test.ids, train.ids)
    if not kinds:
        raise Inapplicable(
            f"nothing says which images of {name} share a source; set sources, a CSV file that"
            " does, or alike: any, if those that look alike do"
        )
    y = test.y.cpu()
    right = _outputs.right(context.logits(context.net(), test), y)
    metrics = _accuracies("", "", right, y)
    document: dict[str, Any] = {"images": len(test), "correct": int(right.sum())}
    for kind, pairs in kinds.items():
        shared = torch.zeros(len(test), dtype=torch.bool)
        shared[list(pairs)] = True
        metrics[f"{kind} - share"] = len(pairs) / len(test)
        metrics |= _accuracies(f"{kind} - ", " without", right[~shared], y[~shared])
        metrics |= _accuracies(f"{kind} - ", " of these", right[shared], y[shared])
        document[kind] = [
            {"test": test.ids[at], **pair, "right": bool(right[at])} for at, pair in pairs.items()
        ]
    return Result(metrics, {"shared_sources.json": document})


def _accuracies(before: str, after: str, right: Tensor, y: Tensor) -> dict[str, float]:
    if not len(y):
        return {}
    found = {"accuracy": right.double().mean().item(), "balanced": _outputs.balanced(right, y)}
    return {f"{before}{name}{after}": value for name, value in found.items()}


def _pairs_alike(context: Context, likeness: float) -> Pairs:
    """The test images that look like a training image, by position, and which."""
    splits = context.splits
    found = _alike.nearest(splits.test, splits.train, splits.geometry, context.around.tick)
    return {
        at: {
            "train": splits.train.ids[int(found.train[at])],
            "likeness": round(float(found.likeness[at]), 4),
        }
        for at in (found.likeness >= likeness).nonzero().flatten().tolist()
    }


def _pairs_of_source(
    source: dict[str, str], test: tuple[str, ...], train: tuple[str, ...]
) -> Pairs:
    """The test images whose source is that of a training image, and the first of these."""
    known: dict[str, str] = {}
    for name in train:
        if of := source.get(_stem(name)):
            known.setdefault(of, name)
    sources = [source.get(_stem(name), "") for name in test]
    return {at: {"train": known[of], "source": of} for at, of in enumerate(sources) if of in known}


def _sources_file(settings: Settings, context: Context) -> Path | None:
    """Where it is written what is of one source."""
    if settings.sources is not None:
        return Path(settings.sources)
    data = context.subject.spec.data
    if data.name != "isic2018":
        return None
    folders = [Path(data.root), *Path(data.root).glob("[iI][sS][iI][cC]*")]
    return next((at / LESIONS for at in folders if (at / LESIONS).is_file()), None)


def _read(path: Path) -> dict[str, str]:
    """The source of each image, by its name without folder and suffix."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or ()
            image = next((name for name in IMAGE if name in columns), None)
            source = next((name for name in SOURCE if name in columns), None)
            if image is None or source is None:
                raise DataError(
                    f"{path} has no columns {' or '.join(IMAGE)} and {' or '.join(SOURCE)}"
                )
            return {_stem(row[image] or ""): row[source] or "" for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".jpg")
