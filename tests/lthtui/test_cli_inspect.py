"""Looking at data sets on the command line: by name, by folder, by spec."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from image_sets import class_folders
from PIL import Image
from rich.cells import cell_len

from engine import inspecting as worker
from engine.errors import FAILED, OK, USAGE
from lthtui import inspected, inspecting
from lthtui.cli import main
from lthtui.picture import Picture


@pytest.fixture
def looks(tmp_path, monkeypatch):
    """A current folder, and the worker program in this process: what it is asked is kept."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def ask(arguments, meanwhile):
        verb, file = arguments
        assert verb == "inspect"
        asked.append(json.loads(Path(file).read_text()))
        report = worker.inspect(asked[-1])
        if meanwhile:
            meanwhile(0)
        return report

    monkeypatch.setattr(inspecting, "ask", ask)
    return asked


@pytest.fixture
def animals(tmp_path):
    return class_folders(tmp_path / "animals")


def size_of(file):
    with Image.open(file) as image:
        return image.size


def test_a_set_is_looked_at_by_its_name(looks, command):
    code, out, said = command("data", "inspect", "digits", "fraction=0.5", "data.validation=100")
    assert code == OK and said == "reading digits ...\n"
    lines = out.splitlines()
    assert lines[0] == "10 classes; 500 train, 100 val, 797 test images"
    assert "width   8 pixels" in lines and "pixels  L (1,397)" in lines
    row = next(line.split() for line in lines if line.startswith("0 "))
    assert (row[1], row[3]) == ("50", "10") and "█" in row[2]
    assert lines[-2:] == ["every image can be read", "no image is in two splits"]
    assert looks[0]["augmentation"] is None


def test_a_folder_is_recognised_and_pictures_are_written(looks, command, animals, tmp_path):
    code, out, said = command("data", "inspect", "animals", "size=16", "-o", "sheet.png")
    assert code == OK
    assert "reading image_folder ..." in said and "the pictures are in sheet.png" in said
    assert size_of("sheet.png") == (130 + 8 * 68 + 4, 3 * 68 + 4)
    assert "animals has no test/: the images of val/ are the test images" in said
    assert out.startswith("3 classes; 32 train, 4 val, 12 test images\nwidth   30 pixels\n")


def test_every_split_shows_how_balanced_it_is(looks, command, animals, monkeypatch):
    for gone in ("cow/02.jpg", "cow/03.jpg", *(f"dog/{n:02d}.jpg" for n in range(4))):
        (animals / "val" / gone).unlink()
    for columns, bar in ((80, 20), (42, 8), (20, 4)):
        monkeypatch.setenv("COLUMNS", str(columns))
        _, out, _ = command("data", "inspect", "animals", "validation=none")
        at = out.splitlines().index("", 1) + 1
        assert out.splitlines()[at : at + 4] == [
            f"class  {'train':>7}{'':{bar + 3}}{'test':>7}",
            f"cat    {12:7} {'█' * bar}  {4:7} {'█' * bar}",
            f"cow    {12:7} {'█' * bar}  {2:7} {'█' * (bar // 2)}",
            f"dog    {12:7} {'█' * bar}  {0:7}",
        ]


def test_many_classes_and_long_names_stay_within_the_terminal():
    names = [f"{number:03d}.{'爬虫' * 20}" for number in range(42)]
    splits = {
        name: {"images": 0, "per_class": [*range(1, 43)]} for name in ("train", "val", "test")
    }
    report = {"classes": names, "splits": splits, "modes": {}, "width": None, "height": None}
    wrong = dict.fromkeys(("broken_images", "duplicate_images"), 0)
    lines = [*inspected.lines({**report, **wrong, "broken": [], "duplicates": []}, 80)]
    assert max(map(cell_len, lines)) <= 80
    assert "and 2 more; 1 to 42 train, 1 to 42 val, 1 to 42 test images in a class" in lines


def test_a_terminal_shows_how_many_images_have_been_read(looks, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "OFTEN", 400)
    settings, _ = inspecting.meant("digits", ["validation=none"], None)
    told = []
    inspecting.look(settings, None, None, None, 0, lambda *numbers: told.append(numbers))
    assert told == [(1600, 1797)]


def test_json_says_all_of_it(looks, command, animals):
    (animals / "train/cat/00.jpg").write_bytes(b"no image")
    words = ("animals", "validation=none", "--json")
    code, out, _ = command("data", "inspect", *words)
    found = json.loads(out)
    assert code == FAILED
    assert found["data"]["name"] == "image_folder" and found["data"]["root"] == "animals"
    assert found["splits"]["train"]["per_class"] == [12, 12, 12]
    assert found["broken"][0]["id"] == "train/cat/00.jpg" and found["broken_images"] == 1


def test_hostile_names_are_shown_as_text(looks, command, animals):
    (animals / "train/cat").rename(animals / "train/\x1b[31mcat")
    (animals / "val/cat").rename(animals / "val/\x1b[31mcat")
    (animals / "val/\x1b[31mcat/00.jpg").write_bytes(b"no image")
    code, out, said = command("data", "inspect", "animals", "validation=none", "-o", "sheet.png")
    assert code == FAILED and "\x1b" not in out + said
    assert out.count(r"\x1b[31mcat") == 3
    assert "1 image cannot be read" in out


def test_a_name_of_two_lines_is_said_on_one(looks, command, animals):
    for part in ("train", "val"):
        (animals / part / "dog").rename(animals / part / "d\nog")
    for path in (animals / "val/d\nog").iterdir():
        path.unlink()
    _, _, said = command("data", "inspect", "animals", "validation=none")
    assert r"has no image of d\nog; none is tested" in said


def test_long_reports_are_cut(looks, command, animals):
    for number in range(11):
        (animals / f"train/cow/{number:02d}.jpg").write_bytes(b"no image")
    code, out, _ = command("data", "inspect", "animals", "validation=none")
    assert code == FAILED
    assert "11 images cannot be read" in out and out.count("cannot be read as an image") == 10
    assert "  and 1 more; --json names up to 1,000" in out


def test_an_augmentation_is_drawn_as_named_or_as_in_a_spec(looks, command, tmp_path):
    (tmp_path / "x.yaml").write_text(
        "data: {name: digits, fraction: 0.5}\nmodel: nonsense\nvary: {seed: 3}\n"
        "augmentation: {name: rand, n: 2}\n"
    )
    for words, wanted in (
        (["x.yaml"], None),
        (["x.yaml", "--augment", "spec"], {"name": "rand", "n": 2}),
        (["x.yaml", "--augment", "{name: rand, n: 3}"], {"name": "rand", "n": 3}),
        (["digits", "--augment", "basic"], {"name": "basic"}),
    ):
        assert command("data", "inspect", *words, "data.per_class=9", "data.fraction=1.0")[0] == OK
        found = looks[-1]["augmentation"]
        assert wanted is None if found is None else wanted.items() <= found.items()
        assert looks[-1]["data"]["per_class"] == 9
    code, _, said = command("data", "inspect", "digits", "--augment", "rand", "-o", "a.png")
    assert code == OK and "a.png; in the first column as they are" in said
    assert size_of("a.png") == (130 + 9 * 68 + 4, 8 * 68 + 4)


def test_of_a_spec_only_its_images_matter(looks, command, tmp_path):
    (tmp_path / "y.yaml").write_text(
        "data: {name: digits, long_tail: null}\naugmentation: nonsense\nseeds: [0, 1]\n"
    )
    words = ("y.yaml", "long_tail.kind=step", "long_tail.factor=0.1", "validation=none", "--json")
    code, out, said = command("data", "inspect", *words)
    assert code == OK, said
    counts = json.loads(out)["splits"]["train"]["per_class"]
    assert all(90 < count for count in counts[:5]) and all(count <= 11 for count in counts[5:])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digitz"], "digitz is no data set, no folder and no spec; did you mean digits?"),
        (["digits", "fractoin=0.1"], "unknown field 'fractoin'; did you mean fraction?"),
        (["digits", "fraction=7"], "data.fraction: "),
        (["digits", "fraction=0.1,0.2"], "takes one value"),
        (["digits", "--augment", "rant"], "did you mean rand?"),
        (["digits", "--augment", "{name: rand, n: 99}"], "augmentation.n: "),
        (["digits", "--augment", "{name: ["], "--augment"),
        (["cifar10"], "cifar-10-python.tar.gz"),
        (["gone.npz"], "gone.npz"),
        (["gone/mnist"], "gone/mnist is no data set, no folder and no spec\n"),
        (["."], "is no data set that is known here"),
        (["digits", "mnist"], "takes one data set"),
        (["no-data.yaml"], "does not say which data set it uses"),
        (["\x1b[31m"], r"\x1b[31m is no data set"),
    ],
)
def test_what_cannot_be_meant_is_said_in_plain_words(looks, command, tmp_path, words, message):
    (tmp_path / "no-data.yaml").write_text("model: resnet20\n")
    code, out, said = command("data", "inspect", *words)
    assert (code, out) == (USAGE, "")
    assert message in said and "Traceback" not in said and "\x1b" not in said


def pictures(*colours):
    return [Picture(32, 32, (32, 32), bytes(colour) * 1024) for colour in colours]


RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (9, 9, 9)


def test_pictures_fill_the_room_that_there_is():
    rows = [{"label": f"class {n}", "images": 2} for n in range(9)]
    given = pictures(*[RED, GREY] * 8, BLUE, GREY)
    shown = [*inspected.gallery(rows, given, width=80, high=24)]
    assert len(shown) == 2 * 9 + 1  # two rows of four, each of a label and 8 lines
    assert shown[-1][0].text == "and 1 more; -o FILE.png shows all"
    assert [span.text.strip() for span in shown[0]] == [f"class {n}" for n in range(4)]
    assert {span.tone for span in shown[1] if span.tone} == {"#ff0000"}
    assert all(sum(len(span.text) for span in line) <= 80 for line in shown)
    assert len([*inspected.gallery(rows, given, width=10, high=5)]) == 9 + 1  # one, at least


def test_wide_labels_leave_pictures_below_one_another():
    rows = [{"label": label, "images": 1} for label in ("学習" * 9, "e\u0301", "x")]
    shown = [*inspected.gallery(rows, pictures(RED, RED, RED), width=80, high=24)]
    assert [cell_len(span.text) for span in shown[0]] == [17, 17, 17]


def test_draws_stand_beside_their_image():
    rows = [{"label": "cat", "images": 3}, {"label": "dog", "images": 3}]
    shown = [*inspected.draws(rows, pictures(RED, BLUE, GREY, GREY, BLUE, RED), 40, 24)]
    assert len(shown) == 18
    assert [*dict.fromkeys(span.tone for span in shown[1] if span.tone)] == ["#ff0000", "#0000ff"]
    assert [*dict.fromkeys(span.tone for span in shown[10] if span.tone)] == ["#090909", "#0000ff"]


@pytest.mark.parametrize("no_colour", [False, True])
def test_a_terminal_gets_pictures_if_it_has_colours(looks, capsys, monkeypatch, no_colour):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LTHTUI_ASCII", "1" if no_colour else "")
    monkeypatch.setenv("NO_COLOR", "1") if no_colour else monkeypatch.delenv("NO_COLOR", False)
    assert main(["data", "inspect", "digits"]) == OK
    out = capsys.readouterr().out
    assert out.startswith("10 classes; 900 train")
    assert ("\x1b[" in out and "▀" in out) is not no_colour
    assert out.endswith("no image is in two splits\n") is out.isascii() is no_colour
