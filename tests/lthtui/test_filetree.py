"""The files of a run as a tree, among them hostile names and links."""

import os

from lthtui import filetree, places
from lthtui.filetree import SEPARATOR, rows
from lthtui.places import Folder


def texts(folders, opened=()):
    return [
        "  " * row.depth + row.fold + " ".join(cell.text for cell in row.cells)
        for row in rows({name: Folder(path) for name, path in folders.items()}, opened)
    ]


def test_folders_unfold_and_come_first(tmp_path):
    (tmp_path / "levels" / "00").mkdir(parents=True)
    (tmp_path / "levels" / "00" / "ticket.json").write_text("{}")
    (tmp_path / "a.txt").write_text("x" * 1500)
    here, key = {"run folder": tmp_path}, f"run folder{SEPARATOR}"
    assert texts(here) == ["▸run folder 1.5 kB"]
    assert texts(here, {key}) == ["▾run folder 1.5 kB", "  ▸levels/ 2 B", "  a.txt 1.5 kB"]
    assert texts(here, {key, f"{key}levels/", f"{key}levels/00/"}) == [
        *("▾run folder 1.5 kB", "  ▾levels/ 2 B", "    ▾00/ 2 B", "      ticket.json 2 B"),
        "  a.txt 1.5 kB",
    ]
    place = Folder(tmp_path)
    named = {"run folder": place}
    path = "levels/00/ticket.json"
    assert filetree.found(named, f"{key}{path}") == (place, path)
    for none in (key, f"{key}levels/", f"{key}{SEPARATOR}more", f"other{SEPARATOR}{path}"):
        assert filetree.found(named, none) is None


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
    assert Folder(tmp_path).listed("out") == Folder(tmp_path / "gone").listed() == ([], 0)


def test_of_very_many_entries_some_are_counted_only(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "MOST", 3)
    for index in range(5):
        (tmp_path / str(index)).write_text("")
    shown = texts({"p": tmp_path}, {f"p{SEPARATOR}"})
    assert shown[-1] == "  and 2 more –" and len(shown) == 5
    assert len({row.key for row in rows({"p": Folder(tmp_path)}, {f"p{SEPARATOR}"})}) == 5


def test_folders_say_what_all_in_them_takes_unless_that_is_too_much_to_look_at(
    tmp_path, monkeypatch
):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    (run / "a" / "b").mkdir(parents=True)
    elsewhere.mkdir()
    for file in (run / "1", run / "a" / "2", run / "a" / "b" / "3", elsewhere / "4"):
        file.write_text("x" * 100)
    (run / "link").symlink_to(elsewhere)
    (run / "a" / "file").symlink_to(elsewhere / "4")
    place = Folder(run)
    assert [place.whole(one) for one in ("", "a/", "a/b/", "gone/")] == [300, 200, 100, 0]
    monkeypatch.setattr(places, "MOST_SUMMED", 3)  # of the 6 below
    assert [place.whole(one) for one in ("", "a/b/")] == [None, 100]
    key = f"run folder{SEPARATOR}"
    assert texts({"run folder": run}, {key})[:2] == ["▾run folder ", "  ▸a/ "]
