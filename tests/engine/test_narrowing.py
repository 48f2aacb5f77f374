"""Small dense networks: the reference's widths, and the widest that fits."""

from __future__ import annotations

import pytest

from engine.errors import SpecError
from engine.narrowing import count, narrow
from engine.spec import RunSpec

WHOLE = 11_173_962  # ResNet-18 with 10 classes of colour images
# DataEfficientLTH's small dense widths, with the parameters and percentages of the reference
WIDTHS = {12: (395_350, 3.54), 40: (4_368_690, 39.1), 52: (7_379_070, 66.0), 58: (9_178_452, 82.1)}
LINEAR = {"name": "imp", "prunable": "linear"}


def _spec(**model: object) -> RunSpec:
    return RunSpec.model_validate({"name": "x", "data": "digits", "model": model})


@pytest.mark.parametrize("width", WIDTHS)
def test_widths_of_the_published_small_dense_networks(width: int) -> None:
    found = count(_spec(name="resnet18", width=width).model, 10, 3, 32)
    assert (found, round(100 * found / WHOLE, 1 if width > 12 else 2)) == WIDTHS[width]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_widest_network_within_the_limit(width: int) -> None:
    grey = count(_spec(name="resnet18", width=width).model, 10, 1, 32)
    spec = _spec(name="resnet18")
    assert narrow(spec, grey) == {
        "model": {"width": width},
        "parameters": grey,
        "whole": WHOLE - 2 * 576,
    }
    below = narrow(spec, grey - 1)
    assert below["model"] == {"width": width - 1} and below["parameters"] < grey


def test_wide_networks_narrow_their_stem_too() -> None:
    """RigL's reproduction multiplies channels by sqrt(0.2): 14, 28 and 57, and 7 of the stem."""
    published = 213_136 - 2 * 7 * 9  # for images of one channel
    found = narrow(_spec(name="wide_resnet"), published)
    assert found["parameters"] == published
    assert found["model"]["stem_width"] == 7 and int(64 * found["model"]["width"]) == 57


def test_what_is_too_small_or_has_no_width_is_refused() -> None:
    with pytest.raises(SpecError, match="smallest width has 1,189 parameters, more than 1,000"):
        narrow(_spec(name="resnet20"), 1000)
    assert narrow(_spec(name="resnet20"), 10**9)["model"] == {"width": 16}
    mlp = RunSpec.model_validate(
        {"name": "x", "data": "digits", "model": "mlp", "sparsifier": LINEAR}
    )
    with pytest.raises(SpecError, match="mlp has no width .*model.hidden"):
        narrow(mlp, 10**6)


@pytest.mark.parametrize(
    ("name", "width", "parameters"),
    [
        # 12 numbers for patches of 64 pixels, 2 positions, and 12 blocks of 12 * 144 + 13 * 12
        ("vit_small", 2, 65 * 12 + 3 * 12 + 12 * (12 * 144 + 13 * 12) + 24 + 130),
        # 64 pixels to 4 units to 1 to 10 classes
        ("lenet_300_100", 1 / 64, 65 * 4 + 5 + 20),
    ],
)
def test_transformers_and_perceptrons_narrow_too(name: str, width: float, parameters: int) -> None:
    spec = RunSpec.model_validate(
        {"name": "x", "data": "digits", "model": name, "sparsifier": LINEAR}
    )
    found = narrow(spec, parameters)
    assert found["model"] == {"width": width} and found["parameters"] == parameters
