"""Fields that the command line sets over those of a spec file, one value or a sweep."""

from __future__ import annotations

import itertools

import pytest
from spectexts import GOOD, HEAD, spec_file

from lthtui.specfiles import load
from lthtui.yamlfile import FileError


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("train.epochs=9", "train.epochs", 9),
        ("train.optimizer.lr=1e-3", "train.optimizer.lr", 0.001),
        ("train.optimizer=adam", "train.optimizer.name", "adam"),
        ("train.schedule.per=step", "train.schedule.per", "step"),
        ("sparsifier=random", "sparsifier.name", "random"),
        ("sparsifier={name: random, density: 0.5}", "sparsifier.density", 0.5),
        ("sparsifier.prunable=re:layer[34]", "sparsifier.prunable", "re:layer[34]"),
        ("sparsifier.prunable='re:a,b'", "sparsifier.prunable", "re:a,b"),
        ("sparsifier.prunable=re:a{1,2}", "sparsifier.prunable", "re:a{1,2}"),
        ("keep=[best, last]", "keep", ("best", "last")),
        ("tags.note=off", "tags", {"note": "off"}),
        ("tags.note=a=b", "tags", {"note": "a=b"}),
        ("tags.note='2024'", "tags", {"note": "2024"}),
        ("sparsifier.rate=", "sparsifier.rate", None),
        ("name=other", "name", "other"),
    ],
)
def test_an_override_sets_a_field(folder, change, field, value):
    [run] = load("good", [change])
    found = run
    for key in field.split("."):
        found = getattr(found, key)
    assert found == value


def test_an_override_reaches_into_a_bare_name_and_into_what_is_left_out(folder):
    path = spec_file(folder, HEAD + "sparsifier: imp\ntrain: {optimizer: adam}\n")
    [run] = load(path, ["sparsifier.rate=0.1", "train.optimizer.lr=0.5", "model.width=3"])
    assert (run.sparsifier.rate, run.train.optimizer.lr, run.model.width) == (0.1, 0.5, 3)
    assert (run.train.optimizer.name, run.model.name) == ("adam", "resnet20")
    path = spec_file(folder, HEAD)
    [run] = load(path, ["sparsifier.rate=0.1", "train.optimizer.lr=0.5"])
    assert (run.sparsifier.name, run.train.optimizer.name) == ("imp", "sgd")
    assert (run.sparsifier.rate, run.train.optimizer.lr) == (0.1, 0.5)


def test_a_replaced_block_forgets_what_the_file_said_in_it(folder):
    path = spec_file(folder, GOOD + "vary: {sparsifier.rate: [0.1, 0.2]}\n")
    [run] = load(path, ["sparsifier=imp"])
    assert (run.sparsifier.rate, run.sparsifier.levels) == (None, None)


def test_a_sweep_on_the_command_line_replaces_the_files_own(folder):
    path = spec_file(folder, GOOD + "vary: {sparsifier.rate: [0.1, 0.2], train.epochs: [5, 6]}\n")
    runs = load(path, ["sparsifier.rate=0.3,0.4,0.5"])
    found = {(r.sparsifier.rate, r.train.epochs) for r in runs}
    assert found == set(itertools.product((0.3, 0.4, 0.5), (5, 6))) and len(runs) == 6
    assert {r.sparsifier.rate for r in load(path, ["sparsifier.rate=0.7"])} == {0.7}


def test_a_sweep_may_hold_lists_blocks_and_quotes(folder):
    changes = ["train.schedule={name: multistep, milestones: [1ep, 2ep]},'cosine'"]
    changes += ["sparsifier.prunable=re:a{1,2},'re:b,c'"]
    found = [(r.train.schedule.name, r.sparsifier.prunable) for r in load("good", changes)]
    assert found == list(itertools.product(("multistep", "cosine"), ("re:a{1,2}", "re:b,c")))


def test_the_later_of_two_overrides_holds(folder):
    [run] = load("good", ["sparsifier=random", "train.epochs=3", "sparsifier=imp"])
    assert run.sparsifier.name == "imp"


BAD_OVERRIDES = {
    "sparsifier.rte=0.1": "unknown field 'rte'; did you mean rate?",
    "sparsifer.rate=0.1": "unknown field 'sparsifer'; did you mean sparsifier?",
    "sparsifier=ipm": "unknown sparsifier 'ipm'; did you mean imp?",
    "sparsifier.rate=2": "must be below 1, found 2",
    "train.epochs=many": "expected a whole number, found 'many'",
    "train.epochs.x=1": "expected a whole number, found a mapping",
    "train.optimizer.beta1=0.9": "unknown field 'beta1'",
    "train.epochs=5,,6": "a value between two commas is empty",
    "tags.a=[1": "[ is never closed",
    "tags.a=*x": "aliases",
    "=3": "write a field, an equals sign and a value",
    "a..b=3": "write a field",
    "vary.x=3": "to sweep, list values after a field",
    "seeds=x": "expected seeds such as",
    "seeds=1,x": "expected a whole number, found 'x'",
    "model=": "found nothing",
    "data.validation=none": "select.split is val, but data.validation is none",
    "sparsifier.rewind=9ep": "rewind 9ep lies at or beyond the end of training",
    "data={name: cifar10, root: nowhere}": "nowhere",
}


@pytest.mark.parametrize(("change", "words"), BAD_OVERRIDES.items(), ids=BAD_OVERRIDES.keys())
def test_a_bad_override_is_named(folder, change, words):
    with pytest.raises(FileError) as caught:
        load("good", [change])
    [problem] = caught.value.problems
    assert str(problem).startswith(f"override {change}: ")
    assert words in problem.message


def test_a_mistake_in_the_file_and_one_in_an_override_are_both_told(folder):
    path = spec_file(folder, GOOD + "zzz: 1\n")
    with pytest.raises(FileError) as caught:
        load(path, ["train.epochz=3"])
    places = [str(problem).partition(": ")[0] for problem in caught.value.problems]
    assert places == [f"{path}:11:1", "override train.epochz=3"]
