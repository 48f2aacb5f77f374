"""Regular expressions: the same answers as Python's own, in linear time."""

import random
import re

import pytest

from lthtui.patterns import MOST_TEXT, Pattern, PatternError

TEXTS = ["", "imp", "IMP+aug", "spec12", "a b", "aaab", "x_1.5-s0", "über", "()", "a\nb", "ab" * 9]


@pytest.mark.parametrize(
    "pattern",
    [
        *("imp", "^imp$", "^$", "", "a|b", "(a|b)+$", "^spec[0-9]{2}$", "[^a-z]", "a.b", "a{2,3}b"),
        *(
            r"\d\.\d",
            r"\w+-s\d",
            r"\W",
            r"\S\s\S",
            r"\(\)",
            "[]]",
            "[a-]",
            "(?:ab){3,}",
            "x?y*",
            "ü",
        ),
        *("a*?b", "(|a)b", "[A-C]ug", r"[\d_]{2}", "a{0}b", "(a*)*", "^a|b$", r"[^\d]$"),
    ],
)
def test_finds_what_pythons_own_finds(pattern):
    ours, theirs = Pattern(pattern), re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for text in TEXTS:
        assert ours.found(text) == bool(theirs.search(text)), text


def test_random_patterns_find_what_pythons_own_find():
    draw = random.Random(5)

    def made(depth):
        kind = draw.randrange(6 if depth else 2)
        if kind < 2:
            return draw.choice(["a", "b", ".", "[ab]", "[^a]", r"\w", "^", "$"])
        if kind == 2:
            return f"({made(depth - 1)}|{made(depth - 1)})"
        if kind == 3:
            return f"({made(depth - 1)}){draw.choice(['*', '+', '?', '{1,2}', '{2}'])}"
        return made(depth - 1) + made(depth - 1)

    for _ in range(400):
        pattern = made(3)
        ours, theirs = Pattern(pattern), re.compile(pattern, re.IGNORECASE | re.DOTALL)
        for _ in range(5):
            text = "".join(draw.choice("abc") for _ in range(draw.randrange(6)))
            assert ours.found(text) == bool(theirs.search(text)), (pattern, text)


def test_patterns_that_never_end_elsewhere_end():
    for pattern in (
        "(a+)+b",
        "(a|a)*b",
        "(a*)*(a*)*b",
        "(.*)(.*)(.*)(.*)(.*)x",
        "(a?){50}(a){50}b",
    ):
        assert not Pattern(pattern).found("a" * MOST_TEXT)


@pytest.mark.parametrize(
    ("pattern", "at", "said"),
    [
        ("a(b", 1, "never closed"),
        ("ab)", 2, "never opened"),
        ("[ab", 0, "never closed"),
        ("*a", 0, "nothing to repeat"),
        ("a**", 2, "nothing to repeat"),
        ("a{x}", 1, "{m,n}"),
        ("a{3,2}", 1, "m <= n"),
        ("a{101}", 1, "m <= n <= 100"),
        ("(?=a)", 0, "only (?:"),
        (r"a\b", 1, r"\b is not known"),
        ("a\\", 1, "a sign after"),
        ("[b-a]", 1, "goes up"),
        ("(a{100}){100}", 0, "smaller"),
        ("(" * 60 + ")" * 60, 50, "fewer brackets"),
    ],
)
def test_what_is_no_pattern_is_said_where(pattern, at, said):
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)
    assert caught.value.at == at and said in caught.value.problem
