"""Names in narrow columns."""

from __future__ import annotations

from lthtui.fitting import apart, fitted, shortened


def test_texts_are_cut_or_filled_to_a_width_in_cells():
    assert fitted("ab", 4, right=False) == "ab  "
    assert fitted("ab", 4, right=True) == "  ab"
    assert fitted("abcdef", 4, right=False) == "abc…"
    assert fitted("日本語", 5, right=False) == "日本…"  # each takes two cells
    assert fitted("日本語", 4, right=False) == "日 …"


def test_long_names_keep_the_word_that_says_which_seed():
    name = "▸ synflow sgd lr=0.01 · cifar10  n=5"
    assert shortened(name, 20) == "▸ synflow sgd l… n=5"
    assert shortened(name, 40) == name
    assert shortened("digits-imp-with-a-long-name", 12) == "digits-imp-with-a-long-name"


def test_names_are_told_apart_by_where_they_differ():
    names = ["rigl lr=0.1 s0", "rigl lr=0.1 s1", "rigl lr=0.3 s0"]
    assert apart(names) == len("rigl lr=0.1… s0")
    cut = {fitted(shortened(name, apart(names)), apart(names), False) for name in names}
    assert len(cut) == 3
    assert apart(["one"]) == apart([]) == 0
