"""Dispatching in the test's own process."""

from __future__ import annotations

import pytest

from lthtui.launch import devices, lease
from lthtui.launch.dispatcher import Dispatcher
from lthtui.launch.nvml import Load


@pytest.fixture
def dispatch(stage, monkeypatch):
    """Queue runs with nobody dispatching; calling it dispatches here until nothing is left.

    What it is called with is done once all runs are started that can be.
    """
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setattr(devices, "cores", lambda: 2)
    monkeypatch.setattr(devices, "load", lambda device: Load(0, 0, 0))  # nobody else computes

    def dispatch(then=lambda: None):
        dispatcher = Dispatcher(stage.root)
        dispatcher.dispatch()
        then()
        dispatcher.run(lease.take(stage.root))

    return dispatch
