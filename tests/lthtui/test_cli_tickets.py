"""Tickets on the command line: the list and its order, and how much of their masks they share."""

from __future__ import annotations

import json

import numpy as np
import pytest
from maskfiles import draw, write_mask, write_ticket
from rundirs import FakeRun

from engine.errors import FAILED, USAGE
from lthtui.cli import main

SHAPES = {"conv1.weight": (16, 3, 3, 3), "fc.weight": (10, 16)}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def finished(root, name, seed=0, **changes):
    return FakeRun(root, name, seed, levels=2, top=1, **changes).start().train(3).end()


def nested(runs):
    """Masks of each level that keep ever fewer of the same weights; those of level 0 keep all."""
    for seed, run in enumerate(runs):
        masks = {name: np.ones(shape, bool) for name, shape in SHAPES.items()}
        for level in range(3):
            write_mask(run.directory.level(level), masks)
            kept = draw(SHAPES, 0.5, 10 * seed + level)
            masks = {name: mask & kept[name] for name, mask in masks.items()}


def told(capsys, *arguments):
    assert main(["ticket", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_says_what_tickets_are_worth_in_any_order(root, capsys):
    low, high, mid = (
        finished(root, name, dense=dense, train={"epochs": 4, "batch_size": size})
        for name, dense, size in (("low", 0.8, 20), ("high", 0.9, 25), ("mid", 0.85, 40))
    )
    header, *rows = told(capsys, "list").splitlines()
    assert header.split() == [
        *("ID", "METHOD", "DATA", "MODEL", "LEVEL", "KEPT", "VAL", "TEST", "GAIN", "SIZE")
    ]
    assert [row.split()[0] for row in rows] == [low.run_id, high.run_id, mid.run_id]
    # level 1 is 0.4 points above dense; 80 % of the weights live
    assert rows[0].split()[1:] == [
        *("imp", "digits", "resnet20", "1", "80%", "80.4", "@1", "79.4", "+0.4", "1", "kB"),
        *("beats", "dense"),
    ]
    rows = told(capsys, "list", "--sort", "-test", "--filter", "val>83%").splitlines()[1:]
    assert [row.split()[0] for row in rows] == [high.run_id, mid.run_id]
    found = json.loads(told(capsys, "list", "--sort", "test", "--json"))
    assert [run["run_id"] for run in found] == [low.run_id, mid.run_id, high.run_id]
    assert found[0]["winning"]["ticket"].endswith("levels/01/ticket.safetensors")


def test_only_winning_ones_if_asked(root, capsys):
    won, lost = finished(root, "won"), FakeRun(root, "lost", levels=2, top=0)
    lost.start().train(3).end()
    lines = told(capsys, "list").splitlines()
    assert "does not beat dense" in next(line for line in lines if lost.run_id in line)
    assert [run["run_id"] for run in json.loads(told(capsys, "list", "--winning", "--json"))] == [
        won.run_id
    ]
    assert main(["ticket", "list", "--winning", "--filter", "name=lost"]) == 0
    assert "no ticket is like that" in capsys.readouterr().err
    assert main(["ticket", "list", "--sort", "tset"]) == USAGE
    assert "did you mean test?" in capsys.readouterr().err


def test_overlap_of_levels_of_one_run_is_the_share_that_is_left(root, capsys):
    run = finished(root, "one")
    nested([run])
    found = json.loads(told(capsys, "overlap", f"{run.run_id}:1", "one:last", "--json"))
    assert [one["name"] for one in found["tickets"]] == ["one-s0:1", "one-s0:2"]
    first, last = (one["kept"] for one in found["tickets"])
    assert found["both"] == [[first, last], [last, last]]
    assert found["iou"][0][1] == pytest.approx(last / first)


def test_a_name_means_all_seeds_and_best_the_picked_level(root, capsys):
    runs = [finished(root, "one", seed) for seed in (0, 1)]
    nested(runs)
    header, *lines = told(capsys, "overlap", "one", "--layers").splitlines()
    assert header.split() == ["TICKET", "KEPT", "1", "2"]
    assert lines[0].split()[:2] == ["1", "one-s0:1"] and lines[1].split()[:2] == ["2", "one-s1:1"]
    overlap, chance = lines[1].split()[3:5]
    # two random masks of half the weights: 1/4 of 3/4
    assert abs(float(overlap) - 1 / 3) < 0.05 and abs(float(chance.strip("()")) - 1 / 3) < 0.02
    assert lines[3].split() == ["LAYER", "WEIGHTS", "1-2"]
    assert [line.split()[:2] for line in lines[4:]] == [
        ["conv1.weight", "432"],
        ["fc.weight", "160"],
    ]


def test_ticket_files_are_compared_too(root, capsys):
    run = finished(root, "one")
    nested([run])
    masks = draw(SHAPES, 0.3)
    write_ticket(root / "away.safetensors", masks)
    away = str(root / "away.safetensors")
    found = json.loads(told(capsys, "overlap", "one:1", away, "--json"))
    assert found["tickets"][1] == {
        "name": away,
        "kept": sum(int(mask.sum()) for mask in masks.values()),
        "total": 592,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["one:7"], "has no level '7' that has ended; it has levels 0, 1, 2"),
        (["one:x"], "names no ticket; write RUN"),
        (["nobody:1"], "no run 'nobody'"),
        (["one:1", "other:1"], "fc.weight is (10, 16) in"),
    ],
)
def test_what_cannot_be_compared(root, capsys, words, message):
    nested([finished(root, "one")])
    other = finished(root, "other")
    write_mask(other.directory.level(1), draw({**SHAPES, "fc.weight": (16, 10)}, 0.5))
    assert main(["ticket", "overlap", *words]) == USAGE
    assert message in capsys.readouterr().err


def test_a_damaged_mask_is_named(root, capsys):
    run = finished(root, "one")
    nested([run])
    file = run.directory.level(1) / "mask.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert main(["ticket", "overlap", "one:1", "one:2"]) == FAILED
    assert "mask.safetensors differs from its checksum" in capsys.readouterr().err


def test_a_run_without_levels_has_nothing_to_compare(root, capsys):
    FakeRun(root, "new").start()
    assert main(["ticket", "overlap", "new"]) == USAGE
    assert "it has no level yet" in capsys.readouterr().err
