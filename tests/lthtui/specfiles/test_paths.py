"""Which file a word names as a spec."""

from __future__ import annotations

import os

import pytest

from engine.errors import UsageError
from lthtui.specfiles import load
from lthtui.specpaths import find


def test_specs_are_found_by_their_bare_names(folder):
    assert str(find("good")) == "specs/good.yaml"
    assert str(find("specs/good.yaml")) == "specs/good.yaml"
    for wrong in ("god", "specs/god.yaml", "spec/good.yaml", "good.yml"):
        with pytest.raises(
            UsageError, match=f"{wrong}: no such spec; did you mean specs/good.yaml"
        ):
            find(wrong)


def test_what_is_no_spec_is_told_from_what_was_not_found(folder):
    for name, words in {
        "specs": "specs: a folder; name a spec in it",
        "train.epochs": "no such spec; to change a field, write train.epochs=VALUE",
        "zzz": "zzz: no such spec; there are a, b, c, d, e and 2 more",
    }.items():
        for other in "abcdef":
            (folder / "specs" / f"{other}.yaml").touch()
        with pytest.raises(UsageError, match=words):
            find(name)


def test_a_missing_spec_with_escapes_in_its_name_is_shown_harmless(folder):
    with pytest.raises(UsageError) as caught:
        find("\x1b]52;c;x\x07")
    assert "\x1b" not in str(caught.value) and "\\x1b]52" in str(caught.value)


def test_the_current_folder_holds_relative_roots(folder, monkeypatch):
    path = os.path.abspath("specs/good.yaml")
    monkeypatch.chdir("/")
    assert len(load(path)) == 1
