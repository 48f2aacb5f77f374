"""Commands on runs that are there: listed, shown, their logs, stopped and resumed."""

from __future__ import annotations

import json

import pytest
from rundirs import FakeRun
from staging import masked, whole

from engine.rundir import Status, status
from lthtui import runtable
from lthtui.cli import main


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
    assert sorted(run["run_id"] for run in json.loads(capsys.readouterr().out)) == here.ids()


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
