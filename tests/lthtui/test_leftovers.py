import json

import pytest

from lthtui import leftovers
from lthtui.launch import lease


@pytest.fixture(autouse=True)
def idle(monkeypatch):
    """Nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)


def test_an_entry_of_a_newer_version_is_no_leftover(stage):
    first, second, third = stage.submit(0, 1, 2)
    newer = json.loads(first.queue_file.read_text())
    newer["launch"]["kubernetes"] = {}
    first.queue_file.write_text(json.dumps(newer))
    second.queue_file.write_text("{")
    third.spec_file.unlink()
    assert leftovers.queued(stage.root) == sorted([second.queue_file, third.queue_file])
