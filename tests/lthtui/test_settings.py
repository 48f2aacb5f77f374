from pathlib import Path

import pytest

from engine.errors import UsageError
from lthtui import settings


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """An empty current folder and an empty home for settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)


def test_the_root_comes_from_the_nearest_place(tmp_path, monkeypatch):
    assert settings.root() == tmp_path / "mlruns"
    settings.user_file().parent.mkdir(parents=True)
    settings.user_file().write_text('root = "/user"\n')
    assert settings.root() == Path("/user")
    Path(".lthtui.toml").write_text('root = "project"\n')
    assert settings.root() == tmp_path / "project"
    monkeypatch.setenv("LTHTUI_ROOT", "~/environment")
    assert settings.root() == Path.home() / "environment"
    assert settings.root(Path("given")) == tmp_path / "given"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('rot = "x"', "unknown key 'rot'; did you mean root?"),
        ("root = 3", "root must be text"),
        ("root = ", r"\.lthtui\.toml: "),
        ("root = here", "line 1, column 8.; a text needs quotes"),
        ('"\\u001b[2J" = 1', r"\\x1b\[2J"),
    ],
)
def test_a_wrong_settings_file_is_named(text, words):
    Path(".lthtui.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        settings.root()
