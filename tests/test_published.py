"""What the paper prints, against its text, and which runs of the specs stand for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from shipped import PAPER, SPECS, describe, runs_of
from viewed import run as shown

from engine.schema import params_of
from engine.spec import RunSpec
from lthtui import published, specfiles
from lthtui.identity import Control
from lthtui.published import TWIN, Cell, Column, Entry, Row

ENTRIES = {entry.id: entry for entry in published.load().entries}
CELLS = [
    (entry, row, column)
    for entry in ENTRIES.values()
    for row in entry.rows
    for column in entry.columns
]

TABLE_1 = """
R18            55.14 70.05 43.8  59.66 50.29 55.76 57.34 59.73 83.44 87.85
ImageNet-R18   75.50 77.92 66.00 69.46 47.46 55.86 59.72 62.80 90.75 91.32
ImageNet-R50   -     -     -     -     51.66 57.03 61.73 64.88 92.89 93.39
SimCLR         52.58 64.09 37.56 44.39 -     -     -     -     -     -
cosine         64.82 72.63 45.87 64.67 49.60 60.15 59.03 61.00 82.28 88.68
t-vMF          62.23 72.81 41.70 64.54 24.50 59.67 56.22 59.30 71.14 88.26
full           62.16 73.24 49.30 64.20 46.77 57.91 56.42 58.20 76.05 77.06
harmonic       61.36 66.48 22.97 49.85 42.58 44.14 50.56 52.51 79.40 83.28
VGG            64.64 71.01 51.8  61.71 -     -     -     -     -     -
MobileNetV2    64.64 71.01 51.8  61.63 -     -     -     -     -     -
"""  # as the paper prints it: dense and ticket, by data set
SETS = ("cifar10-2pct", "cifar10-1pct", "clamm", "isic", "eurosat")
OTHERS = {
    "table2": "28.82 31.04 17.21 25.06 11.21 16.44",
    "table4": "20.79 - 6.42 - 4.94 23.67",
    "table5": "95.45 95.85 96.12 93.42 94.1 94.01 88.54 90.01 89.99"
    " 78.93 83.23 85.01 45.25 57.74 70.05 38.31 47.4 59.66",
}


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    describe(monkeypatch, tmp_path)


def printed(entry: Entry) -> list[float | None]:
    return [number for row in entry.rows for number in row.numbers]


def read(line: str) -> list[float | None]:
    return [None if word == "-" else float(word) for word in line.split()]


def made(spec: str) -> tuple[RunSpec, ...]:
    return runs_of(SPECS / "paper" / f"{spec}.yaml")


def spec_of(entry: Entry, row: Row, column: Column) -> str:
    return row.spec or column.spec or entry.spec


def standing(entry: Entry, row: Row, column: Column, spec: str) -> Iterator[RunSpec]:
    """The runs of a spec that stand for a cell."""
    wanted = published.where(entry, row, column)
    for run, params in told(spec):
        if kind(run) == column.control and published.meets(wanted, params):
            yield run


@cache
def told(spec: str) -> tuple[tuple[RunSpec, dict[str, str]], ...]:
    """The runs of a spec with their settings, as they are once their tickets are found."""
    return tuple(
        (run, {**params_of(run), "start.ticket.run": run.start.ticket.run or ""})
        for run in made(spec)
    )


def kind(run: RunSpec) -> str:
    """Which control it is, or will be once its ticket is found."""
    return run.sparsifier.kind if run.sparsifier.name == "ticket" else ""


@pytest.mark.parametrize("at", range(len(SETS)), ids=SETS)
def test_the_numbers_of_table_1_are_the_papers(at: int) -> None:
    rows = [read(line.split(None, 1)[1]) for line in TABLE_1.split("\n") if line]
    expected = [row[2 * at : 2 * at + 2] for row in rows if row[2 * at] is not None]
    assert [[*row.numbers] for row in ENTRIES[f"table1-{SETS[at]}"].rows] == expected


@pytest.mark.parametrize("table", OTHERS)
def test_the_numbers_of_other_tables_are_the_papers(table: str) -> None:
    assert printed(ENTRIES[table]) == read(OTHERS[table])


def test_the_long_tails_and_the_ratios_are_the_papers() -> None:
    tails = {row.label: row.numbers for row in ENTRIES["table3"].rows}
    assert tails == {
        "0.10": (64.77, 64.92) * 2,
        "0.05": (58.43, 59.43) * 2,
        "0.02": (50.91, 51.72) * 2,
        "0.01": (45.13, 46.73) * 2,
    }
    ratios = {row.label: row.numbers for row in ENTRIES["table6"].rows}
    expected = {"100 %": 1.07, "50 %": 1.09, "20 %": 1.22, "10 %": 1.33, "2 %": 1.39, "1 %": 1.23}
    assert ratios == {size: (ratio, ratio) for size, ratio in expected.items()}


def test_figures_have_the_numbers_of_tables_for_the_same_runs() -> None:
    """Whatever a figure says of a setting and a ticket, a table says, too."""
    known = {}
    for entry, row, column in CELLS:
        at = entry.columns.index(column)
        number = row.numbers[at] if at < len(row.numbers) else None
        if number is None or column.evaluation or column.control:
            continue
        wanted = published.where(entry, row, column)
        key = column.which, wanted.get("data.fraction"), wanted.get("augmentation.name")
        if entry.id.startswith("table5") or row.label == "Random init. (R18)":
            known[key] = number
        elif entry.id.startswith("figure"):
            assert known[key] == number, f"{entry.id}, {row.label}, {column.title}"


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_every_cell_has_runs_of_its_spec(entry: Entry) -> None:
    """And of the twin for a CPU, where it is said to have them."""
    for row in entry.rows:
        assert len(row.numbers) <= len(entry.columns)
        for column in entry.columns:
            if column.control and not column.spec:
                for name in (entry.spec, f"{entry.spec}{TWIN}"):
                    listed = specfiles.expand(SPECS / "paper" / f"{name}.yaml").control
                    assert column.control in listed, f"{name}, {column.title}"
                continue
            spec = spec_of(entry, row, column)
            assert [*standing(entry, row, column, spec)], f"{row.label}, {column.title}"
            small = [*standing(entry, row, column, f"{spec}{TWIN}")]
            assert bool(small) == row.cpu, f"{row.label}, {column.title}, {spec}{TWIN}"


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_no_two_cells_are_of_the_same_number_of_the_same_runs(entry: Entry) -> None:
    seen = set()
    for row in entry.rows:
        for column in entry.columns:
            measure = column.which, column.evaluation, column.metric
            for spec in {f"{one}{end}" for one in entry.specs for end in ("", TWIN)}:
                groups = {run.group for run in standing(entry, row, column, spec)}
                found = {(*measure, spec, group) for group in groups}
                assert not seen & found, f"{row.label}, {column.title}"
                seen |= found


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_evaluations_that_are_shown_are_asked_for(entry: Entry) -> None:
    for row in entry.rows:
        for column in entry.columns:
            if not column.evaluation or (column.evaluation.startswith("cka other") and row.spec):
                continue  # a reference is not compared with itself
            for spec in (spec_of(entry, row, column), f"{spec_of(entry, row, column)}{TWIN}"):
                for run in standing(entry, row, column, spec):
                    assert any(column.measures(one.label) for one in run.evaluate), run.name


def test_every_run_of_a_table_or_figure_stands_for_something() -> None:
    for file in PAPER:
        if not file.stem.startswith(("table", "figure")):
            continue
        name = file.stem.removesuffix(TWIN)
        cells = [cell for cell in CELLS if name in cell[0].specs]
        stand = {run.digest for cell in cells for run in standing(*cell, file.stem)}
        assert stand == {run.digest for run in made(file.stem)}, file.stem


def view(spec: str, seed: int, at: int = 0, **fields: object):
    """A run of a spec as the app has it: the `at`th of its groups."""
    run = [run for run in made(spec) if run.seed == seed][at]
    return shown(
        run_id=f"{run.name}-{at}-s{seed}",
        experiment=run.experiment_name,
        name=run.name,
        group=run.group,
        seed=seed,
        params=params_of(run),
        **fields,
    )


def cells(entry: str, runs: list, specs: tuple[str, ...] = ()) -> dict[tuple[str, str], Cell]:
    found = next(one for one in published.of(runs, specs) if one.entry.id == entry)
    return {(c.row.label, c.column.title): c for row in found.rows for c in row}


def test_runs_stand_beside_the_numbers_of_their_spec() -> None:
    runs = [view("table1-cifar10-1pct-cpu", seed, at) for at in (0, 1) for seed in (0, 1)]
    found = cells("table1-cifar10-1pct", runs)
    both = found["Random init. (R18)", "WT+Aug*"]
    assert both.number == 0.5966 and [len(group) for group in both.groups] == [2]
    assert found["Cosine loss", "D+Aug*"].groups == ((runs[2], runs[3]),)
    absent = found["Harmonic nets", "WT+Aug*"]
    assert absent.groups == ()
    assert absent.command == "lthtui run specs/paper/table1-cifar10-1pct-cpu.yaml"
    assert found["ImageNet init. (R18)", "D+Aug*"].command == (
        "lthtui run specs/paper/table1-cifar10-1pct.yaml"
    )
    assert found["SimCLR init. (R18)", "D+Aug*"].command == (
        "lthtui run specs/paper/simclr-cifar10-1pct-cpu.yaml"
        " specs/paper/table1-cifar10-1pct-simclr-cpu.yaml"
    )
    assert [one.entry.id for one in published.of(runs)] == ["table1-cifar10-1pct"]


def test_named_specs_say_which_entries_are_meant() -> None:
    """Runs of one spec may have been made by another, as its experiment says."""
    runs = [view("table5-cpu", 0, at) for at in range(4)]
    assert [one.entry.id for one in published.of(runs)] == ["table5"]
    meant = published.of(runs, ("table6-cpu",))
    assert [one.entry.id for one in meant] == ["table6", "figure3", "figure6"]
    assert cells("table6", runs, ("table6",))["1 %", "ratio of norms"].groups == ((runs[3],),)


def test_controls_stand_where_they_are_asked_for_alone() -> None:
    ticket = view("table5", 0, 11)
    random = view("table5-retrained", 0, 5, controls=Control(run="x", level=3, kind="random"))
    again = view("table5-retrained", 1, 5, controls=Control(run="x", level=3, kind="retrain"))
    found = cells("figure5", [ticket, random, again], ("figure5",))
    assert found["1 %", "Random prune"].groups == ((random,),)
    assert found["1 %", "WT+Aug*"].groups == ((ticket,),)
    assert found["1 %", "Small dense"].groups == ()
    assert found["1 %", "Small dense"].command == "lthtui run specs/paper/figure5.yaml"
    assert cells("table5", [ticket, again])["1 %", "WT(Base)+Aug*"].groups == ((again,),)


def test_what_differs_from_the_papers_protocol_is_told() -> None:
    assert published.unlike(view("table5", 0)) == {
        "select.split": ("val", "test"),
        "select.epoch": ("last", "best"),
        "train.evaluate.every": ("20", "1"),
    }
    dense = view("table4", 0)
    assert dense.params["sparsifier.levels"] == "0"
    assert published.unlike(dense) == published.unlike(view("table5", 0))
    small = published.unlike(view("table5-cpu", 0))
    assert small["model.width"] == ("8", "64") and small["train.epochs"] == ("60", "200")


def test_a_label_is_measured_with_further_settings_and_no_other_evaluation() -> None:
    column = Column(title="", which="dense", evaluation="cka other:table4-100pct")
    assert column.measures("cka other:table4-100pct-cpu:best images:500")
    assert not column.measures("cka other:table4-100pct2") and not column.measures("cka")
    probe = Column(title="", which="dense", evaluation="linear_probe data:cifar100")
    assert probe.measures("linear_probe data:cifar100.fraction-0.1")
    assert not probe.measures("linear_probe data:cifar10")


def test_percents_are_given_as_fractions_and_ratios_as_they_are() -> None:
    assert ENTRIES["table5"].columns[0].measured(94.1) == 0.941
    assert ENTRIES["table6"].columns[0].measured(1.07) == 1.07
    assert ENTRIES["table4"].columns[1].measured(None) is None


def test_the_index_says_what_every_spec_is_for() -> None:
    text = (SPECS / "paper" / "README.md").read_text()
    listed = {file.stem for file in PAPER if f"[{file.stem}]({file.name})" in text}
    assert listed == {file.stem for file in PAPER if not file.stem.endswith(TWIN)}
