"""What every network must do; a new file in engine/models/ is tested by standing there."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from engine import registry

NAMES = registry.names("models")


# What makes a network small enough to build and run often, where its settings offer it.
NARROW = {"width": 4}
SHORT = {"wide_resnet": {"depth": 10, "width": 0.25, "stem_width": 3}}


def settings_of(name, **knobs):
    return registry.load("models", name).Settings(**knobs)


def build(name, classes=10, channels=3, size=32, seed=0, **knobs):
    """A network of the given knobs, narrow where it can be told its width."""
    module = registry.load("models", name)
    small = SHORT.get(name, NARROW if "width" in module.Settings.model_fields else {})
    knobs = {**small, **knobs}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return module.build(module.Settings(**knobs), classes, channels, size)


def variants(name):
    """Every combination of the choices that a network's settings offer."""
    fields = registry.load("models", name).Settings.model_fields
    choices = {n: get_args(f.annotation) for n, f in fields.items()}
    choices = {n: c for n, c in choices.items() if c and all(isinstance(v, str) for v in c)}
    for values in itertools.product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


ALL = [(name, knobs) for name in NAMES for knobs in variants(name)]
LARGE = sorted({name for name, knobs in ALL if knobs.get("stem") == "imagenet"})


def images(batch, channels, size, seed=0):
    return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(seed))


def test_settings_and_networks_load_nothing_they_do_not_need():
    script = f"""
import sys
from engine import registry
loaded = [registry.load("models", name) for name in {NAMES!r}]
settings = [module.Settings() for module in loaded]
schemas = [module.Settings.model_json_schema() for module in loaded]
assert "torch" not in sys.modules, "settings import torch"
for module, default in zip(loaded, settings):
    module.build(default, 10, 3, 32)
print(sorted({{"torch._dynamo", "torchvision"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "knobs"), ALL)
def test_settings_round_trip(name, knobs):
    settings = settings_of(name, **knobs)
    dump = settings.model_dump(mode="json")
    assert dump.pop("name") == name
    assert type(settings).model_validate(dump) == settings


@pytest.mark.parametrize("name", NAMES)
def test_settings_refuse_unknown_fields_and_describe_the_known(name):
    with pytest.raises(ValidationError, match="widht"):
        settings_of(name, widht=16)
    for field in registry.load("models", name).Settings.model_fields.values():
        assert field.description


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 32), (13, 64)])
def test_logits_for_any_channels_and_size(name, channels, size):
    net = build(name, classes=7, channels=channels, size=size)
    logits = net(images(2, channels, size))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", LARGE)
def test_large_images_through_the_imagenet_stem(name):
    net = build(name, classes=5, size=224, stem="imagenet")
    assert net(images(2, 3, 224)).shape == (2, 5)


@pytest.mark.parametrize(("name", "knobs"), ALL)
def test_the_gradient_reaches_every_parameter(name, knobs):
    net = build(name, **knobs)
    functional.cross_entropy(net(images(8, 3, 32)), torch.arange(8)).backward()
    unreached = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


def test_no_two_names_mean_the_same_network():
    def shape(name):
        return tuple((n, tuple(p.shape)) for n, p in build(name).named_parameters())

    assert len({shape(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize(("name", "knobs"), ALL)
def test_the_global_generator_alone_decides_the_weights(name, knobs):
    first, again, other = (build(name, seed=seed, **knobs).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize(("name", "knobs"), ALL)
def test_the_memory_format_changes_nothing_and_is_kept(name, knobs):
    net, x = build(name, **knobs).eval(), images(2, 3, 32)
    expected = net(x)
    net.to(memory_format=torch.channels_last)
    strange = []

    def check(module, inputs, output):
        if output.ndim == 4 and not output.is_contiguous(memory_format=torch.channels_last):
            strange.append(module)

    for module in net.modules():
        module.register_forward_hook(check)
    actual = net(x.contiguous(memory_format=torch.channels_last))
    # an untrained network of 110 layers gives thousands
    largest = float(expected.detach().abs().max())
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4 * max(1.0, largest))
    assert not strange


@pytest.mark.parametrize("name", NAMES)
def test_autocast_runs(name):
    with torch.autocast("cpu", torch.bfloat16):
        logits = build(name)(images(4, 3, 32))
    assert logits.float().isfinite().all()
