"""The list of tickets: which there are, their order, and what their rows say."""

from dataclasses import replace

from viewed import boarded, level, run

from lthtui import ticketindex
from lthtui.filtering import Filter
from lthtui.ticketindex import Index, chosen, ordered
from lthtui.views import orders


def saved(index, val, test, size=None, **changes):
    return replace(level(index, val, test), bytes=size, **changes)


def several():
    """A finished run that picked level 1 of 3, one that lost to dense, and one that trains."""
    good = [saved(0, 0.80, 0.79), saved(1, 0.90, 0.88, 900), saved(2, 0.85, 0.84, 700)]
    bad = [saved(0, 0.80, 0.79), saved(1, 0.70, 0.69, 500)]
    under_way = [saved(0, 0.80, 0.79), saved(1, 0.82, 0.81, 800), saved(2, None, None, ended=False)]
    return boarded(
        run("good", good, group="a", name="good", final=True, beats_dense=True, created=1.0),
        run("bad", bad, group="b", name="bad", final=True, beats_dense=False, created=2.0),
        run("new", under_way, group="c", name="new", status="running", sparsifier="rigl"),
    )


def keys(board, which="picked", filter="", sort=""):
    found = chosen(Index().tickets(board), which, Filter.parse(filter))
    return [ticket.key for ticket in ordered(found, orders(sort))]


def test_picked_winning_and_all_tickets_are_told_apart():
    assert keys(several(), sort="-test") == ["good:1", "new:1", "bad:1"]
    assert keys(several(), "winning") == ["good:1"]
    assert sorted(keys(several(), "all")) == ["bad:1", "good:1", "good:2", "new:1"]


def test_dense_levels_searches_and_levels_in_training_are_no_tickets():
    whole = [saved(0, 0.8, 0.8), saved(1, 0.9, 0.9, search=True), saved(2, 0.9, 0.9, ended=False)]
    assert keys(boarded(run("one", whole)), "all") == []


def test_fields_are_of_the_ticket_not_of_its_run():
    assert keys(several(), "all", "density<70%") == ["good:2"]  # 0.8 squared
    assert keys(several(), "all", "val>86% or method:rigl", "density,-val") == ["good:1", "new:1"]
    assert keys(several(), "all", "", "size")[0] == "bad:1"
    assert keys(several(), "all", "level=2") == ["good:2"]
    # over dense's 79 on test images: +9, +5, +2, -10
    assert keys(several(), "all", "", "-gain") == ["good:1", "good:2", "new:1", "bad:1"]


def test_a_row_says_what_the_ticket_is_worth():
    board = several()
    tickets = {ticket.key: ticket for ticket in Index().tickets(board)}
    row = ticketindex.row(tickets["good:2"], "#aabbcc")
    assert [cell.text for cell in row.cells] == [
        *("  good s0", "imp", "digits", "resnet20", "2/2", "64%"),
        *("85.0", "84.0", "+5.0", "700 B", "mask only"),
    ]
    assert row.cells[0].tone == "#aabbcc" and tickets["good:2"].label == "good s0:2"
    assert ticketindex.row(tickets["good:1"], "").cells[0].text == "◆ good s0"
    assert ticketindex.row(tickets["bad:1"], "").cells[0].text == "◇ bad s0"
    assert ticketindex.row(tickets["bad:1"], "").cells[8].text == "−10.0"


def test_where_weights_are():
    board = several()
    ticket = Index().tickets(board)[0]
    kept = replace(ticket, level=replace(ticket.level, ticket="levels/01/ticket.safetensors"))
    assert ticketindex.weights(kept)[0] == "kept"
    stored = replace(kept, run=replace(ticket.run, stored="0" * 32))
    assert ticketindex.weights(stored)[0] == "in MLflow"


def test_names_from_a_store_are_shown_as_text():
    evil = run("evil", [saved(0, 0.8, 0.8), saved(1, 0.9, 0.9)], sparsifier="\x1b[2J[red]x")
    (ticket,) = Index().tickets(boarded(evil))
    assert ticketindex.row(ticket, "").cells[1].text == "\\x1b[2J[red]x"


def test_groups_that_did_not_change_keep_their_tickets():
    index, board = Index(), several()
    before = index.tickets(board)
    assert all(one is two for one, two in zip(index.tickets(board), before, strict=True))
    assert index.tickets(boarded(board.runs["good"])) != before
    index.tickets(board)
    runs = {**board.runs, "new": replace(board.runs["new"], winner=None)}
    now = {one.key: one.picked for one in index.tickets(boarded(*runs.values()))}
    assert now == {"good:1": True, "good:2": False, "bad:1": True, "new:1": False}


def test_the_columns_say_what_they_are_sorted_by():
    titles = [one.title for one in ticketindex.table_columns(*orders("-test"))]
    assert "test↓" in titles and "val" in titles
    assert ticketindex.table_columns(*orders("density"))[5].title == "kept↑"
    assert [str(order) for order in ticketindex.ORDERS[:2]] == ["-created", "-test"]
