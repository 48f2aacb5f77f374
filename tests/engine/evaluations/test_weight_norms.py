"""Ratios of kept weights to the dense network's: by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from engine import masks
from engine.errors import Inapplicable
from engine.evaluations import weight_norms
from engine.images import Images
from engine.tickets import Ticket

IMAGES = Images(torch.zeros(1, 1, 2, 1, dtype=torch.uint8), torch.tensor([0]), ("a",), ("0", "1"))
KEPT = {
    "1.weight": [[True, True], [False, False]],
    "2.weight": [[True, False], [False, True]],
    "3.weight": [[False, False], [False, False]],
}
TICKET = {
    "1.weight": [[6.0, -8.0], [0.0, 0.0]],
    "2.weight": [[1.0, 0.0], [0.0, 7.0]],
    "3.weight": [[0.0, 0.0], [0.0, 0.0]],
}
DENSE = {
    "1.weight": [[-3.0, 4.0], [100.0, 100.0]],
    "2.weight": [[5.0, 9.0], [9.0, 0.0]],
    "3.weight": [[1.0, 1.0], [1.0, 1.0]],
}


def tensors(rows):
    return {name: torch.tensor(row) for name, row in rows.items()}


@pytest.fixture
def made(context):
    """The context of level 2 of a run that has kept its dense level."""

    def make(kept, dense, whole=True, levels=(0, 2)):
        found = context(lambda: nn.Linear(1, 1), IMAGES, level=2)
        everything = masks.ones(tensors(dense))
        everything["1.weight"][1, 1] = whole
        states = (tensors(TICKET), tensors(dense))
        mine, first = (
            replace(found.subject, ticket=Ticket(masks.Mask(mask), {}, state, {}))
            for mask, state in zip((tensors(kept), everything), states, strict=True)
        )
        around = replace(found.around, kept=levels, at={0: first}.__getitem__)
        return replace(found, subject=mine, around=around)

    return make


def test_both_ratios_by_hand(made):
    found = weight_norms.evaluate(weight_norms.Settings(), made(KEPT, DENSE))
    layers = found.files["weight_norms.json"]
    assert layers["1.weight"] == {"norm": 2.0, "mean absolute": 2.0}  # 10 of 5, 14 of 7
    assert layers["2.weight"]["norm"] == pytest.approx(50**0.5 / 5)
    assert layers["2.weight"]["mean absolute"] == pytest.approx(8 / 5)
    assert layers["3.weight"] == {"norm": None, "mean absolute": None}
    assert found.metrics == {
        "norm ratio": pytest.approx((2 + 50**0.5 / 5) / 2),
        "mean absolute ratio": pytest.approx(1.8),
    }


def test_no_ratio_to_zero(made):
    nothing = {name: [[0.0, 0.0], [0.0, 0.0]] for name in DENSE}
    found = weight_norms.evaluate(weight_norms.Settings(), made(KEPT, nothing))
    assert found.metrics == {}


@pytest.mark.parametrize("case", [{"levels": (1, 2)}, {"whole": False}])
def test_a_run_without_a_dense_level_is_refused(made, case):
    with pytest.raises(Inapplicable, match="dense level of the same run"):
        weight_norms.evaluate(weight_norms.Settings(), made(KEPT, DENSE, **case))
