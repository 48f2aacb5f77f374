"""Random masks: drawn over the whole network or layer by layer, and specs of before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from inprocess import run

from engine import densities, levels
from engine.rundir import RunDirectory
from engine.sparsifiers.random import Settings
from engine.spec import RunSpec


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
def test_layers_have_the_counts_of_their_allocation(
    allocation: str, tiny: Callable[..., RunSpec], run_folder: Callable[..., RunDirectory]
) -> None:
    settings = {"name": "random", "density": 0.3, "allocation": allocation}
    directory = run_folder(tiny(sparsifier=settings, train={"epochs": 1, "batch_size": 50}))
    run(directory)
    mask = levels.mask(directory, 0)
    shapes = {name: tuple(m.shape) for name, m in mask.items()}
    expected = densities.counts(shapes, 0.3, "erk" if allocation == "erk" else "uniform")
    drawn = {name: int(m.sum()) for name, m in mask.items()}
    assert mask.kept == round(0.3 * mask.total)
    off = {name: abs(drawn[name] - expected[name]) for name in drawn}
    if allocation == "global":  # within five standard deviations of a draw
        assert max(off.values()) > 1
        assert all(off[name] < 5 * (0.21 * m.numel()) ** 0.5 for name, m in mask.items())
    else:  # equal remainders are rounded up in the network's order, which a ticket does not keep
        assert max(off.values()) <= 1


def test_specs_of_before_allocations_say_scope() -> None:
    assert Settings.model_validate({"scope": "layer"}).allocation == "uniform"
    assert Settings.model_validate({"scope": "global"}) == Settings()
    with pytest.raises(ValueError, match="scope"):
        Settings.model_validate({"scope": "network"})
