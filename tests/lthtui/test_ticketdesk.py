"""What the app reads of tickets on disk, and what it does about them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from maskfiles import NETWORK, draw, leave_masks, write_mask, write_ticket
from rundirs import FakeRun

from engine import packed
from engine.cards import read_card
from engine.errors import LthError, UsageError
from lthtui import ticketdesk
from lthtui.lookout import Lookout
from lthtui.ticketdesk import TicketDesk
from lthtui.ticketindex import Index
from lthtui.ticketlook import lines


@pytest.fixture
def finished(tmp_path):
    """A run of five levels, all with masks, of which the third is picked."""
    run = FakeRun(tmp_path, "one", levels=4, top=3).start().train(5).end()
    leave_masks(run, 5)
    return run


def tickets(root):
    lookout = Lookout(root)
    try:
        return {one.key.partition(":")[2]: one for one in Index().tickets(lookout.look())}
    finally:
        lookout.close()


def shown(look, width=100):
    return "\n".join("".join(span.text for span in line) for line in lines(look, width))


def test_a_ticket_is_shown_with_its_layers_and_the_level_before(tmp_path, finished):
    ticket = tickets(tmp_path)["3"]
    look = TicketDesk(tmp_path).look(ticket)
    assert sum(look.kept.values()) == 51_200 and sum(look.totals.values()) == 100_000
    text = shown(look)
    assert "◆ one s0:3  winning ticket" in text
    assert "kept      51%, 51,200 of 100,000 weights" in text
    assert "weights   kept, 1 kB in levels/03/ticket.safetensors" in text
    # each level keeps 0.8 of the one before: 51,200 of 64,000; two random ones: 0.38
    assert "IoU .80 with level 2, " in text and "100% of its weights were there" in text
    assert "sha256    abababababababab" in text and "rewind    2ep" in text
    assert "classes   10" in text and "made on   device cpu torch 2.9" in text
    fc = next(line for line in text.splitlines() if line.startswith("fc"))
    assert fc.split()[-1] == "30,000" and "█" in fc
    assert "made on" not in shown(replace(look, card={}))


def test_an_unfinished_or_dropped_ticket_says_so(tmp_path, finished):
    finished.keep(2, None)
    leave_masks(finished, 5)  # `keep` wrote a manifest of its own
    ticket = tickets(tmp_path)["2"]
    text = shown(TicketDesk(tmp_path).look(ticket))
    assert "not the level that its run picked" in text and "weights   mask only\n" in text
    with pytest.raises(UsageError, match="were not kept"):
        TicketDesk(tmp_path).verify(ticket)


@pytest.mark.parametrize("width", [20, 40, 200])
def test_the_preview_fits_its_view(tmp_path, finished, width):
    look = TicketDesk(tmp_path).look(tickets(tmp_path)["3"])
    bars = [line for line in shown(look, width).splitlines() if "█" in line]
    assert len(bars) == 3 and max(map(len, bars)) <= max(width, 45)
    facts = shown(look, width).splitlines()[1:]
    assert max(len(line) for line in facts if line not in bars) <= max(width, 45)


def test_a_damaged_mask_is_told_and_everything_else_still_shown(tmp_path, finished):
    file = finished.directory.level(3) / "mask.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    desk = TicketDesk(tmp_path)
    text = shown(desk.look(tickets(tmp_path)["3"]))
    assert "differs from its checksum" in text and "51,200 of 100,000" in text
    found = desk.densities([tickets(tmp_path)["3"].run])
    assert found.levels == (0, 1, 2, 4) and "differs from its checksum" in found.trouble


def test_hostile_cards_are_shown_as_text(tmp_path, finished):
    card = finished.directory.level(3) / "ticket.json"
    for text in ("[" * 100_000, "[]", "nonsense", '{"spec": 3, "classes": {}, "sha256": null}'):
        card.write_text(text)
        assert "◆ one s0:3" in shown(TicketDesk(tmp_path).look(tickets(tmp_path)["3"]))
    card.write_text('{"sha256": "\\u001b[2Jx", "spec": {"sparsifier": {"rewind": "\\u202e"}}}')
    text = shown(TicketDesk(tmp_path).look(tickets(tmp_path)["3"]))
    assert "\\x1b[2Jx" in text and "\x1b" not in text and "\\u202e" in text


def test_files_that_did_not_change_are_counted_once(tmp_path, finished, monkeypatch):
    counted = []
    monkeypatch.setattr(
        packed, "kept", lambda mask, kept=packed.kept: counted.append(1) or kept(mask)
    )
    desk, ticket = TicketDesk(tmp_path), tickets(tmp_path)["3"]
    assert desk.densities([ticket.run]) == desk.densities([ticket.run])
    assert len(counted) == 5
    write_mask(finished.directory.level(4), {n: np.zeros(s, bool) for n, s in NETWORK.items()})
    assert desk.densities([ticket.run]).densities["fc.weight", 4] == 0
    assert len(counted) == 6


def test_no_more_counts_are_kept_than_are_of_use(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(ticketdesk, "COUNTED", 2)
    desk, runs = TicketDesk(tmp_path), [tickets(tmp_path)["3"].run]
    assert desk.densities(runs) == desk.densities(runs) == TicketDesk(tmp_path).densities(runs)
    assert desk._counted.cache_info().currsize == 2


def test_densities_of_all_layers_and_levels(tmp_path, finished):
    found = TicketDesk(tmp_path).densities([tickets(tmp_path)["3"].run])
    for level in range(5):
        kept = sum(
            round(found.densities[name, level] * total) for name, total in found.totals.items()
        )
        assert kept == finished.kept(level)
    assert found.totals == {name: int(np.prod(shape)) for name, shape in NETWORK.items()}


def test_tickets_are_compared_by_what_they_are_called(tmp_path, finished):
    other = FakeRun(tmp_path, "one", 1, levels=4).start().train(5).end()
    leave_masks(other, 5)
    found = tickets(tmp_path)
    overlap = TicketDesk(tmp_path).compared([found["3"], found["4"]])
    assert overlap.names == ("one s1:3", "one s1:4")
    assert overlap.iou(0, 1) == pytest.approx(0.8, abs=1e-4)


def test_tickets_of_one_label_are_told_apart_by_their_ids(tmp_path, finished):
    ticket = tickets(tmp_path)["3"]
    again = replace(ticket, run=replace(ticket.run, run_id="again"))
    found = TicketDesk(tmp_path).compared([ticket, again])
    assert found.names == (ticket.key, "again:3") and found.iou(0, 1) == 1


def test_why_tickets_cannot_be_compared_is_an_answer(tmp_path, finished):
    write_mask(finished.directory.level(1), draw({"conv1.weight": (5, 5, 3, 3)}, 0.5))
    found = tickets(tmp_path)
    said = TicketDesk(tmp_path).compared([found["1"], found["2"]])
    assert "masks of different networks do not overlap: conv1.weight is (5, 5, 3, 3)" in said
    gone = replace(found["2"], run=replace(found["2"].run, directory="", stored="../x"))
    assert "is not on this machine" in TicketDesk(tmp_path).compared([gone])


def test_tickets_of_one_network_are_those_that_can_be_compared(tmp_path, finished):
    write_mask(finished.directory.level(1), draw({"conv1.weight": (5, 5, 3, 3)}, 0.5))
    found = tickets(tmp_path)
    gone = replace(found["2"], run=replace(found["2"].run, directory="", stored="../x"))
    every = [found["1"], found["2"], gone, found["3"], found["4"]]
    desk = TicketDesk(tmp_path)
    alike = desk.alike(found["3"], every)
    assert alike.tickets == [found["2"], found["3"], found["4"]]
    assert alike.left == "1 of other networks, 1 without a mask here"
    assert desk.compared(desk.alike(found["1"], every).tickets).names == ("one s0:1",)
    assert "is not on this machine" in desk.compared(desk.alike(gone, every).tickets)


def test_of_too_many_tickets_those_around_one_are_compared(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(ticketdesk.packed, "MOST", 2)
    found = tickets(tmp_path)
    every = [found[level] for level in "1234"]
    picked = [TicketDesk(tmp_path).alike(one, every) for one in every]
    assert [[found[name] for name in pair] for pair in ("12", "12", "23", "34")] == [
        one.tickets for one in picked
    ]
    assert {one.left for one in picked} == {"2 more than 2"}


def test_a_run_that_only_the_store_knows_has_what_mlflow_keeps(tmp_path, finished):
    ticket = tickets(tmp_path)["3"]
    stored = replace(ticket, run=replace(ticket.run, directory="", stored="f" * 32))
    desk = TicketDesk(tmp_path)
    assert "not on this machine" in desk.look(stored).trouble
    with pytest.raises(UsageError, match="no weights of one s0:3: what MLflow keeps of"):
        desk.verify(stored)
    place = tmp_path / "artifacts" / "1" / ("f" * 32) / "artifacts" / "tickets" / "level-03"
    write_ticket(place / "ticket.safetensors", draw(NETWORK, 0.25))
    look = desk.look(stored)
    assert look.trouble == "" and sum(look.kept.values()) == pytest.approx(25_000, rel=0.05)


def test_what_mlflow_keeps_of_a_ticket_is_verified_and_exported(tmp_path, finished, monkeypatch):
    ticket = tickets(tmp_path)["3"]
    stored = replace(ticket, run=replace(ticket.run, directory="", stored="f" * 32))
    place = tmp_path / "artifacts" / "1" / ("f" * 32) / "artifacts" / "tickets" / "level-03"
    file = place / "ticket.safetensors"
    write_ticket(file, draw(NETWORK, 0.25), level=3)
    seen = []

    def ask(arguments):
        copy = Path(arguments[1])
        seen.append(copy)
        assert copy.read_bytes() == file.read_bytes()
        return {"splits": {}, "verified": True, "same_images": True}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    desk, output = TicketDesk(tmp_path), tmp_path / "away.safetensors"
    assert "one s0:3 is verified" in desk.verify(stored)
    assert not seen[0].parent.exists()  # the copy is not left behind
    card = read_card(file)
    assert desk.export(stored, output) == f"wrote {output}, sha256 {card['sha256'][:16]}"
    assert output.read_bytes() == file.read_bytes()
    assert json.loads(output.with_suffix(".json").read_text()) == card
    with pytest.raises(UsageError, match="export it as .safetensors"):
        desk.export(stored, tmp_path / "other.pt")

    def full(file, aside):
        aside.write_bytes(b"part")
        raise OSError(28, "No space left on device")

    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as broken, pytest.raises(LthError, match="No space left"):
        broken.setattr(ticketdesk.shutil, "copyfile", full)
        desk.export(stored, tmp_path / "full.safetensors")
    assert sorted(tmp_path.iterdir()) == before
    file.write_bytes(file.read_bytes()[:-1])  # on its way from a server
    with pytest.raises(LthError, match="differ from the checksum|no ticket|not a ticket"):
        desk.export(stored, tmp_path / "broken.safetensors")
    assert len(seen) == 1 and not (tmp_path / "broken.safetensors").exists()


def test_verify_says_what_came_of_it(tmp_path, finished, monkeypatch):
    asked = []

    def ask(arguments):
        asked.append(arguments)
        right = {"correct": 9, "total": 10, "claimed_correct": 9, "claimed_total": 10}
        return {"splits": {"test": right}, "verified": verified, "same_images": False}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    verified = True
    desk, ticket = TicketDesk(tmp_path), tickets(tmp_path)["3"]
    assert desk.verify(ticket) == "one s0:3 is verified: test 9/10 as on its card"
    assert asked == [["verify", str(finished.directory.level(3) / "ticket.safetensors")]]
    verified = False
    with pytest.raises(LthError, match="NOT what its card says: test 9/10; the images are not"):
        desk.verify(ticket)


def test_what_came_of_a_check_is_told_until_the_file_changes(tmp_path, finished, monkeypatch):
    desk, ticket = TicketDesk(tmp_path), tickets(tmp_path)["3"]
    meanwhile = []

    def ask(arguments):
        meanwhile.append(shown(desk.look(ticket)))
        return {"splits": {}, "verified": verified, "same_images": True}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    assert "checked" not in shown(desk.look(ticket))
    verified = True
    desk.verify(ticket)
    assert "checked   under way since" in meanwhile[0]
    assert "one s0:3 is verified" in shown(desk.look(ticket))
    assert "checked" not in shown(desk.look(tickets(tmp_path)["4"]))
    verified = False
    with pytest.raises(LthError):
        desk.verify(ticket)
    spans = [span for line in lines(desk.look(ticket), 100) for span in line]
    assert [span.tone for span in spans if "is NOT what" in span.text] == ["failed"]
    with (finished.directory.level(3) / "ticket.safetensors").open("ab") as file:
        file.write(b"more")
    assert "checked" not in shown(desk.look(ticket))


def test_export_asks_the_worker_and_overwrites_nothing(tmp_path, finished, monkeypatch):
    asked, meanwhile = [], []

    def ask(words):
        asked.append(words)
        file = Path(words[-1])
        file.write_text("ours")
        file.with_suffix(".json").write_text("card")
        for path in meanwhile:
            path.write_text("theirs")
        return {"sha256": "e" * 64}

    monkeypatch.setattr(ticketdesk, "ask", ask)
    desk, ticket = TicketDesk(tmp_path), tickets(tmp_path)["3"]
    output = tmp_path / "away.pt"
    assert desk.export(ticket, output) == f"wrote {output}, sha256 {'e' * 16}"
    assert asked[0][:-1] == [
        *("export", str(finished.directory.path), "--level", "3", "--format", "state_dict", "-o")
    ]
    assert (output.read_text(), output.with_suffix(".json").read_text()) == ("ours", "card")
    output.unlink()
    output.with_suffix(".json").write_text("{}")
    with pytest.raises(UsageError, match="away.json exists already"):
        desk.export(ticket, output)
    assert desk.export(ticket, output, replace=True).startswith("wrote")
    assert output.with_suffix(".json").read_text() == "card"
    with pytest.raises(UsageError, match="one of the endings .safetensors, .pt"):
        desk.export(ticket, tmp_path / "away.zip")
    assert len(asked) == 2
    meanwhile.append(tmp_path / "late.pt")
    with pytest.raises(UsageError, match="late.pt exists already; it was left as it is"):
        desk.export(ticket, meanwhile[0])
    assert meanwhile[0].read_text() == "theirs"
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        *("away.json", "away.pt", "late.pt", "runs")
    ]


def test_layers_are_in_the_order_of_their_numbers(tmp_path, finished, monkeypatch):
    ticket = tickets(tmp_path)["3"]
    names = ("features.2.weight", "features.10.weight", "features.10.b.weight", "conv1.weight")
    layers = {name: packed.Layer((2, 4), at) for at, name in enumerate(sorted(names))}
    mask = packed.Packed(tmp_path, layers)
    desk = TicketDesk(tmp_path)
    monkeypatch.setattr(desk, "_counts", lambda _: (mask, dict.fromkeys(names, 4)))
    assert [*desk.densities([ticket.run]).totals] == [
        "conv1.weight",
        "features.2.weight",
        "features.10.b.weight",
        "features.10.weight",
    ]


def test_layers_of_hardly_any_weights_have_no_wider_lines(tmp_path, finished):
    look = TicketDesk(tmp_path).look(tickets(tmp_path)["3"])
    look = replace(look, kept={"conv": 1, "fc": 1}, totals={"conv": 28_571, "fc": 10})
    rows = [row for row in shown(look, 30).splitlines() if row.startswith(("conv", "fc"))]
    assert [row.split()[-2] for row in rows] == ["<0.1%", "10%"]
    assert {len(row) for row in rows} == {30}


def test_a_long_name_is_shown_in_full(tmp_path, finished):
    look = TicketDesk(tmp_path).look(tickets(tmp_path)["3"])
    group = replace(look.ticket.group, label="imp with some settings · mine")
    look = replace(look, ticket=replace(look.ticket, group=group))
    assert shown(look, 20).startswith("◆ imp with some\nsettings · mine s0:3\nwinning ticket\n")
