"""Names in narrow columns."""

from __future__ import annotations

from lthtui.fitting import apart, briefly, fitted, shortened, told_apart


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
        names[0]: "  imp…rate=0.1… n=2",
        names[1]: "  imp…0.1 1e-4… n=2",
        names[2]: "  imp…rate=0.3… n=2",
        names[3]: "  imp…0.3 1e-4… n=2",
    }
    assert told_apart([*names, "  dense n=3"], 80) == {}
    hyphens = [f"  low-data-imp-lr=1e-{power} s0" for power in (1, 2)]
    assert [*told_apart(hyphens, 17).values()] == ["  low-…lr=1e-1 s0", "  low-…lr=1e-2 s0"]


TABLE = [  # what a spec varies, at the end of names that begin alike
    "imp vgg16 cross_entropy · table1  n=3",
    "imp resnet18 cross_entropy init=kaiming convolution=harmonic · table1  n=3",
    "imp resnet18 cross_entropy init=kaiming convolution=full · table1  n=3",
    "imp resnet18 cross_entropy · table1  n=3",
]


def test_names_keep_of_their_beginning_what_has_room_beside_what_tells_them_apart():
    assert [*briefly(TABLE, 33).values()] == [
        "imp vgg16 cross_entropy · ta… n=3",
        "imp…convolution=harmonic… n=3",
        "imp…convolution=full… n=3",
        "imp resnet18 cross_entropy ·… n=3",
    ]
    assert [*briefly(TABLE, 31).values()][1:] == [
        "imp…convolution=harmonic… n=3",  # all three were cut alike
        "imp…convolution=full… n=3",
        "imp resnet18 cross_entropy… n=3",
    ]
    assert briefly(TABLE, 80) == {name: name for name in TABLE}


def test_names_that_begin_otherwise_are_told_apart_too():
    """What is left of them is not what is left of others, which they did not look like."""
    names = [
        f"imp {model} cross_entropy rate={rate} n=3"
        for model in ("vgg16", "vgg19")
        for rate in (1, 2)
    ]
    for width in range(12, 40):
        shown = briefly(names, width)
        assert len({*shown.values()}) == 4 and max(map(len, shown.values())) <= width


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
