"""The folder of a report: its tables, its page, and what an earlier report left there."""

import csv
import io
import json
from dataclasses import replace

import disks
import pytest

from engine.errors import LthError, UsageError
from lthtui.reports import folder, tables
from lthtui.reports.model import Absent, Details, Figure, Number, Report, Section, Table
from lthtui.reports.wording import minus, said

EVIL = "<script>alert('&')</script>|*x*"


def line(canvas):
    canvas.subplots().plot([0, 1], [1, 3], label="a")


TABLE = Table(
    "scores",
    "What came of it.",
    ("method", "test %", "gain", "note"),
    (
        ("imp", Number((0.5, 0.6, 0.7), "accuracy", best=True), Number((0.1,), "points"), "50 %_x"),
        (EVIL, Number((), "accuracy"), Number((-0.05, 0.05, 0.0), "points", stars="*"), "–"),
    ),
)
REPORT = Report(
    "a & b",
    "lthtui report e -o r",
    "std",
    (
        Section(
            "First", ("Words <b>.", TABLE, Figure("curve", "A line.", line), Details("spec", EVIL))
        ),
    ),
    (Absent("Robustness", ("lthtui evaluate e --with fgsm",)),),
    ("left out: s1",),
)


def test_means_and_deviations_are_written_with_how_many_there_are():
    text = tables.markdown(TABLE, "std")
    assert "**60.00 ± 10.00**" in text  # of 50, 60 and 70 %
    assert "+10.00 (1)" in text  # not of three, as most
    assert "| – |" in text and "+0.00 ± 5.00\\*" in text
    assert "over 3 runs, or as many as stand in brackets." in text


def test_long_texts_fill_several_lines(tmp_path):
    table = Table("a", "A.", ("", "x", "y"), (("imp", "long " * 10, "short"), ("b", "c", "d")))
    assert r"\begin{tabular}{l>{\raggedright\arraybackslash}p{.3\linewidth}r}" in tables.latex(
        table, "std"
    )
    folder.write(replace(REPORT, sections=(Section("One", (table,)),)), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert '<td class="text">long ' in page and '<td class="text">c<' in page
    assert '<th scope="col" class="text">x<' in page and "<td>short<" in page


def test_of_two_numbers_of_runs_that_are_as_common_the_larger_is_told():
    table = Table("a", "A.", ("", "x", "y"), (("imp", Number((0.5, 0.6)), Number((0.5,))),))
    assert "over 2 runs, or as many" in tables.caption(table, "std")


def test_confidence_intervals_are_students():
    # deviation 0.1, n = 3: 4.302653 * 0.1 / sqrt(3)
    text = tables.markdown(TABLE, "ci")
    assert "60.00 ± 24.84" in text and "Mean ± half of the 95 % confidence" in text
    assert "(Student's t) over 3 runs" in text


def test_plain_numbers_have_as_many_decimals_as_their_deviation():
    assert said(Number((0.5, 0.7)), "std", usual=2).text == "0.60 ± 0.14"
    assert said(Number((0.001, 0.003)), "std", usual=2).text == "0.0020 ± 0.0014"
    assert said(Number((1000.0, 3000.0)), "std", usual=2).text == "2000 ± 1414"
    assert said(Number((0.25, 0.25)), "std", usual=2).text == "0.25"
    assert said(Number((0.1 + 0.2, 0.3), "density"), "std", usual=2).text == "30"  # by rounding


def test_bytes_and_joules_have_units():
    assert said(Number((2_500_000.0,), "bytes"), "std", usual=1).text == "2.5 MB"
    assert said(Number((950.0,), "joules"), "std", usual=1).text == "950 J"
    assert said(Number((2500.0,), "joules"), "std", usual=1).text == "2.5 kJ"
    assert said(Number((0.0,), "bytes"), "std", usual=1).text == "0 B"


def test_what_is_read_has_minus_signs_and_what_programs_read_has_hyphens():
    less = Number((-0.0625, -0.125), "points")
    rows = ((less, "−0.68 to +1 of d-1"), ("a-1", Number((-1.5e-7,))))
    table = Table("a", "Less.", ("", "interval"), rows)
    assert "−9.38 ± 4.42" in tables.markdown(table, "std")
    assert "| −1.5e-07 (1) |" in tables.markdown(table, "std")
    assert r"$-$9.38 $\pm$ 4.42 & $-$0.68 to +1 of d-1" in tables.latex(table, "std")
    csv = tables.values(table, "std")
    assert "-0.68 to +1 of d-1" in csv and ",-1.5e-07," in csv
    assert minus("a-1, -2 to -3.5, 1e-5, x=-1, 2026-11-22, --with 1") == (
        "a-1, −2 to −3.5, 1e-5, x=−1, 2026-11-22, --with 1"
    )


def test_names_from_outside_stay_text_everywhere():
    assert "\\<script\\>" in tables.markdown(TABLE, "std")
    assert r"\&" in tables.latex(TABLE, "std") and r"50 \%\_x" in tables.latex(TABLE, "std")
    odd = Table("a", "A.", ("", "x"), (("[1pt]*\n$x^2$ &lt; ~~y~~", "–"),))
    assert "| \\[1pt\\]\\* \\$x^2\\$ \\&lt; \\~\\~y\\~\\~ | – |" in tables.markdown(odd, "std")
    assert r"{[}1pt{]}{*} \$x\textasciicircum{}2\$ \&lt; " in tables.latex(odd, "std")
    rows = [*csv.reader(io.StringIO(tables.values(TABLE, "std")))]
    assert rows[-2][1] == EVIL and rows[-2][0] == "2"


def test_csv_has_every_value_in_full():
    rows = [*csv.DictReader(io.StringIO(tables.values(TABLE, "std")))]
    first = rows[0]
    assert (first["row"], first["column"], first["values"]) == ("imp", "test %", "0.5 0.6 0.7")
    assert float(first["mean"]) == pytest.approx(0.6) and float(first["spread"]) == pytest.approx(
        0.1
    )
    assert (first["n"], first["unit"]) == ("3", "fraction")


def test_all_is_written_and_the_page_needs_no_other_file(tmp_path):
    made = folder.write(REPORT, tmp_path / "r")
    names = {str(one.relative_to(tmp_path / "r")) for one in made}
    assert names == {
        *(f"tables/scores.{form}" for form in ("md", "tex", "csv")),
        *(f"figures/curve.{form}" for form in ("svg", "pdf", "png")),
        *("index.html", "values.csv"),
    }
    page = (tmp_path / "r" / "index.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert 'src="data:image/svg+xml;base64,' in page and "http" not in page
    assert (
        "a &amp; b" in page
        and "Words &lt;b&gt;." in page
        and "--with fgsm" in page
        and "left out: s1" in page
    )


def test_the_same_report_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        folder.write(REPORT, tmp_path / name)
    for one in (tmp_path / "a").rglob("*.*"):
        assert one.read_bytes() == (tmp_path / "b" / one.relative_to(tmp_path / "a")).read_bytes()


def test_a_report_made_again_takes_away_what_it_has_no_more_and_nothing_else(tmp_path):
    folder.write(REPORT, tmp_path)
    (tmp_path / "mine.txt").write_text("x")
    (section,) = REPORT.sections
    fewer = replace(REPORT, sections=(replace(section, blocks=section.blocks[:2]),))
    folder.write(fewer, tmp_path)
    left = {one.name for one in tmp_path.rglob("*.*")}
    assert left == {
        "mine.txt",
        "index.html",
        "report.json",
        "values.csv",
        "scores.md",
        "scores.tex",
        "scores.csv",
    }


def test_a_folder_of_other_things_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="new folder"):
        folder.write(REPORT, tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        folder.check(tmp_path / "thesis.tex")
    with pytest.raises(UsageError, match="thesis.tex cannot be written to"):
        folder.check(tmp_path / "thesis.tex" / "r")
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_link_to_nowhere_and_a_folder_of_others_are_refused(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="is a file"):
        folder.check(tmp_path / "link")
    monkeypatch.setattr(folder.os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(UsageError, match="cannot be written to"):
        folder.check(tmp_path / "a" / "b")


def test_a_report_that_has_no_room_is_named(tmp_path):
    with disks.mounted(tmp_path / "disk", 1) as disk:
        disk.fill()
        with pytest.raises(LthError, match=r"/disk/r: No space left on device; not all of"):
            folder.write(REPORT, disk.folder / "r")
        disk.empty()
        folder.write(REPORT, disk.folder / "r")


def test_a_list_that_leads_out_of_the_folder_removes_nothing_there(tmp_path):
    (tmp_path / "precious").write_text("x")
    report = tmp_path / "r"
    report.mkdir()
    away = ["../precious", str(tmp_path / "precious")]
    (report / "report.json").write_text(json.dumps({"files": away}))
    folder.write(REPORT, report)
    assert (tmp_path / "precious").exists()
