"""Looks into files of every kind, among them hostile ones."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from maskfiles import draw, write_ticket
from PIL import Image
from rich.cells import cell_len

from lthtui import heat, matrices, picture
from lthtui.places import Folder
from lthtui.preview import LIMIT, PICTURE, lines, look

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202e"


@pytest.fixture
def seen(tmp_path):
    """Writes a file, and gives the title and the lines that are shown of it."""

    def show(name, content, width=80):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        found = look(Folder(tmp_path), name)
        drawn = lines(found, width)
        text = ["".join(span.text for span in line) for line in drawn]
        assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for line in text for sign in line)
        return [found.title, *text]

    return show


def png(width, height, mode="RGB", colour=(255, 0, 0)):
    file = io.BytesIO()
    Image.new(mode, (width, height), colour).save(file, "PNG")
    return file.getvalue()


def test_text(seen):
    assert seen("spec.yaml", "a: 1\n\tb: ü\n") == ["spec.yaml  12 B", "a: 1", "    b: ü"]
    assert seen("empty.txt", "") == ["empty.txt  0 B", "empty", ""]


def test_json_is_indented_and_broken_json_shown_as_it_is(seen):
    assert seen("card.json", '{"b":[1,"\\u001b[2J"],"a":null}')[1:] == [
        *("{", '  "b": [', "    1,", '    "\\u001b[2J"', "  ],", '  "a": null', "}")
    ]
    why = "JSON that cannot be read: Expecting value: line 1 column 6 (char 5)"
    assert seen("half.json", '{"b":')[1:] == [why, "", '{"b":']
    assert seen("deep.json", "[" * 100_000)[-1].startswith("[[[[")
    assert seen("cut.json", "[" + "1," * LIMIT)[1] == "the first 262 kB"


def test_matrices_in_json_are_drawn(tmp_path):
    rows = [[float(row == column) for column in range(8)] for row in range(6)]
    rows[0][7] = None
    document = {"other": {"across\x1b": rows}, "layers": ["a"], "small": [[1, 2], [3, 4]]}
    (tmp_path / "cka.json").write_text(json.dumps(document))
    shown = look(Folder(tmp_path), "cka.json")
    assert any("6 × 8 matrix, from 0 (dark) to 1" in line for line in shown.text)
    ((name, map),) = shown.maps
    assert name == "other.across\\x1b" and map.size == (48, 36)
    one, nothing = heat.colour(1), heat.colour(0)
    assert [map.at(*at) for at in ((0, 0), (5, 5), (6, 5), (5, 6), (47, 5), (47, 6))] == [
        *(one, one, nothing, nothing, matrices.GREY, nothing)
    ]
    drawn = lines(shown, 80)
    assert len(drawn) == len(shown.text) + 2 + 18
    huge = [[10**400] * 8] * 8
    for value in huge, [[None] * 8] * 8, [["x"] * 8] * 8, [[0.5] * 8] * 7 + [[1]], [[]] * 8:
        assert matrices.parted({"a": value}) == ({"a": value}, {})


def test_csv_is_a_table(seen):
    shown = seen("t.csv", 'name,value\n"a, b",1\nlong,2,3\n')
    assert shown[1:] == ["2 rows", "", "name  value", "a, b  1", "long  2      3"]
    wide = seen("wide.csv", ",".join(["x" * 100] * 100))
    assert wide[1] == "0 rows, the first 30 of 100 columns" and len(wide[3]) == 30 * 42 - 2
    assert seen("excel.csv", "\ufeffa;b\n1,5;2\n")[3:] == ["a    b", "1,5  2"]
    assert seen("bad.csv", 'a\n"' + "x" * 200_000)[1].startswith("a")


def test_markdown_is_rendered_and_its_entities_hide_nothing(seen):
    shown = "\n".join(
        seen("n.md", "# Title\n\n- one **two**\n\n[x](file:///etc) &#27;[2J &#x202e;", 40)
    )
    assert "Title" in shown and " • one two" in shown and "# " not in shown and "**" not in shown
    assert "\ufffd[2J" in shown and "\\u202e" in shown
    assert all(cell_len(line) <= 40 for line in seen("w.md", "> word " + "word " * 50, 40))
    assert "signs" in seen("long.md", ">" * 50_000 + "\n" + "*x" * 20_000)[1]


def test_pictures_are_half_blocks(seen, tmp_path):
    data = Image.new("RGB", (4, 3), (255, 0, 0))
    data.putpixel((0, 0), (0, 0, 255))
    file = io.BytesIO()
    data.save(file, "PNG")
    assert seen("p.png", file.getvalue())[1:] == ["4 × 3 pixels", "", "▀▀▀▀", "▀▀▀▀"]
    first, last = lines(look(Folder(tmp_path), "p.png"), 80)[2:]
    assert (first[0].tone, first[0].paper) == ("#0000ff", "#ff0000")
    assert (last[0].tone, last[0].paper) == ("#ff0000", "")
    assert seen("p.png", png(400, 100), 30)[3] == "▀" * 30
    clear = png(2, 2, "RGBA", (9, 9, 9, 0))  # what is transparent is white
    assert picture.read(clear).at(1, 1) == "#ffffff"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("cut.png", png(50, 50)[:60], "a broken picture, or none"),
        ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "a broken picture, or none"),
        ("text.png", b"hello", "a broken picture, or none"),
        ("gif.png", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "a broken picture, or none"),
        ("large.png", png(4000, 3000, "1", 0), "4000 × 3000 pixels, too large"),
        ("heavy.png", png(9, 9) + bytes(PICTURE), "more than 4.19 MB, too large to show"),
    ],
    ids=["cut", "cut jpg", "text", "gif", "large", "heavy"],
)
def test_pictures_that_are_not_shown(seen, name, data, why):
    assert why in " ".join(seen(name, data)[1:])


def test_a_png_with_a_huge_side_is_not_decoded(seen):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    shown = seen("bomb.png", data)
    assert "too large to show" in shown[1] or "broken" in shown[1]


def test_tensors_are_listed_by_their_header_alone(seen, tmp_path):
    write_ticket(tmp_path / "t.safetensors", draw({"fc.weight": (7, 5)}, 0.5))
    data = (tmp_path / "t.safetensors").read_bytes()
    shown = seen("t.safetensors", data)
    assert shown[1] == "3 tensors" and shown[3].startswith("card: {")
    rows = {line.split()[0]: line.split()[1:] for line in shown[4:] if line}
    assert rows["mask/fc.weight"] == ["U8", "5", "=", "5", "5", "B"]
    assert rows["tensor"] == ["type", "shape", "bytes"]
    cut = " ".join(seen("cut.safetensors", data[:-1]))
    assert "cut off: it should have" in cut and "mask/fc.weight" in cut


@pytest.mark.parametrize("width", [40, 60, 100])
def test_what_is_known_of_tensors_fits_into_the_view(seen, width):
    name = "trained/backbone.layer4.0.downsample.weight"
    about = {"dtype": "F32", "shape": [64, 8], "data_offsets": [0, 2048]}
    card = {"card": " ".join(["word"] * 30)}
    data = header(json.dumps({name: about, "__metadata__": card}).encode()) + bytes(2048)
    shown = seen("t.safetensors", data, width)
    assert max(map(len, shown)) <= width
    assert shown[-1].endswith("64 × 8 = 512  2.05 kB") and " ".join(shown).count("word") == 30


def header(text):
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        header(b"{")[:8],
        header(b"[" * 100_000),
        header(b'{"a": 3}'),
        header(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": ["x", "y"]}}'),
        header(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}'),
        header(b'{"__metadata__": 3}'),
    ],
)
def test_broken_tensor_files(seen, data):
    assert seen("x.safetensors", data)[1] == "no safetensors file, or cut off in its header"


def test_a_header_that_is_too_long(seen):
    assert "too long to show" in seen("x.safetensors", struct.pack("<Q", 2**40))[1]


def test_anything_else_is_bytes(seen):
    shown = seen("x.npz", b"PK\x03\x04" + bytes(range(256)))
    assert shown[1:3] == ["binary", ""]
    assert shown[3] == "00000000  504b 0304 0001 0203 0405 0607 0809 0a0b  PK.............."
    assert len(shown) == 3 + 17
    for ending in ("txt", "json", "csv", "md"):
        shown = seen(f"latin.{ending}", "é".encode("latin-1"))
        assert shown[1] == "binary" and shown[3].startswith("00000000  e9 ")
        assert seen(f"none.{ending}", "")[1:] == ["empty", ""]


def test_a_text_with_some_signs_that_cannot_be_decoded_is_a_text(seen):
    assert seen("log.txt", b"loss 0.5\n\xff caf\xe9\n")[1:] == ["loss 0.5", "� caf�"]


def test_escapes_in_names_and_contents_are_text(seen):
    for name in ("a.txt", "a.json", "a.csv", "a.md", f"{EVIL}.txt"):
        shown = " ".join(seen(name, f'"{EVIL}"'))
        assert "\\x1b" in shown and "\\x9b" in shown
    evil = json.dumps({EVIL: {"dtype": EVIL, "shape": [1], "data_offsets": [0, 4]}}).encode()
    assert "\\x1b[2J" in " ".join(seen("e.safetensors", header(evil)))


def test_of_a_huge_file_only_the_beginning_is_read(tmp_path, monkeypatch):
    with (tmp_path / "huge.txt").open("wb") as file:
        file.write(b"first\n")
        file.truncate(1 << 30)
    read = []
    monkeypatch.setattr(
        os, "pread", lambda *asked, of=os.pread: read.append(asked[1]) or of(*asked)
    )
    shown = look(Folder(tmp_path), "huge.txt")
    assert shown.title == "huge.txt  1.07 GB" and shown.note == "binary" and read == [LIMIT]


def test_a_sign_that_the_limit_cuts_is_no_damage(seen):
    shown = seen("u.txt", "x" * (LIMIT - 1) + "ü" * 10)
    assert shown[1] == "the first 262 kB"
    many = seen("many.txt", "a\n" * 3000)
    assert many[1] == "the first 2,000 lines" and len(many) == 3 + 2000


def test_links_are_followed_only_within_the_folder(tmp_path):
    (tmp_path / "secret").write_text("secret")
    base = tmp_path / "run"
    (base / "sub").mkdir(parents=True)
    (base / "sub" / "a.txt").write_text("inside")
    (base / "in").symlink_to("sub/a.txt")
    (base / "out").symlink_to(tmp_path / "secret")
    (base / "folder").symlink_to(tmp_path)
    (base / "circle").symlink_to("circle")
    assert look(Folder(base), "in").text == ("inside",)
    for name in ("out", "folder/secret", "../secret"):
        found = look(Folder(base), name)
        assert "out of this folder" in found.note and found.text == ()
    assert look(Folder(base), "circle").note.startswith("cannot be read")
    assert look(Folder(base), "gone").note == "cannot be read: No such file or directory"
    assert look(Folder(base), "sub").note == "a folder"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    assert look(Folder(tmp_path), "pipe.txt").note == "not a file"


def test_greys_of_16_bits_keep_their_steps():
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 0x4000, 0x8000, 0xFFFF]], np.uint16)).save(file, "PNG")
    found = picture.read(file.getvalue())
    shades = [found.at(column, 0) for column in range(4)]
    assert shades == ["#000000", "#404040", "#808080", "#ffffff"]


def test_pixels_are_kept_in_bounds():
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (300, 200, 3), np.uint8)).save(file, "JPEG")
    found = picture.read(file.getvalue())
    assert (found.width, found.height, found.size) == (200, 300, (160, 240))
    assert len(picture.drawn(found, 1)) == 1 and len(picture.drawn(found, 80)) == 60
