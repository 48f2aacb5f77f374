"""Names that tell the groups of one spec apart."""

from __future__ import annotations

from lthtui.labels import distinguish


def spec(**sparsifier):
    return {
        "name": "s",
        "seed": 1,
        "sparsifier": {"name": "imp", **sparsifier},
        "loss": {"name": "ce"},
    }


def test_only_what_differs_is_named():
    specs = {"a": spec(rate=0.1, levels=4), "b": spec(rate=0.2, levels=4)}
    assert distinguish(specs) == {"a": "rate=0.1", "b": "rate=0.2"}


def test_a_choice_is_named_by_its_kind():
    specs = {"a": spec(rate=0.1), "b": {**spec(), "sparsifier": {"name": "rigl"}}}
    assert distinguish(specs) == {"a": "imp", "b": "rigl"}


def test_settings_count_among_those_who_chose_the_same():
    rigl = {**spec(), "sparsifier": {"name": "rigl", "alpha": 0.3}}
    specs = {"a": spec(rate=0.1), "b": spec(rate=0.2), "c": rigl}
    assert distinguish(specs) == {"a": "imp rate=0.1", "b": "imp rate=0.2", "c": "rigl"}


def test_many_differences_are_counted():
    one = {key: 0 for key in "pqrst"}
    two = {key: 1 for key in "pqrst"}
    assert distinguish({"a": one, "b": two})["a"] == "p=0 q=0 r=0 +2"


def test_name_and_seed_do_not_count():
    assert distinguish({"a": {"seed": 1, "x": 1}, "b": {"seed": 2, "x": 2}})["a"] == "x=1"


def test_hostile_values_are_shown_as_text():
    specs = {"a": {"root": "\x1b[2J"}, "b": {"root": "y"}}
    assert distinguish(specs)["a"] == "root=\\x1b[2J"
