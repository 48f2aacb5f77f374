"""Criterion 21: specs that are broken, or try to reach a shell, a file or too much memory."""

from __future__ import annotations

import re
import resource
import time

import pytest

from lthtui.cli import main

BASE = """\
version: 1
name: NAME
data: {name: digits, per_class: 20, validation: 300, seed: 0}
model: {name: resnet20, width: 4}
augmentation: none
loss: cross_entropy
sparsifier: {name: imp, rate: 0.2, levels: 3, rewind: 1ep}
train: {epochs: 5, batch_size: 20, optimizer: {name: sgd, lr: 0.1, momentum: 0.9}, schedule: cosine}
select: {split: val, metric: accuracy}
seeds: [0]
checkpoint: 30
launch: {devices: cpu, per_device: 1, threads: 1, retries: 2}
"""
NUMBERS = {
    "version: 1": "version: ",
    "per_class: 20": "per_class: ",
    "data seed": "seed: ",
    "width: 4": "width: ",
    "rate: 0.2": "rate: ",
    "levels: 3": "levels: ",
    "epochs: 5": "epochs: ",
    "batch_size: 20": "batch_size: ",
    "lr: 0.1": "lr: ",
    "momentum: 0.9": "momentum: ",
    "checkpoint: 30": "checkpoint: ",
    "per_device: 1": "per_device: ",
    "retries: 2": "retries: ",
}
NO_NUMBERS = (
    '"$(touch HACKED)"',
    '"`touch HACKED`"',
    '"; touch HACKED #"',
    '"../../../etc/passwd"',
    "!!python/object/apply:os.system [touch HACKED]",
    "!!python/name:os.system {}",
    "*anchor",
    "&anchor 3",
    ".nan",
    "-.inf",
    "1e999",
    "-1e30",
    '"\\e]52;c;aGFja2Vk\\a"',
    '"\u202e3"',
    "[1, 2]",
    "{a: 1}",
)
CHOICES = ("data: digits", "model: resnet20", "loss: cross_entropy", "augmentation: none")
NO_CHOICES = (
    "../../etc/passwd",
    "/etc/passwd",
    "os",
    "engine.models.resnet20",
    "_resnet",
    '"resnet20; touch HACKED"',
    '"resnet20\\n"',
    '"a\\0b"',
    "{name: [x]}",
)
NO_NAMES = (
    '"a b"',
    '"../x"',
    "/x",
    '"$(touch HACKED)"',
    '"a;b"',
    '"a\\nb"',
    '"-rf"',
    '"\\e[2J"',
    '"\u202ex"',
    "x" * 200,
    '""',
    '"."',
)
LAUNCHES = (
    "devices: [/dev/sda, 3]",
    "devices: []",
    'slurm: {partition: "gpu\\n#SBATCH --wrap=id"}',
    'slurm: {partition: "gpu --wrap=id"}',
    'slurm: {extra: {wrap: "touch HACKED"}}',
    'slurm: {extra: {output: "/etc/cron.d/x"}}',
    'slurm: {extra: {account: "a\\n#SBATCH --uid=0"}}',
    'slurm: {extra: {account: "$(id)"}}',
    'slurm: {time: "1; id"}',
    'slurm: {gres: "gpu:1 --uid=0"}',
    "memory: lots",
    "memory: -1",
    "threads: 100000",
    "unknown: 1",
)


def _corpus() -> dict[str, str]:
    """Texts by what is wrong with them."""
    found = {}
    for shown, key in NUMBERS.items():
        at = shown if shown in BASE else "seed: 0"
        for value in NO_NUMBERS:
            found[f"{shown.partition(':')[0]}: {value}"] = BASE.replace(at, key + value, 1)
    for choice in CHOICES:
        kind = choice.partition(":")[0]
        for value in NO_CHOICES:
            line = re.compile(rf"^{kind}: .*$", re.MULTILINE)
            found[f"{kind}: {value}"] = line.sub(lambda _, v=value, k=kind: f"{k}: {v}", BASE)
    for value in NO_NAMES:
        found[f"name: {value}"] = BASE.replace("NAME", value)
    for value in LAUNCHES:
        found[f"launch: {value}"] = BASE.replace("retries: 2", value)
    for block in ("data", "model", "sparsifier", "train", "select", "launch"):
        found[f"unknown in {block}"] = BASE.replace(f"{block}: {{", f"{block}: {{__class__: 1, ")
        found[f"twice: {block}"] = BASE + f"{block}: {{}}\n"
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    found |= {
        "an alias bomb": "a0: &a0 [x, x]\n" + bomb + BASE,
        "deep lists": BASE + "tags: " + "[" * 100_000,
        "deep mappings": BASE + "tags: " + "{a: " * 50_000,
        "deep blocks": BASE + "".join(" " * n + "a:\n" for n in range(2_000)),
        "a megabyte": BASE + "# " + "x" * 2**20,
        "a hundred thousand seeds": BASE.replace("[0]", f"[{', '.join(map(str, range(100_000)))}]"),
        "a million runs": BASE + f"vary: {{sparsifier.rate: {[n / 1001 for n in range(1, 1000)]},"
        f" train.optimizer.lr: {[n / 1001 for n in range(1, 1000)]}}}\n",
        "many unknown fields": BASE + "".join(f"x{n}: 1\n" for n in range(5_000)),
        "a long number": BASE.replace("epochs: 5", "epochs: " + "9" * 5_000),
        "binary": "\x00\x01\x02" + BASE,
        "escapes": BASE + "\x1b]52;c;aGFja2Vk\x07: 1\n",
        "an octal": BASE.replace("epochs: 5", "epochs: 0777x"),
        "a time": BASE.replace("epochs: 5", "epochs: 1:30:00"),
        "on as a key": BASE + "on: 1\n",
        "a merge key": BASE + "train2: {<<: *x}\n",
    }
    return found


CORPUS = _corpus()


PLACE = re.compile(r"x\.yaml:(\d+:\d+: | .*(at most|larger))")  # a whole file may be too much
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_each_is_refused_at_its_place_and_nothing_happens(
    tmp_path, monkeypatch, capsys, record_property
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(BASE.replace("NAME", "good"))
    assert main(["check", "good.yaml"]) == 0
    capsys.readouterr()
    memory, slowest = _memory(), (0.0, "")
    for what, text in CORPUS.items():
        (tmp_path / "x.yaml").write_text(text.replace("NAME", "x"))
        began = time.perf_counter()
        code = main(["check", "x.yaml"])
        slowest = max(slowest, (time.perf_counter() - began, what))
        told = capsys.readouterr()
        said = told.out + told.err
        assert code == 2, f"{what}: {code}"
        assert PLACE.search(said) and not HIDDEN.search(said), f"{what}: {said[:500]!r}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.yaml", "x.yaml"]
    record_property("specs refused, each at its place", len(CORPUS))
    record_property("slowest", f"{1000 * slowest[0]:.0f} ms ({slowest[1]})")
    record_property("MiB of memory taken by all", round((_memory() - memory) / 1024))
    assert len(CORPUS) >= 200


def _memory() -> int:
    """KiB at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_commands_end_with_2_and_start_nothing(tmp_path, monkeypatch, capsys, verb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(CORPUS["lr: !!python/name:os.system {}"].replace("NAME", "x"))
    assert main([verb, "x.yaml"]) == 2
    said = capsys.readouterr()
    assert "x.yaml:8:" in said.out + said.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]
