"""Comparisons as files: what stands in them, and that no file is lost."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from scored import run, shown

from engine.errors import UsageError
from engine.repetition import Repetition
from lthtui import exports, sides
from lthtui.contrast import Contrast, Entry, Line, Measure
from lthtui.exports import Material, save
from lthtui.sides import Asked
from lthtui.significance import Finding

NASTY = r"50%_of $x$ & {a}~b^c\d#1 <i> | *bold* `code` [link]"


@pytest.fixture(scope="module")
def material():
    """Two groups, one of them with an unfriendly name; five pairs of seeds far apart."""
    spread = (0.0, 0.012, -0.009, 0.004, 0.001)
    runs = []
    for seed, off in enumerate(spread):
        params = {"seed": str(seed), "data.name": "digits", "sparsifier.rate": "0.2"}
        runs.append(run("imp", seed, {1.0: 0.7 + off, 0.5: 0.75 + off}, params=params))
        params = {**params, "sparsifier.rate": "0.5"}
        more = 0.79 + off + seed * 0.001
        runs.append(run("nasty", seed, {1.0: 0.7 + off, 0.5: more}, params=params))
    board = shown(*runs, names={"nasty": NASTY})
    groups = sorted(board.groups, key=lambda one: one.id)
    found = sides.look(groups, {}, Asked())
    differing = [one for one in found.settings if one.differs]
    return Material(found.contrast, differing, found.panel.chart())


def test_markdown(material):
    text = exports.markdown(material)
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:1] == "|"]
    assert {len(row) for row in rows} == {3}
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert cells["test accuracy %"] == ["75.16 ± 0.76 (5)", r"**79.36 ± 0.75** (5)\*\*\*"]
    assert cells["test accuracy at 50% kept"][1].endswith(r"\*\*\*")
    assert cells["test accuracy at 100% kept"] == ["70.16 ± 0.76 (5)", "70.16 ± 0.76 (5)"]
    assert cells["sparsifier.rate"] == ["0.2", "0.5"] and "data.name" not in cells
    assert r"\*bold\* \`code\` \[link\]" in text and r"\<i\> \|" in text
    assert r"Paired t-test by seed against imp, n = 5: \* p\<0.05" in text


def parsed(text):
    """Rows of the tabulars of LaTeX that is well-formed: cells, with commands taken away."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    opened = []
    for line in lines:
        for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", line):
            assert kind == "begin" or opened.pop() == name
            opened += [name] if kind == "begin" else []
    assert opened == []
    plain = re.sub(r"\\[&%$#_{}]", "", "\n".join(lines))
    assert plain.count("{") == plain.count("}") and plain.count("$") % 2 == 0
    assert "%" not in plain and "#" not in plain
    outside = re.sub(r"\$[^$]*\$", "", plain)
    assert "^" not in outside and "_" not in outside and "~" not in outside
    rows = [line.strip()[:-2] for line in lines if line.endswith(r"\\")]
    columns = {len(spec) for spec in re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)}
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)&", row)] for row in rows]
    assert {len(row) for row in cells} == columns
    return cells


def test_latex(material):
    text = exports.latex(material)
    rows = parsed(text)
    assert rows[0][1:] == [
        "imp",
        r"\begin{tabular}[b]{@{}r@{}}50\%\_of \$x\$ \& \\"
        r" \{a\}\textasciitilde{}b\textasciicircum{}c\textbackslash{}d\#1 $<$i$>$ \\"
        r" \textbar{} {*}bold{*} `code` \\ {[}link{]}\end{tabular}",
    ]
    cells = {row[0]: row[1:] for row in rows}
    assert cells[r"test accuracy \%"] == [
        r"75.16 $\pm$ 0.76 {\scriptsize(5)}",
        r"\textbf{79.36 $\pm$ 0.75}$^{***}$ {\scriptsize(5)}",
    ]
    assert cells["sparsifier.rate"] == ["0.2", "0.5"]
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [2, 2, 2]
    assert "Paired t-test by seed against imp, n = 5: {*} p$<$0.05" in text


def test_csv_tells_a_p_from_the_one_that_is_corrected():
    findings = [None, Finding(0.1, 3, 0.01, 0.02), Finding(0.2, 3, 0.03, 0.03)]
    entries = tuple(Entry({Repetition(seed=0): 0.5}, one) for one in findings)
    line = Line(Measure("test accuracy", "accuracy", "more"), entries)
    table = exports.values(Material(Contrast(("a", "b", "c"), ("a", "b", "c"), (line,))))
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["n"]]
    assert [(row["difference"], row["p"], row["p_holm"]) for row in rows] == [
        ("", "", ""),
        ("0.1", "0.01", "0.02"),
        ("0.2", "0.03", "0.03"),
    ]


def test_csv_has_every_seed_in_full(material):
    rows = [*csv.DictReader(io.StringIO(exports.values(material)))]
    mine = [row for row in rows if row["group"] == "nasty" and row["measure"] == "test accuracy"]
    picked = [row for row in mine if not row["density"]]
    values = {int(row["seed"]): float(row["value"]) for row in picked if row["seed"]}
    assert values == {one.seed: one.winning.test for one in runs_of("nasty", material)}
    [whole] = [row for row in picked if not row["seed"]]
    assert float(whole["value"]) == pytest.approx(sum(values.values()) / 5)
    assert int(whole["n"]) == 5 and float(whole["p"]) == float(whole["p_holm"]) < 0.001
    assert float(whole["difference"]) == pytest.approx(0.042)
    assert whole["label"] == NASTY
    assert {float(row["density"]) for row in mine if row["density"]} == {1.0, 0.5}


def runs_of(group, material):
    off = (0.0, 0.012, -0.009, 0.004, 0.001)
    return [run(group, s, {0.5: 0.79 + one + s * 0.001}) for s, one in enumerate(off)]


def test_pictures_are_of_the_chart(material, tmp_path):
    png, svg = (save(material, tmp_path / f"chart{suffix}") for suffix in (".png", ".SVG"))
    with Image.open(png) as image:
        assert image.width == 1200 and len(image.convert("RGB").getcolors(1 << 20)) > 20
    root = ElementTree.parse(svg).getroot()
    words = " ".join(text for text in root.itertext() if text.strip())
    assert "imp (n=5)" in words and "test accuracy" in words and NASTY in words
    assert {path.name for path in tmp_path.iterdir()} == {"chart.png", "chart.SVG"}


def test_no_file_is_overwritten_unasked(material, tmp_path):
    file = tmp_path / "table.md"
    file.write_text("precious")
    with pytest.raises(UsageError, match="table.md exists already; it was left as it is"):
        save(material, file)
    assert file.read_text() == "precious"
    assert save(material, file, overwrite=True) == file
    assert file.read_text().startswith("| | imp |")


def test_what_cannot_be_written_leaves_nothing_behind(material, tmp_path):
    with pytest.raises(UsageError, match="give it one of the endings .md, .tex, .csv, .png"):
        save(material, tmp_path / "table.docx")
    with pytest.raises(UsageError, match="is no folder"):
        save(material, tmp_path / "none" / "table.md")
    with pytest.raises(UsageError, match="nothing to draw yet"):
        save(Material(material.contrast), tmp_path / "chart.png")
    assert [*tmp_path.iterdir()] == []


def test_a_relative_path_is_told_in_full(material, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = exports.written_to(material, Path("table.tex"))
    assert said == f"wrote {tmp_path / 'table.tex'}"


@pytest.mark.parametrize(("p", "stars"), [(0.0009, "***"), (0.009, "**"), (0.04, "*"), (0.06, "")])
def test_stars_are_of_the_corrected_p(p, stars):
    assert Finding(0.1, 5, p=0.0001, holm=p).stars == stars
