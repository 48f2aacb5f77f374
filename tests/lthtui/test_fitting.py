"""Names in narrow columns."""

from __future__ import annotations

from lthtui.fitting import apart, fitted, shortened, told_apart


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


def test_names_that_would_look_alike_lose_what_they_have_in_common():
    settings = [f"rate={rate}{more}" for rate in (0.1, 0.3) for more in ("", " weight_decay=1e-4")]
    names = [f"  imp rewind=2ep {one} · lowdata-of-isic n=2" for one in settings]
    assert told_apart([*names, "  dense n=3"], 26) == {
        names[0]: "  imp…rate=0.1 ·… n=2",
        names[1]: "  imp…0.1 1e-4… n=2",
        names[2]: "  imp…rate=0.3 ·… n=2",
        names[3]: "  imp…0.3 1e-4… n=2",
    }
    assert told_apart([*names, "  dense n=3"], 80) == {}
    hyphens = [f"  low-data-imp-lr=1e-{power} s0" for power in (1, 2)]
    assert [*told_apart(hyphens, 17).values()] == ["  …lr=1e-1 s0", "  …lr=1e-2 s0"]


def test_names_of_files_keep_the_words_at_both_ends_that_tell_them_apart():
    paper = [f"  table1-cifar10-{share}pct" for share in (1, 2)]
    files = [f"{one}{more}" for one in paper for more in ("", "-simclr", "-cpu", "-simclr-cpu")]
    told = told_apart([*files, "  simclr-cifar10-1pct-cpu", "  rigl"], 18)
    assert told == {
        "  table1-cifar10-1pct": "  table1-…1pct",
        "  table1-cifar10-1pct-simclr": "  …1pct-simclr",
        "  table1-cifar10-1pct-cpu": "  table1-…1pct-cpu",
        "  table1-cifar10-1pct-simclr-cpu": "  …1pct-simclr-cpu",
        "  table1-cifar10-2pct": "  table1-…2pct",
        "  table1-cifar10-2pct-simclr": "  …2pct-simclr",
        "  table1-cifar10-2pct-cpu": "  table1-…2pct-cpu",
        "  table1-cifar10-2pct-simclr-cpu": "  …2pct-simclr-cpu",
    }
