import json
import re
import threading

import pytest
from rundirs import FakeRun

from engine import events
from engine.rundir import Status, status
from lthtui import runtable, specfiles
from lthtui.cli import main
from lthtui.commands import runs
from lthtui.launch import entries, lease, stopping

SPEC = """\
name: play
data: {name: digits, per_class: 5, validation: 100}
model: {name: resnet20, width: 4}
sparsifier: {name: imp, rate: 0.5, levels: 1, rewind: init}
train: {epochs: 2, batch_size: 50}
launch: {retries: 0}
"""
LEVELS = {0: (1.0, 0.5, 0.4), 1: (0.5, 0.75, 0.7)}
WON = {"level": 1, "density": 0.5, "val_accuracy": 0.75, "test_accuracy": 0.7}


def whole(beats=True):
    """What a worker does that trains both levels."""
    start = {"levels": 2, "epochs": 4, "steps_per_epoch": 1, "images": {}, "subset": "x"}
    start |= {"parameters": 9, "prunable": 8, "environment": {}}
    emitted = [{"kind": "run_started", **start}]
    for level, (density, val, test) in LEVELS.items():
        counts = {"level": level, "density": density, "kept": round(8 * density), "total": 8}
        scores = {"val_accuracy": val, "test_accuracy": test}
        trained = {"train_loss": 0.5, "train_accuracy": 0.5, "learning_rate": 0.1}
        emitted += [
            {"kind": "level_started", **counts, "epochs": 2, "steps": 2},
            {"kind": "epoch_ended", "level": level, "epoch": 2 * level + 2, "level_epoch": 2}
            | trained
            | {"images_per_second": 10.0},
            {"kind": "level_ended", **counts, **scores, "epochs": 2, "seconds": 1.5},
        ]
    won = {**WON, "ticket": "levels/01/ticket.safetensors", "beats_dense": beats}
    emitted.append({"kind": "run_ended", "status": "finished", "winning": won})
    assert {one["kind"] for one in emitted} <= events.KINDS.keys()
    return [{"emit": one} for one in emitted]


@pytest.fixture
def here(stage, monkeypatch):
    """A current folder with play.yaml and a root of its own."""
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("LTHTUI_ROOT", str(stage.root))
    monkeypatch.setenv("COLUMNS", "200")
    (stage.folder / "play.yaml").write_text(SPEC)
    return stage


@pytest.fixture
def idle(here, monkeypatch):
    """The same, where nobody dispatches."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    return here


@pytest.fixture(params=[False, True], ids=["looking on", "looking late"])
def whenever(here, monkeypatch, request):
    """The same; with and without somebody who looks at the runs only when they have ended."""
    follow = runs._follow

    def late(root, submitted, as_json):
        here.wait(lambda: not any(active(one.directory) for one in submitted))
        return follow(root, submitted, as_json)

    if request.param:
        monkeypatch.setattr(runs, "_follow", late)
    return here


def active(run):
    return status(run) in (Status.QUEUED, Status.RUNNING)


def masked(text):
    """Output without what differs from run to run."""
    text = re.sub(r"\d{8}-play-[0-9a-f]{6}", "ID", text)
    return re.sub(r"\d+/s|[\d.]+ img/s", "N img/s", text)


def ids(stage):
    return [run.run_id for run in stage.runs()]


# ---- run


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
    assert last == f"ticket  play-s0  mlruns/runs/{ids(here)[0]}/levels/01/ticket.safetensors"


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
    assert sorted(run["run_id"] for run in last["runs"]) == ids(whenever)
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
    assert len(ids(here)) == 2


def test_a_finished_run_on_other_images_says_so(here, capsys):
    here.play(*whole())
    main(["run", "play.yaml"])
    here.runs()[0].subset_file.write_text(json.dumps({"sha256": "that of another drawing"}))
    capsys.readouterr()
    assert main(["run", "play.yaml"]) == 0
    changed = f"{ids(here)[0]} was trained on other images than its data.root gives now"
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
    assert f"lthtui resume {ids(here)[0]}" in said.err
    assert f"the whole log: lthtui logs {ids(here)[0]}\n" in said.err
    assert "0      100.00%  8        50.00" in said.out
    assert "\x1b" not in said.err + said.out


def test_a_refused_run_is_to_be_changed_rather_than_resumed(here, capsys):
    error = {"kind": "run_ended", "status": "failed", "error": "image 7 is truncated"}
    here.play(s0=[*whole()[:1], {"emit": error}, {"exit": 2}], s1=[{"kill": 9}])
    assert main(["run", "play.yaml", "seeds=0,1"]) == 1
    said = capsys.readouterr().err
    (refused,) = [run for run in ids(here) if run.endswith("s0")]
    (killed,) = [run for run in ids(here) if run.endswith("s1")]
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
    assert sorted(said.out.splitlines()) == ids(idle)
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


# ---- the other commands


def test_list_is_a_table_and_one_array(here, capsys):
    assert main(["list"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    here.play(s0=whole(), s1=[{"exit": 1}])
    main(["run", "play.yaml", "seeds=0,1"])
    capsys.readouterr()
    assert main(["list"]) == 0
    rows = [line.split() for line in masked(capsys.readouterr().out).splitlines()]
    assert rows == [
        ["RUN", "METHOD", "STATUS", "LEVELS", "KEPT", "VAL", "TEST"],
        ["ID-s0", "imp", "finished", "2", "50.00%", "75.00%", "70.00%"],
        ["ID-s1", "imp", "failed", "0", "–", "–", "–"],
    ]
    assert main(["list", "--json"]) == 0
    assert sorted(run["run_id"] for run in json.loads(capsys.readouterr().out)) == ids(here)


def test_methods_are_told_apart_and_a_narrow_list_cuts_names_but_no_ids(tmp_path, capsys):
    for rate in (0.25, 0.5):
        sparsifier = {"name": "imp", "rate": rate, "levels": 5}
        FakeRun(tmp_path, "a-long-name-for-a-spec", sparsifier=sparsifier).start().train(1)
    assert main(["list", "--json", "--root", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["label"] for run in found] == ["imp rate=0.25", "imp rate=0.5"]
    wide = [*runtable.lines(found, 200)]
    assert wide == [*runtable.lines(found, None)] and found[0]["run_id"] in wide[1]
    narrow = [*runtable.lines(found, 80)]
    assert max(map(len, narrow)) == 80 and "imp rate=0.25" in narrow[1]
    name = narrow[1].split()[0]
    assert name[0] == "…" and found[0]["run_id"].endswith("spec-" + name.rpartition("spec-")[2])
    long = [{**run, "label": "x" * 60} for run in found]
    least = [*runtable.lines(long, 40)]
    tail = found[0]["run_id"][-9:]
    assert least[1].startswith(f"…{tail}  {'x' * 19}…  ")


def test_show_tells_the_settings_of_the_sparsifier(tmp_path, capsys):
    sparsifier = {"name": "rigl", "density": 0.3, "redistribute": "gradient"}
    FakeRun(tmp_path, "one", sparsifier=sparsifier)
    assert main(["show", "@last", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "sparsifier  rigl density=0.3 redistribute=gradient\n" in out


def test_show_takes_a_folder_with_an_escape_in_its_name(tmp_path, capsys):
    run = FakeRun(tmp_path, "one").start().train(6).end()
    run.directory.path.rename(run.directory.path.with_name("e\x1b[2Jvil"))
    assert main(["show", "vil", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "ticket  e\\x1b[2Jvil  " in out and "\x1b" not in out


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(idle, capsys):
    main(["run", "play.yaml", "-d"])
    broken = idle.root / "runs" / "20200101-broken-aaaaaa-s0"
    broken.mkdir()
    (broken / "spec.yaml").write_text("version: 99")
    capsys.readouterr()
    assert main(["list", "--json"]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 1 and "20200101-broken" in said.err


def test_show_is_the_same_object_and_a_table(here, capsys):
    here.play(*whole())
    main(["run", "play.yaml"])
    capsys.readouterr()
    assert main(["show", "play-s0", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    main(["list", "--json"])
    assert json.loads(capsys.readouterr().out) == [{**shown, "label": "imp"}]
    assert main(["show", "@last"]) == 0
    out = capsys.readouterr().out
    assert "status      finished\n" in out and "◆ winning" in out


def test_logs_shows_all_or_the_last_lines_without_escapes(here, capsys):
    here.play(*[{"print": f"line {n}\x1b]52;c;eA==\x07"} for n in range(3)], *whole())
    main(["run", "play.yaml"])
    capsys.readouterr()
    assert main(["logs", "play"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"line {n}\\x1b]52;c;eA==\\x07" for n in range(3)]
    assert main(["logs", "play", "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == lines[-1:]


def test_logs_follows_to_the_end(here, capsys):
    here.play({"print": "begin"}, {"sleep": 0.5}, {"print": "end"}, *whole())
    main(["run", "play.yaml", "-d"])
    capsys.readouterr()
    assert main(["logs", "-f", "play"]) == 0
    assert capsys.readouterr().out.splitlines() == ["begin", "end"]
    assert status(here.runs()[0]) == Status.FINISHED


def test_a_run_without_a_log_says_so(idle, capsys):
    main(["run", "play.yaml", "-d"])
    assert main(["logs", "play"]) == 0
    assert "has no log yet: it is queued" in capsys.readouterr().err


def test_cancel_resume_pause_and_retry(here, capsys):
    here.play({"print": "on"}, {"sleep": 600})
    main(["run", "play.yaml", "-d"])
    (run,) = here.runs()

    def command(*words):
        capsys.readouterr()
        assert main([*words]) == 0
        return masked("".join(capsys.readouterr())).splitlines()

    here.until(run, Status.RUNNING)
    assert command("cancel", "play") == ["ID-s0 stopped"]
    assert command("cancel", "play") == ["ID-s0 neither runs nor waits: it is stopped"]
    assert command("retry", "play") == ["ID-s0 is stopped"]
    assert command("resume", "play") == ["ID-s0 queued"]
    assert command("resume", "play") == ["ID-s0 is queued or running already"]
    here.until(run, Status.RUNNING)
    assert command("pause", "play") == ["ID-s0 paused"]
    here.play({"exit": 1})
    command("resume", "play")
    here.until(run, Status.FAILED)
    here.play(*whole())
    assert command("retry", "play") == ["ID-s0 queued"]
    here.until(run, Status.FINISHED)
    assert command("resume", "play") == ["ID-s0 is finished"]


@pytest.mark.parametrize("command", ["show", "logs", "cancel", "pause", "resume", "retry"])
def test_an_unknown_run_is_a_usage_error(idle, command, capsys):
    main(["run", "play.yaml", "-d"])
    assert main([command, "plya-s0"]) == 2
    assert "did you mean play-s0?" in capsys.readouterr().err


def test_detached_runs_that_are_there_already_are_told_from_new_ones(here, capsys):
    here.play(*whole())
    main(["run", "play.yaml"])
    capsys.readouterr()
    assert main(["run", "play.yaml", "-d"]) == 0
    said = capsys.readouterr()
    assert "play-s0 is finished already; --again makes a new run" in said.err
    assert "follow with" not in said.err and len(said.out.split()) == 1
