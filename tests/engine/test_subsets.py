"""Drawing subsets: exact counts, nested, balanced, the same everywhere, and honest about lists."""

from __future__ import annotations

import hashlib

import pytest

from engine.errors import DataError
from engine.plugin import DataSettings
from engine.subsets import Listing, Lists, Subset, describe, draw, spread

CLASSES = ("a", "b", "c")


def lists(*sizes: int, test: int = 3) -> Lists:
    """Training images named 0, 1, ... with `sizes[c]` images of class c."""
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    return Lists(
        CLASSES[: len(sizes)],
        Listing("train.txt", [str(i) for i in range(len(labels))], labels),
        Listing("test.txt", [f"t{i}" for i in range(test)], [0] * test),
    )


def counts(lists: Lists, positions: tuple[int, ...]) -> list[int]:
    labels = [lists.train.labels[p] for p in positions]
    return [labels.count(c) for c in range(len(lists.classes))]


def test_fraction_is_of_the_official_set_and_exact_in_total() -> None:
    pool = lists(50, 30, 20)
    drawn = draw(pool, DataSettings(fraction=0.1, validation=9))
    assert counts(pool, drawn.train) == [5, 3, 2]
    assert counts(pool, drawn.val) == [3, 3, 3]
    assert not set(drawn.train) & set(drawn.val)


@pytest.mark.parametrize("sizes", [(50, 30, 20), (7, 11, 301), (10, 10, 10), (1, 2, 97)])
def test_smaller_fractions_lie_within_larger_ones(sizes: tuple[int, ...]) -> None:
    pool, before = lists(*sizes), set()
    for percent in range(1, 101):
        settings = DataSettings(fraction=percent / 100, validation="none")
        if percent * sum(sizes) < 50:
            continue
        now = set(draw(pool, settings).train)
        assert before <= now
        assert len(now) == int(percent * sum(sizes) / 100 + 0.5)
        before = now


def test_per_class_is_nested_too_and_apart_from_validation() -> None:
    pool = lists(20, 20, 20)
    two, five = (draw(pool, DataSettings(per_class=n, validation=6)) for n in (2, 5))
    assert counts(pool, two.train) == [2, 2, 2]
    assert set(two.train) < set(five.train)
    assert two.val == five.val


def test_validation_does_not_depend_on_the_fraction() -> None:
    pool = lists(40, 40, 40)
    drawn = [draw(pool, DataSettings(fraction=f, validation=0.25)).val for f in (0.05, 0.5, 1.0)]
    assert drawn[0] == drawn[1] == drawn[2]
    assert counts(pool, drawn[0]) == [10, 10, 10]


def test_the_ranking_is_sha256_of_seed_and_id() -> None:
    pool = lists(9, test=1)
    ranked = sorted(range(9), key=lambda i: hashlib.sha256(f"7\x1f{i}".encode()).digest())
    drawn = draw(pool, DataSettings(per_class=4, validation=2, seed=7))
    assert drawn.val == tuple(sorted(ranked[:2]))
    assert drawn.train == tuple(sorted(ranked[2:6]))


def test_another_data_seed_draws_other_images() -> None:
    pool = lists(100, 100, 100)
    one, two = (draw(pool, DataSettings(per_class=10, seed=s)).train for s in (0, 1))
    assert one != two


def test_spread_by_hand() -> None:
    # three images: they stand at 1/40, 3/40, 5/40 ... in the first class, 1/12 in the second
    assert spread([20, 6, 1], 0.1) == [2, 1, 0]
    assert spread([10, 10], 0.05) == [1, 0]


def test_all_that_is_left_needs_no_warning_but_a_cap_does() -> None:
    pool = lists(10, 4, 10)
    assert draw(pool, DataSettings(validation=6)).warnings == ()
    drawn = draw(pool, DataSettings(per_class=5, validation=6))
    assert counts(pool, drawn.train) == [5, 2, 5]
    assert "12 training images instead of 15" in drawn.warnings[0]
    assert drawn.warnings[0].endswith("of b")


def test_validation_leaves_an_image_of_each_class() -> None:
    pool = lists(30, 2, 30)
    drawn = draw(pool, DataSettings(validation=30))
    assert counts(pool, drawn.val) == [10, 1, 10]
    assert "21 images instead of 30" in drawn.warnings[0]
    assert counts(pool, drawn.train) == [20, 1, 20]


def test_classes_that_a_fraction_misses_are_named() -> None:
    drawn = draw(lists(100, 100, 2), DataSettings(fraction=0.02, validation="none"))
    assert any("no training image of c" in warning for warning in drawn.warnings)


def test_the_official_list_is_taken_whole() -> None:
    pool = lists(10, 10)
    official = Lists(pool.classes, pool.train, pool.test, Listing("val.txt", ["v"], [1]))
    drawn = draw(official, DataSettings(validation="official", per_class=3))
    assert (drawn.held.source, drawn.val) == ("val.txt", (0,))
    assert counts(pool, drawn.train) == [3, 3]


def test_describe_counts_what_draw_gives() -> None:
    about = describe(lists(50, 30, 20), DataSettings(fraction=0.1, validation=9), 3, 4, (6, 5))
    assert (about.train, about.val, about.test, about.available) == (10, 9, 3, 100)
    assert about.bytes == 3 * (10 * 6 * 5 + 12 * 4 * 4)


def test_the_hash_ignores_order_and_tells_the_splits_apart() -> None:
    one = Subset(("a", "b"), ("c",))
    assert one.hash == Subset(("b", "a"), ("c",)).hash
    assert one.hash == hashlib.sha256(b'[["a","b"],["c"]]').hexdigest()
    assert one.hash != Subset(("a",), ("b", "c")).hash


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (
            Listing("train.txt", ["x", "x"], [0, 1], ["train.txt:4", "train.txt:9"]),
            None,
            "train.txt:9.*'x'.*train.txt:4",
        ),
        (
            None,
            Listing("test.txt", ["0"], [0], ["test.txt:1"]),
            "test.txt:1.*already.*train.txt, image 0",
        ),
        (
            Listing("train.txt", ["x", "y"], [0, 2], ["train.txt:4", "train.txt:9"]),
            None,
            "train.txt:9: label 2 .*2 class",
        ),
        (
            Listing("train.txt", ["x", "y"], [0, -1], ["train.txt:4", "train.txt:9"]),
            None,
            "train.txt:9: label -1",
        ),
        (Listing("train.txt", ["x", "y"], [0, 0]), None, r"no image of class 1 \(b\)"),
        (None, Listing("test.txt", [], []), "test.txt lists no image"),
    ],
)
def test_dishonest_lists_are_refused(
    train: Listing | None, test: Listing | None, message: str
) -> None:
    pool = lists(1, 1)
    with pytest.raises(DataError, match=message):
        draw(Lists(pool.classes, train or pool.train, test or pool.test), DataSettings())


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"validation": 20}, "leaves nothing of the 20"),
        ({"validation": 0.01}, "draws no image of 20; ask for more"),
        ({"validation": "official"}, "no official validation list; set data.validation"),
        ({"fraction": 0.01, "validation": 2}, "fraction 0.01 draws no image of 20"),
    ],
)
def test_impossible_draws_say_what_to_change(knobs: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw(lists(10, 10), DataSettings(**knobs))
