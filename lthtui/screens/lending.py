"""Leaves the terminal to something else for a while, and takes it back whatever came of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.app import App

T = TypeVar("T")


def lent(app: App[Any], act: Callable[[], T]) -> T:
    """What an act that has the terminal for itself returns. To be called in the main thread.

    Raises:
        SuspendNotSupported: the terminal cannot be left, such as in a browser; nothing was done.
        Exception: what the act raised, once the app is back.
    """
    error: BaseException | None = None
    with app.suspend():
        try:
            found = act()
        except BaseException as trouble:  # one that left this block would leave the app suspended
            error = trouble
    if error is not None:
        raise error
    return found
