"""Views that are remembered between sessions, and files that are not as they should be."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from lthtui import columns, state, views
from lthtui.columns import DEFAULT, Heading
from lthtui.fields import Field
from lthtui.views import View

VIEW = View(
    headings=(
        *columns.parse("name,best(epoch/val_loss) as loss,params.lr,tags.a b"),
        Heading(Field.parse("val"), width=12, pinned=True, together="max"),
    ),
    order=views.orders("-val,best(epoch/val_loss),-tags.a b"),
    filter="val>60% or imp",
    hide_constant=True,
    archived=True,
    folded=frozenset({"group:g"}),
    unfolded=frozenset({"group:h"}),
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_view_is_remembered_for_its_experiment():
    views.remember("isic", VIEW)
    views.remember("", View(filter="x"))
    assert views.recall("isic") == VIEW
    assert views.recall("") == View(filter="x")
    assert views.recall("other") == View()
    views.remember("isic", View())
    assert views.recall("isic") == View() and '"isic"' not in state.file().read_text()


def test_what_a_view_asks_for():
    asked = ["name", "best(epoch/val_loss)", "params.lr", "tags.a b", "val"]
    assert [one.name for one in VIEW.fields] == asked
    assert VIEW.extremes == {"epoch/val_loss"}


@pytest.mark.parametrize(
    ("before", "more", "after"),
    [
        ("", False, "val"),
        ("val", False, "-val"),
        ("-val", False, ""),
        ("name,test", False, "val"),
        ("name,-val", False, ""),
        ("name", True, "name,val"),
        ("name,val,test", True, "name,-val,test"),
        ("name,-val,test", True, "name,test"),
    ],
)
def test_clicks_on_a_column_sort_by_it_turn_it_and_let_it_go(before, more, after):
    order = views.clicked(views.orders(before), Field.parse("val"), more)
    assert ",".join(map(str, order)) == after


@pytest.mark.parametrize(
    "damage",
    [
        *(None, [], "text", 5, {"columns": 5, "sort": {}, "filter": [], "folded": "group:g"}),
        {"columns": [5, {}, {"field": "no such"}], "sort": [5, "no such"], "filter": "val>>"},
        {"columns": [], "hide_constant": 1, "archived": "yes", "folded": [5]},
    ],
)
def test_what_is_damaged_is_as_by_default(damage):
    state.put("views", "isic", damage)
    assert views.recall("isic") == View()


def test_what_is_whole_of_a_damaged_view_stays():
    whole = VIEW.dump()
    whole["columns"][1:1] = [{"field": "nonsense"}]
    whole["columns"][-1] |= {"width": 100_000, "together": "newest", "of_a_newer_version": 1}
    assert views.View.load({**whole, "filter": "(("}).headings == VIEW.headings[:-1]
    whole["columns"][-1]["together"] = "max"
    found = views.View.load({**whole, "newer": True})
    assert found.headings[-1] == Heading(Field.parse("val"), pinned=True, together="max")
    assert found.order == VIEW.order and found.filter == VIEW.filter
    assert View.load({"columns": []}).headings == DEFAULT


@pytest.mark.parametrize("text", ["{", "[]", "\x00", "[" * 100_000, '{"views": '])
def test_a_damaged_file_is_put_aside(text, home):
    state.file().parent.mkdir(parents=True)
    state.file().write_text(text)
    assert state.get("views", "isic") is None
    state.put("views", "isic", {"filter": "x"})
    assert views.recall("isic") == View(filter="x")
    assert (home / "lthtui" / "state.json.damaged").read_text() == text


def test_what_a_newer_version_put_there_stays():
    state.file().parent.mkdir(parents=True)
    newer = {"version": 9, "views": {"isic": {"filter": "x", "zoom": 2}}, "panes": [1]}
    state.file().write_text(json.dumps(newer))
    assert views.recall("isic") == View(filter="x")
    views.remember("other", VIEW)
    whole = json.loads(state.file().read_text())
    assert whole["panes"] == [1] and whole["version"] == 9
    assert whole["views"]["isic"] == newer["views"]["isic"]


def test_several_processes_do_not_lose_each_others_views():
    def remember(number):
        views.remember(f"e{number}", View(filter=f"x{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, range(24)))
    assert all(views.recall(f"e{n}") == View(filter=f"x{n}") for n in range(24))
    assert [one.name for one in state.file().parent.iterdir() if "tmp" in one.name] == []


def test_a_file_that_cannot_be_written_is_said(home):
    (home / "lthtui").write_text("no folder")
    with pytest.raises(OSError):
        views.remember("isic", VIEW)
    assert views.recall("isic") == View()
