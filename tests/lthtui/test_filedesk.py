"""Files of runs: where they are, here or on a server that is not trusted; copied and opened."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rundirs import FakeRun
from servers import Answer, proxy
from viewed import run

from engine.errors import StoreError, UsageError
from lthtui import filedesk, paging, places
from lthtui.filedesk import FileDesk
from lthtui.filetree import SEPARATOR
from lthtui.places import Folder, Kept

ID = "ab" * 16
ARTIFACTS = f"MLflow artifacts{SEPARATOR}"


def listing(*files, token=None):
    found = [{"path": path, "is_dir": size is None, "file_size": size} for path, size in files]
    return Answer(200, json.dumps({"files": found, "next_page_token": token}).encode())


@pytest.fixture
def server():
    """A server that keeps `files`, and says in `asked` what it was asked for."""
    with proxy() as found:
        found.files = {"a.json": b'{"b": 1}', "plots/p.csv": b"x,y\n1,2\n"}
        found.asked = []

        def answer(asked):
            parts = urlsplit(asked.path)
            values = {key: value[0] for key, value in parse_qs(parts.query).items()}
            found.asked.append((parts.path, values))
            if parts.path == "/get-artifact":
                assert values["run_uuid"] == ID
                data = found.files.get(values["path"])
                return Answer(200, data) if data is not None else Answer(404, b'{"message": "no"}')
            assert parts.path == "/api/2.0/mlflow/artifacts/list" and values["run_id"] == ID
            if values.get("path"):
                return listing(("plots/p.csv", 8))
            if values.get("page_token"):
                return listing(("a.json", 8))
            return listing(("plots", None), token="more")

        found.fault = answer
        yield found


@pytest.fixture
def stored():
    return (run("theirs", stored=ID),)


def texts(desk, runs, *opened):
    return [
        "  " * row.depth + " ".join(cell.text for cell in row.cells)
        for row in desk.rows(runs, {ARTIFACTS, *(f"{ARTIFACTS}{one}" for one in opened)})
    ]


def test_what_a_server_keeps_is_listed_looked_into_and_copied(server, stored, tmp_path):
    desk = FileDesk(tmp_path / "mlruns", server.address)
    assert texts(desk, stored) == ["MLflow artifacts ", "  plots/ ", "  a.json 8 B"]
    assert texts(desk, stored, "plots/")[2] == "    p.csv 8 B"
    asked = len(server.asked)
    texts(desk, stored, "plots/")
    assert len(server.asked) == asked == 3  # it is not asked again at once
    key, shown = desk.preview(stored, f"{ARTIFACTS}plots/p.csv")
    assert key.endswith("p.csv") and shown.table == (("x", "y"), ("1", "2"))
    assert shown.title == "plots/p.csv  8 B"
    assert desk.path(stored, f"{ARTIFACTS}a.json") == f"runs:/{ID}/a.json"
    said = desk.copy(stored, f"{ARTIFACTS}a.json", tmp_path / "a.json")
    assert said == f"copied to {tmp_path / 'a.json'}"
    assert (tmp_path / "a.json").read_bytes() == server.files["a.json"]
    del server.files["a.json"]
    assert "404: no" in desk.preview(stored, f"{ARTIFACTS}a.json")[1].note
    with pytest.raises(StoreError, match="404"):
        desk.copy(stored, f"{ARTIFACTS}a.json", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_lists_of_the_runs_that_were_looked_at_last_are_remembered(server, tmp_path, monkeypatch):
    monkeypatch.setattr(filedesk, "KEPT", 2)
    server.fault = lambda asked: listing(("a", 1))
    desk = FileDesk(tmp_path / "mlruns", server.address)
    for name in "abacba":  # c takes the place of b, and b the one of a
        texts(desk, [run(name, stored=name * 32)])
    asked = [parse_qs(urlsplit(one.path).query)["run_id"][0][0] for one in server.seen]
    assert asked == ["a", "b", "c", "b", "a"]


def test_of_a_file_on_a_server_only_the_beginning_is_read(server):
    server.files["large.txt"] = b"x" * 300_000
    place = Kept(server.address, ID)
    assert place.head("large.txt", 1000) == (b"x" * 1000, 65_536)


def test_names_that_lead_elsewhere_are_not_taken_over(server):
    names = ["../up", "/etc/passwd", "other/deep", "..", "", "\0", 7, None, "good", "\x1b[2J"]
    sizes = [(name, 1) for name in names] + [("odd", "many"), ("minus", -5)]
    server.fault = lambda asked: listing(*sizes)
    assert [one.name for one in Kept(server.address, ID).listed()[0]] == ["\x1b[2J", "good"]
    for wrong in (
        b"[]",
        b'{"files": 7}',
        b'{"files": [7]}',
        b'{"files": [{"path": "a", "is_dir": 1}',
        b"<html>",
    ):
        server.fault = lambda asked, wrong=wrong: Answer(200, wrong)
        place = Kept(server.address, ID)
        try:
            assert place.listed() == ([], 0)
        except StoreError as error:
            assert "127.0.0.1" in str(error)


def test_a_server_that_is_away_is_said_in_the_tree(stored, tmp_path):
    with proxy() as gone:
        address = gone.address
    said = texts(FileDesk(tmp_path, address), stored)
    assert said[0] == "MLflow artifacts " and "out of reach" in said[1] and len(said) == 2


def test_a_list_without_end_and_a_file_without_end_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "PAGES", 3)
    server.fault = lambda asked: listing(("a", 1), token="again")
    assert len(Kept(server.address, ID).listed()[0]) == 3 == len(server.seen)
    monkeypatch.setattr(places, "FETCHED", 100_000)
    server.fault = lambda asked: Answer(200, bytes(500_000))
    with (tmp_path / "a").open("xb") as file, pytest.raises(StoreError, match="more than"):
        Kept(server.address, ID).fetch("a", file)


def test_places_of_runs(tmp_path, server):
    one = FakeRun(tmp_path, "one", 3)
    kept = tmp_path / "artifacts" / "7" / ID / "artifacts"
    kept.mkdir(parents=True)
    seen = run("one", directory=str(one.directory.path), seed=3)
    desk = FileDesk(tmp_path)
    assert [*desk.places([seen])] == ["run folder"]
    one.directory.mlflow_file.write_text(json.dumps({"mlflow_run_id": ID}))
    assert desk.places([seen])["MLflow artifacts"].path("a") == f"{kept}/a"
    other = run("other", stored=ID, seed=4)
    assert list(desk.places([seen, other])) == [
        *("s3 run folder", "s3 MLflow artifacts", "s4 MLflow artifacts")
    ]
    assert list(desk.places([seen, seen]))[2:] == ["s3 run folder 2", "s3 MLflow artifacts 2"]
    assert desk.places([run("x", stored="../../etc")]) == {}
    linked = {"mlflow_run_id": ID, "tracking_uri": server.address}
    one.directory.mlflow_file.write_text(json.dumps(linked))
    assert desk.places([seen])["MLflow artifacts"].path("a") == f"runs:/{ID}/a"


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_files_of_others_are_where_their_store_says(tmp_path, scheme):
    folder = tmp_path / "their files" / "artifacts"
    folder.mkdir(parents=True)
    file = tmp_path / "theirs.db"
    uri = folder.as_uri() if scheme else str(folder)
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("CREATE TABLE runs (run_uuid TEXT, artifact_uri TEXT)")
        store.executemany("INSERT INTO runs VALUES (?, ?)", [(ID, uri), ("c", "s3://away/c")])
    desk = FileDesk(tmp_path / "mlruns", f"sqlite:///{file}")
    place = desk.places([run("theirs", stored=ID)])["MLflow artifacts"]
    assert place.path("a") == f"{folder}/a"
    assert desk.places([run("c", stored="c"), run("d", stored="d")]) == {}


def test_copies_replace_nothing_and_folders_are_not_copied(tmp_path):
    one = FakeRun(tmp_path, "one")
    runs = (run("one", directory=str(one.directory.path)),)
    desk, key = FileDesk(tmp_path), f"run folder{SEPARATOR}spec.yaml"
    spec = one.directory.spec_file.read_bytes()
    target = tmp_path / "copy.yaml"
    assert desk.copy(runs, key, target) == f"copied to {target}"
    assert target.read_bytes() == spec
    target.write_text("mine")
    for to, why in {
        target: "exists",
        tmp_path / "no" / "folder": "is no folder",
        one.directory.path: "is a folder; name a file in it",
        tmp_path / ("a" * 300): "File name too long",
    }.items():
        with pytest.raises(UsageError, match=why):
            desk.copy(runs, key, to)
    assert target.read_text() == "mine"
    assert desk.copy(runs, key, target, overwrite=True) == f"copied to {target}"
    assert target.read_bytes() == spec
    with pytest.raises(UsageError, match="choose a file"):
        desk.copy(runs, f"run folder{SEPARATOR}levels/", tmp_path / "x")
    (one.directory.path / "out").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="out of this folder"):
        desk.copy(runs, f"run folder{SEPARATOR}out", tmp_path / "y")
    assert {file.name for file in tmp_path.iterdir()} == {"copy.yaml", "runs"}


def test_a_pager_gets_a_copy_under_a_plain_name(tmp_path, monkeypatch, capfd):
    one = FakeRun(tmp_path, "one")
    name = "-e\x1b[2J.txt"
    (one.directory.path / name).write_text("hello")
    runs = (run("one", directory=str(one.directory.path)),)
    copy = FileDesk(tmp_path).at_hand(runs, f"run folder{SEPARATOR}{name}")
    file = copy.file
    assert file.name == "e_[2J.txt" and file.parent != one.directory.path
    monkeypatch.setenv("PAGER", "cat -n")
    paging.show(file)
    assert "1\thello" in capfd.readouterr().out
    for command, why in {"false": "code 1", "/no/such": "No such file", "a 'b": "PAGER"}.items():
        monkeypatch.setenv("PAGER", command)
        with pytest.raises(UsageError, match=why):
            paging.show(file)
    with copy:
        (file.parent / "made by the pager").mkdir()
    assert not file.parent.exists()
    monkeypatch.setenv("PAGER", "")
    monkeypatch.setenv("PATH", str(Path(os.devnull)))
    with pytest.raises(UsageError, match="PAGER=less"):
        paging.pager()


def test_a_copy_that_nobody_takes_is_removed(tmp_path, monkeypatch):
    one = FakeRun(tmp_path, "one")
    runs = (run("one", directory=str(one.directory.path)),)
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    desk = FileDesk(tmp_path)
    copy = desk.at_hand(runs, f"run folder{SEPARATOR}spec.yaml")
    assert [*aside.glob("lthtui-*/spec.yaml")] == [copy.file]
    del copy
    assert not [*aside.iterdir()]
    (one.directory.path / "out").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="out of this folder"):
        desk.at_hand(runs, f"run folder{SEPARATOR}out")
    assert not [*aside.iterdir()]


def test_a_folder_is_listed_and_read_within_itself_only(tmp_path):
    (tmp_path / "a").write_text("1")
    inner = Folder(tmp_path / "in")
    (tmp_path / "in").mkdir()
    with pytest.raises(places.Unshown, match="out of this folder"):
        inner.head("../a", 10)
