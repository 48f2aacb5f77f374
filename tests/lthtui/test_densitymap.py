"""The map of densities by layer and level."""

import pytest
from rich.cells import cell_len

from lthtui import densitymap
from lthtui.densitymap import gather, lines

TOTALS = {"conv1.weight": 100, "layer4.1.conv2.weight": 1000}


def one_run(levels=3):
    return {
        level: {"conv1.weight": 100 - 10 * level, "layer4.1.conv2.weight": 1000 // 10**level}
        for level in range(levels)
    }


def texts(found, width):
    return ["".join(span.text for span in line) for line in lines(found, width)]


def test_wide_maps_have_figures():
    head, conv1, conv2, *rest = texts(gather([one_run()], TOTALS), 80)
    assert head.split() == ["L0", "L1", "L2", "last", "weights"]
    assert len(head) == len(conv1) and head.endswith("    weights")  # above what they name
    assert conv1.split() == ["conv1", "100%", "90%", "80%", "80%", "100"]
    assert conv2.split() == ["layer4.1.conv2", "100%", "10%", "1%", "1%", "1,000"]
    assert rest[-1].startswith("kept, log scale  1% ▁")


def test_picked_levels_are_marked():
    assert texts(gather([one_run()], TOTALS, [1]), 80)[0].split()[:3] == ["L0", "◇L1", "L2"]


def test_narrow_maps_have_blocks_and_lose_levels_before_the_last():
    found = gather([one_run(4)], TOTALS)
    head, conv1, conv2, *_ = texts(found, 26)
    assert "L0 to L3" in head
    assert conv2[16:24] == "██▆▆▃▃▁▁"
    assert texts(found, 20)[2] == "layer4.1.conv2  █▆▃▁"
    head, _, conv2, *_ = texts(gather([one_run(2)], TOTALS), 27)
    assert (head, conv2) == (f"{'':16}L0-1   last", "layer4.1.conv2  ██▁▁    10%")
    assert texts(found, 18)[2][16:] == "▆▁"  # of levels 1 and 3
    assert all(cell_len(line) <= 18 for line in texts(found, 18)[:3])


def test_colours_and_blocks_say_the_same():
    found = gather([one_run(4)], TOTALS)
    wide, narrow = ([span.paper or span.tone for span in lines(found, w)[2]] for w in (80, 26))
    assert len({*wide[1:5]}) == 4 and len({*narrow[1:5]}) == 4


def test_seeds_are_averaged_where_they_have_the_level():
    other = {0: {"conv1.weight": 50, "layer4.1.conv2.weight": 0}}
    found = gather([one_run(2), other], TOTALS)
    assert found.densities["conv1.weight", 0] == pytest.approx(0.75)
    assert found.densities["layer4.1.conv2.weight", 0] == pytest.approx(0.5)
    assert found.densities["conv1.weight", 1] == pytest.approx(0.9)


def test_what_is_not_known_of_a_layer_counts_nowhere():
    runs = [{0: {"conv1.weight": 50}, 1: {"conv1.weight": 20}}, one_run(1)]
    found = gather(runs, TOTALS)
    assert found.densities["layer4.1.conv2.weight", 0] == 1.0
    _, conv1, conv2, *_ = texts(found, 80)
    assert conv1.split() == ["conv1", "75%", "20%", "20%", "100"]
    assert conv2.split() == ["layer4.1.conv2", "100%", "100%", "1,000"]  # level 0 was the last


def test_a_layer_that_is_gone_stands_out():
    found = gather([{0: {"conv1.weight": 3, "layer4.1.conv2.weight": 0}}], TOTALS)
    row = lines(found, 80)[2]
    assert row[1].text.strip() == "·" and row[1].tone == "failed" and row[2].tone == "failed"
    assert "·" in texts(found, 18)[2]


def test_no_levels_and_what_is_wrong():
    assert texts(gather([], {}), 40) == ["no level has ended yet"]
    assert texts(gather([], {}, trouble="it is damaged"), 40) == ["it is damaged"]
    assert (
        texts(gather([one_run()], TOTALS, trouble="level 3 is damaged"), 80)[-1]
        == "level 3 is damaged"
    )


def test_names_are_cleaned_and_cut_in_the_middle():
    assert densitymap.short("a\x1b[2Jb.weight", 20) == "a\\x1b[2Jb"
    assert densitymap.short("encoder.layers.0.attention.weight", 11) == "enco…ention"
    name = "\x1b]0;x\x07.weight"
    assert "\x1b" not in "".join(texts(gather([{0: {name: 1}}], {name: 2}), 80))


def test_figures_of_hardly_any_weights_keep_to_their_columns():
    kept = {0: {"one": 1_000_000, "two": 100}, 1: {"one": 35, "two": 50}}
    head, one, two, *_ = texts(gather([kept], {"one": 1_000_000, "two": 100}), 60)
    assert one.split() == ["one", "100%", "<0.1%", "0.0035%", "1,000,000"]
    ends = [
        [at for at in range(1, len(row)) if row[at - 1] != " " == row[at]] for row in (one, two)
    ]
    assert ends[0][1:] == ends[1][1:] and len(head) == len(one) == len(two)
