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


def test_a_missing_spec_with_escapes_in_its_name_is_shown_harmless(folder):
    with pytest.raises(UsageError) as caught:
        find("\x1b]52;c;x\x07")
    assert "\x1b" not in str(caught.value) and "\\x1b]52" in str(caught.value)


def test_the_current_folder_holds_relative_roots(folder, monkeypatch):
    path = os.path.abspath("specs/good.yaml")
    monkeypatch.chdir("/")
    assert len(load(path)) == 1
