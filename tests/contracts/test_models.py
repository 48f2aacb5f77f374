"""What every network must do; a new file in engine/models/ is tested by standing there."""

from __future__ import annotations

import copy
import subprocess
import sys
from functools import cache
from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from engine import masks, plugin, registry
from engine.layouts import laid_out
from engine.narrowing import count

NAMES = registry.names("models")


# What makes a network small enough to build and run often, where its settings offer it.
NARROW = {"width": 4}
SHORT = {
    "lenet5": {},
    "lenet_300_100": {},
    "mobilenet_v2": {"width": 0.25},
    "vit_small": {"width": 2},
    "wide_resnet": {"depth": 10, "width": 0.25, "stem_width": 3},
}
# Blocks of another, which alone is tried with every choice.
DEEPER = {"resnet34", "resnet101", "resnet152", "resnet32", "resnet44", "resnet56", "resnet110"}
DEEPER |= {"vgg13", "vgg16", "vgg19"}
# Choices that could get in each other's way, besides each on its own.
TOGETHER = [{"stem": "imagenet", "convolution": "full"}]
TOGETHER += [{"stem": "imagenet", "convolution": "harmonic"}]
TOGETHER += [{"init": "kaiming", "convolution": "harmonic"}]


def settings_of(name, **knobs):
    return registry.load("models", name).Settings(**knobs)


def small_knobs(name):
    fields = registry.load("models", name).Settings.model_fields
    return SHORT.get(name, NARROW if "width" in fields else {})


def build(name, classes=10, channels=3, size=32, seed=0, **knobs):
    """A network of the given knobs, narrow where it can be told its width."""
    module = registry.load("models", name)
    knobs = {**small_knobs(name), **knobs}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return module.build(module.Settings(**knobs), classes, channels, size)


def variants(name):
    """The default, every other choice that a network's settings offer, and some together."""
    yield {}
    fields = registry.load("models", name).Settings.model_fields if name not in DEEPER else {}
    choices = {}
    for field, about in fields.items():
        choices[field] = [v for v in get_args(about.annotation) if isinstance(v, str)]
        idle = next((mark for mark in about.metadata if isinstance(mark, plugin.IdleWith)), None)
        busy = [v for v in choices[idle.field] if v not in idle.values] if idle else []
        needed = {idle.field: busy[0]} if idle else {}
        yield from ({field: v, **needed} for v in choices[field] if v != about.default)
    yield from (both for both in TOGETHER if both.keys() <= fields.keys())


@cache
def built(name, *knobs, seed=0):
    return build(name, seed=seed, **dict(knobs))


def network(name, knobs):
    """As `build`, of what was built before."""
    return copy.deepcopy(built(name, *knobs.items()))


ALL = [(name, knobs) for name in NAMES for knobs in variants(name)]
LARGE = sorted({name for name, knobs in ALL if knobs.get("stem") == "imagenet"})


def images(batch, channels, size, seed=0):
    return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(seed))


def test_settings_and_networks_load_nothing_they_do_not_need():
    small = [small_knobs(name) for name in NAMES]
    script = f"""
import sys
from engine import registry
loaded = [registry.load("models", name) for name in {NAMES!r}]
small = {small!r}
settings = [module.Settings(**knobs) for module, knobs in zip(loaded, small)]
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
    net = network(name, knobs)
    functional.cross_entropy(net(images(8, 3, 32)), torch.arange(8)).backward()
    unreached = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


def test_no_two_names_mean_the_same_network():
    def shape(name):
        net = laid_out(settings_of(name), 10, 3, 32)
        return tuple((n, tuple(p.shape)) for n, p in net.named_parameters())

    assert len({shape(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_last_linear_map_tells_classes_apart_by_a_vector_of_features(name):
    """What replaces it by another head relies on it."""
    net, seen = network(name, {}), []
    classifier = [m for m in net.modules() if isinstance(m, nn.Linear)][-1]
    classifier.register_forward_hook(lambda module, inputs, output: seen.append((inputs, output)))
    logits = net(images(4, 3, 32))
    [((features,), output)] = seen
    assert classifier.out_features == 10 and features.shape == (4, classifier.in_features)
    assert output is logits


@pytest.mark.parametrize("name", NAMES)
def test_the_words_for_prunable_weights_are_those_that_match_some(name):
    weights = dict(network(name, {}).named_parameters())
    matching = {which for which in plugin.PRUNABLE_PRESETS if masks.matching(weights, which)}
    presets = settings_of(name).presets
    assert {*presets} == matching and len(presets) == len(matching)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_known_whether_it_normalises_batches(name):
    """AdvProp relies on it."""
    norms = [type(module) is nn.BatchNorm2d for module in network(name, {}).modules()]
    assert any(norms) == settings_of(name).batch_norm


@pytest.mark.parametrize("name", [n for n in NAMES if "width" in settings_of(n).model_dump()])
def test_a_wider_network_has_more_parameters(name):
    """Small dense controls search for the widest that fits."""
    field = type(settings_of(name)).model_fields["width"]
    smallest = next(mark.ge for mark in field.metadata if hasattr(mark, "ge"))
    widths = [smallest, 2 * smallest, field.default / 2, field.default]
    whole = type(field.default)
    counts = [count(settings_of(name, width=whole(width)), 10, 3, 32) for width in widths]
    assert counts == sorted({*counts})


@pytest.mark.parametrize(("name", "knobs"), ALL)
def test_the_global_generator_alone_decides_the_weights(name, knobs):
    first, other = network(name, knobs).state_dict(), build(name, seed=1, **knobs).state_dict()
    again = build(name, **knobs).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize(("name", "knobs"), ALL)
def test_the_memory_format_changes_nothing_and_is_kept(name, knobs):
    net, x = network(name, knobs).eval(), images(2, 3, 32)
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
        logits = network(name, {})(images(4, 3, 32))
    assert logits.float().isfinite().all()
