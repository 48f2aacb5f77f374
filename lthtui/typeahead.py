"""Hands on one key after another: the next one when all that the last one did has happened.

Textual sends each key at once to what has the focus. Keys that arrive together, as they do over a
slow line, would all go to what had it before the first: `/imp` would begin a filter, and then do
what the keys i, m and p do to the run under the cursor.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

LONGEST = 5.0  # seconds to wait for what a widget or a thread does: then keys do what they do
LOOK = 0.05  # seconds between two looks at whether it has ended, or gone without a word
LEADS = "leads"  # the name of workers that find out what is needed to open what a key asked for
ROUNDS = 3  # a binding opens a screen, that is mounted, and gives one of its widgets the focus


class TypeAhead:
    """Knows whose turn it is."""

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._turn: Event | None = None
        self._waiting: deque[Event] = deque()
        self._following: asyncio.Task[None] | None = None

    def holds(self, event: Event) -> bool:
        """Whether an event that reached the app has to wait for its turn; it is sent again then."""
        if not isinstance(event, Key | Paste) or event.is_forwarded or event is self._turn:
            return False
        if self._turn is None:
            self._turn = event
            self._following = asyncio.create_task(self._follow())
            return False
        self._waiting.append(event)
        return True

    async def _follow(self) -> None:
        """Give the turn to one event after another, until none is left."""
        while self._turn is not None:
            with suppress(Exception):  # whatever it led to, the next key has its turn
                await self._done()
            self._turn = self._waiting.popleft() if self._waiting else None
            if self._turn is not None:
                self._app.post_message(self._turn)

    async def _done(self) -> None:
        """Wait until a key has come up from what has the focus to the app, and what follows."""
        await _idle(self._app)
        for node in (self._app.focused or self._app.screen).ancestors_with_self:
            await _idle(node)
        await self._settled()
        while await self._led():
            await self._settled()

    async def _settled(self) -> None:
        """Wait for what a key opens by itself."""
        for _ in range(ROUNDS):
            await _idle(self._app)
            await _idle(self._app.screen)

    async def _led(self) -> bool:
        """Wait for threads that find out what is to be opened; whether there were any."""
        workers = [one for one in self._app.workers if one.name == LEADS and not one.is_finished]
        end = time.monotonic() + LONGEST
        while any(not one.is_finished for one in workers) and time.monotonic() < end:
            await asyncio.sleep(LOOK)
        return any(one.is_finished for one in workers)


async def _idle(node: MessagePump) -> None:
    """Wait until something has dealt with all that it was sent so far."""
    done = asyncio.Event()
    end = time.monotonic() + LONGEST
    waits = node.call_later(done.set)
    while waits and not done.is_set() and time.monotonic() < end:
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), LOOK)
        waits = node.is_running
