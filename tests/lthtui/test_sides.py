"""What the place for comparing shows, as plain values."""

from __future__ import annotations

import pytest
from scored import run, shown, unfinished

from lthtui import marks, sides
from lthtui.board import GROUP
from lthtui.differences import Setting
from lthtui.sides import Asked, Room, cut


def looked(names, asked=None, **params):
    runs = [
        run(name, seed, {1.0: 0.7, 0.5: 0.7 + at / 10 + seed * (at + 1) / 50},
            params={"seed": str(seed), "kind": name * 20})
        for at, name in enumerate(names)
        for seed in (0, 1, 2)
    ]  # fmt: skip
    board = shown(*runs, names=names)
    groups = sorted(board.groups, key=lambda one: one.id)
    return sides.look(groups, {}, asked or Asked())


def test_a_spec_name_that_all_share_is_left_out():
    assert looked({"a": "imp · x", "b": "rigl · x"}).contrast.labels == ("imp", "rigl")
    assert looked({"a": "imp · x", "b": "null of imp"}).contrast.labels == ("imp", "null of imp")
    assert looked({"a": "imp · x", "b": "imp · y"}).contrast.labels == ("imp · x", "imp · y")
    assert looked({"a": "imp · x", "b": "imp"}).contrast.labels == ("imp · x", "imp")


@pytest.mark.parametrize(("won", "told"), [(True, "winning ticket"), (False, "no winning ticket")])
def test_a_chart_says_of_its_marks_whether_any_ticket_wins(won, told):
    board = shown(run("a", 0, {1.0: 0.7, 0.5: 0.7}, beats_dense=won))
    panel = sides.look([*board.groups], {}, Asked()).panel
    assert panel.marks_label == told and panel.lines[0].marks


def test_columns_begin_with_the_baseline():
    found = looked({"a": "a", "b": "b", "c": "c", "d": "d"}, Asked(baseline="c"))
    assert sides.order(found, 0) == [2, 0, 1, 3]
    assert sides.order(found, 2) == [2, 3]
    titles = [column.title for column in sides.columns(found, [2, 3], "key", 9)]
    assert titles == ["key", "c", "d"]


def test_columns_are_told_apart_by_the_names_of_groups():
    names = {one: f"imp resnet18 cross_entropy convolution={one}" for one in ("full", "harmonic")}
    found = looked(names)
    titles = [column.title for column in sides.columns(found, [0, 1], "", 14)]
    assert titles == ["", "imp…full", "imp…harmonic"]


def test_cells_say_what_is_best_and_how_sure_that_is():
    found = looked({"a": "a", "b": "b"})
    rows = {
        row.cells[0].text: row.cells[1:] for row in sides.figures(found, [0, 1], {"a": "#123456"})
    }
    assert [cell.text for cell in rows["runs"]] == ["■ 3 baseline", "■ 3"]
    assert rows["runs"][0].tone == "#123456"
    mine, best = rows["test accuracy %"]
    assert mine.text == "72.00±2.00" and mine.tone == ""
    assert best.text == "▲84.00±4.00**" and best.tone == "winning"
    [key] = [
        r.key for r in sides.figures(found, [0, 1], {}) if r.cells[0].text == "test accuracy %"
    ]
    # differences of .10, .12 and .14: t = .12 / (.02 / sqrt 3) and p = 1 - t / sqrt(t ** 2 + 2)
    assert (
        sides.in_full(found, key)
        == "test accuracy %  a: s0 70.00 s1 72.00 s2 74.00  b: +12.00, p = 0.0091, n = 3"
    )


def test_the_chart_shows_picked_levels_of_finished_runs_alone():
    done = [run("a", seed, {1.0: 0.7, 0.5: 0.8 + seed / 10}) for seed in (0, 1)]
    going = unfinished(run("a", 2, {1.0: 0.7, 0.5: 0.1, 0.25: 0.2}))

    def lines(drawn, level, *runs):
        return sides.look(shown(*runs).groups, {}, Asked(drawn=drawn, level=level)).panel.lines

    def seeds(*asked):
        return sum(len(line.traces) for line in lines(*asked))

    assert seeds("loss", -1, *done, going) == 2 and seeds("loss", -1, going) == 1
    assert seeds("loss", 1, *done, going) == 3  # of a level that all have
    (line,) = lines("density", -1, *done, going)
    assert [mark.y for mark in line.marks] == [0.8, 0.9]


def test_values_too_long_for_a_column_are_told_in_full():
    found = looked({"a": "a", "b": "b"})
    [kind] = [r for r in sides.settings(found, [0, 1], False, Room(2, 20, 9)) if r.key == "kind"]
    assert [cell.text for cell in kind.cells[1:]] == ["aaa…aaaaa", "bbb…bbbbb"]
    assert sides.in_full(found, "kind") == f"kind  a: {'a' * 20}  b: {'b' * 20}"
    assert sides.in_full(found, None) == "a: seeds 0, 1, 2  b: seeds 0, 1, 2"


@pytest.mark.parametrize("width", [9, 14, 22])
def test_cut_texts_keep_both_ends_and_the_width(width):
    text = "imp levels=10 score=random"
    assert len(cut(text, width)) == width
    assert cut(text, width)[0] == "i" and cut(text, width)[-1] == "m"
    assert cut(text[:width], width) == text[:width]


def test_room_for_settings():
    long, short = ([Setting(key, ())] for key in ("k" * 30, "sparsifier.rate"))
    assert Room.of(46, 4, long) == Room(2, 23, 9)
    assert Room.of(46, 4, short) == Room(2, 15, 13)  # 15 + 2 * 13 have 5 around them
    assert Room.of(80, 2, long) == Room(2, 31, 22)
    assert Room.of(10, 5, []).groups == 2


def test_marks_choose_groups_and_parts_of_them():
    runs = [run("a", 0, {1.0: 0.5}), run("a", 1, {1.0: 0.5}), run("b", 0, {1.0: 0.5}, family="g")]
    board = shown(*runs, names={"a": "imp · x"})
    assert marks.whole(board, {"group:a", "gone"}) == ("group:a",)
    assert set(marks.whole(board, {"a-s1", "b-s0"})) == {"a-s1", "group:b"}
    assert marks.family(board, "a-s0") == (GROUP + "a",) and marks.family(board, None) == ()
    [part] = marks.groups(board, ("a-s1",))
    assert part.label == "imp s1 · x" and [one.seed for one in part.runs] == [1]
    [whole] = marks.groups(board, (GROUP + "b",))
    assert whole.id == "b" and len(whole.runs) == 1
