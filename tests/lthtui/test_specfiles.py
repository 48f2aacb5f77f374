import itertools
import os
import random

import pytest
import yaml

from engine.errors import UsageError
from engine.registry import load as load_choice
from engine.registry import names
from engine.spec import RunSpec
from lthtui import specfiles, yamlfile
from lthtui.specfiles import expand, load, write
from lthtui.specpaths import find
from lthtui.yamlfile import FileError

GOOD = """\
version: 1
data: {name: digits, per_class: 20, validation: 300}
model: {name: resnet20, width: 4}
sparsifier:
  name: imp
  rate: 0.2
  levels: 3
train:
  epochs: 5
  optimizer: {name: sgd, lr: 0.1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder with specs/good.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "good.yaml").write_text(GOOD)
    return tmp_path


def spec_file(folder, text, name="x"):
    file = folder / "specs" / f"{name}.yaml"
    file.write_text(text)
    return str(file.relative_to(folder))


HEAD = "data: digits\nmodel: resnet20\n"
TRAIN = HEAD + "train:\n  epochs: 5\n  "
IMP = HEAD + "sparsifier:\n  name: imp\n  "
# ¦ stands before the column that must be named; words must be in the message.
BROKEN = {
    "syntax: a stray colon": (HEAD + "train: a¦: b\n", "unexpected ':'"),
    "syntax: an open bracket": (HEAD + "keep: ¦[best\ntags: {}\n", "[ is never closed"),
    "syntax: a tab": (HEAD + "train:\n¦\tepochs: 3\n", "tab"),
    "syntax: two documents": (HEAD + "¦---\n" + HEAD, "second document"),
    "a duplicate field": (HEAD + "¦model: resnet32\n", "'model' is given twice; first in line 2"),
    "an alias": (HEAD + "tags: ¦*x\n", "aliases"),
    "a python tag": (HEAD + "tags: ¦!!python/name:os.system {}\n", "tags (!name)"),
    "infinity": (TRAIN + "optimizer: {name: sgd, lr: ¦.inf}\n", ".inf is not a finite number"),
    "a list as spec": ("¦- data\n- model\n", "expected fields"),
    "text as spec": ("¦data\n", "expected fields"),
    "an empty file": ("¦", "the file is empty"),
    "only comments": ("¦# nothing\n", "the file is empty"),
    "no model": ("¦data: digits\n", "field 'model' is missing (the network)"),
    "no name of a choice": (HEAD + "¦sparsifier: {rate: 0.1}\n", "name is missing; one of "),
    "no name of an optimizer": (
        TRAIN + "¦optimizer: {lr: 0.1}\n",
        "name is missing; one of sgd, adam",
    ),
    "an unknown field": (HEAD + "¦sparsifer: imp\n", "'sparsifer'; did you mean sparsifier?"),
    "an unknown knob": (IMP + "¦rewnd: 2ep\n", "unknown field 'rewnd'; did you mean rewind?"),
    "an unknown knob of training": (TRAIN + "¦batchsize: 9\n", "did you mean batch_size?"),
    "an unknown knob of an optimizer": (
        TRAIN + "optimizer: {name: sgd, ¦momentun: 0.9}\n",
        "unknown field 'momentun'; did you mean momentum?",
    ),
    "an unknown knob of the images": (
        "data: {name: digits, ¦perclass: 9}\nmodel: resnet20\n",
        "did you mean per_class?",
    ),
    "seed for seeds": (HEAD + "¦sedes: [1]\n", "did you mean seeds?"),
    "both seed and seeds": (HEAD + "seeds: [1]\n¦seed: 1\n", "seed or seeds, not both"),
    "a nonsense field": (HEAD + "¦zzzzqqq: 1\n", "unknown field 'zzzzqqq'; known: "),
    "an unknown sparsifier": (
        HEAD + "sparsifier: ¦ipm\n",
        "unknown sparsifier 'ipm'; did you mean imp?",
    ),
    "an unknown sparsifier in a block": (
        HEAD + "sparsifier:\n  rate: 0.1\n  name: ¦ipm\n",
        "did you mean imp?",
    ),
    "an unknown data set": ("data: ¦digitz\nmodel: resnet20\n", "did you mean digits?"),
    "an unknown model": ("data: digits\nmodel: ¦resnet19\n", "unknown model 'resnet19'"),
    "a path for a choice": (HEAD + "loss: ¦../../etc/passwd\n", "unknown loss"),
    "a helper for a choice": ("data: digits\nmodel: ¦_resnet\n", "unknown model '_resnet'"),
    "an unknown optimizer": (TRAIN + "optimizer: ¦sdg\n", "unknown name 'sdg'; did you mean sgd?"),
    "an unknown optimizer in a block": (
        TRAIN + "optimizer: {lr: 0.1, name: ¦sdg}\n",
        "did you mean sgd?",
    ),
    "an unknown schedule": (TRAIN + "schedule: ¦cos\n", "did you mean cosine?"),
    "a number for a choice": (
        HEAD + "loss: ¦3\n",
        "expected a name, or a mapping with a name, found 3",
    ),
    "an empty choice": ("data: digits\nmodel:¦\n", "found nothing"),
    "an empty block": (HEAD + "train:¦\n", "expected a mapping of fields, found nothing"),
    "a list for a block": (HEAD + "train: ¦[1]\n", "expected a mapping of fields, found a list"),
    "text for a whole number": (TRAIN + "batch_size: ¦twelve\n", "a whole number, found 'twelve'"),
    "quotes around a number": (TRAIN + "batch_size: ¦'12'\n", "a whole number, found '12'"),
    "a fraction for a whole number": (TRAIN + "batch_size: ¦2.5\n", "a whole number, found 2.5"),
    "a truth for a whole number": (TRAIN + "batch_size: ¦true\n", "a whole number, found true"),
    "text for a number": (IMP + "rate: ¦high\n", "expected a number, found 'high'"),
    "off for a truth": (
        TRAIN + "optimizer: {name: sgd, nesterov: ¦off}\n",
        "expected true or false, found 'off'",
    ),
    "a number for text": (
        HEAD + "tags: {a: ¦2024}\n",
        "expected text, found 2024; put it in quotes",
    ),
    "a number for the name": (HEAD + "name: ¦2024\n", "put it in quotes"),
    "text for a list": (HEAD + "keep: ¦best\n", "expected a list, found 'best'"),
    "a wrong word in a list": (
        HEAD + "keep: [last, ¦bst]\n",
        "'bst' names no levels; did you mean best?",
    ),
    "a wrong word": (
        HEAD + "select: {split: ¦vla}\n",
        "expected val or test, found 'vla'; did you mean val?",
    ),
    "a wrong version": ("version: ¦2\n" + HEAD, "of a newer lthtui; this one reads version 1"),
    "a union of a word and numbers": (
        "data: {name: digits, validation: ¦offical}\nmodel: resnet20\n",
        "expected official, none or a number, found 'offical'; did you mean official?",
    ),
    "a union with a list": (
        HEAD + "launch: {devices: ¦3}\n",
        "expected auto, cpu or a list, found 3",
    ),
    "a list within a union": (HEAD + "launch: {devices: [¦0]}\n", "put it in quotes"),
    "above a bound": (IMP + "rate: ¦1.5\n", "must be below 1, found 1.5"),
    "at an open bound": (IMP + "rate: ¦1\n", "must be below 1, found 1"),
    "below a bound": (TRAIN + "batch_size: ¦1\n", "must be at least 2, found 1"),
    "zero where it cannot be": (
        "data: {name: digits, fraction: ¦0.0}\nmodel: resnet20\n",
        "must be above 0, found 0.0",
    ),
    "over a share": (
        "data: {name: digits, fraction: ¦1.5}\nmodel: resnet20\n",
        "must be at most 1, found 1.5",
    ),
    "below a bound in a union": (HEAD + "select: {level: ¦-1}\n", "must be at least 0, found -1"),
    "a seed too large": (HEAD + "seeds: [0, ¦4294967296]\n", "must be below 4294967296"),
    "a list too short": (
        TRAIN + "schedule: {name: multistep, milestones: ¦[]}\n",
        "must have at least 1 item(s), found 0",
    ),
    "an unknown set of weights": (IMP + "prunable: ¦cnv\n", "'cnv' is none of conv, conv+linear"),
    "an idle setting": (IMP + "finetune: ¦3ep\n", "finetune has no effect with after: rewind"),
    "a broken pattern": (IMP + "prunable: ¦re:(\n", "'(' is no regular expression"),
    "no share": (
        "data: {name: digits, validation: ¦1.5}\nmodel: resnet20\n",
        "1.5 is no share between 0 and 1; write none",
    ),
    "no duration": (IMP + "rewind: ¦2 epochs\n", "'2 epochs' is no duration; write 2ep"),
    "a bare number as duration": (IMP + "rewind: ¦2\n", "'2' is no duration"),
    "a name with a path": (HEAD + "name: ¦../../evil\n", "'../../evil' does not fit here: name of"),
    "a name for the shell": (HEAD + "name: ¦$(reboot)\n", "does not fit here"),
    "a name with bidi": (HEAD + 'name: ¦"a\\u202Eb"\n', "'a\\u202eb' does not fit here"),
    "tracking elsewhere": (HEAD + "tracking: ¦file:///etc\n", "does not fit here: local (the"),
    "fields that exclude each other": (
        "¦data: {name: digits, fraction: 0.5, per_class: 3}\nmodel: resnet20\n",
        "give fraction or per_class, not both",
    ),
    "too many givens": (
        HEAD + "¦sparsifier: {name: imp, rate: 0.1, levels: 3, density: 0.1}\n",
        "give two of the three",
    ),
    "validation that select needs": (
        "data: {name: digits, validation: ¦none}\nmodel: resnet20\n",
        "select.split is val, but data.validation is none",
    ),
    "a warmup of all epochs": (TRAIN + "warmup: ¦5ep\n", "warmup 5ep takes all 5 epochs"),
    "rewinding beyond the epochs": (
        TRAIN + "batch_size: 50\nsparsifier: {name: imp, rewind: ¦5ep}\n",
        "rewind 5ep lies at or beyond the end of training: 5 epochs",
    ),
    "too few epochs for the rewinding that is the default": (
        HEAD + "train: {epochs: ¦2}\n",
        "rewind 2ep lies at or beyond the end of training: 2 epochs",
    ),
    "no devices": (HEAD + "launch: {devices: ¦[]}\n", "must have at least 1 item(s), found 0"),
    "a tag's name": (HEAD + 'tags: {¦"a b": x}\n', "a name consists of letters, digits"),
    "a field that varies": (HEAD + 'vary: {¦"a b": [x]}\n', "a name consists of letters, digits"),
    "an unknown evaluation": (HEAD + "evaluate: [¦layer_densty]\n", "did you mean layer_density?"),
    "an unknown knob in a list": (
        HEAD + "evaluate: [{name: layer_density, ¦x: 1}]\n",
        "unknown field 'x'; known: name",
    ),
    "a wrong duration in a list": (
        TRAIN + "schedule: {name: multistep, milestones: [2ep, ¦100]}\n",
        "'100' is no duration",
    ),
    "a level that is not there": (
        HEAD + "select: {level: ¦9}\nsparsifier: dense\n",
        "select.level is 9, but the run has levels 0 to 0",
    ),
    "missing images": (
        "¦data:\n  name: cifar10\n  root: nowhere\nmodel: resnet20\n",
        "nowhere",
    ),
    "more images than there are": (
        "¦data: {name: digits, validation: 1000000}\nmodel: resnet20\n",
        "validation",
    ),
    "seeds that are no seeds": (
        HEAD + "seeds: ¦all\n",
        "expected seeds such as 3, [0, 1, 2] or 0..4",
    ),
    "seeds backwards": (HEAD + "seeds: ¦4..0\n", "expected seeds such as"),
    "no seeds": (HEAD + "seeds: ¦[]\n", "at least one seed"),
    "a seed twice": (HEAD + "seeds: ¦[0, 1, 0]\n", "seed 0 is listed twice"),
    "a negative seed": (HEAD + "seed: ¦-1\n", "must be at least 0, found -1"),
    "vary is a list": (HEAD + "vary: ¦[a]\n", "expected a mapping of fields, found a list"),
    "vary without values": (HEAD + "vary: {train.epochs: ¦[]}\n", "at least 1 item"),
    "vary with one value": (HEAD + "vary: {train.epochs: ¦3}\n", "expected a list, found 3"),
    "vary seeds": (HEAD + "vary:\n  ¦seeds: [[0], [1]]\n", "seeds vary by"),
    "vary an unknown field": (
        HEAD + "vary:\n  ¦sparsifier.rte: [0.1]\n",
        "unknown field 'rte'; did you mean rate?",
    ),
    "vary out of bounds": (
        HEAD + "vary:\n  sparsifier.rate: [0.1, ¦1.5]\n",
        "must be below 1, found 1.5",
    ),
    "vary an unknown choice": (HEAD + "vary: {sparsifier: [imp, ¦ipm]}\n", "did you mean imp?"),
    "vary a wrong block": (
        HEAD + "vary:\n  sparsifier:\n  - imp\n  - {name: imp, rate: ¦2}\n",
        "must be below 1",
    ),
    "vary a plan that cannot be": (
        TRAIN + "batch_size: 50\nvary: {sparsifier.rewind: [1ep, ¦9ep]}\n",
        "rewind 9ep lies at or beyond",
    ),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_spec_is_refused_at_its_place(folder, text, words):
    before, after = text.split("¦")
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    path = spec_file(folder, before + after)
    with pytest.raises(FileError) as caught:
        load(path)
    header, shown, caret = str(caught.value).split("\n")
    assert header.startswith(f"{path}:{line}:{column}: ")
    assert words in header
    assert caret == " " * (column - 1) + "^"
    assert shown.replace("\t", " ") == (before + after).split("\n")[line - 1].replace("\t", " ")


def test_every_problem_of_a_file_is_reported_at_once(folder):
    path = spec_file(
        folder,
        "data: digitz\nmodel: {name: resnet20, width: 0}\ntrain:\n  epochs: twelve\n"
        "  optimizer: sdg\nselect: {split: tset, level: -1}\nvary: {train.epochz: [1, 2]}\n"
        "seeds: [0, 0]\nzzz: 1\n",
    )
    with pytest.raises(FileError) as caught:
        load(path)
    marks = [(p.mark.line, p.mark.column) for p in caught.value.problems]
    assert marks == [
        (1, 7), (2, 32), (4, 11), (5, 14), (6, 17), (6, 30), (7, 8), (8, 8), (9, 1)
    ]  # fmt: skip


def test_thousands_of_problems_are_found_but_not_all_shown(folder):
    path = spec_file(folder, HEAD + "tags:\n" + "".join(f"  k{i}: {i}\n" for i in range(4000)))
    with pytest.raises(FileError) as caught:
        load(path)
    assert len(caught.value.problems) == 4000
    assert str(caught.value).endswith("\nand 3,950 more")


def test_the_runs_of_a_file(folder):
    spec_file(folder, GOOD + "seeds: [3, 1]\nvary: {sparsifier.rate: [0.1, 0.5]}\n", "two words")
    runs = load("specs/two words.yaml")
    assert [(r.seed, r.sparsifier.rate) for r in runs] == [(3, 0.1), (1, 0.1), (3, 0.5), (1, 0.5)]
    assert {(r.name, r.experiment) for r in runs} == {("two-words", "two-words")}
    assert len({r.digest for r in runs}) == 4 and len({r.group for r in runs}) == 2


def test_name_and_experiment_are_the_files_unless_given(folder):
    [run] = load(spec_file(folder, GOOD + "name: a\n", "isic"))
    assert (run.name, run.experiment) == ("a", "isic")
    [run] = load(spec_file(folder, GOOD + "experiment: b\n", "isic"))
    assert (run.name, run.experiment) == ("isic", "b")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("seeds: 7", [7]), ("seed: 7", [7]), ("seeds: 0..2", [0, 1, 2]), ("", [0])],
)
def test_seeds_in_a_file(folder, text, seeds):
    assert [run.seed for run in load(spec_file(folder, GOOD + text + "\n"))] == seeds


@pytest.mark.parametrize(
    ("change", "seeds"),
    [("seeds=0..2", [0, 1, 2]), ("seeds=4,2", [4, 2]), ("seed=9", [9]), ("seeds=[5, 6]", [5, 6])],
)
@pytest.mark.parametrize("text", ["seeds: [0, 1]\n", "seed: 8\n", ""])
def test_seeds_on_the_command_line_replace_the_files(folder, text, change, seeds):
    assert [run.seed for run in load(spec_file(folder, GOOD + text), [change])] == seeds


def test_whole_blocks_vary_and_inner_fields_apply_on_them(folder):
    path = spec_file(
        folder,
        GOOD + "vary:\n  sparsifier.prunable: [conv, conv+linear]\n"
        "  sparsifier: [{name: imp, levels: 2}, random]\n",
    )
    found = {(r.sparsifier.name, r.sparsifier.prunable) for r in load(path)}
    assert found == set(itertools.product(("imp", "random"), ("conv", "conv+linear")))
    assert {r.sparsifier.levels for r in load(path) if r.sparsifier.name == "imp"} == {2}


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


def test_repeated_runs_are_merged_with_a_note(folder):
    found = expand("good", ["sparsifier.rate=0.2,0.20,0.3"])
    assert [run.spec.sparsifier.rate for run in found.runs] == [0.2, 0.3]
    assert found.notes[0] == "1 of 3 runs repeat others and are left out"


def test_runs_that_nothing_tells_apart_are_refused(folder):
    with pytest.raises(FileError, match="override launch.threads=1,2: runs that differ only in la"):
        load("good", ["launch.threads=1,2"])
    path = spec_file(folder, GOOD + "vary:\n  keep: [[best], [last]]\n")
    with pytest.raises(FileError, match=f"{path}:12:3: runs that differ only in keep"):
        load(path)


def test_too_many_runs_are_refused_before_they_are_made(folder):
    with pytest.raises(FileError, match="100,000 runs; at most 10,000"):
        load("good", ["seeds=0..999", f"train.epochs={','.join(map(str, range(1, 101)))}"])


def test_warnings_of_the_images_become_notes(folder):
    found = expand("good", ["data={name: digits, per_class: 500}"])
    assert any("500" in note for note in found.notes)


def test_each_run_comes_with_its_plan_and_images(folder):
    [run] = expand("good").runs
    assert (run.images.train, run.images.val, run.images.test) == (200, 300, 797)
    assert len(run.plan.levels) == 4
    assert run.plan.steps == (5 + 3 * 3) * 2  # rewind 2ep of 5 epochs, 2 steps of 100 images


def some_specs():
    """A spec for each choice of each kind, and some with all that is unusual."""
    base = {"name": "x", "data": "digits", "model": "resnet20"}
    fields = {
        "datasets": "data",
        "models": "model",
        "augmentations": "augmentation",
        "losses": "loss",
        "sparsifiers": "sparsifier",
    }
    for kind, field in fields.items():
        for name in names(kind):
            if all(
                not f.is_required() for f in load_choice(kind, name).Settings.model_fields.values()
            ):
                yield {**base, field: name}
    for name in names("evaluations"):
        yield {**base, "evaluate": [name]}
    for schedule in ("cosine", "multistep", "step", "constant"):
        yield {**base, "train": {"schedule": schedule, "optimizer": "adam", "warmup": "1ep30it"}}
    yield {**base, "tags": {"a": "off", "b": "1e-3", "c": "ü\u202e\x1b[2J\n 'x': #", "d": ""}}
    yield {**base, "launch": {"devices": ["0", "GPU-1e3"]}, "keep": ["all"], "seed": 2**32 - 1}
    yield {**base, "train": {"optimizer": {"name": "sgd", "lr": 1e-7, "weight_decay": 1e-300}}}
    yield {**base, "data": {"name": "digits", "validation": 0.25, "root": "a b/'c'\": #"}}


@pytest.mark.parametrize(
    "settings", list(some_specs()), ids=lambda s: str(list(s.items())[3:])[:60]
)
def test_a_run_round_trips_through_its_file(settings):
    spec = RunSpec.model_validate(settings)
    text = write(spec)
    again = RunSpec.model_validate(yamlfile.parse(text, "spec.yaml").data)
    assert again == spec
    assert again.digest == spec.digest and again.group == spec.group
    assert write(again) == text
    assert RunSpec.model_validate(yaml.safe_load(text)) == spec  # as the worker reads it


def test_a_run_folder_is_a_spec_too(folder):
    [run] = load("good", ["seed=5", "name=a"])
    (folder / "mlruns" / "runs" / "id").mkdir(parents=True)
    (folder / "mlruns" / "runs" / "id" / "spec.yaml").write_text(write(run))
    assert load("mlruns/runs/id") == [run]
    assert load("mlruns/runs/id/spec.yaml") == [run]
    assert [r.seed for r in load("mlruns/runs/id", ["seeds=0..2"])] == [0, 1, 2]


def test_specs_are_found_by_their_bare_names(folder):
    assert str(find("good")) == "specs/good.yaml"
    assert str(find("specs/good.yaml")) == "specs/good.yaml"
    for wrong in ("god", "specs/god.yaml", "spec/good.yaml", "good.yml"):
        with pytest.raises(
            UsageError, match=f"{wrong}: no such spec; did you mean specs/good.yaml"
        ):
            find(wrong)


def test_a_missing_spec_with_escapes_in_its_name_is_shown_harmless(folder):
    with pytest.raises(UsageError) as caught:
        find("\x1b]52;c;x\x07")
    assert "\x1b" not in str(caught.value) and "\\x1b]52" in str(caught.value)


def test_the_current_folder_holds_relative_roots(folder, monkeypatch):
    path = os.path.abspath("specs/good.yaml")
    monkeypatch.chdir("/")
    assert len(load(path)) == 1


def test_the_schema_knows_every_field_of_a_file(folder):
    from lthtui.specschema import json_schema

    schema = json_schema()
    known = {*RunSpec.model_fields, *specfiles.SpecFile.model_fields} - {"seed"}
    assert set(schema["properties"]) == known
    assert schema["required"] == ["data", "model"]
    sparsifier = schema["properties"]["sparsifier"]["anyOf"]
    assert sparsifier[0]["enum"] == names("sparsifiers")
    imp = next(o for o in sparsifier[1:] if o["properties"]["name"] == {"const": "imp"})
    rate = imp["properties"]["rate"]
    assert rate["anyOf"][0]["exclusiveMaximum"] == 1 and "share" in rate["description"]
    assert imp["description"].startswith("Iterative magnitude pruning with rewinding")
    optimizer = schema["$defs"]["TrainSpec"]["properties"]["optimizer"]["anyOf"]
    assert optimizer[0] == {"enum": ["adam", "sgd"]}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_typed_into_a_spec_it_is_read_or_refused_with_a_place(folder, seed):
    rng = random.Random(seed)
    pieces = ["{", "}", "[", "]", ": ", "- ", "\n", "\n  ", "'", '"', "|", "&a", "*a", "!x", "#"]
    pieces += ["null", "1e-3", "\t", ",", "? ", "%", "\x00", "\u2028", "0..3", "2ep", "vary", "-1"]
    for _ in range(100):
        text = GOOD + "seeds: [0, 1]\nvary: {sparsifier.rate: [0.1, 0.2]}\n"
        for _ in range(rng.randint(1, 4)):
            start = rng.randrange(len(text))
            text = text[:start] + rng.choice(pieces) + text[start + rng.choice([0, 1, 9]) :]
        path = spec_file(folder, text)
        try:
            load(path)
        except FileError as error:
            assert all(1 <= problem.mark.line <= text.count("\n") + 9 for problem in error.problems)
            assert str(error).startswith(path)


# ---- searches

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
    test_a_broken_spec_is_refused_at_its_place(
        folder, f"data: digits\nmodel: resnet20\n{text}\n", words
    )


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
    test_a_broken_spec_is_refused_at_its_place(folder, f"{text}\n", words)


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
