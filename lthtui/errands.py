"""What threads do for the app: they call the desk, and what comes of it is reported by messages.

What is slow waits for nobody else: looking, actions in order, lasting ones and questions have
threads of their own. A Textual worker waits for each, so that the app knows what is under way.
Once the app is left, actions are still done; nobody waits for answers any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import App

from lthtui import garbage
from lthtui.desk import Desk
from lthtui.messages import Act, Answer, Ask, Done, LogGrew, LogWanted, RunsChanged
from lthtui.text import clean_line
from lthtui.typeahead import LEADS

if TYPE_CHECKING:
    from lthtui.logtail import LogTail

_Made = TypeVar("_Made")
AWAY = 2.0  # seconds between two looks while another window has the focus
ACTION = "action"  # the group of what somebody asked for, whose errors are all told
MOST = 32  # questions that are worked on at a time, and as many lasting actions
LONG = 4.0  # seconds of an action that need no word
SOON, PATIENCE = 0.3, 90.0  # seconds for actions once the app is left; to stop runs may take 65


class Errands:
    """Has a desk work while an app goes on."""

    def __init__(self, app: App[int], desk: Desk) -> None:
        self._app, self._desk = app, desk
        self._followed: tuple[LogWanted, LogTail] | None = None
        self._next = 0.0
        self._looking = ThreadPoolExecutor(2, "look")  # one for the runs and one for the log
        self._ordered = ThreadPoolExecutor(1, "act")
        self._lasting = ThreadPoolExecutor(MOST, "last")
        self._questions = ThreadPoolExecutor(MOST, "ask")
        self._acts: list[Future[Any]] = []  # those that may not have been done yet
        self._closing: list[Future[Any]] = []
        self._left = False

    def tick(self) -> None:
        """Look from time to time, and less often while the terminal has not the focus."""
        now = time.monotonic()
        if self._app.app_focus or now >= self._next:
            self._next = now + AWAY
            self.look()

    def look(self) -> None:
        """Look at the runs and the log, unless the last look still lasts."""
        if "poll" not in self._busy():
            self._run(self._poll, "poll")
        self._look_at_log()

    def follow(self, wanted: LogWanted) -> None:
        """Follow another log, from its beginning; that is no reason to look at all runs."""
        tail = self._desk.follow(wanted.run_id)
        self._followed = (wanted, tail) if tail else None
        self._look_at_log()

    def _look_at_log(self) -> None:
        if self._followed and "log" not in self._busy():
            self._run(partial(self._read_log, *self._followed), "log")

    def act(self, wanted: Act) -> None:
        """Have the desk do something."""
        threads = self._lasting if wanted.lasting else self._ordered
        acted = threads.submit(partial(wanted.action, self._desk))  # in the order of the requests
        self._acts = [*(one for one in self._acts if not one.done()), acted]
        self._run(partial(self._act, acted, wanted), ACTION)

    def ask(self, asked: Ask) -> None:
        """Have the desk answer a question."""
        group = f"{id(asked.asker)} {asked.about}"
        if not (asked.patient and group in self._busy()):
            self._run(partial(self._answer, asked), group, LEADS if asked.leads else "", True)

    async def answer(self, question: Callable[[Desk], _Made]) -> _Made:
        """The desk's answer to a question."""
        return await _made(self._questions, partial(question, self._desk))

    def close(self) -> None:
        """Look and answer no more, and let go of the desk's store; see `finish`."""
        self._left = True
        self._acts = [one for one in self._acts if not one.done()]
        self._closing.append(self._looking.submit(self._desk.close))
        for threads in (self._looking, self._questions):
            threads.shutdown(wait=False)

    def finish(self, say: Callable[[str], object]) -> None:
        """Wait, though not for ever, until what was asked for is done; say so if that takes long.

        What fails is said, too, as no screen does that any more. Screens may have asked for
        something, such as to remember a filter, until the last of them was closed.
        """
        for threads in (self._ordered, self._lasting):
            threads.shutdown(wait=False)
        if {*self._acts} & wait([*self._acts, *self._closing], SOON).not_done:
            most = f"{PATIENCE:.0f} s at most; Ctrl-C leaves it"
            say(f"lthtui: still at work on what was asked for, {most}")
            if left := wait(self._acts, PATIENCE).not_done:
                say(f"lthtui: left {len(left)} of these undone; `lthtui` shows what became of it")
        for error in (one.exception() for one in self._acts if one.done()):
            if error is not None:
                say(f"lthtui: {clean_line(str(error) or repr(error), 1000)}")

    def _run(
        self,
        work: Callable[[], Awaitable[None]],
        group: str,
        name: str = "",
        exclusive: bool = False,
    ) -> None:
        if not self._left:
            self._app.run_worker(work, name, group, exclusive=exclusive, exit_on_error=False)

    def _busy(self) -> set[str]:
        """The groups of what is being worked on."""
        return {worker.group for worker in self._app.workers if not worker.is_finished}

    # ---- what waits for threads

    async def _poll(self) -> None:
        try:
            if board := await _made(self._looking, self._desk.poll):
                self._app.post_message(RunsChanged(board))
        finally:
            garbage.begin()

    async def _read_log(self, wanted: LogWanted, tail: LogTail) -> None:
        """Read on for who asked; another screen has a tail of its own, even of the same run."""
        if wanted.run_id and (chunk := await _made(self._looking, tail.read)):
            wanted.asker.post_message(LogGrew(wanted.run_id, chunk))

    async def _act(self, acted: Future[str], wanted: Act) -> None:
        """Wait for an action, which is done even if nobody waits any more."""
        done, said = asyncio.wrap_future(acted), ""
        done.add_done_callback(_take)
        try:
            if not (await asyncio.wait([done], timeout=LONG))[0]:
                self._app.notify("still at work on what was asked for", markup=False)
            said = await asyncio.shield(done)
        finally:
            self._app.post_message(Done(said, wanted.then))

    async def _answer(self, asked: Ask) -> None:
        """Have a question answered; one that is superseded before it begins is not asked."""
        try:
            answer = await self.answer(asked.question)
        except Exception as error:
            if asked.failed:
                why = clean_line(str(error) or repr(error), 500)
                asked.asker.post_message(Answer(asked.failed, why))
            raise
        asked.asker.post_message(Answer(asked.reply, answer))


def _take(done: asyncio.Future[Any]) -> None:
    """Take an error, or else asyncio prints as it is what `Errands.finish` says."""
    if not done.cancelled():
        done.exception()


async def _made(threads: ThreadPoolExecutor, work: Callable[[], _Made]) -> _Made:
    """What some work makes; it is not begun if nobody waits for it any more."""
    return await asyncio.get_running_loop().run_in_executor(threads, work)
