"""What was noted, as lines: once where it is the same, with who and when where that is known."""

from __future__ import annotations

import time

import pytest
from viewed import run

from engine import schema
from engine.errors import UsageError
from engine.noted import Change
from lthtui import noteview, tagging

MORNING = 1_790_000_000 * 10**9


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def said(*runs, changes=None, width=70):
    found = noteview.lines(runs, changes or {}, width)
    return ["".join(span.text for span in line).rstrip() for line in found]


def test_who_and_when_is_told_only_of_what_is_still_so():
    changes = {
        schema.NOTE: Change(value="old", order=MORNING, user="anna"),
        "a": Change(value="1", order=MORNING),
        schema.NAME: Change(value="Best", order=MORNING, user="a\x1bb"),
    }
    one = run(note="new\x1b[2J", tags={"b": "\x9b", "a": "1"}, display_name="Best", archived=True)
    assert said(one, changes={"r": changes}) == [
        "shown as  Best   (2026-09-21 14:13, a\\x1bb)",
        "archived  true",
        "tags      a = 1   (2026-09-21 14:13)",
        "          b = \\x9b",
        "noted     in MLflow",
        "",
        "new\\x1b[2J",
    ]


def test_seeds_are_told_apart_only_where_they_differ():
    alike = [run(f"r{seed}", seed=seed, tags={"k": "v"}) for seed in range(3)]
    assert said(*alike) == ["tags      k = v"]
    other = run("r9", seed=9)
    lines = said(alike[0], other, alike[1])
    assert lines == ["s0, s1", "tags      k = v", "", "s9", noteview.NOTHING, ""]


def test_tags_of_several_runs_as_a_table():
    runs = [run(tags={"x": "1", "why": "a\n"}), run("s", tags={"x": "1", "why": "b", "y": ""})]
    rows = {row.key: [cell.text for cell in row.cells] for row in tagging.rows(runs)}
    assert rows == {
        "why": ["why", "differ: a\\n, b", ""],
        "x": ["x", "1", ""],
        "y": ["y", "", "1 of 2"],
    }
    assert [tagging.typed(key, runs) for key in ("x", "why", "y")] == ["x=1", "why=", "y="]
    with pytest.raises(UsageError, match="`lthtui tag` changes it"):
        tagging.typed("why", runs[:1])


def test_what_is_typed_changes_adds_or_renames_a_tag():
    assert tagging.changes("a=b=c") == {"a": "b=c"}
    assert tagging.changes("a=2", "a") == {"a": "2"}
    assert tagging.changes("b=2", "a") == {"a": None, "b": "2"}
    for text, why in (("a", "key=value"), ("mlflow.x=1", "programs"), ("a,b=1", "letters")):
        with pytest.raises(UsageError, match=why):
            tagging.changes(text)
