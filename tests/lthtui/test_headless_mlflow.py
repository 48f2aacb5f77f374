"""How long whoever follows runs waits for MLflow once they have ended."""

from __future__ import annotations

import pytest
from waiting import PATIENCE

from engine.rundir import Status
from lthtui import headless
from lthtui.headless import LATER, Follower
from lthtui.launch.queue import Submitted

WAITS = "waiting for MLflow to get the rest; Ctrl-C leaves that to the queue"


class Silent:
    """A display that keeps what it is told."""

    def __init__(self, on_say=lambda message: None) -> None:
        self.said, self._on_say = [], on_say

    def update(self, changed, runs) -> None:
        """Show nothing."""

    def say(self, message) -> None:
        self.said.append(message)
        self._on_say(message)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def away(stage):
    """The file for as long as which the store is out of reach."""
    file = stage.folder / "away"
    file.touch()
    yield file
    file.unlink(missing_ok=True)


def follow(stage, run, action, display):
    follower = Follower(stage.root, [Submitted(run, action)], display)
    follower.follow()
    return follower.exit_code()


def test_for_runs_that_had_ended_before_the_wait_is_brief(stage, away, monkeypatch):
    (run,) = stage.submit(0)
    stage.until(run, Status.FINISHED)
    monkeypatch.setattr(headless, "BRIEF", 0.2)
    monkeypatch.setattr(headless, "DELIVERY", PATIENCE)
    there = Silent(lambda message: away.unlink() if message == LATER else None)
    assert follow(stage, run, "finished", there) == 0
    assert there.said == [WAITS, LATER]
    monkeypatch.setattr(headless, "BRIEF", PATIENCE)  # the store is there again
    again = Silent()
    assert follow(stage, run, "finished", again) == 0 and again.said in ([], [WAITS])


def test_for_runs_that_end_meanwhile_there_is_more_time(stage, away, monkeypatch):
    monkeypatch.setattr(headless, "BRIEF", 0.0)
    (run,) = stage.submit(0)
    there = Silent(lambda message: away.unlink() if message == WAITS else None)
    assert follow(stage, run, "new", there) == 0
    assert there.said == [WAITS] and (run.path / "synced").exists()
