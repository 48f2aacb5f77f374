"""Documents of evaluations as charts, bars and heat maps; odd ones are left as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from viewed import level, run

from lthtui.charts import How
from lthtui.evaluationdesk import EvaluationDesk
from lthtui.evaluationlook import DRAWN, look
from lthtui.evaluationrows import state_of, table
from lthtui.measured import Measured

BINS = [
    {"above": 0.0, "to": 0.5, "images": 1, "confidence": 0.4, "accuracy": 0.0},
    {"above": 0.5, "to": 0.9, "images": 0, "confidence": None, "accuracy": None},
    {"above": 0.9, "to": 1.0, "images": 3, "confidence": 0.95, "accuracy": 0.5},
]
LINE = {"share": [0, 0.5, 1], "error": [0.1, 0.4, 0.2], "error_without_recalibration": [1, 1, 1]}
CLASSES = {
    "classes": [
        {"class": "cat", "images": 4, "correct": 3, "accuracy": 0.75},
        {"class": "d\x1b[31mog", "images": 0, "correct": 0, "accuracy": None},
    ],
    "confusion": [[3, 1], [0, 0]],
}
CORRUPTED = {
    "severities": [1, 5],
    "clean error": {"ticket": 0.25},
    "errors": {"ticket": {"fog": [0.5, 0.7]}},
    "relative to dense": {"fog": 1.25},
}


def series(file, **documents):
    found = look(file, {head.replace("_", " "): one for head, one in documents.items()})
    return {one.label: one for one in found.panel.chart(How()).series if not one.faint}


def text(file, width=80, **documents):
    found = look(file, {head.replace("_", " "): one for head, one in documents.items()})
    return ["".join(span.text for span in line).rstrip() for line in found.lines(width)]


def test_reliability_has_a_point_for_every_bin_with_images():
    found = series("calibration.json", ticket={"test": {"bins": BINS}})
    assert [*found["ticket"].x] == [0.4, 0.95] and [*found["ticket"].y] == [0.0, 0.5]
    (counts,) = text("calibration.json", ticket={"test": {"bins": BINS}})
    assert counts.split()[:2] == ["ticket", "▃"] and "▃ █" in counts


def test_lines_between_networks_are_one_for_each_ticket_and_parting():
    found = series("connectivity.json", ticket=LINE, level_2=LINE)
    assert {*found} == {"ticket", "level 2"} and [*found["ticket"].y] == [0.1, 0.4, 0.2]
    assert found["ticket"].colour != found["level 2"].colour
    found = series("instability.json", ticket={"init": LINE, "2ep": LINE})
    assert {*found} == {"ticket after init", "ticket after 2ep"}


def test_an_attack_is_a_chart_from_three_distances_on():
    rows = [{"epsilon": at, "accuracy": 0.5 - at / 100} for at in (0.0, 4.0, 8.0)]
    assert [*series("fgsm.json", dense={"results": rows})["dense"].y] == [0.5, 0.46, 0.42]
    assert look("fgsm.json", {"dense": {"results": rows[:2]}}).panel is None
    assert text("fgsm.json", dense={"results": rows})[2].split()[:3] == ["epsilon", "4", "46.00%"]


def test_accuracies_by_class_are_bars_beside_dense_and_confusions_shares_of_a_class():
    found = text("accuracy.json", dense={"test": CLASSES}, ticket={"test": CLASSES})
    assert found[0].split() == ["class", "dense", "ticket", "ticket"]
    assert found[1].split()[:3] == ["cat", "75.00%", "75.00%"] and "█" in found[1]
    assert found[2].split()[-2:] == ["–", "–"]
    assert found[-2].split() == ["cat", "75", "25"] and "\x1b" not in "".join(found)


def test_accuracy_by_corruption_and_severity_is_a_map_and_the_ticket_comes_first():
    found = text("corruptions.json", dense=CORRUPTED, ticket=CORRUPTED)
    assert found[0] == "ticket: accuracy in % by severity; 75.0 on clean images"
    assert found[2].split() == ["fog", "50", "30", "40.0", "1.25"]
    assert found[4].startswith("dense")


def test_titles_of_maps_go_on_below_where_they_are_long():
    found = text("accuracy.json", 30, ticket={"test": CLASSES})
    assert "(row) is taken for (column)," in " ".join(found)
    names = [f"layer{at}" for at in range(8)]
    within = [[1.0 if row == column else 0.2 for column in range(8)] for row in range(8)]
    drawn = text("cka.json", 30, ticket={"layers": names, "within": within})
    assert " ".join(drawn).find("from layer0 to layer7") > 0
    assert max(map(len, [*found, *drawn])) <= 30


def test_layers_have_bars_in_their_order_and_the_ticket_a_number_where_one_has_room():
    layers = {f"features.{at}.weight": {"density": at / 100} for at in (10, 3)}
    found = text("layer_density.json", 40, dense=layers, level_1=layers, ticket=layers)
    assert [line.split()[:2] for line in found] == [
        ["layer", "ticket"],
        ["features.3", "3.00%"],
        ["features.10", "10.00%"],
    ]
    wide = text("layer_density.json", 80, dense=layers, level_1=layers, ticket=layers)
    assert wide[0].split() == ["layer", "dense", "ticket", "level", "1", "ticket"]


def test_layers_that_are_alike_are_a_picture_with_the_names_of_the_first_and_the_last():
    names = [f"layer{at}" for at in range(8)]
    within = [[1.0 if row == column else 0.2 for column in range(8)] for row in range(8)]
    found = text("cka.json", ticket={"layers": names, "within": within})
    assert found[1].endswith("from layer0 to layer7") and "▀▀▀▀" in found[2]


@pytest.mark.parametrize("file", sorted(DRAWN))
@pytest.mark.parametrize("odd", ["[]", "{}", "7", "null", '{"test": 1}', '{"a": {"b": "c"}}'])
def test_odd_documents_are_not_drawn(file, odd):
    found = look(file, {"ticket": json.loads(odd)})
    assert found is None or found.lines is None or list(found.lines(40)) is not None


def made(folder: Path, file: str, document: str):
    """A run with one file of an evaluation."""
    path = folder / "evaluations/01" / file
    path.parent.mkdir(parents=True)
    path.write_text(document)
    one = Measured(1, "cka", {"within": 0.5}, (f"evaluations/01/{file}",))
    return run("r", [level(0, 0.5), level(1, 0.6)], directory=str(folder), measured=(one,))


def test_what_cannot_be_drawn_is_shown_as_the_files_that_it_is(tmp_path):
    found = EvaluationDesk(tmp_path).look(made(tmp_path, "cka.json", '{"x": "\\u001b[31m"}'), "cka")
    shown = "\n".join("".join(span.text for span in line) for line in found.lines(60))
    assert "cka.json" in shown and '"x"' in shown and "\x1b" not in shown


def test_a_file_that_is_gone_or_leads_elsewhere_is_said_to_be(tmp_path):
    one = made(tmp_path, "cka.json", "{}")
    path = tmp_path / one.measured[0].files[0]
    path.unlink()
    path.symlink_to("/etc/hostname")
    found = EvaluationDesk(tmp_path).look(one, "cka")
    assert "a link out of this folder" in str([*found.lines(60)])


def test_evaluations_wait_fail_or_are_being_made():
    key = (1, "cka")
    going = {"status": "running", "final": True, "winner": 1}
    one = run("r", [level(0, 0.5), level(1, 0.6)], **going)
    assert state_of([one], {"r": [key, (1, "fgsm")]}, "cka") == "running"
    assert state_of([one], {"r": [(0, "fgsm"), key]}, "cka") == "queued"
    ended = run("r", [level(0, 0.5)], measured=(Measured(1, "cka", failure="no images"),))
    assert state_of([ended], {"r": [key]}, "cka") == "failed"
    assert state_of([run("r", [level(0, 0.5)])], {"r": [key]}, "cka") == "stopped"
    columns, (row,) = table([ended], {}, ())
    assert [one.title for one in columns] == ["evaluation", ""] and row.cells[1].tone == "failed"
