"""Notes, tags, names and the archive: set here, seen in MLflow, and the other way round."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import viewed
from rundirs import FakeRun
from storing import ask, client, copy_store, in_mlflow
from waiting import PATIENCE

from engine import noted, schema
from engine.errors import UsageError
from engine.rundir import RunDirectory, write_json
from engine.tracking import sync
from lthtui import browsed, notes, trash
from lthtui.doctor.findings import Case
from lthtui.doctor.rebuilding import rebuild
from lthtui.launch import mirroring
from lthtui.notedesk import NoteDesk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


@pytest.fixture(autouse=True)
def inside(monkeypatch):
    """Commands ask no other process."""
    monkeypatch.setattr("lthtui.verbs.ask", lambda words, *_: ask(words))


def described(command, *words):
    return json.loads(command("show", *words, "--json")[1])


def test_what_is_noted_here_is_seen_in_mlflow_and_what_is_edited_there_here(root, command):
    run = FakeRun(root, "one").start().train(1).end("stopped").directory
    sync(run)
    assert described(command, "one") | {"tags": {}, "note": "", "archived": False} == described(
        command, "one"
    )
    assert command("note", "one", "a", "*first*") == (0, f"{run.run_id} noted\n", "")
    assert command("note", "one", "--append", "second")[0] == 0
    assert command("tag", "one", "why=a = b", "x=1")[1] == f"{run.run_id} tagged\n"
    assert command("tag", "one", "--remove", "x")[1] == f"{run.run_id} untagged\n"
    assert command("rename", "one", "My  best")[0] == 0
    found = in_mlflow(root, run)
    assert found.data.tags["mlflow.note.content"] == "a *first*\n\nsecond"
    assert found.data.tags["why"] == "a = b" and "x" not in found.data.tags
    assert found.info.run_name == "My best"

    client(root).set_tag(found.info.run_id, "mlflow.note.content", "edited there")
    client(root).update_run(found.info.run_id, name="Theirs")
    client(root).set_tag(found.info.run_id, "new", "2")
    client(root).delete_tag(found.info.run_id, "why")
    assert command("note", "one")[1] == "edited there\n"
    facts = described(command, "one")
    assert (facts["note"], facts["display_name"]) == ("edited there", "Theirs")
    assert facts["tags"] == {"new": "2"} and facts["name"] == "one"
    assert command("tag", "one")[1] == f"{run.run_id}  new=2\n"
    assert "Theirs" in command("list")[1]
    assert command("rename", "one", "")[0] == 0
    assert in_mlflow(root, run).info.run_name == run.run_id.removeprefix("20261121-")
    assert described(command, "one")["display_name"] is None


def test_a_run_keeps_what_is_noted_before_it_starts_and_while_it_runs(root, command):
    waiting = FakeRun(root, "waits", tags={"of": "spec"}).queue()
    going = FakeRun(root, "goes").start(alive=True).train(1)
    code, _, said = command("tag", "waits", "goes", "why=later")
    assert (code, said) == (0, "")
    assert described(command, "waits")["tags"] == {"of": "spec", "why": "later"}
    assert described(command, "goes")["tags"] == {"why": "later"}
    waiting.directory.queue_file.unlink()
    waiting.start().train(1)
    for run in (waiting.directory, going.directory):
        sync(run)
        assert in_mlflow(root, run).data.tags["why"] == "later"


def test_archived_runs_are_left_out_until_they_are_asked_for(root, command):
    for seed in range(2):
        FakeRun(root, "old", seed).start().train(1).end("stopped")
    FakeRun(root, "new").start().train(1).end("stopped")
    assert command("archive", "old")[0] == 0
    code, listed, said = command("list")
    assert "new" in listed and "old" not in listed and said.startswith("2 archived; --archived")
    assert [run["name"] for run in json.loads(command("list", "--json")[1])] == ["new"]
    every = json.loads(command("list", "--json", "--archived")[1])
    assert [run["archived"] for run in every] == [True, True, False]
    assert command("archive", "--experiment", "old", "--undo")[0] == 0
    assert "old" in command("list")[1]


def test_a_store_out_of_reach_loses_nothing_and_is_told_by_the_queue(root, command, monkeypatch):
    run = FakeRun(root, "one").start().train(1).end("stopped").directory
    sync(run)
    assert not mirroring.needs(run)
    monkeypatch.setattr(
        "lthtui.verbs.ask", lambda *_: {"runs": {}, "failed": {run.run_id: "a\x1bway"}}
    )
    code, out, said = command("note", "one", "kept")
    assert (code, out) == (0, f"{run.run_id} noted\n")
    assert said == "kept here; MLflow is told later: a\\x1bway\n"
    assert command("note", "one")[1] == "kept\n"
    assert mirroring.needs(run)
    sync(run)
    assert not mirroring.needs(run)
    assert in_mlflow(root, run).data.tags["mlflow.note.content"] == "kept"


def test_a_rebuilt_store_has_what_was_noted_here_and_what_was_edited_there(root, template):
    runs = [FakeRun(root, "one", seed).start().train(1).end().directory for seed in range(2)]
    notes.change(root, runs, {schema.NOTE: "first", schema.ARCHIVED: "true"})
    for run in runs:
        sync(run)
    edited, pending = runs
    client(root).set_tag(in_mlflow(root, edited).info.run_id, schema.NOTE, "edited there")
    notes.change(root, [pending], {schema.NOTE: "newer"})  # which the damaged store never knew

    def carry_out(arguments):
        if arguments[0] == "ensure-store":
            copy_store(template, root)
        else:
            assert [sync(RunDirectory(path)) for path in arguments[1:]]
        return {"failed": {}}

    rebuild(Case(root, carry_out))
    assert in_mlflow(root, edited).data.tags[schema.NOTE] == "edited there"
    assert in_mlflow(root, pending).data.tags[schema.NOTE] == "newer"
    assert in_mlflow(root, pending).data.tags[schema.ARCHIVED] == "true"


def test_runs_that_only_mlflow_knows_are_changed_there(root, command):
    theirs = client(root).create_run(client(root).create_experiment("plain"), run_name="theirs")
    uuid = theirs.info.run_id
    client(root).set_tag(uuid, "x", "1")
    assert command("tag", uuid[:8], "a=b", "--remove", "x") == (0, f"{uuid} tagged\n", "")
    assert command("tag", "theirs")[1] == f"{uuid}  a=b\n"
    assert command("note", "theirs", "mine")[0] == 0
    assert command("note", uuid)[1] == "mine\n"
    assert command("rename", "theirs", "ours")[0] == 0
    assert client(root).get_run(uuid).info.run_name == "ours"
    code, _, said = command("note", "nothing")
    assert code == 2 and "there are no runs" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["lthtui.group=1"], "written by programs"),
        (["mlflow.user=1"], "written by programs"),
        (["a,b=1"], "MLflow takes letters"),
        (["a/../b=1"], "MLflow takes letters"),
        (["=1"], "MLflow takes letters"),
        (["k" * 251 + "=1"], "250 characters at most"),
        (["a=" + "v" * 8001], "8,001 characters; MLflow takes 8,000"),
        (["a=\udcff"], "no text"),
        (["--remove", "lthtui.noted"], "written by programs"),
    ],
)
def test_tags_that_mlflow_would_not_take_are_refused(root, command, words, why):
    run = FakeRun(root, "one").directory
    code, out, said = command("tag", "one", "fine=1", *words)
    assert (code, out) == (2, "") and why in said
    assert noted.read(run).changes == {}


def test_the_longest_that_is_allowed_reaches_mlflow_whole(root):
    run = FakeRun(root, "one").start().train(1).end("stopped").directory
    tags = notes.tags_of(["k" * 250 + "=" + "ü" * 8000, "a b/c-d.e:f=", "empty="])
    notes.change(root, [run], tags)
    sync(run)
    found = in_mlflow(root, run).data.tags
    assert {key: found.get(key) for key in tags} == tags


def test_others_and_read_only_roots_are_left_alone(root, command, monkeypatch):
    run = FakeRun(root, "one").directory
    monkeypatch.setattr("lthtui.launch.owner.SUPERUSER", -1)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    code, _, said = command("note", "one", "x")
    assert code == 2 and "belongs to" in said and noted.read(run).newest == 0
    with pytest.raises(UsageError, match="belongs to"):
        notes.change(root, [run], {"a": "1"})


def test_an_editor_opens_on_the_note_and_never_overwrites_another_ones(root, command, monkeypatch):
    run = FakeRun(root, "one").directory
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.chdir(root)
    assert "export EDITOR=nano" in command("note", "one")[2]
    monkeypatch.setenv("EDITOR", 'sh -c \'printf " mine\\n\\n" >> "$0"\'')
    assert command("note", "one")[1] == f"{run.run_id} noted\n"
    assert notes.read(run).note == " mine"
    monkeypatch.setenv("EDITOR", "sh -c 'echo more >> \"$0\"'")
    assert command("note", "one")[0] == 0
    assert notes.read(run).note == " mine\nmore"
    monkeypatch.setenv("VISUAL", "true")
    assert command("note", "one")[2] == "the note is as it was\n"
    monkeypatch.setenv("VISUAL", "sh -c 'echo lost > \"$0\"; exit 3'")
    assert "ended with code 3; nothing was changed" in command("note", "one")[2]
    changes = {"changes": {schema.NOTE: {"value": "theirs", "order": 9}}}
    (root / "theirs").write_text(json.dumps(changes))
    monkeypatch.setenv("VISUAL", f"sh -c 'cp theirs {run.path}/notes.json; echo mine > \"$0\"'")
    code, _, said = command("note", "one")
    assert code == 2 and "somebody else changed the note" in said
    assert notes.read(run).note == "theirs"
    assert (root / f"note-{run.run_id}.md").read_text() == "mine"


def test_paragraphs_that_two_add_at_the_same_moment_are_both_kept(root, monkeypatch):
    run, real = FakeRun(root, "one").directory, notes.fetch
    notes.change(root, [run], {schema.NOTE: "zero"})
    both, first = threading.Barrier(2), threading.local()

    def fetch(*arguments):
        found = real(*arguments)
        if not hasattr(first, "done"):
            first.done = both.wait(PATIENCE)  # until the other one has read the note as well
        return found

    monkeypatch.setattr(notes, "fetch", fetch)
    with ThreadPoolExecutor(2) as pool:
        [*pool.map(lambda text: notes.append(root, run, text, ask), ("one\n", "two"))]
    assert sorted(notes.read(run).note.split("\n\n")) == ["one", "two", "zero"]


def test_paragraphs_for_a_run_without_a_folder_are_added_one_after_another(root, monkeypatch):
    theirs = client(root).create_run(client(root).create_experiment("plain")).info.run_id
    monkeypatch.setattr("lthtui.notedesk.ask", ask)
    [shown] = browsed.read(f"sqlite:///{root / 'mlflow.db'}").values()
    desk, real, second_has_read = NoteDesk(root), notes.append, threading.Event()

    def append(root, subject, text, *rest):
        if text == "one":
            later.append(pool.submit(desk.append, [shown], "two"))
            second_has_read.wait(0.3)  # which it is not to do before the first has written
        else:
            second_has_read.set()
        real(root, subject, text, *rest)

    monkeypatch.setattr(notes, "append", append)
    later = []
    with ThreadPoolExecutor(1) as pool:
        desk.append([shown], "one")
    later[0].result()
    assert client(root).get_run(theirs).data.tags[schema.NOTE] == "one\n\ntwo"


def test_names_are_given_in_the_order_in_which_they_were_asked_for(root, monkeypatch):
    run = FakeRun(root, "one").directory
    shown = viewed.run(run.run_id, directory=str(run.path))
    desk, real, second_is_done = NoteDesk(root), notes.change, threading.Event()

    def change(root, subjects, tags, *rest):
        if tags[schema.NAME] == "first":  # and the root is locked for long
            later.append(pool.submit(desk.rename, [shown], "second"))
            later[0].add_done_callback(lambda _: second_is_done.set())
            second_is_done.wait(0.3)  # which it is not to be before
        real(root, subjects, tags, *rest)

    monkeypatch.setattr(notes, "change", change)
    monkeypatch.setattr(notes, "tell", lambda subjects, ask: {})
    later = []
    with ThreadPoolExecutor(1) as pool:
        desk.rename([shown], "first")
    later[0].result()
    assert notes.read(run).name == "second"


def test_who_writes_first_is_not_overwritten_by_who_read_before(root, monkeypatch):
    run, real = FakeRun(root, "one").directory, notes.fetch
    monkeypatch.chdir(root)

    def fetch(*arguments):
        found = real(*arguments)
        notes.change(root, [run], {schema.NOTE: "theirs"})
        return found

    monkeypatch.setattr(notes, "fetch", fetch)
    with pytest.raises(UsageError, match="somebody else changed the note meanwhile"):
        notes.revise(root, run, "", "mine", ask)
    assert notes.read(run).note == "theirs"
    assert (root / f"note-{run.run_id}.md").read_text() == "mine"


def test_a_run_that_went_into_the_trash_meanwhile_keeps_others_as_they_are(root):
    runs = [FakeRun(root, name).start().train(1).end("stopped").directory for name in ("a", "b")]
    trash.throw(root, runs[1:], ask)
    with pytest.raises(UsageError, match=f"{runs[1].run_id} is gone; `lthtui trash --restore"):
        notes.change(root, runs, {schema.ARCHIVED: "true"})
    assert not noted.read(runs[0]).changes


def test_what_is_noted_is_cleaned_where_it_is_shown(root, command):
    run = FakeRun(root, "one").directory
    write_json(
        run.path / noted.FILE,
        {
            "changes": {
                schema.NOTE: {"value": "a\x1b[2Jb\nc", "order": 1},
                schema.NAME: {"value": "\x1b]0;x", "order": 1},
                "k": {"value": "\x9bz", "order": 1},
            }
        },
    )
    for words in (["note", "one"], ["show", "one"], ["tag", "one"], ["list"]):
        code, out, said = command(*words)
        assert code == 0 and "\x1b" not in out + said and "\x9b" not in out + said
    assert "a\\x1b[2Jb\nc" in command("note", "one")[1]


def test_the_book_follows_mlflow(root):
    run = FakeRun(root, "one").start().train(1).end("stopped").directory
    sync(run)
    book = notes.Book(root)
    book.refresh()
    assert book.of(run.path) == notes.Notes()
    client(root).set_tag(in_mlflow(root, run).info.run_id, "a", "1")
    book.refresh()
    assert book.of(run.path).tags == {"a": "1"}
    client(root).delete_run(in_mlflow(root, run).info.run_id)
    notes.change(root, [run], {"b": "2"})
    book.refresh()
    assert book.of(run.path).tags == {"b": "2"}
    book.close()


def test_a_server_is_asked_for_what_was_edited_there_unless_it_is_away(root):
    run = FakeRun(root, "one").start().train(1).end("stopped").directory
    write_json(run.mlflow_file, {"mlflow_run_id": "abc", "tracking_uri": "http://server"})
    notes.change(root, [run], {"a": "here"})
    tags = {"a": "there", schema.NOTED: str(noted.read(run).newest), schema.NAME: "theirs"}
    asked = []

    def ask(arguments):
        asked.append(arguments)
        return {"runs": {run.run_id: {"tags": tags}} if tags else {}, "failed": {}}

    assert notes.fetch(run, ask) == notes.Notes(name="theirs", tags={"a": "there"})
    assert asked == [["note", str(run.path)]]
    tags.clear()
    assert notes.fetch(run, ask).tags == {"a": "here"}
