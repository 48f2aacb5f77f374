"""Tables for LaTeX: what stands where, and what no page has room for."""

import re

from lthtui import latex


def lines(columns, header, rows, caption="C."):
    return "\n".join(latex.floats(columns, header, rows, caption, "tab:a"))


def test_wide_tables_are_shrunk_to_the_line_and_no_table_is_stretched():
    made = lines("lr", ("a", "b"), [("1", "2")])
    fitted = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{\begin{tabular}{lr}"
    assert fitted in made and made.count(r"\end{tabular}}") == 1
    assert latex.NEEDS == r"% needs \usepackage{array,booktabs,graphicx}"


def test_captions_stand_above():
    made = lines("lr", ("a", "b"), [("1", "2")], "50 % of it.")
    assert made.index(r"\caption{50 \% of it.}") < made.index(r"\label{tab:a}")
    assert made.index(r"\label{tab:a}") < made.index(r"\toprule")


def test_long_names_of_columns_have_several_lines():
    made = lines("lr", ("a", "picked on 10_000 images"), [("1", "2")])
    assert r"a & \begin{tabular}[b]{@{}r@{}}picked on 10\_000 \\ images\end{tabular} \\" in made
    assert "{@{}l@{}}" in lines(["l", latex.WRAPPED], ("", "what all of them were set to"), [])


def test_a_table_that_no_page_has_room_for_goes_on_in_another():
    rows = [(str(number), "x") for number in range(100)]
    made = lines("lr", ("a", "b"), rows)
    parts = made.split(r"\end{table}")[:-1]
    assert [len(re.findall(r"\d+ & x ", part)) for part in parts] == [42, 42, 16]
    assert re.findall(r"\d+(?= & x )", made) == [number for number, _ in rows]
    assert r"\caption{Table~\ref{tab:a}, continued.}" in parts[2]
    assert re.findall(r"\\label\{(.+)\}", made) == ["tab:a", "tab:a-2", "tab:a-3"]
    assert all(part.count(r"\toprule") == 1 for part in parts)


def test_cells_of_several_lines_count_as_that():
    rows = [("y" * 60, "x")] * 30  # of 28 letters a line: three lines each
    assert lines([latex.WRAPPED, "r"], ("a", "b"), rows).count(r"\begin{table}") == 3
