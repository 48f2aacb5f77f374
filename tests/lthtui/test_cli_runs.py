"""`lthtui run`: what is told while runs train, when they have ended, and before they begin."""

from __future__ import annotations

import json
import threading

import pytest
from staging import masked, whole

from engine.rundir import Status, status
from lthtui import specfiles
from lthtui.cli import main
from lthtui.commands import runs
from lthtui.launch import entries, lease, stopping


@pytest.fixture(params=[False, True], ids=["looking on", "looking late"])
def whenever(here, monkeypatch, request):
    """The same; with and without somebody who looks at the runs only when they have ended."""
    follow = runs.follow

    def late(root, submitted, as_json):
        here.wait(lambda: not any(active(one.directory) for one in submitted))
        return follow(root, submitted, as_json)

    if request.param:
        monkeypatch.setattr(runs, "follow", late)
    return here


def active(run):
    return status(run) in (Status.QUEUED, Status.RUNNING)


def test_without_a_terminal_run_writes_plain_lines_and_a_plain_table(whenever, capsys):
    whenever.play(*whole())
    assert main(["run", "play.yaml"]) == 0
    said = capsys.readouterr()
    assert masked(said.err).splitlines() == [
        "play-s0  started on cpu",
        "play-s0  level 0 ended: 100.00% kept  val 50.00%  test 40.00%  1.5 s",
        "play-s0  level 1 ended: 50.00% kept  val 75.00%  test 70.00%  1.5 s",
        "play-s0  finished",
        "next:",
        "  lthtui show ID-s0",
        "  lthtui ticket export ID-s0 -o ticket.safetensors",
        "  lthtui mlflow",
        "  lthtui  # all runs, in a terminal app",
    ]
    assert masked(said.out).splitlines() == [
        "play",
        "level  kept     weights  val %  test %  seconds",
        "0      100.00%  8        50.00  40.00   1.5",
        "1      50.00%   4        75.00  70.00   1.5      ◆ winning",
        "winning ticket (on validation images)",
        "  ticket  val 75.00 %, test 70.00 %, level 1, 50.00 % kept",
        "  dense   val 50.00 %, test 40.00 %",
    ]


def test_the_path_of_a_kept_ticket_is_shown(here, capsys):
    kept = {"kind": "ticket_saved", "level": 1, "density": 0.5, "kept": 4, "total": 8}
    kept |= {"sha256": "0", "bytes": 1, "path": "levels/01/ticket.safetensors"}
    *begin, end = whole()
    here.play(*begin, {"emit": kept}, end)
    assert main(["run", "play.yaml"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"ticket  play-s0  mlruns/runs/{here.ids()[0]}/levels/01/ticket.safetensors"


def test_a_ticket_that_was_not_kept_is_neither_shown_nor_offered(here, capsys):
    saved = {"kind": "ticket_saved", "level": 1, "density": 0.5, "kept": 4, "total": 8}
    saved |= {"sha256": "0", "bytes": 1, "path": "levels/01/ticket.safetensors"}
    *begin, end = whole()
    del end["emit"]["winning"]["ticket"]
    here.play(*begin, {"emit": saved}, end)
    assert main(["run", "play.yaml"]) == 0
    said = capsys.readouterr()
    assert "  lthtui show" in said.err and "ticket export" not in said.err
    (run,) = here.runs()
    (run.path / saved["path"]).unlink()
    assert main(["show", run.run_id]) == 0
    assert "ticket  val" in (out := capsys.readouterr().out) and "levels/01" not in out


def test_a_ticket_that_loses_to_dense_is_not_called_winning(here, capsys):
    here.play(*whole(beats=False))
    assert main(["run", "play.yaml"]) == 0
    out = capsys.readouterr().out
    assert "no winning ticket (on validation images)" in out
    assert "◆" not in out


def test_json_is_one_event_a_line_and_a_summary_at_the_end(whenever, capsys):
    whenever.play(*whole())
    assert main(["run", "play.yaml", "seeds=0,1", "--json"]) == 0
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    for run in whenever.runs():
        mine = [line for line in lines if line["run_id"] == run.run_id]
        assert mine == [json.loads(line) for line in run.events_file.read_text().splitlines()]
        assert mine[-1]["kind"] == "run_ended"
    assert last["kind"] == "summary" and set(last) == {"kind", "runs"}
    assert sorted(run["run_id"] for run in last["runs"]) == whenever.ids()
    for run in last["runs"]:
        assert (run["status"], run["error"]) == ("finished", None)
        assert run["winning"]["beats_dense"] is True
        assert [level["kept"] for level in run["levels"]] == [8, 4]


def test_a_finished_run_is_shown_and_not_trained_again(here, capsys):
    here.play(*whole())
    main(["run", "play.yaml"])
    here.play({"exit": 9})
    capsys.readouterr()
    assert main(["run", "play.yaml"]) == 0
    said = capsys.readouterr()
    assert "play-s0 is finished already; --again makes a new run" in said.err
    assert "◆ winning" in said.out
    assert here.runs()[0].launch().attempt == 1
    assert main(["run", "play.yaml", "--again"]) == 1
    assert len(here.ids()) == 2


def test_a_finished_run_on_other_images_says_so(here, capsys):
    here.play(*whole())
    main(["run", "play.yaml"])
    here.runs()[0].subset_file.write_text(json.dumps({"sha256": "that of another drawing"}))
    capsys.readouterr()
    assert main(["run", "play.yaml"]) == 0
    changed = f"{here.ids()[0]} was trained on other images than its data.root gives now"
    assert changed in capsys.readouterr().err
    (run,) = specfiles.expand("play.yaml").runs
    here.runs()[0].subset_file.write_text(json.dumps({"sha256": run.images.subset}))
    assert main(["run", "play.yaml"]) == 0
    assert changed not in capsys.readouterr().err


def test_a_root_that_cannot_be_written_to_starts_nothing(here, capsys):
    here.root.write_text("a file")
    assert main(["run", "play.yaml"]) == 2
    said = capsys.readouterr().err
    assert f"{here.root} cannot be written to (Not a directory); --root names another" in said


def test_json_of_a_run_that_goes_on_holds_new_events_only(whenever, capsys):
    whenever.play(*whole()[:4], {"exit": 1})
    assert main(["run", "play.yaml"]) == 1
    whenever.play(*whole())
    capsys.readouterr()
    assert main(["run", "play.yaml", "--json"]) == 0
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert {line["attempt"] for line in lines} == {2}
    assert [level["level"] for level in last["runs"][0]["levels"]] == [0, 1]


def test_a_failed_run_shows_why_the_end_of_its_log_and_what_to_do(here, capsys):
    error = {"kind": "run_ended", "status": "failed", "error": "loss is \x1b[31mnan"}
    lines = [{"print": f"line {number}\x1b[2J"} for number in range(12)]
    lines.append({"print": "09:00:00 loss is \x1b[31mnan"})
    here.play(*whole()[:4], *lines, {"emit": error}, {"exit": 1})
    assert main(["run", "play.yaml"]) == 1
    said = capsys.readouterr()
    assert "play-s0 failed: loss is \\x1b[31mnan" in said.err
    assert "  | line 2\\x1b[2J\n" in said.err and "line 1\\x1b" not in said.err
    assert "  | 09:00:00 loss" not in said.err
    assert f"lthtui resume {here.ids()[0]}" in said.err
    assert f"the whole log: lthtui logs {here.ids()[0]}\n" in said.err
    assert "0      100.00%  8        50.00" in said.out
    assert "\x1b" not in said.err + said.out


def test_a_refused_run_is_to_be_changed_rather_than_resumed(here, capsys):
    error = {"kind": "run_ended", "status": "failed", "error": "image 7 is truncated"}
    here.play(s0=[*whole()[:1], {"emit": error}, {"exit": 2}], s1=[{"kill": 9}])
    assert main(["run", "play.yaml", "seeds=0,1"]) == 1
    said = capsys.readouterr().err
    (refused,) = [run for run in here.ids() if run.endswith("s0")]
    (killed,) = [run for run in here.ids() if run.endswith("s1")]
    assert "change the spec or the images as said above, and run it again" in said
    assert f"lthtui resume {killed}" in said and f"resume {refused}" not in said


def test_one_failed_run_among_others_fails_the_command(here):
    here.play(s0=whole(), s1=[{"kill": 9}])
    assert main(["run", "play.yaml", "seeds=0,1", "--json"]) == 1


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([{"emit": {"kind": "run_ended", "status": "stopped"}}, {"exit": 75}], 75),
        ([{"exit": 2}], 1),
        ([{"kill": 11}], 1),
    ],
)
def test_the_exit_code_says_how_it_went(here, steps, code):
    here.play(*steps)
    assert main(["run", "play.yaml"]) == code


def test_a_run_stopped_by_somebody_else_ends_the_command_with_75(here, capsys):
    here.play(*whole()[:1], {"sleep": 600})

    def somebody():
        here.wait(lambda: here.runs() and status(here.runs()[0]) == Status.RUNNING)
        stopping.cancel(here.runs())

    thread = threading.Thread(target=somebody)
    thread.start()
    assert main(["run", "play.yaml"]) == 75
    thread.join()
    assert "play-s0  stopped" in capsys.readouterr().err


def test_the_queue_process_is_replaced_while_a_client_waits(here, monkeypatch):
    real, calls = lease.ensure, []

    def forgetful(root):
        calls.append(root)
        if len(calls) > 1:
            real(root)

    monkeypatch.setattr(lease, "ensure", forgetful)
    here.play(*whole())
    assert main(["run", "play.yaml"]) == 0
    assert len(calls) > 1


def test_what_the_queue_has_to_say_reaches_those_who_wait(here, monkeypatch, capsys):
    here.play(*whole())
    real, calls = lease.ensure, []

    def complain(root):
        calls.append(root)
        if len(calls) == 2:
            with lease.log_file(root).open("a") as file:
                file.write("no room\x1b[2J\n")
        if len(calls) > 2:
            real(root)

    monkeypatch.setattr(lease, "ensure", complain)
    monkeypatch.setattr("lthtui.headless.CHECK", 0.0)
    assert main(["run", "play.yaml"]) == 0
    assert "queue: no room\\x1b[2J\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere.yaml"],
        ["play.yaml", "train.epochs=0"],
        ["play.yaml", "rewnd=2ep"],
        ["play.yaml", "launch.devices=[7]"],
        ["seeds=1"],
        ["play.yaml", "--sideways"],
    ],
)
def test_what_cannot_be_run_starts_nothing(here, arguments, capsys):
    assert main(["run", *arguments]) == 2
    assert capsys.readouterr().out == ""
    assert not here.root.exists()


def test_a_dry_run_says_what_would_be_and_writes_nothing(here, capsys):
    before = sorted(here.folder.rglob("*"))
    assert main(["run", "play.yaml", "seeds=0,1", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert masked(out).splitlines() == [
        "ID-s0  would start: 2 levels, 4 epochs, 4 steps",
        "ID-s1  would start: 2 levels, 4 epochs, 4 steps",
    ]
    assert sorted(here.folder.rglob("*")) == before
    assert main(["run", "play.yaml", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["kind"] == "plan" and plan["runs"][0]["action"] == "new"
    here.play(*whole())
    main(["run", "play.yaml"])
    capsys.readouterr()
    main(["run", "play.yaml", "--dry-run"])
    assert "is finished already" in capsys.readouterr().out


def test_detached_runs_are_queued_and_named(idle, capsys):
    assert main(["run", "play.yaml", "seeds=0,1", "--detach", "--priority", "3"]) == 0
    said = capsys.readouterr()
    assert sorted(said.out.splitlines()) == idle.ids()
    assert f"lthtui logs -f {said.out.split()[0]}" in said.err
    assert {entry.priority for entry in entries.read(idle.root)} == {3}
    assert main(["run", "play.yaml", "-d", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "submitted" and found["runs"][0]["status"] == "queued"


def test_a_run_folder_can_be_run_again(idle, capsys):
    main(["run", "play.yaml", "-d"])
    (run,) = idle.runs()
    stopping.cancel([run])
    capsys.readouterr()
    assert main(["run", str(run.path), "-d"]) == 0
    assert capsys.readouterr().out.split() == [run.run_id]
    assert status(run) == Status.QUEUED


def test_detached_runs_that_are_there_already_are_told_from_new_ones(here, capsys):
    here.play(*whole())
    main(["run", "play.yaml"])
    capsys.readouterr()
    assert main(["run", "play.yaml", "-d"]) == 0
    said = capsys.readouterr()
    assert "play-s0 is finished already; --again makes a new run" in said.err
    assert "follow with" not in said.err and len(said.out.split()) == 1
