"""The files of a run as a tree, among them hostile names and links."""

import json
import os

from rundirs import FakeRun
from viewed import run

from lthtui import filetree
from lthtui.filetree import SEPARATOR, listed, rows


def texts(places, opened=()):
    return [
        "  " * row.depth + row.fold + " ".join(cell.text for cell in row.cells)
        for row in rows(places, opened)
    ]


def test_folders_unfold_and_come_first(tmp_path):
    (tmp_path / "levels" / "00").mkdir(parents=True)
    (tmp_path / "levels" / "00" / "ticket.json").write_text("{}")
    (tmp_path / "a.txt").write_text("x" * 1500)
    places, key = {"run folder": tmp_path}, f"run folder{SEPARATOR}"
    assert texts(places) == ["▸run folder –"]
    assert texts(places, {key}) == ["▾run folder –", "  ▸levels/ –", "  a.txt 1.5 kB"]
    assert texts(places, {key, f"{key}levels/", f"{key}levels/00/"}) == [
        *("▾run folder –", "  ▾levels/ –", "    ▾00/ –", "      ticket.json 2 B", "  a.txt 1.5 kB")
    ]
    assert filetree.place(places, f"{key}levels/00/ticket.json") == (
        tmp_path,
        "levels/00/ticket.json",
    )
    assert filetree.place({}, key) is None


def test_links_pipes_and_evil_names_are_shown_and_not_entered(tmp_path):
    (tmp_path / "out").symlink_to("/")
    (tmp_path / "circle").symlink_to(".")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "\x1b[2J\nx").write_text("")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("")
    key = f"run folder{SEPARATOR}"
    shown = texts({"run folder": tmp_path}, {key, f"{key}out/", f"{key}circle/"})
    assert shown[1:] == [
        *("  \\x1b[2J\\nx 0 B", "  circle link", "  out link", "  pipe other"),
        "  \\udcff.txt 0 B",
    ]
    assert listed(tmp_path / "out") == ([], 0) and listed(tmp_path / "gone") == ([], 0)


def test_of_very_many_entries_some_are_counted_only(tmp_path, monkeypatch):
    monkeypatch.setattr(filetree, "MOST", 3)
    for index in range(5):
        (tmp_path / str(index)).write_text("")
    shown = texts({"p": tmp_path}, {f"p{SEPARATOR}"})
    assert shown[-1] == "  and 2 more –" and len(shown) == 5
    assert len({row.key for row in rows({"p": tmp_path}, {f"p{SEPARATOR}"})}) == 5


def test_places_of_runs(tmp_path):
    one = FakeRun(tmp_path, "one", 3)
    id = "ab" * 16
    kept = tmp_path / "artifacts" / "7" / id / "artifacts"
    kept.mkdir(parents=True)
    seen = run("one", directory=str(one.directory.path), seed=3)
    assert filetree.places(tmp_path, [seen]) == {"run folder": one.directory.path}
    one.directory.mlflow_file.write_text(json.dumps({"mlflow_run_id": id}))
    assert filetree.places(tmp_path, [seen])["MLflow artifacts"] == kept
    stored = run("other", stored=id, seed=4)
    assert list(filetree.places(tmp_path, [seen, stored])) == [
        *("s3 run folder", "s3 MLflow artifacts", "s4 MLflow artifacts")
    ]
    assert filetree.places(tmp_path, [run("x", stored="../../etc")]) == {}
