import os

import pytest

from engine.errors import UsageError
from engine.repetition import Repetition
from lthtui import runnames

IDS = [
    "20260101-imp-aaaaaa-s0",
    "20260101-imp-bbbbbb-s1",
    "20260102-rigl-2x-cccccc-s0",
    "20260103-imp-aaaaaa-s0-2",
    "20260103-odd",
]


@pytest.fixture
def root(tmp_path):
    for age, name in enumerate(IDS):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "spec.yaml").write_text("x")
        os.utime(folder / "spec.yaml", (1000 + age, 1000 + age))
    (tmp_path / "runs" / "20260104-not-a-run").mkdir()
    return tmp_path


def ids(root, *words):
    return [run.run_id for run in runnames.find(root, words)]


@pytest.mark.parametrize(
    ("word", "index"),
    [
        ("20260101-imp-aaaaaa-s0", 0),  # whole, though another begins with it
        ("bbbbbb", 1),
        ("20260102", 2),
        ("rigl", 2),
        ("rigl-2x-s0", 2),
        ("imp-s1", 1),
        ("s0-2", 3),
        ("odd", 4),
        ("@last", 4),
    ],
)
def test_a_run_is_named_by_any_unique_part(root, word, index):
    assert ids(root, word) == [IDS[index]]


def test_several_words_name_several_runs_each_once(root):
    assert ids(root, "odd", "rigl", "@last") == [IDS[4], IDS[2]]


def test_an_ambiguous_word_lists_what_it_means(root):
    with pytest.raises(UsageError) as caught:
        ids(root, "aaaaaa")
    assert str(caught.value).splitlines() == [
        "'aaaaaa' means 2 runs; write more of the id:",
        f"  {IDS[0]}",
        f"  {IDS[3]}",
    ]
    with pytest.raises(UsageError, match="means 2 runs"):
        ids(root, "imp-s0")


def test_a_long_list_is_cut(root):
    for seed in range(30):
        folder = root / "runs" / f"20270101-many-dddddd-s{seed}"
        folder.mkdir()
        (folder / "spec.yaml").write_text("x")
    with pytest.raises(UsageError) as caught:
        ids(root, "many")
    assert len(str(caught.value).splitlines()) == 1 + runnames.SHOWN + 1
    assert str(caught.value).endswith("and 20 more")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("rigl-2x-s1", "did you mean rigl-2x-s0?"),
        ("zzz", "`lthtui list` shows all"),
        ("20260104", ""),
        ("\x1b[2J", r"no run '\x1b[2J'"),
    ],
)
def test_an_unknown_run_is_refused_with_the_nearest(root, word, hint):
    with pytest.raises(UsageError) as caught:
        ids(root, word)
    assert hint in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("word", ["x", "@last"])
def test_without_runs_it_says_how_to_make_one(tmp_path, word):
    with pytest.raises(UsageError, match="lthtui run SPEC"):
        ids(tmp_path, word)
    assert runnames.every(tmp_path) == []


def test_all_runs_come_in_the_order_of_their_making(root):
    os.utime(root / "runs" / IDS[0] / "spec.yaml", (9000, 9000))
    assert [run.run_id for run in runnames.every(root)] == [*IDS[1:], IDS[0]]


def test_a_run_that_is_taken_away_meanwhile_is_left_out(root, monkeypatch):
    there = runnames.ids(root)
    monkeypatch.setattr(runnames, "ids", lambda *_: [there[0], "20260101-gone-cccccc-s0"])
    assert [run.run_id for run in runnames.every(root)] == there[:1]


def test_short_names_tell_runs_apart():
    assert runnames.short(IDS) == {
        IDS[0]: IDS[0],
        IDS[1]: "imp-s1",
        IDS[2]: "rigl-2x-s0",
        IDS[3]: IDS[3],
        IDS[4]: IDS[4],
    }


def test_a_name_pairs_seeds_with_their_runs(root):
    identities = {name: f"{'ab' * 5}{name[-1]}" if "rigl" in name else "c" * 64 for name in IDS}
    for name, group in identities.items():
        (root / "runs" / name / "identity.json").write_text(
            '{"name": "x", "experiment": "x", "family": "f", "digest": "d",'
            f' "seed": {int(name.endswith("s1"))},'
            f' "sparsifier": "s", "dataset": "d", "model": "m", "group": "{group}",'
            ' "asked": {}, "params": {}}'
        )
    assert runnames.paired(root, "imp", Repetition(seed=1)).run_id == IDS[1]
    assert runnames.paired(root, "imp-s1", Repetition(seed=7)).run_id == IDS[1]
    assert runnames.paired(root, "ababababab", Repetition()).run_id == IDS[2]
    assert runnames.paired(root, "aaaaaa-s0-2", Repetition(seed=5)).run_id == IDS[3]
    with pytest.raises(UsageError, match="no run 'imp' has seed 4, only 0, 1; write .*imp-s0"):
        runnames.paired(root, "imp", Repetition(seed=4))
    with pytest.raises(UsageError, match="'imp' means 2 runs; write more of the id"):
        runnames.paired(root, "imp", Repetition())
    assert [run.run_id for run in runnames.seeds(root, "imp")] == [IDS[3], IDS[1]]
    assert [run.run_id for run in runnames.seeds(root, "rigl")] == [IDS[2]]
    with pytest.raises(UsageError, match="means 5 runs"):
        runnames.seeds(root, "2026010")
