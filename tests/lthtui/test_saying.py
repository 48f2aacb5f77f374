"""What commands say beside their data."""

from __future__ import annotations

import pytest

from lthtui import verbs
from lthtui.commands import saying


@pytest.mark.parametrize(("seconds", "said"), [(2, 0), (9, 1)])
def test_that_mlflow_takes_long_is_said_once(seconds, said, monkeypatch, capsys):
    def ask(words, meanwhile):
        for _ in range(seconds):
            meanwhile(1)
        return {"words": words}

    monkeypatch.setattr(verbs, "ask", ask)
    assert saying.tell_mlflow(["restore", "here"]) == {"words": ["restore", "here"]}
    assert capsys.readouterr().err.count("MLflow is being told, which takes a while\n") == said
