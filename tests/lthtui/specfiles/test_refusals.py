"""What is wrong in a spec file is told at its line and column, all of it at once."""

from __future__ import annotations

import random

import pytest
from spectexts import GOOD, HEAD, refused_at_its_place, spec_file

from lthtui.specfiles import load
from lthtui.yamlfile import FileError

TRAIN = HEAD + "train:\n  epochs: 5\n  "
IMP = HEAD + "sparsifier:\n  name: imp\n  "
# ¦ stands before the column that must be named; words must be in the message.
BROKEN = {
    "syntax: a stray colon": (HEAD + "train: a¦: b\n", "unexpected ':'"),
    "syntax: an open bracket": (HEAD + "keep: ¦[best\ntags: {}\n", "[ is never closed"),
    "syntax: a tab": (HEAD + "train:\n¦\tepochs: 3\n", "tab"),
    "syntax: two documents": (HEAD + "¦---\n" + HEAD, "second document"),
    "syntax: no colon": (HEAD + "train:\n  ¦epochs 3\n  batch_size: 9\n", "expected ':' after"),
    "syntax: no colon before a block": (HEAD + "¦train\n  epochs: 3\n", "expected ':' after"),
    "syntax: no space": (
        HEAD + "train:\n  ¦epochs:3\n  batch_size: 9\n",
        "expected a space after the ':'",
    ),
    "syntax: no colon between braces": (
        HEAD + "sparsifier: {name: imp, ¦rate 0.1}\n",
        "expected ': ' between rate and its value",
    ),
    "syntax: a decimal comma between braces": (
        HEAD + "sparsifier: {name: imp, rate: 0,¦5}\n",
        "put '5' in quotes, or write a number with '.' and not ','",
    ),
    "a duplicate field": (HEAD + "¦model: resnet32\n", "'model' is given twice; first in line 2"),
    "an alias": (HEAD + "tags: ¦*x\n", "aliases"),
    "a python tag": (HEAD + "tags: ¦!!python/name:os.system {}\n", "tags (!name)"),
    "infinity": (TRAIN + "optimizer: {name: sgd, lr: ¦.inf}\n", ".inf is not a finite number"),
    "a list as spec": ("¦- data\n- model\n", "expected fields"),
    "text as spec": ("¦data\n", "expected fields"),
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
    "no kind of control": (HEAD + "control: [¦nul]\n", "null"),
    "both seed and seeds": (HEAD + "seeds: [1]\n¦seed: 1\n", "seed or seeds, not both"),
    "a nonsense field": (HEAD + "¦zzzzqqq: 1\n", "unknown field 'zzzzqqq'; known: "),
    "a field of another place": (HEAD + "¦epochs: 9\n", "did you mean train.epochs?"),
    "a field of a block below": (TRAIN + "¦momentum: 0.9\n", "mean train.optimizer.momentum?"),
    "nearly a field of another place": (HEAD + "¦levls: 9\n", "did you mean sparsifier.levels?"),
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
    "quotes around a number": (TRAIN + "batch_size: ¦'12'\n", "found '12'; leave out the quotes"),
    "a fraction for a whole number": (TRAIN + "batch_size: ¦2.5\n", "a whole number, found 2.5"),
    "a truth for a whole number": (TRAIN + "batch_size: ¦true\n", "a whole number, found true"),
    "text for a number": (IMP + "rate: ¦high\n", "expected a number, found 'high'"),
    "percent for a fraction": (IMP + "rate: ¦20%\n", "found '20%'; write 0.2"),
    "a decimal comma": (IMP + "rate: ¦0,25\n", "found '0,25'; write 0.25"),
    "a list for a number": (
        TRAIN + "optimizer: {name: sgd, lr: ¦[0.1, 0.2]}\n",
        "found a list; vary: {train.optimizer.lr: [...]} takes several in turn",
    ),
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
    "weights that a network has none of": (
        "data: digits\nmodel: vit_small\nsparsifier: {name: imp, prunable: ¦conv}\n",
        "vit_small has no weights of the kind conv to prune; write sparsifier.prunable: linear (or",
    ),
    "the same by default": (
        "data: digits\nmodel: mlp\nsparsifier: ¦imp\n",
        "mlp has no weights of the kind conv to prune; write sparsifier.prunable: linear (or conv+",
    ),
    "patches that do not divide the images": (
        "data: digits\nmodel: {name: vit_small, patch: ¦3}\n"
        "sparsifier: {name: imp, prunable: linear}\n",
        "patches of 3 pixels do not divide images of 8; sides that do: 1, 2, 4, 8",
    ),
    "no share": (
        "data: {name: digits, validation: ¦1.5}\nmodel: resnet20\n",
        "1.5 is no share between 0 and 1; write none",
    ),
    "no duration": (IMP + "rewind: ¦2 epochs\n", "'2 epochs' is no duration; write 2ep"),
    "a bare number as duration": (IMP + "rewind: ¦2\n", "'2' is no duration"),
    "a name with a path": (HEAD + "name: ¦../../evil\n", "'../../evil' does not fit here: name of"),
    "a name for the shell": (HEAD + "name: ¦$(reboot)\n", "does not fit here"),
    "a name with bidi": (HEAD + 'name: ¦"a\\u202Eb"\n', "'a\\u202eb' does not fit here"),
    "an experiment's name": (
        HEAD + "experiment: ¦my trial\n",
        "it takes letters, digits, '.', '_' and '-', at most 64 of them, and begins with a letter"
        " or a digit",
    ),
    "a partition's name": (
        HEAD + "launch: {slurm: {partition: ¦gpu;rm}}\n",
        "it takes letters, digits, '_', '.', ',' and '-', and begins with a letter, a digit or '_'",
    ),
    "tracking elsewhere": (HEAD + "tracking: ¦file:///etc\n", "neither local nor off nor http(s)"),
    "a port beyond": (HEAD + "tracking: ¦http://host:99999\n", "Port out of range 0-65535"),
    "no port": (HEAD + "tracking: ¦http://host:0\n", "it has no host, or port 0"),
    "no host": (HEAD + "tracking: ¦http://:5000\n", "it has no host, or port 0"),
    "fields that exclude each other": (
        "¦data: {name: digits, fraction: 0.5, per_class: 3}\nmodel: resnet20\n",
        "give fraction or per_class, not both",
    ),
    "two sizes of the training set": (
        "data: {name: digits, fraction: 0.5, ¦long_tail: {kind: step}}\nmodel: resnet20\n",
        "long_tail and fraction both say which images to train on",
    ),
    "a long tail of no kind": (
        "data: {name: digits, ¦long_tail: {factor: 0.1}}\nmodel: resnet20\n",
        "field 'kind' is missing",
    ),
    "a fold without folds": (
        "data: {name: digits, fold: ¦1}\nmodel: resnet20\n",
        "fold is one of data.folds, which is not given",
    ),
    "a fold beyond the last": (
        "data: {name: digits, folds: 5}\nmodel: resnet20\nvary: {data.fold: [0, ¦5]}\n",
        "the 5 folds are 0 to 4",
    ),
    "validation beside folds": (
        "data: {name: digits, folds: 5, validation: ¦300}\nmodel: resnet20\n",
        "with folds, one of them is validated on; leave validation out",
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
    "weights that torchvision has of other networks": (
        HEAD + "start: ¦torchvision\n",
        "torchvision has no weights IMAGENET1K_V1 of resnet20; take a model that it has some of",
    ),
    "weights that torchvision has others of": (
        "data: digits\nmodel: resnet18\nstart: {torchvision: ¦IMAGENET1K_V2}\n",
        "torchvision has no weights IMAGENET1K_V2 of resnet18; write torchvision: IMAGENET1K_V1",
    ),
    "advprop without normalisations": (
        "data: digits\nmodel: lenet5\ntrain: {¦advprop: {steps: 1}}\n",
        "adversarial images, and lenet5 has none; leave it out, or take another model",
    ),
    "a cutout larger than the images": (
        HEAD + "augmentation: {name: rand, cutout: ¦9}\n",
        "cutout 9 is larger than the images, which have 8 pixels a side; lower it",
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
    "vary is a number": (HEAD + "vary: ¦3\n", "expected a mapping of fields or a list, found 3"),
    "vary lists a word": (HEAD + "vary: [¦a]\n", "expected a mapping of fields, found 'a'"),
    "vary without values": (HEAD + "vary: {train.epochs: ¦[]}\n", "at least 1 item"),
    "vary with one value": (HEAD + "vary: {train.epochs: ¦3}\n", "expected a list, found 3"),
    "vary seeds": (HEAD + "vary:\n  ¦seeds: [[0], [1]]\n", "seeds vary by"),
    "vary controls": (HEAD + "vary:\n  ¦control: [[all]]\n", "listed once, for the whole file"),
    "vary an unknown field": (
        HEAD + "vary:\n  ¦sparsifier.rte: [0.1]\n",
        "unknown field 'rte'; did you mean rate?",
    ),
    "vary a field without its block": (
        HEAD + "vary: {¦rate: [0.1]}\n",
        "unknown field 'rate'; did you mean sparsifier.rate?",
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
    refused_at_its_place(folder, text, words)


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


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (HEAD + "tracking: http://me:se:cr3t pass@host\n", []),
        (HEAD + "vary: {tracking: ['off', 'https://me:cr3t@host:5000/x@y']}\n", []),
        (HEAD, ["tracking=http://cr3t@host"]),
        (HEAD + "tags: {¦a: 3, b: 'http://me:cr3t@host'}\n", []),
    ],
)
def test_a_password_in_an_address_is_not_repeated(folder, text, changes):
    with pytest.raises(FileError) as caught:
        load(spec_file(folder, text.replace("¦", "")), changes)
    message = str(caught.value)
    assert "cr3t" not in message and "@" in message
    if "¦" not in text:
        assert "MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN, in the environment" in message
