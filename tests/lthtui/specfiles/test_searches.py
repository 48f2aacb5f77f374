"""A search in a spec file: refused at its place, and trials that are runs of that file."""

from __future__ import annotations

import pytest
from spectexts import GOOD, HEAD, refused_at_its_place, spec_file

from engine.errors import UsageError
from lthtui import specfiles
from lthtui.specfiles import load
from lthtui.yamlfile import FileError

SEARCHED = {
    "an unknown field": ("search: {over: {¦sparsifier.rat: [0.1, 0.4]}}", "did you mean rate?"),
    "a value that is too high": ("search: {over: {sparsifier.rate: [0.1, ¦1.5]}}", "below 1"),
    "a value of a block": ("search: {over: {train.epochs: {low: 3, high: ¦200000}}}", "at most"),
    "a choice": (
        "search: {over: {sparsifier.scope: [layer, ¦world]}}",
        "expected global or layer, found",
    ),
    "no duration": ("search: {over: {sparsifier.rewind: [2ep, ¦two]}}", "write 2ep, 500it"),
    "an unknown setting": ("search: {over: {sparsifier.rate: [0, 1]}, ¦trails: 3}", "trials?"),
    "nothing": ("search: {over: ¦{}}", "at least 1"),
    "one number": ("search: {over: {sparsifier.rate: ¦[0.1]}}", "[low, high]"),
    "three numbers": ("search: {over: {train.epochs: ¦[1, 2, 3]}}", "{choices: [...]}"),
    "backwards": ("search: {over: {sparsifier.rate: ¦[0.4, 0.1]}}", "low must be below high"),
    "only low": ("search: {over: {sparsifier.rate: ¦{low: 0.1}}}", "give [low, high]"),
    "log from 0": (
        "search: {over: {train.optimizer.lr: ¦{low: 0, high: 1, log: true}}}",
        "above 0",
    ),
    "a grid without steps": (
        "search: {sampler: grid, over: ¦{sparsifier.rate: [0.1, 0.4]}}",
        "a grid needs a step or choices",
    ),
    "a density over two": (
        "search: {over: ¦{sparsifier.rate: [0.1, 0.4], loss: [a, b]}, goal: {density: 0.5}}",
        "over one field",
    ),
    "a density over choices": (
        "search: {over: ¦{sparsifier.scope: [layer, global]}, goal: {density: 0.1}}",
        "over one field",
    ),
    "a sampler for a density": (
        "search: {over: {sparsifier.rate: [0.1, 0.4]}, goal: {density: 0.1}, sampler: ¦tpe}",
        "dividing the range",
    ),
    "a density that is told": (
        "sparsifier: {name: continuous, density: 0.1}\n"
        "search: {over: {sparsifier.initial: [-1, 1]}, ¦goal: {density: 0.1}}",
        "every trial has the density 0.1 of sparsifier.density; leave out sparsifier.density, or",
    ),
    "a density that is never unknown": (
        "sparsifier: {name: snip, density: 0.1}\n"
        "search: {over: {data.fraction: [0.5, 1]}, ¦goal: {density: 0.2}}",
        "search over sparsifier.density, or drop the goal",
    ),
    "the seed": ("search: {over: {¦seed: [1, 9]}}", "seeds vary by"),
    "what tells no runs apart": ("search: {over: {¦checkpoint: [1, 9]}}", "all trials"),
    "on test": (
        "select: {split: test}\n¦search: {over: {sparsifier.rate: [0.1, 0.4]}}",
        "decided on validation images",
    ),
    "beside a sweep": (
        "vary: {train.epochs: [3, 4]}\n¦search: {over: {sparsifier.rate: [0.1, 0.4]}}",
        "a search and a sweep exclude each other",
    ),
    "what is set, too": (
        "vary: {sparsifier.rate: [0.3]}\nsearch: {over: {¦sparsifier.rate: [0.1, 0.4]}}",
        "this field is set, too",
    ),
}


@pytest.mark.parametrize(("text", "words"), SEARCHED.values(), ids=SEARCHED.keys())
def test_a_broken_search_is_refused_at_its_place(folder, text, words):
    refused_at_its_place(folder, f"{HEAD}{text}\n", words)


def searching(folder, text, *changes):
    path = spec_file(folder, f"{GOOD}search: {text}\n")
    return specfiles.trials(path, changes)


def test_a_search_leaves_the_runs_as_they_are_and_says_that_it_is_there(folder):
    expansion, _ = searching(folder, "{over: {sparsifier.rate: [0.1, 0.4]}, trials: 9}")
    assert [run.spec for run in expansion.runs] == load(spec_file(folder, GOOD))
    assert expansion.notes[0] == "a search of up to 9 trials; `lthtui search` runs it"
    assert expansion.search.trials == 9


def test_a_spec_with_a_search_is_run_only_without_it(folder):
    searching(folder, "{over: {sparsifier.rate: [0.1, 0.4]}}")
    with pytest.raises(UsageError, match="`lthtui search specs/x.yaml` runs it"):
        load("x")
    assert load("x", ["search=null", "sparsifier.rate=0.3"])[0].sparsifier.rate == 0.3
    with pytest.raises(UsageError, match="has no search"):
        specfiles.trials(spec_file(folder, GOOD))


def test_no_controls_follow_the_trials_of_a_search(folder):
    text = f"{GOOD}search: {{over: {{sparsifier.rate: [0.1, 0.4]}}}}\ncontrol: [reinit]\n"
    with pytest.raises(FileError, match="control: not of trials of a search"):
        specfiles.expand(spec_file(folder, text))


def test_a_trial_is_the_runs_that_its_settings_would_be_in_the_file(folder):
    over = "{over: {sparsifier.rate: [0.1, 0.4], sparsifier.rewind: {low: 0, high: 3, unit: ep}}}"
    expansion, trial = searching(folder, over, "seeds=0,1", "train.epochs=7")
    runs = trial({"sparsifier.rate": 0.25, "sparsifier.rewind": "3ep"})
    changes = ["seeds=0,1", "train.epochs=7", "sparsifier.rate=0.25", "sparsifier.rewind=3ep"]
    assert [run.spec for run in runs] == load(spec_file(folder, GOOD), changes)
    assert expansion.runs[0].spec.sparsifier.rate != 0.25
    (folder / "specs" / "x.yaml").write_text("changed: meanwhile")
    assert trial({"sparsifier.rate": 0.25})[0].spec.sparsifier.rate == 0.25


def test_a_trial_that_cannot_be_is_refused(folder):
    _, trial = searching(folder, "{over: {sparsifier.rate: [0.1, 0.4]}}")
    with pytest.raises(FileError, match=r"x.yaml:\d+:\d+: must be below 1"):
        trial({"sparsifier.rate": 2.0})


def test_a_density_may_be_the_goal_where_it_is_searched(folder):
    over = "{over: {sparsifier.density: [0.1, 0.4]}, goal: {density: 0.2}}"
    path = spec_file(folder, f"{RIGL.replace('rigl', 'snip')}search: {over}\n")
    assert specfiles.trials(path)[0].search.goal.density == 0.2


def test_a_search_can_be_changed_on_the_command_line(folder):
    over = "{over: {sparsifier.rate: [0.1, 0.4]}}"
    assert searching(folder, over, "search.trials=2")[0].search.most == 2
    with pytest.raises(FileError, match=r"override search.trials=0: must be at least 1"):
        searching(folder, over, "search.trials=0")


RIGL = """\
data: {name: digits, per_class: 20, validation: 300}
model: {name: resnet20, width: 4}
sparsifier: {name: rigl, density: 0.2}
train: {epochs: 4, batch_size: 50}
"""  # the default interval, 100it, takes all of its 16 steps


def test_a_base_that_cannot_be_takes_the_first_value_of_what_is_searched(folder):
    over = "sparsifier.interval: {low: 2, high: 8, unit: it}, sparsifier.alpha: [0.1, 0.4]"
    path = spec_file(folder, f"{RIGL}search: {{over: {{{over}}}}}\n")
    expansion, trial = specfiles.trials(path)
    [base] = expansion.runs
    assert str(base.spec.sparsifier.interval) == "2it" and base.spec.sparsifier.alpha == 0.1
    assert any("here it has the first values" in note for note in expansion.notes)
    values = {"sparsifier.interval": "8it", "sparsifier.alpha": 0.2}
    assert str(trial(values)[0].spec.sparsifier.interval) == "8it"
    with pytest.raises(FileError, match="interval 100it .* takes the whole training"):
        load(path, ["search=null"])


INTERVAL = "sparsifier.interval: {low: 2, high: 8, unit: it}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{RIGL}search: {{over: {{{INTERVAL.replace('8', '¦80')}}}}}", "interval 80it"),
        (f"{RIGL}search: {{over: {{{INTERVAL.replace('2', '¦0')}}}}}", "at least one step"),
        (f"{RIGL}¦los: a\nsearch: {{over: {{{INTERVAL}}}}}", "did you mean loss?"),
        (
            f"{RIGL.replace('data: {name: digits', '¦data: {name: cifar10, root: nowhere')}"
            f"search: {{over: {{{INTERVAL}}}}}",
            "nowhere",
        ),
    ],
)
def test_what_is_wrong_with_any_value_of_a_search_is_said_once(folder, text, words):
    refused_at_its_place(folder, f"{text}\n", words)


def test_whole_numbers_are_fractions_where_the_field_takes_those(folder):
    over = "{over: {train.epochs: [3, 9], sparsifier.rate: {low: 0.1, high: 0.4, step: 0.1}, "
    over += "train.optimizer.momentum: [0, 0.5], train.optimizer.lr: [1, 2]}}"
    spans = searching(folder, over)[0].search.over
    assert {field: span.whole for field, span in spans.items()} == {
        "train.epochs": True,
        "sparsifier.rate": False,
        "train.optimizer.momentum": False,
        "train.optimizer.lr": False,
    }
    assert spans["sparsifier.rate"].listed() == [0.1, 0.2, 0.3, 0.4]
