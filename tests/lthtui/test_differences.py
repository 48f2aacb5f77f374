"""Settings of groups side by side."""

from __future__ import annotations

from scored import run

from lthtui.differences import Setting, merged, settings


def groups(*params):
    return [[run("g", 0, {1.0: 0.5}, params=one)] for one in params]


def test_only_what_two_groups_have_different_differs():
    found = settings(groups({"a": "1", "b": "x"}, {"a": "1", "b": "y"}, {"a": "1", "b": "y"}))
    assert found == [Setting("a", ("1", "1", "1")), Setting("b", ("x", "y", "y"))]
    assert [one.differs for one in found] == [False, True]


def test_a_key_that_a_group_lacks_differs():
    [a, b] = settings(groups({"a": "1"}, {"a": "1", "b": "2"}))
    assert b == Setting("b", ("", "2")) and b.differs and not a.differs


def test_seeds_of_a_group_are_listed():
    runs = [
        run("g", seed, {1.0: 0.5}, params={"seed": str(seed), "rate": "0.2"}) for seed in (3, 1)
    ]
    other = [run("h", 3, {1.0: 0.5}, params={"seed": "3", "rate": "0.2"})]
    seed, rate = settings([runs, other])
    assert seed == Setting("seed", ("3, 1", "3")) and seed.differs and not rate.differs


def test_text_from_outside_is_harmless():
    [one] = settings(groups({"a\x1b[2J": "b\nc"}))
    assert one == Setting("a\\x1b[2J", ("b\\nc",))


def test_keys_keep_their_order():
    assert merged([["a", "b", "c"], ["a", "x", "b", "y"], ["z", "c"]]) == list("zaxbyc")
    assert merged([["b", "a"], ["a", "b"]]) == ["b", "a"]
    assert merged([[], ["a"]]) == ["a"] and merged([]) == []


def test_no_groups_have_no_settings():
    assert settings([]) == []
