"""What every loss must do; a new file in engine/losses/ is tested by standing there."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from engine import registry

NAMES = registry.names("losses")
TARGETS = torch.tensor([0, 3, 2, 3, 1])


def logits(name, dtype=torch.float32):
    """For every view of five images, where a loss compares views."""
    rows = 5 * getattr(registry.load("losses", name), "VIEWS", 1)
    return torch.randn(rows, 4, generator=torch.Generator().manual_seed(0)).to(dtype)


def settings_of(name):
    return registry.load("losses", name).Settings()


def loss(name, values, targets=TARGETS):
    return registry.load("losses", name).loss(settings_of(name), values, targets)


def test_settings_load_without_torch():
    script = f"""
import sys
from engine import registry
for name in {NAMES!r}:
    registry.load("losses", name).Settings()
print("torch" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("False", "")


@pytest.mark.parametrize("name", NAMES)
def test_settings_round_trip_and_refuse_unknown_fields(name):
    dump = settings_of(name).model_dump(mode="json")
    assert dump.pop("name") == name
    assert type(settings_of(name)).model_validate(dump) == settings_of(name)
    with pytest.raises(ValidationError, match="smothing"):
        registry.load("losses", name).Settings(smothing=0.1)
    for field in registry.load("losses", name).Settings.model_fields.values():
        assert field.description


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_finite_differences(name):
    values = logits(name, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: loss(name, v), values)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_against_the_gradient_lowers_it(name):
    values = logits(name).requires_grad_()
    before = loss(name, values)
    before.backward()
    assert loss(name, values.detach() - 0.1 * values.grad) < before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_a_scalar_of_at_least_single_precision(name, dtype):
    value = loss(name, logits(name, dtype))
    assert value.shape == ()
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    assert value.item() == loss(name, logits(name, dtype).to(value.dtype)).item()


HEADS = [name for name in NAMES if hasattr(registry.load("losses", name), "head")]


@pytest.mark.parametrize("name", HEADS)
def test_a_head_gives_logits_without_knowing_the_targets(name):
    head = registry.load("losses", name).head(settings_of(name), 6, 4)
    x = torch.randn(5, 6, requires_grad=True)
    head(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())
    assert x.grad is not None and x.grad.any()
    with torch.autocast("cpu", torch.bfloat16):
        assert head.eval()(x).isfinite().all()


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(registry.load("losses", n), "VIEWS")])
def test_a_loss_that_compares_views_says_which_images_it_gets_right(name):
    module = registry.load("losses", name)
    hits = module.hits(settings_of(name), logits(name), TARGETS)
    assert hits.shape == TARGETS.shape and hits.dtype == torch.bool
