"""Following runs that are tried again by themselves, and such as nobody but a person brings on."""

from __future__ import annotations

import json
import re
import threading

import pytest
from staging import FINISH, PLAY, whole

from engine.rundir import Status, status
from engine.sources import TICKET
from lthtui.cli import main
from lthtui.launch import devices, entries, lease, limiting, limits, queue, retrying, stopping
from lthtui.launch.dispatcher import Dispatcher

DIE = {"kill": 9}


@pytest.fixture
def here(here, monkeypatch):
    """A current folder with play.yaml; the queue process is a thread, with a short back-off.

    What it has to say begins with the time, as in its log.
    """
    monkeypatch.setenv("LTHTUI_USER", "me")
    monkeypatch.setattr(retrying, "BACK_OFF", (0.2, 0.2))
    monkeypatch.setattr("lthtui.headless.CHECK", 0.0)
    monkeypatch.setattr(devices, "cores", lambda: 2)
    (here.folder / "play.yaml").write_text(PLAY.replace("retries: 0", "retries: 2"))
    threads = []

    def ensure(root):
        held = lease.take(root)
        if held is None:
            lease.wake(root)
            return
        threads.append(threading.Thread(target=lambda: Dispatcher(root).run(held)))
        threads[-1].start()

    monkeypatch.setattr(lease, "ensure", ensure)
    yield here
    stopping.cancel(here.runs(), grace=0)
    for thread in threads:
        thread.join()


def saved(level):
    """The step of a worker that keeps the ticket of a level."""
    ticket = {"kept": 4, "total": 8, "sha256": "x", "path": f"levels/{level:02d}/{TICKET}"}
    return {"emit": {"kind": "ticket_saved", "level": level, "density": 0.5, "bytes": 9, **ticket}}


def lines(text):
    """Lines about a run, without what differs from run to run."""
    return [re.sub(r"\d{8}-play-[0-9a-f]{6}", "ID", one) for one in text.splitlines()]


def test_a_run_that_is_tried_again_has_not_ended(here, capsys):
    here.play({"print": "begin"}, {"first": [DIE]}, {"print": "end"}, FINISH)
    assert main(["run", "play.yaml"]) == 0
    told = [line for line in lines(capsys.readouterr().err) if line.startswith("play-s0")]
    killed = "the worker was killed (signal 9); often the machine ran out of memory"
    assert told == [
        "play-s0  started on cpu",
        f"play-s0  failed: {killed}; tried again in 0 s",
        "play-s0  started on cpu, attempt 2",
        "play-s0  finished",
    ]


def test_the_last_failure_counts_when_all_tries_failed(here, capsys):
    here.play(DIE)
    assert main(["run", "play.yaml"]) == 1
    (run,) = here.runs()
    assert (status(run), run.launch().attempt) == (Status.FAILED, 3)
    told = [line for line in lines(capsys.readouterr().err) if line.startswith("play-s0  failed")]
    assert [line.endswith("; tried again in 0 s") for line in told] == [True, True, False]


def test_evaluations_that_were_cut_short_are_tried_again_within_bounds(here, capsys):
    *trained, ended = whole()
    here.play(*trained, saved(1), ended)
    assert main(["run", "play.yaml"]) == 0
    (run,) = here.runs()
    made = {"emit": {"kind": "evaluated", "level": 1, "name": "layer_density", "metrics": {}}}
    here.play(DIE)
    capsys.readouterr()
    assert main(["evaluate", "play", "--with", "layer_density"]) == 1
    assert (status(run), run.launch().attempt) == (Status.FINISHED, 4)
    told = lines(capsys.readouterr().err)
    killed = "the worker was killed (signal 9); often the machine ran out of memory"
    again = [line for line in told if line.startswith("play-s0  not evaluated: ")]
    assert again == [f"play-s0  not evaluated: {killed}; tried again in 0 s"] * 2
    missed = "give the command again to make layer_density of level 1, which its worker did not"
    assert told[-1] == f"ID-s0: {missed} get to ({killed}); lthtui logs ID-s0"
    here.play(made)
    assert main(["evaluate", "play"]) == 0
    assert run.launch().attempt == 5


def test_what_a_worker_that_was_about_to_end_did_not_make_is_left_to_another(here):
    *trained, ended = whole()
    here.play(*trained, saved(1), ended)
    assert main(["run", "play.yaml"]) == 0
    here.play({"exit": 0})
    assert main(["evaluate", "play", "--with", "layer_density"]) == 1
    (run,) = here.runs()
    assert run.launch().attempt == 4  # it is not started for ever


def test_evaluations_that_somebody_stopped_can_be_gone_on_with(here, capsys):
    *trained, ended = whole()
    here.play(*trained, saved(1), ended)
    assert main(["run", "play.yaml"]) == 0
    here.play({"wait": "never"})

    def somebody():
        here.wait(lambda: status(here.runs()[0]) == Status.RUNNING and here.runs()[0].heartbeat())
        main(["pause", "play"])

    thread = threading.Thread(target=somebody)
    thread.start()
    assert main(["evaluate", "play", "--with", "layer_density"]) == 75
    thread.join()
    (run,) = here.runs()
    assert retrying.due(run) is None
    told = capsys.readouterr()
    assert "did not get to; lthtui logs" in told.err
    told_by_pause = "ID-s0 finished; `lthtui resume ID-s0` makes 1 evaluation that it lacks"
    assert told_by_pause in lines(told.out)


def test_an_evaluation_that_fails_costs_the_run_nothing_and_shows_in_the_exit_code(here, capsys):
    *trained, ended = whole()
    failed = {"kind": "evaluation_failed", "level": 1, "name": "layer_density", "error": "no idea"}
    here.play(*trained, saved(1), {"emit": failed}, ended)
    assert main(["run", "play.yaml", "--json"]) == 1
    told = capsys.readouterr()
    assert lines(told.err)[-1] == (
        "ID-s0: give the command again to try what failed; lthtui logs ID-s0"
    )
    (run,) = json.loads(told.out.splitlines()[-1])["runs"]
    assert run["status"] == "finished" and run["winning"]
    assert run["unevaluated"] == [{"level": 1, "name": "layer_density", "error": "no idea"}]


def test_the_log_is_followed_across_tries(here, capsys):
    here.play({"print": "begin"}, {"first": [DIE]}, {"wait": "go"}, {"print": "end"}, FINISH)
    assert main(["run", "play.yaml", "-d"]) == 0
    capsys.readouterr()
    (run,) = here.runs()

    def somebody():
        here.wait(lambda: run.launch() and run.launch().attempt == 2)
        here.allow("go")

    thread = threading.Thread(target=somebody)
    thread.start()
    assert main(["logs", "-f", "play"]) == 0
    thread.join()
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if "Z " not in line] == ["begin", "begin", "end"]


def test_a_run_that_is_cancelled_before_it_is_tried_again_stays_as_it_is(here, monkeypatch):
    monkeypatch.setattr(retrying, "BACK_OFF", (500.0, 500.0))
    here.play(DIE)

    def somebody():
        here.wait(lambda: here.runs() and (one := entries.find(here.runs()[0])) and one.retries)
        stopping.cancel(here.runs())

    thread = threading.Thread(target=somebody)
    thread.start()
    assert main(["run", "play.yaml"]) == 75
    thread.join()
    (run,) = here.runs()
    assert (status(run), run.launch().attempt) == (Status.STOPPED, 1)
    assert retrying.due(run) is None and not retrying.goes_on(run)
    here.play(FINISH)
    assert main(["resume", "play"]) == 0
    here.until(run, Status.FINISHED)


def test_held_runs_are_not_waited_for(here, capsys):
    assert main(["run", "play.yaml", "seeds=0,1", "--hold", "--json"]) == 75
    said = capsys.readouterr()
    assert len(re.findall("-s. waits: held; `lthtui release` lets it go", said.err)) == 2
    summary = json.loads(said.out.splitlines()[-1])
    assert [run["status"] for run in summary["runs"]] == ["queued", "queued"]


def test_who_may_have_none_running_is_told(here, capsys):
    limiting.limit(here.root, "users", "me", 0)
    assert main(["run", "play.yaml"]) == 75
    assert "waits: me may have 0 running; `lthtui limit` changes that" in capsys.readouterr().err
    with entries.locked(here.root):
        limits.write(here.root, limits.Limits())
    queue.rouse(here.root)
    here.until(here.runs()[0], Status.FINISHED)


@pytest.mark.parametrize(
    ("steps", "code", "state"),
    [([{"exit": 1}], 1, "failed"), ([{"exit": 75}], 75, "stopped")],
)
def test_a_run_behind_one_that_did_not_finish_ends_the_waiting(here, capsys, steps, code, state):
    here.play(s0=steps, s1=[FINISH], s2=[FINISH])
    main(["run", "play.yaml"])
    (first,) = here.runs()
    assert main(["run", "play.yaml", "seeds=1", "--after", "play-s0", "-d"]) == 0
    capsys.readouterr()
    assert main(["run", "play.yaml", "seeds=1,2", "--after", "play-s1"]) == 2  # after itself
    assert main(["run", "play.yaml", "seeds=2", "--after", "play-s1"]) == code
    (line,) = [line for line in lines(capsys.readouterr().err) if "waits:" in line]
    assert line == (
        f"ID-s2 waits: after ID-s1: after ID-s0, which is {state}; `lthtui resume ID-s0`"
    )
    here.play(FINISH)
    assert main(["resume", "play-s0"]) == 0
    for run in here.runs():
        here.until(run, Status.FINISHED)
    begins = [run.launch().time for run in here.runs()]
    ids = [run.run_id[-2:] for run in here.runs()]
    assert [seed for _, seed in sorted(zip(begins, ids, strict=True))] == ["s0", "s1", "s2"]
