"""The form of a spec: made of the settings, filled by the text, changing the text."""

from __future__ import annotations

import pytest

import engine.sparsifiers
from engine import registry
from engine.errors import UsageError
from lthtui import form, formrows, yamlfile
from lthtui.form import knobs

TEXT = """\
data: {name: digits, per_class: 20, validation: 300}
model: resnet20  # small
sparsifier:
  name: imp
  rate: 0.2  # per level
  density_schedule: geometric
seeds: [0, 1]
"""


def of(text):
    return {knob.key: knob for knob in knobs(yamlfile.parse(text, "x").data)}


def put(text, key, typed):
    return form.put(text, of(text)[key], typed)


def test_fields_have_values_defaults_bounds_and_descriptions():
    found = of(TEXT)
    rate, epochs, data = found["sparsifier.rate"], found["train.epochs"], found["data"]
    assert (rate.given, rate.value, rate.text) == (True, 0.2, "0.2")
    assert not epochs.given and epochs.value == epochs.default and "at least 1" in epochs.about
    assert (data.kind, data.value, data.given) == ("block", "digits", True)
    assert "cifar10" in data.options and "digits" in data.options
    assert found["train.optimizer.nesterov"].options == ("true", "false")
    assert found["train.precision"].kind == "choice"
    assert found["select.level"].kind == "value" and "best" in found["select.level"].options
    assert found["evaluate"].options == tuple(registry.names("evaluations"))
    assert found["launch.slurm.gres"].value is None


def test_the_fields_are_those_of_the_choice():
    assert "sparsifier.rewind" in of(TEXT) and "sparsifier.drop_schedule" not in of(TEXT)
    text = put(TEXT, "sparsifier", "rigl")
    assert "sparsifier.rewind" not in of(text) and "sparsifier.drop_schedule" in of(text)
    assert text == TEXT.replace(
        "  name: imp\n  rate: 0.2  # per level\n  density_schedule: geometric\n", "  name: rigl\n"
    )
    assert of(put(TEXT, "train.optimizer", "adam"))["train.optimizer.beta1"].value == 0.9


@pytest.mark.parametrize(
    "text",
    [
        "model: 3\n",
        "model: {name: [1]}\n",
        "sparsifier: [a]\ntrain: 7\nvary: no\n",
        "seeds: {a: 1}\ndata: {name: nothing, root: 3}\n",
        "train: {optimizer: {name: 2}}\nmodel:\n",
    ],
)
def test_whatever_a_text_says_there_is_a_form(text):
    assert len(of(text)) > 20


def test_commas_make_a_sweep_and_one_value_ends_it():
    swept = put(TEXT, "sparsifier.rate", "0.1, 0.3")
    assert yamlfile.parse(swept, "x").data["vary"] == {"sparsifier.rate": [0.1, 0.3]}
    assert "rate: 0.2  # per level" in swept
    assert of(swept)["sparsifier.rate"].varied == ("0.1", "0.3")
    single = put(swept, "sparsifier.rate", "0.4")
    assert single == TEXT.replace("rate: 0.2", "rate: 0.4")
    assert put(swept, "sparsifier.rate", "") == TEXT.replace("  rate: 0.2  # per level\n", "")


def test_which_of_several_grids_is_meant_is_left_to_the_editor():
    grids = TEXT + "vary:\n  - {}\n  - loss: [cosine]\n"
    with pytest.raises(UsageError, match="in the editor which one"):
        put(grids, "sparsifier.rate", "0.1, 0.3")
    assert put(grids, "sparsifier.rate", "0.3") == grids.replace("rate: 0.2", "rate: 0.3")


def test_seeds_are_listed_in_any_way():
    assert of(put(TEXT, "seeds", "0..4"))["seeds"].value == "0..4"
    assert of(put(TEXT, "seeds", "3, 4"))["seeds"].value == [3, 4]
    one = put("seed: 3\n", "seeds", "1,2")
    assert yamlfile.parse(one, "x").data == {"seeds": [1, 2]}


def test_controls_are_a_list_of_their_own():
    listed = put("seed: 3\n", "control", "reinit, random")
    assert yamlfile.parse(listed, "x").data == {"seed": 3, "control": ["reinit", "random"]}


def test_blocks_that_take_turns_are_left_to_the_editor():
    text = "vary:\n  sparsifier:\n    - dense\n    - {name: imp, levels: 2}\n"
    found = of(text)
    assert found["sparsifier"].fixed and "sparsifier.rate" not in found
    assert "editor" in formrows.told(found["sparsifier"])


def test_what_is_typed_is_yaml():
    assert of(put(TEXT, "train.optimizer.lr", "1e-2"))["train.optimizer.lr"].value == 0.01
    with pytest.raises(yamlfile.FileError):
        put(TEXT, "train.epochs", "[1")
    with pytest.raises(UsageError):
        put(TEXT + "train: 5\n", "train.epochs", "3")


PLUGIN = '''
"""Prunes by throwing dice."""

from pydantic import Field

from engine import plugin


class Settings(plugin.PrunableSettings):
    sides: int = Field(6, ge=2, le=20, description="of the dice")
    colour: str = Field(description="of the dice, which decides nothing")
'''


def test_a_setting_of_a_new_file_is_in_the_form(tmp_path, monkeypatch):
    (tmp_path / "dice.py").write_text(PLUGIN)
    monkeypatch.setattr(
        engine.sparsifiers, "__path__", [*engine.sparsifiers.__path__, str(tmp_path)]
    )
    registry.names.cache_clear()
    try:
        text = put(TEXT, "sparsifier", "dice")
        found = of(text)
        assert "dice" in found["sparsifier"].options
        assert "Prunes by throwing dice." in found["sparsifier"].about
        sides = found["sparsifier.sides"]
        assert sides.value == 6 and sides.about == "of the dice [at least 2, at most 20]"
        assert found["sparsifier.colour"].needed
        assert of(put(text, "sparsifier.sides", "8"))["sparsifier.sides"].given
    finally:
        registry.names.cache_clear()


def test_rows_fold_with_their_block():
    found = knobs(yamlfile.parse(TEXT, "x").data)
    rows = {row.key: row for row in formrows.rows(found, {"train"})}
    assert "train" in rows and "train.optimizer.lr" not in rows
    assert rows["train"].fold == "▸" and rows["sparsifier"].fold == "▾"
    assert [cell.tone for cell in rows["sparsifier.rate"].cells] == ["", "name"]
    assert [cell.tone for cell in rows["sparsifier.levels"].cells] == ["dim", "dim"]
