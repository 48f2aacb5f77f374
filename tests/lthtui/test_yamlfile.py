import pytest
import yaml

from engine.errors import UsageError
from lthtui import yamlfile
from lthtui.yamlfile import FileError, Mark, Problem, dump, dump_inline, parse, read, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5.", 5.0),
        (".5", 0.5),
        ("-0x10", "-0x10"),
        ("0x10", 16),
        ("0o17", 15),
        ("0777", 777),
        ("1:30:00", "1:30:00"),
        ("1_000", "1_000"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("n", "n"),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-11-20", "2026-11-20"),
        ("=", "="),
        ("<<", "<<"),
        ("1e", "1e"),
        ("-", "-"),
        ("+12", 12),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    assert scalar(text) == value and type(scalar(text)) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999", "9" * 400, "0x" + "f" * 200])
def test_numbers_must_be_finite(text):
    with pytest.raises(ValueError, match="not a finite number"):
        scalar(text)


def test_marks_of_keys_and_values():
    document = parse("a: 1\nb:\n  - x\n  - {c: 'y'}\n", "f.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": "y"}]}
    assert document.keys["b", 1, "c"] == Mark(4, 6)
    assert document.values["b", 1, "c"] == Mark(4, 9)
    assert document.values["b", 0] == Mark(3, 5)
    assert document.keys["a",] == Mark(1, 1)


BROKEN = {
    "an alias": ("a: &x 1\nb: ¦*x\n", "aliases"),
    "an alias bomb": ("a: ¦&a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors"),
    "a tag": ("a: ¦!!python/object/apply:os.system [id]\n", "tags"),
    "a local tag": ("a: ¦!x 1\n", "tags"),
    "a duplicate": ("a: 1\nb: 2\n¦a: 3\n", "'a' is given twice; first in line 1"),
    "a nested duplicate": ("a:\n  b: 1\n  ¦b: 2\n", "given twice"),
    "infinity": ("a: ¦.inf\n", "finite"),
    "a number as key": ("¦1: a\n", "put '1' in quotes"),
    "a list as key": ("? ¦[a]\n: b\n", "must be text"),
    "deep nesting": ("a: " + "[" * 32 + "¦" + "[" * 5000, "nested deeper than 32"),
    "a second document": ("a: 1\n¦---\nb: 2\n", "second document"),
    "a tab": ("a:\n¦\tb: 1\n", "tab"),
    "an open bracket": ("a: ¦[1, 2\nb: 3\n", "[ is never closed"),
    "an open brace": ("a: ¦{b: 1\n", "{ is never closed"),
    "nothing behind an open brace": ("a: {b:¦", "a bracket is never closed"),
    "an open quote": ("a: ¦'x\nb: 3\n", "' is never closed"),
    "two colons": ("a: b¦: c\n", "unexpected ':'"),
    "a missing colon": ("¦a 1\nb: 2\n", "expected ':' after a field's name"),
    "a missing colon behind a field": ("a: 1\n¦b 2\nc: 3\n", "expected ':' after"),
    "a missing colon at the end": ("a: 1\n¦b 2\n", "expected ':' after"),
    "a missing space": ("a:\n  ¦b:1 # x\n  # y\n\n  c: 2\n", "expected a space after the ':'"),
    "a missing space behind a field": ("a: 1\n¦b:2\nc: 3\n", "expected a space after"),
    "a field further in": ("a: 1\n  b¦: 2\n", "unexpected ':'; check the indentation"),
    "a dedent": ("a:\n  b: 1\n ¦c: 2\n", "indentation"),
    "an at sign": ("a: ¦@home\n", "cannot begin with '@'"),
    "a bad escape": ('a: "x\\¦q"\n', "no escape"),
    "a control character": ("a: ¦\x1b[2J\n", "\\x1b is not allowed"),
    "a bracket too many": ("a: ¦]\n", "expected a value, found ']'"),
    "a list amid fields": ("a: 1\n¦- b\n", "indentation of this line"),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_text_is_refused_at_its_place(text, words):
    before = text[: text.index("¦")]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    with pytest.raises(FileError) as caught:
        parse(text.replace("¦", ""), "f.yaml")
    marks = {problem.mark: problem for problem in caught.value.problems}
    assert Mark(line, column) in marks
    problem = marks[Mark(line, column)]
    assert words in problem.message
    assert "\x1b" not in str(problem)


def test_a_message_shows_the_line_and_a_caret():
    with pytest.raises(FileError) as caught:
        parse("ok: 1\nname: @x\n", "specs/f.yaml")
    assert str(caught.value) == (
        "specs/f.yaml:2:7: a value cannot begin with '@'; put it in quotes\nname: @x\n      ^"
    )


def test_the_caret_stands_under_the_column_behind_wide_and_hidden_characters():
    with pytest.raises(FileError) as caught:
        parse("'模型\u202e': @x\n", "f.yaml")
    _, line, caret = str(caught.value).splitlines()
    assert line == "'模型\\u202e': @x"
    assert caret == " " * (line.index("@") + 2) + "^"  # the two wide characters


def test_no_caret_stands_below_a_blank_line():
    said = str(Problem("f.yaml", "the file is empty", Mark(1, 1)))
    assert said == "f.yaml:1:1: the file is empty"


def test_a_long_line_is_shown_around_the_caret():
    with pytest.raises(FileError) as caught:
        parse("a: [" + "1, " * 3000 + "@x]\n", "f.yaml")
    _, line, caret = str(caught.value).splitlines()
    assert len(line) < 200
    assert line[len(caret) - 1] == "@"


def test_all_problems_come_at_once_in_the_order_of_lines():
    with pytest.raises(FileError) as caught:
        parse("a: .inf\nb: &x 1\na: 2\n", "f.yaml")
    assert [problem.mark.line for problem in caught.value.problems] == [1, 2, 3]


def test_huge_files_are_refused_unread(tmp_path):
    file = tmp_path / "huge.yaml"
    file.write_bytes(b"a: 1 #" + b"x" * 2**20)
    with pytest.raises(FileError, match="larger than 256 kB"):
        read(file)
    file.write_bytes(b"a: [" + b"1," * 20_000 + b"]")
    with pytest.raises(FileError, match="too many values"):
        read(file)


def test_other_encodings_are_refused_at_their_first_byte(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes("a: 1\nname: Größe\n".encode("latin-1"))
    with pytest.raises(FileError, match=r"latin.yaml:2:9: not UTF-8 text.*\nname: Gr"):
        read(file)
    file.write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(FileError, match="not UTF-8"):
        read(file)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: @x\r\n")
    with pytest.raises(FileError, match=":2:4: "):
        read(file)
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert read(file).data == {"a": 1, "b": "x"}


def test_an_unreadable_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read(tmp_path)


TEXTS = ["off", "1e-3", "0o17", "1:30", "null", "", " x ", "a: b", "#x", "ü\u202e", "'", "2ep"]
TEXTS += ["- a", "a\nb", "\x1b", "0x1F", ".inf", "=", "<<", "2026-11-20", "[", "@x", "y" * 300]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_written_reads_back_here_and_in_yaml_1_1(text):
    data = {"text": text, "list": [text, 1e-3, 1e300, 3, None, True], "nested": {"a": {}}}
    assert parse(dump(data), "f.yaml").data == data
    assert yaml.safe_load(dump(data)) == data
    assert parse(f"key: {dump_inline(data)}", "f.yaml").data == {"key": data}


def test_repeated_objects_are_written_without_anchors():
    shared = [1, 2]
    assert "&" not in dump({"a": shared, "b": shared})


def test_the_limit_of_values_is_above_any_honest_spec():
    assert len(parse("a: [" + "1," * 9_000 + "]", "f.yaml").data["a"]) == 9_000
    assert yamlfile.MAX_VALUES == 10_000
