"""Tells when the app has nothing left to do: what it was sent, and what came of that, is done.

One widget tells the next of a key, and any of them may open, fill or focus another. So a mark goes
round all of them, again and again, until nobody has had anything else to deal with.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from weakref import WeakSet

from textual.app import App
from textual.dom import DOMNode
from textual.message import Message

LOOK = 0.05  # seconds between two looks at whether somebody is gone who was sent a mark
TURNS = 20  # of everybody who has something to do, before the next round is worth its cost
QUIET = 2  # rounds: what has no message of its own, such as a screen that closes, may send some


class Mark(Message, bubble=False, no_dispatch=True):
    """Asks for nothing; whoever has dealt with it has dealt with all that was sent before."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = asyncio.Event()


class Rounds:
    """Sends marks, and hears of everything that is dealt with; one for all of an app's life.

    Several may wait at a time.
    """

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._known: WeakSet[DOMNode] = WeakSet()  # those whose messages are heard
        self._others = 0  # messages that were no marks

    async def settle(self, longest: float) -> None:
        """Wait until nothing is done any more, though not for longer than some seconds."""
        quiet, last = 0, time.monotonic() + longest
        while quiet < QUIET and time.monotonic() < last:
            before = self._others
            passed = [await _passed(node, mark, last) for node, mark in self._send()]
            if self._others != before:
                await _turns()
            quiet = quiet + 1 if all(passed) and self._others == before else 0

    def _send(self) -> list[tuple[DOMNode, Mark]]:
        """Send marks to the app, its screens and all that the one on top shows."""
        shown = self._app.screen.walk_children(with_self=True)
        sent = []
        for node in (self._app, *self._app.screen_stack[:-1], *shown):
            if node not in self._known:
                self._known.add(node)
                node.message_signal.subscribe(self._app, self._hear, immediate=True)
            mark = Mark()
            if node.post_message(mark):
                sent.append((node, mark))
        return sent

    def _hear(self, message: Message) -> None:
        if isinstance(message, Mark):
            message.passed.set()
        else:
            self._others += 1


async def _turns() -> None:
    """Let others go on."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def _passed(node: DOMNode, mark: Mark, last: float) -> bool:
    """Wait for a mark; whether it came back, as it does not from whom is opened or removed now."""
    there = True
    while there and not mark.passed.is_set() and time.monotonic() < last:
        with suppress(TimeoutError):
            await asyncio.wait_for(mark.passed.wait(), LOOK)
        there = node.message_queue_size > 0
    return mark.passed.is_set()
