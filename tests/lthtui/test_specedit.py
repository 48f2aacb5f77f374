"""Single values changed in the text of a spec: all else stays as somebody typed it."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from engine.errors import UsageError
from lthtui import form, yamlfile
from lthtui.specedit import choose, remove, set_value
from lthtui.specfields import default_name

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
TEXT = """\
# what it is for
model: resnet20   # the net
data:
  name: digits  # which
  # how many

  per_class: 20

# how
train:
  epochs: 4 # few
sparsifier: {name: imp, rate: 0.2, levels: 3} # how
select:
seeds:
  - 1
  - 2
"""


def read(text):
    return yamlfile.parse(text, "x").data


def changed(before, after):
    """Lines that went and lines that came."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("path", "value", "gone", "came"),
    [
        (("train", "epochs"), 9, "  epochs: 4 # few", "  epochs: 9 # few"),
        (("model", "width"), 4, "model: resnet20   # the net",
         "model: {name: resnet20, width: 4}   # the net"),
        (("sparsifier", "rate"), 0.5, "sparsifier: {name: imp, rate: 0.2, levels: 3} # how",
         "sparsifier: {name: imp, rate: 0.5, levels: 3} # how"),
        (("sparsifier", "density"), 0.1,
         "sparsifier: {name: imp, rate: 0.2, levels: 3} # how",
         "sparsifier: {name: imp, rate: 0.2, levels: 3, density: 0.1} # how"),
        (("select", "level"), "last", "select:", "select: {level: last}"),
        (("data", "root"), "my data, here", None, "  root: 'my data, here'"),
    ],
)  # fmt: skip
def test_one_line_changes(path, value, gone, came):
    after = set_value(TEXT, path, value)
    assert changed(TEXT, after) == ([gone] if gone else [], [came])


def test_a_list_over_several_lines_becomes_one_line():
    assert set_value(TEXT, ("seeds",), [7, 8]).endswith("select:\nseeds: [7, 8]\n")


def test_blocks_on_the_way_are_made_with_the_choice_that_is_the_default():
    after = set_value(TEXT, ("train", "optimizer", "lr"), 0.01)
    assert "  epochs: 4 # few\n  optimizer:\n    name: sgd\n    lr: 0.01\nsparsifier" in after
    assert set_value("# none\n", ("sparsifier", "rate"), 0.1) == (
        "# none\nsparsifier:\n  name: imp\n  rate: 0.1\n"
    )


def test_line_ends_stay():
    after = set_value(TEXT.replace("\n", "\r\n"), ("train", "batch_size"), 8)
    assert after.replace("\r\n", "") == TEXT.replace("\n", "").replace(
        "epochs: 4 # few", "epochs: 4 # few  batch_size: 8"
    )


def test_texts_that_mean_something_else_unquoted_are_quoted():
    for value in ("a, b", "#x", "x: y", "{", "1e-3", "null", "multi\nline", "é", "- a", ""):
        for path in (("sparsifier", "prunable"), ("data", "root")):
            found = read(set_value(TEXT, path, value))
            assert found[path[0]][path[1]] == value


def test_a_field_is_taken_out_with_blocks_that_would_be_empty():
    gone, came = changed(TEXT, remove(TEXT, ("train", "epochs")))
    assert gone == ["train:", "  epochs: 4 # few"] and came == []
    assert "{name: imp, levels: 3} # how" in remove(TEXT, ("sparsifier", "rate"))
    assert "{rate: 0.2, levels: 3} # how" in remove(TEXT, ("sparsifier", "name"))
    assert remove(TEXT, ("train", "batch_size")) == TEXT


def test_another_choice_drops_the_fields_that_it_does_not_have():
    after = choose(TEXT, ("sparsifier",), "random", ["density", "levels"])
    assert "sparsifier: {name: random, levels: 3} # how" in after
    assert "model: vgg16   # the net" in choose(TEXT, ("model",), "vgg16", [])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("model: resnet20\ntrain: 5\n", ("train", "epochs")),
        ("seeds:\n  - 1 # one\n  - 2\n", ("seeds",)),
        ("- a\n", ("seeds",)),
    ],
)
def test_what_cannot_be_changed_by_itself_is_refused(text, path):
    with pytest.raises(UsageError):
        set_value(text, path, 3)


def test_a_text_that_is_no_yaml_is_refused():
    with pytest.raises(yamlfile.FileError):
        set_value("a: [1\n", ("b",), 2)


def leaves(data, path=()):
    """Values by dotted field; a choice that is written as its name alone has a name like others."""
    if isinstance(data, dict):
        return {k: v for key, one in data.items() for k, v in leaves(one, (*path, key)).items()}
    if isinstance(data, str) and path in BLOCKS:
        path = (*path, "name")
    return {".".join(path): data}


BLOCKS = [
    ("model",),
    ("augmentation",),
    ("sparsifier",),
    ("loss",),
    ("data",),
    ("train", "schedule"),
]


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_any_field_of_any_spec_is_set_and_nothing_else(file):
    text = file.read_text()
    data = read(text)
    knobs = [
        knob for knob in form.knobs(data) if knob.kind != "block" and knob.key != "search.over"
    ]
    rng = random.Random(file.stem)
    for knob in rng.sample(knobs, 2):
        value = rng.choice([7, 0.125, True, "a, b: c %d", ["x", 2]])
        after = set_value(text, knob.path, value)
        before, found = leaves(data), leaves(read(after))
        assert found.pop(knob.key) == value
        before.pop(knob.key, None)
        new = {key: found.pop(key) for key in set(found) - set(before)}
        assert found == before
        assert all(name == default_name(tuple(key.split(".")[:-1])) for key, name in new.items())
        assert re.findall(r"(?:^|\s)#.*", after) == re.findall(r"(?:^|\s)#.*", text)
        assert len(changed(text, after)[0]) <= 1
        assert leaves(read(remove(after, knob.path))) == {**before, **new}
