"""Drawing subsets: exact counts, nested, balanced, the same everywhere, and honest about lists."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from engine.classcounts import spread
from engine.dataspec import DataSettings
from engine.errors import DataError
from engine.subsets import Listing, Lists, Subset, describe, draw, subset

A = ord("a")


def lists(*sizes: int, test: int = 3) -> Lists:
    """Training images named 0, 1, ... with `sizes[c]` images of class c."""
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    return Lists(
        tuple(chr(A + label) for label in range(len(sizes))),
        Listing("train.txt", [str(i) for i in range(len(labels))], labels),
        Listing("test.txt", [f"t{i}" for i in range(test)], [0] * test),
    )


def counts(lists: Lists, positions: tuple[int, ...]) -> list[int]:
    labels = [lists.train.labels[p] for p in positions]
    return [labels.count(c) for c in range(len(lists.classes))]


def tail(kind: str, factor: float, **knobs: object) -> DataSettings:
    return DataSettings(long_tail={"kind": kind, "factor": factor}, **knobs)


def relabelled(pool: Lists, **knobs: object) -> dict[str, int]:
    return dict(subset(pool, draw(pool, DataSettings(**knobs))).relabelled)


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


@pytest.mark.parametrize(
    ("factor", "total", "least"),
    [(0.1, 19_573, 50), (0.05, 15_907, 25), (0.02, 12_608, 10), (0.01, 10_847, 5)],
)
def test_a_long_tail_has_the_published_totals(factor: float, total: int, least: int) -> None:
    """CIFAR-100's, as the code of Cui et al. 2019 counts them."""
    pool = lists(*[500] * 100)
    drawn = draw(pool, tail("exponential", factor, validation="none"))
    found = counts(pool, drawn.train)
    assert sum(found) == total
    assert (found[0], found[-1]) == (500, least)
    assert found == sorted(found, reverse=True)
    assert drawn.warnings == ()


def test_long_tails_by_hand() -> None:
    pool = lists(100, 100, 100)
    drawn = draw(pool, tail("exponential", 0.25, validation=30))  # leaves 90 of each
    assert counts(pool, drawn.train) == [90, 45, 22]
    assert counts(pool, drawn.val) == [10, 10, 10]
    assert not set(drawn.train) & set(drawn.val) and drawn.warnings == ()
    five = lists(*[10] * 5)
    stepped = draw(five, tail("step", 0.1, validation="none"))
    assert counts(five, stepped.train) == [10, 10, 10, 1, 1]


def test_a_longer_tail_lies_within_a_shorter_one_and_begins_at_no_fixed_image() -> None:
    pool = lists(40, 40, 40)
    long, short = (draw(pool, tail("exponential", f)).train for f in (0.05, 0.5))
    assert set(long) < set(short)
    other = draw(pool, tail("exponential", 0.05).model_copy(update={"seed": 1})).train
    assert counts(pool, other) == counts(pool, long) and other != long


def test_classes_too_small_for_a_long_tail_are_named() -> None:
    pool = lists(10, 2, 30)  # 14 of each on average
    drawn = draw(pool, tail("exponential", 0.01, validation="none"))
    assert counts(pool, drawn.train) == [10, 1, 0]
    assert "11 training images instead of 15" in drawn.warnings[0]
    assert drawn.warnings[0].endswith("of a")
    assert drawn.warnings[1] == "long_tail exponential 0.01: no training image of c"


def test_folds_share_no_image_and_are_together_all() -> None:
    pool = lists(11, 7, 5)
    drawn = [draw(pool, DataSettings(folds=4, fold=fold)) for fold in range(4)]
    held = [position for one in drawn for position in one.val]
    assert sorted(held) == list(range(23))
    for one in drawn:
        assert sorted(one.train + one.val) == list(range(23))
        assert 5 <= len(one.val) <= 6
        assert all(
            n // 4 <= c <= n // 4 + 1
            for n, c in zip((11, 7, 5), counts(pool, one.val), strict=True)
        )
    other = draw(pool, DataSettings(folds=4, seed=1)).val
    assert other != drawn[0].val


def test_what_is_validated_on_is_said_in_words() -> None:
    assert DataSettings(folds=5, fold=2).validated == "fold 2 of 5"
    assert DataSettings(validation=300).validated == 300


def test_a_fraction_of_what_a_fold_leaves() -> None:
    pool = lists(20, 20)
    some, more = (draw(pool, DataSettings(folds=5, fold=2, fraction=f)) for f in (0.2, 0.6))
    assert some.val == more.val and len(some.val) == 8
    assert counts(pool, some.train) == [4, 4] and set(some.train) < set(more.train)
    assert not set(more.train) & set(more.val)


def test_random_labels_are_as_many_as_asked_for_and_of_any_class() -> None:
    pool = lists(1000, 1000, 1000)
    drawn = draw(pool, DataSettings(random_labels=0.3, validation=300))
    changed = [
        (pool.train.labels[position], label)
        for position, label in zip(drawn.train, drawn.labels, strict=True)
        if pool.train.labels[position] != label
    ]
    # of 2700 labels 810 are drawn, and a third of those as they were: 540 +- 21 (one deviation)
    assert 500 < len(changed) < 580
    pairs = {pair: changed.count(pair) for pair in changed}
    assert len(pairs) == 6 and all(65 < count < 115 for count in pairs.values())


def test_random_labels_depend_on_the_image_and_the_data_seed_alone() -> None:
    pool = lists(50, 50, 50)
    every = relabelled(pool, random_labels=0.5, validation="none")
    assert every == relabelled(pool, random_labels=0.5, validation="none")
    assert every != relabelled(pool, random_labels=0.5, validation="none", seed=1)
    some = relabelled(pool, random_labels=0.5, fraction=0.3)
    assert some and some.items() <= every.items()
    few = relabelled(pool, random_labels=0.2, validation="none")
    assert few and few.items() <= every.items() and len(few) < len(every)


def test_the_hash_names_random_labels_and_nothing_else_anew() -> None:
    pool = lists(50, 50, 50)
    plain, noisy = (describe(pool, DataSettings(random_labels=r), 1, 8).subset for r in (0.0, 0.5))
    assert plain != noisy
    one = Subset(("a", "b"), ("c",), {"b": 2, "a": 1})
    assert one.hash == hashlib.sha256(b'[["a","b"],["c"],[["a",1],["b",2]]]').hexdigest()
    assert one.document()["relabelled"] == {"a": 1, "b": 2}
    assert one.document()["sha256"] == one.hash
    assert "relabelled" not in Subset(("a",), ()).document()


@pytest.mark.parametrize(
    ("knobs", "drawn"),
    [
        ({}, "f67b4d9b5ca64bcb"),
        ({"long_tail": {"kind": "exponential", "factor": 0.1}}, "88de16363d737e57"),
        ({"folds": 3, "fold": 1}, "20ed4f1794f5fe9f"),
        ({"random_labels": 0.4}, "6aeb09499db8291d"),
    ],
)
def test_the_same_images_and_labels_on_every_machine(knobs: dict, drawn: str) -> None:
    """Hashes as a program of its own found them, from the rules in words."""
    assert describe(lists(9, 12, 30), DataSettings(**knobs), 1, 8).subset.startswith(drawn)


@pytest.mark.parametrize(
    ("knobs", "at", "message"),
    [
        ({"long_tail": {"kind": "step"}, "fraction": 0.5}, "long_tail", "and fraction both say"),
        ({"long_tail": {"kind": "step"}, "per_class": 5}, "long_tail", "and per_class both say"),
        ({"long_tail": {"kind": "step"}, "examples": "x"}, "long_tail", "and examples both say"),
        ({"fold": 1}, "fold", "fold is one of data.folds, which is not given"),
        ({"folds": 5, "fold": 5}, "fold", "the 5 folds are 0 to 4"),
        ({"folds": 5, "validation": "none"}, "validation", "leave validation out"),
        ({"folds": 5, "validation": 100}, "validation", "leave validation out"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    knobs: dict, at: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        DataSettings(**knobs)
    assert refused.value.errors()[0]["ctx"]["at"] == at


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
        ({"folds": 21}, "data.folds 21 are more than the 20 official training images"),
    ],
)
def test_impossible_draws_say_what_to_change(knobs: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw(lists(10, 10), DataSettings(**knobs))


def test_a_class_with_a_single_image_makes_no_folds() -> None:
    with pytest.raises(DataError, match=r"folds 2 leaves no image .*single one \(b\)"):
        draw(lists(10, 1, 10), DataSettings(folds=2))
    drawn = draw(lists(10, 2, 10), DataSettings(folds=5, fold=2))
    assert drawn.warnings == ("validation has no image of b",)
