"""What is done for the app in threads: how often, in which order, and what waits for what."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import wait
from contextlib import asynccontextmanager, suppress
from functools import partial
from threading import Event
from types import SimpleNamespace

import pytest
from textual.app import App
from textual.worker import WorkerCancelled, WorkerFailed, WorkerState
from waiting import wait_for

from lthtui import errands
from lthtui.errands import Errands
from lthtui.launch import stopping
from lthtui.messages import Act, Ask, LogWanted


class Desk:
    """Counts looks; it can be told whatever there is to do or to answer."""

    def __init__(self):
        self.polls, self.reads, self.closed = 0, 0, False

    def poll(self):
        self.polls += 1

    def follow(self, run_id):
        return SimpleNamespace(read=self._read)

    def _read(self):
        self.reads += 1

    def close(self):
        self.closed = True


class Bare(App):
    """Notes what errands report, and what they say went wrong."""

    def __init__(self):
        super().__init__()
        self.desk, self.done, self.wrong = Desk(), [], []
        self.errands = Errands(self, self.desk)

    def on_unmount(self):
        self.errands.close()

    def on_done(self, message):
        self.done.append(message.text)
        if message.then:
            message.then()

    def on_answer(self, message):
        message.reply(message.value)

    def on_worker_state_changed(self, event):
        if event.state == WorkerState.ERROR:
            self.wrong.append(str(event.worker.error))


@asynccontextmanager
async def bare():
    """An app without screens; `until` waits for what the threads and the app do."""
    async with Bare().run_test() as pilot:

        async def until(condition):
            for _ in range(2000):
                if condition():
                    return
                await pilot.pause(0.005)
            raise AssertionError("waited in vain")

        pilot.until = until
        yield pilot


def act(pilot, action, lasting=False, then=None):
    pilot.app.errands.act(Act(lambda desk: action() or "", lasting, then))


def ask(pilot, about, question, reply=lambda answer: None, **options):
    pilot.app.errands.ask(Ask(pilot.app, about, lambda desk: question(), reply, **options))


def test_looks_are_rare_while_another_window_has_the_focus(monkeypatch):
    looks, now = [], 1000.0
    app = SimpleNamespace(
        app_focus=True, workers=(), run_worker=lambda work, *named, **options: looks.append(now)
    )
    monkeypatch.setattr(errands.time, "monotonic", lambda: now)
    worker = Errands(app, desk=None)
    for focus in (True, False, True):
        app.app_focus = focus
        for _ in range(8):  # half a second apart
            worker.tick()
            now += 0.5
    assert len(looks) == 8 + 2 + 8
    app.app_focus = False
    worker.look()  # as after an action
    assert len(looks) == 19


async def test_a_log_is_read_at_once_without_a_look_at_the_runs():
    async with bare() as pilot:
        pilot.app.errands.follow(LogWanted(pilot.app, "a"))
        await pilot.until(lambda: pilot.app.desk.reads == 1)
        assert pilot.app.desk.polls == 0


async def test_slow_questions_and_actions_stop_neither_looks_nor_one_another(monkeypatch):
    monkeypatch.setattr(errands, "MOST", 4)
    free = Event()
    async with bare() as pilot:
        desk, made = pilot.app.desk, pilot.app.errands
        try:
            for number in range(50):  # more than all threads there are
                ask(pilot, f"slow {number}", free.wait)
                act(pilot, free.wait)
            made.follow(LogWanted(pilot.app, "one"))
            for _ in range(3):
                polls, reads = desk.polls, desk.reads
                made.look()
                await pilot.until(lambda n=polls, m=reads: desk.polls > n and desk.reads > m)
                await pilot.pause()
            act(pilot, lambda: "lasting", lasting=True)
            await pilot.until(lambda: "lasting" in pilot.app.done)
            assert pilot.app.done == ["lasting"]
        finally:
            free.set()
        await pilot.app.workers.wait_for_complete()
        await pilot.until(lambda: len(pilot.app.done) == 51)


async def test_actions_are_done_in_order_and_lasting_ones_beside_them():
    order, overtaken, free = [], Event(), Event()

    def first():
        free.wait()
        order.append("first")

    def second():
        overtaken.set()
        order.append("second")

    async with bare() as pilot:
        try:
            act(pilot, first)
            act(pilot, second)
            act(pilot, lambda: order.append("lasting"), lasting=True)
            await pilot.until(lambda: "lasting" in order)
            assert not overtaken.wait(0.1)
        finally:
            free.set()
        await pilot.until(lambda: order == ["lasting", "first", "second"])


async def test_an_action_that_takes_long_is_said_to_be_under_way(monkeypatch):
    async with bare() as pilot:
        said, go = [], Event()
        monkeypatch.setattr(pilot.app, "notify", lambda text, **_: said.append(text))
        act(pilot, lambda: "brief")
        await pilot.until(lambda: pilot.app.done == ["brief"])
        assert said == []
        monkeypatch.setattr(errands, "LONG", 0.0)
        act(pilot, lambda: go.wait() and "long")
        await pilot.until(lambda: said)
        go.set()
        await pilot.until(lambda: pilot.app.done == ["brief", "long"])
        assert said == ["still at work on what was asked for"]


async def test_actions_are_done_even_if_the_app_is_left_meanwhile():
    done, free = [], Event()
    async with bare() as pilot:
        act(pilot, free.wait)
        act(pilot, partial(done.append, 1))
    free.set()
    wait_for(lambda: done == [1])


async def test_what_screens_ask_for_while_they_are_closed_is_done_too():
    done = []
    async with bare() as pilot:
        pass
    act(pilot, lambda: done.append("remembered"))
    ask(pilot, "this", lambda: done.append("answered"))
    pilot.app.errands.look()
    pilot.app.errands.finish(done.append)
    assert done == ["remembered"] and pilot.app.desk.polls == 0 and not pilot.app.wrong


async def test_who_leaves_waits_for_actions_only_and_not_for_ever(monkeypatch, caplog):
    waited, free, begun, said = [], Event(), Event(), []

    def briefly(futures, patience):
        waited.append(patience)
        return wait(futures, 0.1)

    monkeypatch.setattr(errands, "PATIENCE", 7.0)
    monkeypatch.setattr(errands, "wait", briefly)

    def fail():
        free.wait()
        raise OSError("no\x1b room")

    def hang():
        begun.set()
        free.wait()

    try:
        async with bare() as pilot:
            ask(pilot, "this", hang)
            await pilot.until(begun.is_set)
        pilot.app.errands.finish(said.append)
        assert said == [] and pilot.app.desk.closed
        async with bare() as pilot:
            act(pilot, fail)
            act(pilot, lambda: "never begun before", lasting=True)
        pilot.app.errands.finish(said.append)
        assert "still at work" in said[0] and "7 s at most" in said[0]
        assert "left 1 of these undone" in said[1] and len(said) == 2
        assert waited == [errands.SOON, errands.SOON, 7.0]
    finally:
        free.set()
    pilot.app.errands.finish(said.append)
    assert said[2:] == ["lthtui: no\\x1b room"]
    pilot.app.errands._ordered.shutdown()  # so that the loop has word of it
    del pilot
    for _ in range(3):  # what shields it, and what waited for that
        await asyncio.sleep(0)
    gc.collect()
    assert not caplog.messages  # in which asyncio tells, escapes and all, what nobody took


def test_who_leaves_waits_longer_than_runs_take_to_stop(monkeypatch):
    took = []
    monkeypatch.setattr(stopping, "_signal_and_wait", lambda *step: took.append(step[-1]))
    stopping.cancel([])
    assert 0 < sum(took) < errands.PATIENCE


async def test_an_action_that_fails_is_told_and_holds_up_no_other():
    def fail():
        raise OSError("no room")

    shown = []
    async with bare() as pilot:
        act(pilot, fail, then=lambda: shown.append("how it ended"))
        act(pilot, lambda: "second")
        await pilot.until(lambda: "second" in pilot.app.done and pilot.app.wrong)
        assert (pilot.app.done, pilot.app.wrong) == (["", "second"], ["no room"])
        assert shown == ["how it ended"]


async def test_only_the_newest_of_some_questions_is_answered():
    free, left, replies = Event(), Event(), []

    def slow():
        free.wait()
        left.set()
        return "old"

    async with bare() as pilot:
        ask(pilot, "this", slow, replies.append)
        await pilot.until(lambda: pilot.app.errands._questions._threads)
        ask(pilot, "this", lambda: "new", replies.append)
        await pilot.until(lambda: replies)
        free.set()
        await pilot.until(left.is_set)
        await settled(pilot)
        assert replies == ["new"]


async def settled(pilot):
    """Wait until nothing is under way, and all of it was shown."""
    with suppress(WorkerCancelled, WorkerFailed):
        await pilot.app.workers.wait_for_complete()
    await pilot.pause(0.05)


async def test_a_question_that_is_superseded_before_it_begins_is_not_asked(monkeypatch):
    monkeypatch.setattr(errands, "MOST", 1)
    free, asked = Event(), []
    async with bare() as pilot:
        try:
            ask(pilot, "slow", free.wait)
            await pilot.until(lambda: pilot.app.errands._questions._threads)
            for number in range(3):
                ask(pilot, "this", partial(asked.append, number))
                await pilot.pause()
        finally:
            free.set()
        await pilot.until(lambda: asked)
        await settled(pilot)
        assert asked == [2]


async def test_a_patient_question_is_left_out_while_another_is_under_way():
    free, asked = Event(), []
    async with bare() as pilot:
        ask(pilot, "this", free.wait)
        ask(pilot, "this", partial(asked.append, "left out"), patient=True)
        free.set()
        await settled(pilot)
        ask(pilot, "this", partial(asked.append, "asked"), patient=True)
        await pilot.until(lambda: asked)
        assert asked == ["asked"]


@pytest.mark.parametrize("superseded", [False, True])
async def test_who_asks_learns_of_a_failure_unless_something_else_was_asked(superseded):
    free, replies, failures = Event(), [], []

    def fail():
        free.wait()
        raise OSError("gone")

    async with bare() as pilot:
        ask(pilot, "this", fail, replies.append, failed=failures.append)
        if superseded:
            ask(pilot, "this", lambda: "new", replies.append)
            await pilot.until(lambda: replies)
        free.set()
        await settled(pilot)
        if superseded:
            assert (replies, failures, pilot.app.wrong) == (["new"], [], [])
        else:
            assert (replies, failures, pilot.app.wrong) == ([], ["gone"], ["gone"])
