"""Overlaps as a heat map, readable without colour, and what two tickets share by layer."""

from engine.overlap import Overlap
from lthtui.overlapmap import matrix, pair

# 10 and 20 of 100 weights live in a, 5 in both; all of 10 in b
FOUND = Overlap(
    ("one", "the\x1b[2J other"),
    {"a.weight": 100, "b.weight": 10},
    {"a.weight": ((10, 5), (5, 20)), "b.weight": ((10, 10), (10, 10))},
)


def texts(lines):
    return ["".join(span.text for span in line) for line in lines]


def test_the_matrix_says_in_figures_what_its_colours_say():
    head, one, other, *_, legend = matrix(FOUND, (1, 0), 80)
    assert texts([head])[0].split() == ["kept", "1", "2"]
    # 15 of 35 are in both: 0.43
    assert texts([one])[0].split() == ["1", "one", "18%", "1", ".43"]
    assert texts([other])[0].split() == ["2", "the\\x1b[2J", "other", "27%", "[", ".43]", "1"]
    assert one[-1].paper == other[-2].paper != one[-2].paper
    assert "IoU" in texts([legend])[0]
    assert len({len(text) for text in texts([head, one, other])}) == 1


def test_names_give_way_to_figures():
    names = tuple(f"imp rate={rate} · a spec of some length s0:4" for rate in range(6))
    long = Overlap(names, {"a": 4}, {"a": ((1,) * 6,) * 6})
    lines = texts(matrix(long, (0, 0), 70))
    assert max(map(len, lines[:7])) == 70
    shown = [line[5:27].rstrip() for line in lines[1:7]]
    assert shown == [f"imp rate={rate} · a s… s0:4" for rate in range(6)]
    assert len(texts(matrix(long, (0, 0), 20))[1]) == 12 + 22 + 36


def test_the_pair_under_the_cursor_is_told_by_layer():
    lines = texts(pair(FOUND, 1, 0, 80))
    assert lines[:2] == ["the\\x1b[2J other", "and one"]
    assert lines[2].startswith("overlap   .43")
    # by chance: 10 * 20 / 100 = 2 in a, 10 in b: 12 of 38; wherever: 20 * 30 / 110 = 5.45 of 44.5
    assert lines[3].startswith("by chance .32") and "; .12 in whatever layers" in lines[3]
    assert lines[4] == "in both   15 weights, 75% of the sparser one's"
    assert lines[7].split()[:3] == ["a", ".20", ".07"] and lines[8].split()[:3] == ["b", "1", "1"]
    assert max(map(len, texts(pair(FOUND, 1, 0, 40)))) <= 40


def test_a_ticket_and_itself():
    lines = texts(pair(FOUND, 0, 0, 80))
    assert lines[2].startswith("overlap   1") and lines[4] == "in both   20 weights"


def test_layers_of_which_nothing_lives_have_no_overlap():
    nothing = Overlap(("x", "y"), {"a": 4}, {"a": ((0, 0), (0, 0))})
    assert texts(matrix(nothing, (0, 0), 80))[1].split()[-3:] == ["[", "–]", "–"]
    assert texts(pair(nothing, 0, 1, 60))[-1].split()[:3] == ["a", "–", "–"]


def test_two_long_names_are_shown_in_full_and_layers_in_order():
    names = ("imp resnet18 · table1 s0:3", "imp resnet18 · table1 s1:3")
    found = Overlap(names, {"c10": 4, "c9": 4}, {name: ((1, 1), (1, 1)) for name in ("c9", "c10")})
    lines = texts(pair(found, 0, 1, 24))
    assert lines[:4] == ["imp resnet18 · table1", "s0:3", "and imp resnet18 ·", "    table1 s1:3"]
    assert [line.split()[0] for line in lines[-2:]] == ["c9", "c10"]
