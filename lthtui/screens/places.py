"""The places of the app and their screens, which are imported when somebody first goes there."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from lthtui.screens.base import Watching

SCREENS = {  # by place
    "runs": ("main", "MainScreen"),
    "queue": ("queue", "QueueScreen"),
    "compare": ("compare", "CompareScreen"),
    "tickets": ("tickets", "TicketsScreen"),
    "specs": ("specs", "SpecsScreen"),
}


def make(place: str, root: str, clock: Callable[[], float]) -> Watching:
    """The screen of a place."""
    module, name = SCREENS[place]
    made: Watching = getattr(import_module(f"lthtui.screens.{module}"), name)(root, clock)
    return made
