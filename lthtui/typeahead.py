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
from textual.worker import Worker

from lthtui.settling import Rounds

LONGEST = 5.0  # seconds to wait for what a widget or a thread does: then keys do what they do
LOOK = 0.05  # seconds between two looks at whether a thread has ended
LEADS = "leads"  # the name of workers that find out what is needed to open what a key asked for


class TypeAhead:
    """Knows whose turn it is.

    Attributes:
        rounds: tells when the app has nothing left to do.
    """

    def __init__(self, app: App[int]) -> None:
        self._app, self.rounds = app, Rounds(app)
        self._turn: Event | None = None
        self._waiting: deque[Event] = deque()
        self._following: asyncio.Task[None] | None = None
        self._late: list[Worker[object]] = []  # those that a key has waited for long enough

    def holds(self, event: Event) -> bool:
        """Whether an event that reached the app has to wait for its turn; it is sent again then."""
        if not isinstance(event, Key | Paste) or event.is_forwarded or event is self._turn:
            return False
        self._waiting.append(event)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        return True

    async def _follow(self) -> None:
        """Give the turn to one event after another, until none is left."""
        while self._waiting:
            with suppress(Exception):  # whatever it waits for, the next key has its turn
                await self._found_out()
            self._turn = self._waiting.popleft()
            self._app.post_message(self._turn)
            with suppress(Exception):
                await self._settled()
        self._following = None

    async def _found_out(self) -> None:
        """Wait for what threads find out, and for what that opens."""
        while await self._led():
            await self._settled()

    async def _settled(self) -> None:
        """Wait for all that the last key did."""
        await self.rounds.settle(LONGEST)

    async def _led(self) -> bool:
        """Wait for threads that find out what is to be opened; whether there were any."""
        self._late = [one for one in self._late if not one.is_finished]
        leading = [one for one in self._app.workers if one.name == LEADS and not one.is_finished]
        workers = [one for one in leading if one not in self._late]
        end = time.monotonic() + LONGEST
        while any(not one.is_finished for one in workers) and time.monotonic() < end:
            await asyncio.sleep(LOOK)
        self._late += (one for one in workers if not one.is_finished)
        return any(one.is_finished for one in workers)
