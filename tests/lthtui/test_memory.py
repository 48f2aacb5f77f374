"""What is remembered of the table of runs, by root and experiment."""

import pytest

from lthtui import state
from lthtui.compared import SECTION, Compared
from lthtui.memory import Memory
from lthtui.sides import Asked
from lthtui.ticketindex import WHICH
from lthtui.ticketview import TicketView
from lthtui.views import View


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_the_last_experiment_of_each_root_comes_back_with_its_view(home):
    one, other = Memory(home / "one"), Memory(home / "other")
    assert one.last() == ("", View())
    one.choose("isic")
    one.keep("isic", View(filter="imp"))
    assert Memory(home / "one").last() == ("isic", View(filter="imp"))
    assert other.last() == ("", View())
    other.choose("cifar")
    one.choose("")
    assert one.last() == ("", View()) and other.last() == ("cifar", View())
    other.keep("isic", View(filter="cs"))
    assert one.view("isic") == View(filter="imp") and other.view("isic") == View(filter="cs")


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        {"keys": "imp", "asked": [], "whole": 1},
        {"keys": None, "asked": {"test": "moon", "split": 1, "drawn": [], "level": -2}},
        {"keys": [1], "asked": {"baseline": 3, "level": True}, "more": 1},
    ],
)
def test_a_comparison_that_cannot_be_read_is_as_at_first(home, broken):
    memory = Memory(home)
    kept = Compared(("run", "group/imp"), Asked("imp", "unpaired", "val", "loss", 2), whole=True)
    memory.compare(kept)
    assert memory.compared() == kept and Memory(home / "other").compared() == Compared()
    state.put(SECTION, str(home), broken)
    assert memory.compared() == Compared()


def test_a_place_that_cannot_be_written_to_is_said_once(home):
    (home / "state").write_text("no folder")
    memory = Memory(home)
    said = memory.keep("isic", View(filter="imp"))
    assert "state.json" in said and "not kept for the next session" in said
    assert memory.keep("isic", View()) == memory.choose("isic") == ""
    assert memory.last() == ("", View())


def test_two_windows_keep_what_each_of_them_changed(home):
    one, other = Memory(home), Memory(home)
    one.view("isic"), other.view("isic"), one.ticket_view(), other.ticket_view()
    one.keep("isic", View(filter="imp"))
    other.keep("isic", View(archived=True))
    assert one.view("isic") == View(filter="imp", archived=True)
    other.keep("isic", View())  # it never knew of a filter
    assert one.view("isic") == View(filter="imp")
    g, h, i = (frozenset({f"group:{name}"}) for name in "ghi")
    one.keep("isic", View(folded=g, unfolded=h))
    other.keep("isic", View(folded=i))
    assert Memory(home).view("isic") == View(folded=g | i, unfolded=h)
    other.keep("isic", View(unfolded=i))
    assert one.view("isic") == View(folded=g, unfolded=h | i)
    one.keep("isic", View())
    assert "isic" not in state.file().read_text()
    one.tickets(TicketView(which=WHICH[1]))
    other.tickets(TicketView(filter="imp"))
    assert one.ticket_view() == TicketView(which=WHICH[1], filter="imp")
