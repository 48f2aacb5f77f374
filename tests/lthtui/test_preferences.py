"""What a person sets for the app, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from lthtui import preferences, settings
from lthtui.preferences import Preferences


@pytest.fixture(autouse=True)
def user(tmp_path, monkeypatch):
    """The user's settings file; the current folder is an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("LTHTUI_THEME", "LTHTUI_ASCII"):
        monkeypatch.delenv(name, raising=False)
    settings.user_file().parent.mkdir(parents=True)
    return settings.user_file()


def test_without_files_everything_is_as_it_comes():
    assert preferences.load() == Preferences()


def test_the_environment_counts_before_the_project_and_that_before_the_user(user, monkeypatch):
    user.write_text('theme = "nord"\nascii = true\n[keys]\n"run.stop" = "X"\n"app.quit" = "Q"\n')
    assert preferences.load() == Preferences("nord", True, "", {"run.stop": "X", "app.quit": "Q"})
    Path(".lthtui.toml").write_text('theme = "dracula"\n[keys]\n"run.stop" = "D"\n')
    found = preferences.load()
    assert found.theme == "dracula" and found.keys == {"run.stop": "D", "app.quit": "Q"}
    monkeypatch.setenv("LTHTUI_THEME", "gruvbox")
    monkeypatch.setenv("LTHTUI_ASCII", "0")
    assert (preferences.load().theme, preferences.load().ascii) == ("gruvbox", False)
    assert preferences.load().said_in == (str(user), ".lthtui.toml", "LTHTUI_THEME")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme = 3", "theme must be text"),
        ('ascii = "yes"', "ascii must be true or false"),
        ("keys = 3", "keys takes names and keys"),
        ('[keys]\n"run.stop" = 3', "keys takes names and keys"),
    ],
)
def test_a_misused_key_is_named(user, text, words):
    user.write_text(text)
    with pytest.raises(UsageError, match=f"config.toml: {words}"):
        preferences.load()


def test_a_project_can_bring_no_command_along(user):
    user.write_text('on_end = "true"')
    assert preferences.load().on_end == "true"
    Path(".lthtui.toml").write_text('on_end = "rm -rf ~"')
    with pytest.raises(UsageError, match="which a project's file may not bring along"):
        preferences.load()
