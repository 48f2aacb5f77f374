"""Sorting as people type it."""

import pytest

from lthtui import ordering
from lthtui.views import orders

KNOWN = {"val", "name", "a/loss", "best(a/loss)"}


@pytest.mark.parametrize(
    ("typed", "name", "whole"),
    [
        ("|", "", "val|"),
        ("va|", "va", "val|"),
        ("-va|", "va", "-val|"),
        ("-val,|", "", "-val,val|"),
        ("-v|,name", "v", "-val|,name"),
        ("name, -  v|", "v", "name, -  val|"),
        ("min(a,b)|,name", "min(a,b)", "val|,name"),
        ("name|,x", "name", "val|,x"),
        ("  |x", "x", "  val|"),
    ],
)
def test_the_name_at_the_cursor_is_completed(typed, name, whole):
    text, at = typed.replace("|", ""), typed.index("|")
    assert ordering.part(text, at).name == name
    text, at = ordering.completed(text, at, "val")
    assert f"{text[:at]}|{text[at:]}" == whole


def test_an_order_is_said_in_words():
    order, said = ordering.read("-val, best(a/loss)", KNOWN)
    assert order == orders("-val,best(a/loss)")
    assert said == "val, largest first; then best(a/loss), smallest first"
    assert ordering.read("", KNOWN) == ((), ordering.said(()))


def test_what_is_no_order_says_where():
    order, said = ordering.read("val,nmae", KNOWN)
    assert order is None and said.startswith("column 5: ") and "did you mean name" in said
