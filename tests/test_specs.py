"""The specs that come with lthtui: what they ask for, and that each has a twin for a CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from shipped import PAPER, SPECS, describe, runs_of

from engine.spec import RunSpec

ALL = sorted(SPECS.rglob("*.yaml"))
ROWS = {  # of Table 1: the loss, the network and its convolutions
    ("cross_entropy", "resnet18", "plain"),
    ("cosine", "resnet18", "plain"),
    ("tvmf", "resnet18", "plain"),
    ("cross_entropy", "resnet18", "full"),
    ("cross_entropy", "resnet18", "harmonic"),
}
SMALL = {("cross_entropy", "vgg16", "plain"), ("cross_entropy", "mobilenet_v2", "plain")}
SIZES = ("table5", "table6", "figure2", "figure5")  # whose twins have the two smallest sizes only


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    describe(monkeypatch, tmp_path)


def row(run: RunSpec) -> tuple[str, str, str]:
    return run.loss.name, run.model.name, getattr(run.model, "convolution", "plain")


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_every_spec_makes_runs_of_its_own_name(file: Path) -> None:
    runs = runs_of(file)
    assert runs and len({run.digest for run in runs}) == len(runs)
    assert all(run.experiment == file.stem for run in runs)
    for line in file.read_text().splitlines():
        assert len(line) <= 100 or not file.parent.name == "paper"


@pytest.mark.parametrize(
    "file", [one for one in PAPER if not one.stem.endswith("-cpu")], ids=lambda file: file.stem
)
def test_every_cell_has_a_twin_for_a_cpu(file: Path) -> None:
    """The same cells, but for weights of torchvision, which are of networks too large."""
    twin = runs_of(file.with_stem(f"{file.stem}-cpu"))
    whole = [run for run in runs_of(file) if not run.start.torchvision]
    if file.stem.startswith(SIZES):
        whole = [run for run in whole if run.data.fraction <= 0.02]
    assert Counter(map(row, twin)) == Counter(map(row, whole))
    assert {run.augmentation for run in twin} == {run.augmentation for run in whole}


@pytest.mark.parametrize("column", ["cifar10-1pct", "cifar10-2pct", "clamm", "isic", "eurosat"])
def test_the_columns_of_table_1_have_all_rows(column: str) -> None:
    runs = runs_of(SPECS / "paper" / f"table1-{column}.yaml")
    small = column.startswith("cifar10")
    assert {row(run) for run in runs if not run.start.named} == ROWS | (SMALL if small else set())
    pretrained = {run.model.name for run in runs if run.start.torchvision}
    assert pretrained == ({"resnet18"} if small else {"resnet18", "resnet50"})
    if small:
        simclr = runs_of(SPECS / "paper" / f"table1-{column}-simclr.yaml")
        assert {run.start.ticket.run for run in simclr} == {
            f"simclr-{column}-s{seed}" for seed in (0, 1, 2)
        }


def paper_cells() -> Iterator[tuple[str, set[object], set[object]]]:
    """By table, what its cells differ in, and what they should."""
    table2 = {run.data.fraction for run in runs_of(SPECS / "paper" / "table2.yaml")}
    yield "2", table2, {0.02, 0.01}
    table3 = runs_of(SPECS / "paper" / "table3.yaml")
    yield "3", {run.data.long_tail.factor for run in table3}, {0.1, 0.05, 0.02, 0.01}
    table5 = runs_of(SPECS / "paper" / "table5.yaml")
    sizes = {1.0, 0.5, 0.2, 0.1, 0.02, 0.01}
    cells = {(run.data.fraction, run.augmentation.name) for run in table5}
    best = {(size, "rand" if size == 0.01 else "auto") for size in sizes}
    yield "5", cells, best | {(size, "basic") for size in sizes}


def test_the_cells_of_the_other_tables_are_those_of_the_paper() -> None:
    for table, found, expected in paper_cells():
        assert found == expected, f"table {table}"


def test_tickets_of_table_5_are_trained_again_on_their_own_images() -> None:
    for run in runs_of(SPECS / "paper" / "table5-retrained.yaml"):
        percent = round(100 * run.data.fraction)
        assert run.sparsifier.source.run == f"table5-{percent}pct-s{run.seed}"
