"""Whether kept weights grow: Table 6 of the data-efficient tickets paper, in both its readings.

Layer by layer, the trained weights that the ticket keeps are compared with those of the dense
network of the same run at the same places: by their norms, and by their mean absolute values. From
all training images to 1 % of them the paper has means of 1.07, 1.09, 1.22, 1.33, 1.39 and 1.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.context import Context, Result
from engine.errors import Inapplicable
from engine.evaluations import _others
from engine.evaluationspec import CheapSettings

if TYPE_CHECKING:
    from torch import Tensor


class Settings(CheapSettings):
    """Nothing to set but the levels."""


def evaluate(settings: Settings, context: Context) -> Result:
    """Both ratios by layer, and their means over layers as metrics.

    A layer without living weights, or whose dense weights are zero there, has no ratio.

    Raises:
        Inapplicable: the run has no dense level, or has not kept its weights.
    """
    mine, found = context.subject.ticket, _others.dense(context)
    if found is None:
        raise Inapplicable(
            "weight_norms compares with the dense level of the same run, and this run has kept"
            " none; begin with a dense level, keep it (keep: [dense, best]) and run it again"
        )
    dense = found.ticket.trained
    layers = {name: _ratios(mine.trained[name][m], dense[name][m]) for name, m in mine.mask.items()}
    means = {
        name: [one for ratios in layers.values() if (one := ratios[name]) is not None]
        for name in ("norm", "mean absolute")
    }
    metrics = {f"{name} ratio": sum(found) / len(found) for name, found in means.items() if found}
    return Result(metrics, {"weight_norms.json": layers})


def _ratios(ticket: Tensor, dense: Tensor) -> dict[str, float | None]:
    """Of the same weights [kept] in two networks."""
    ticket, dense = ticket.double().abs(), dense.double().abs()
    if not dense.any():
        return {"norm": None, "mean absolute": None}
    return {
        "norm": (ticket.norm() / dense.norm()).item(),
        "mean absolute": (ticket.mean() / dense.mean()).item(),
    }
