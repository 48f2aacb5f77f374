"""The filter language: what it means, what is said where of what it does not know."""

import random
from datetime import datetime

import pytest
from viewed import boarded, level, run

from lthtui import fields
from lthtui.fields import Field, Misread
from lthtui.filtering import And, Filter, Not, Or, Term, Word
from lthtui.identity import Control

NOW = datetime(2026, 11, 20, 12, 0).timestamp()
HOUR = 3600.0
RUNS = [
    run(
        "a",
        [level(0, 0.60), level(1, 0.70)],
        name="isic-imp",
        group="ga",
        created=NOW - HOUR,
        duration=90.0,
        final=True,
        beats_dense=True,
        params={
            "loss.name": "tvmf",
            "train.lr": "0.10",
            "train.schedule": "Cosine",
            "train.decay": "True",
        },
        tags={"why": "paper (final)", "stage": "2"},
        metrics={"epoch/val_loss": 0.5, "my metric": float("nan")},
        extremes={"epoch/val_loss": (0.25, 2.0)},
    ),
    run(
        "b",
        [level(0, 0.50), level(1, 0.55)],
        name="isic-rigl",
        group="gb",
        sparsifier="rigl",
        status="failed",
        final=True,
        beats_dense=False,
        created=NOW - 30 * HOUR,
        params={"train.lr": "0.02", "train.schedule": "step"},
        metrics={"epoch/val_loss": 1.5},
        extremes={"epoch/val_loss": (1.5, 9.0)},
    ),
    run(
        "c",
        name="or",
        group="gc",
        sparsifier="",
        status="running",
        stalled=True,
        seed=7,
        archived=True,
        controls=Control(run="a", level=1, kind="null"),
    ),
]
BOARD = boarded(*RUNS, labels={"gb": "Rigged lottery"})
KNOWN = fields.names(RUNS)


def found(text):
    wanted = Filter.parse(text, KNOWN, NOW)
    return "".join(one.run_id for one in RUNS if wanted(one, BOARD.group_of(one.run_id)))


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        *(("", "abc"), ("  ", "abc"), ("isic", "ab"), ("ISIC rigl", "b"), ("lottery", "b")),
        *(("s7", "c"), ("isic not rigl", "a"), ("isic and not rigl", "a"), ("nothing", "")),
        *(("failed or s7", "bc"), ('"or"', "c"), ("'isic-imp'", "a"), ("not isic", "c")),
        *(("name:isic-*", "ab"), ("name:ISIC-????", "b"), ("name:isic", ""), ("method:*", "ab")),
        *(("name=ISIC-IMP", "a"), ("name!=isic-imp", "bc"), ("status!=failed", "ac")),
        *(("status=stalled", "c"), ("val>60%", "a"), ("val > 0.6", "a"), ("val>=55%", "ab")),
        *(("val<60%", "b"), ("not val<60%", "ac"), ("seed=7", "c"), ("seed<=0 and isic", "ab")),
        *(
            ("train.lr=0.1", "a"),
            ("train.lr<0.05", "b"),
            ("train.lr=1e-1", "a"),
            ("train.lr!=.1", "bc"),
        ),
        *(("train.schedule=cosine", "a"), ("train.decay=true", "a"), ("train.schedule>d", "b")),
        *(("train.schedule>3", ""), ("train.lr=cosine", ""), ("tags.stage>=2", "a")),
        *(("epoch/val_loss<=0.5", "a"), ("best(epoch/val_loss)<0.3", "a")),
        *(("max( epoch/val_loss )>5", "b"), ('"my metric"=nan', "a"), ('"my metric"!=nan', "bc")),
        *(('"my metric"<5', ""), ("name~'^isic-(imp|rigl)$'", "ab"), ("name~imp|rigl", "ab")),
        *(("name~(imp|rigl)$", "ab"), ("(name~imp)", "a"), ("tags.why!~paper", "bc")),
        *(('tags.why="paper (final)"', "a"), ("tags.why:*final*", "a"), ("not tags.why:*", "bc")),
        *((f"archived={text}", "c") for text in ("yes", "true", "TRUE", "1")),
        *((f"archived={text}", "ab") for text in ("no", "False", "0")),
        *(("archived!=1", "ab"), ("archived!=false", "c"), ("archived:y*", "c")),
        *(
            ("duration=1:30", "a"),
            ("duration<2m", "a"),
            ("duration>1h30m", ""),
            ("duration>=90", "a"),
        ),
        *(
            ("created>-24h", "a"),
            ("created<-1d", "b"),
            ("created=today", "a"),
            ("created<today", "b"),
        ),
        *(("created=yesterday", "b"), ("created=2026-11-19", "b"), ("created<=2026-11-19", "b")),
        *(
            ("created>2026-11-19", "a"),
            ("created>=2026-11-19", "ab"),
            ("created!=2026-11-19", "ac"),
        ),
        *(("created=2026-11-20T11:00", "a"), ("created>2026-11-20T11:00", "")),
        *(("created=2026-11-20T10:59:59", ""), ("created=2026-11-20T11:00:00", "a")),
        *(("created>2026-11-20T10:59:59", "a"), ("created=Yesterday", "b")),
        *(("isic (imp or failed)", "ab"), ("imp or isic failed", "ab"), ("not (isic or s7)", "")),
        *(("control=null", "c"), ("not control:*", "ab"), ("group=gb", "b"), ("group:g*", "abc")),
        *(("winning=yes", "a"), ("winning=false", "b"), ("not winning:*", "c")),
        *(("sparsity>=20%", "ab"), ("sparsity>0.21", "")),
        *(("loss=tvmf", "a"), ("loss.name=tvmf", "a"), ("loss!=tvmf", "bc")),
        *(("not not isic", "ab"), ("NOT isic OR s0 AND imp", "ac"), ("gain>5%", "a")),
    ],
)
def test_a_filter_finds(text, runs):
    assert found(text) == runs


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("val>", 5, "expected a value after >"),
        ("val> and", 6, None),
        ("val>>3", 5, "expected a value after >, not >"),
        ("seed==3", 6, "expected a value after =, not ="),
        (">3", 1, "expected a field"),
        ("isic and", 9, "expected a word, a field, `not` or `(`"),
        ("or isic", 1, "expected a word, a field, `not` or `(`"),
        ("isic or or b", 9, "expected a word, a field, `not` or `(`"),
        ("not", 4, "expected a word, a field, `not` or `(`"),
        ("(isic", 1, "this bracket is never closed"),
        ("()", 2, "expected a word or a field"),
        ("a !control", 3, "`not` is for what must not be"),
        ("isic -control", 6, "did you mean `not control`? quotes make it a word"),
        ("-val>60%", 1, "did you mean `not val`?"),
        ("- isic", 1, "did you mean `not …`?"),
        ("isic /im.$/ or s0", 6, "did you mean name~im.$? quotes make it a word"),
        ("isic seed in (0, 1)", 11, "values do not come in lists: seed=0 or seed=1"),
        ("winning=maybe", 9, "expected yes or no, not 'maybe'"),
        ("isic)", 5, "this bracket was never opened"),
        ("'isic", 1, "this quote is never closed"),
        ("name='isic", 6, "this quote is never closed"),
        ("isic vall>3", 6, "no field 'vall'; did you mean val?"),
        ("a or 'train.lrr'>3", 7, "no field 'train.lrr'; did you mean train.lr?"),
        ("best(epoch/val_los)<1", 6, "no metric 'epoch/val_los'; did you mean epoch/val_loss?"),
        ("best(epoch", 5, "this bracket is never closed"),
        ("val>60", 5, "val is a share of 1; expected one, or 60%"),
        ("val>high", 5, "val is a number; expected one such as 60% or 0.6"),
        ("seed = x", 8, "seed is a number; expected one such as 0.5"),
        ("eta<soon", 5, "eta is a number; expected one such as 90, 1:30 or 1h30m"),
        ("created>2026-13-01", 9, "expected a time: 2026-11-20"),
        ("val~3", 4, "val is a number; expected = != < <= > or >="),
        ("epoch/val_loss:3*", 15, "epoch/val_loss is a number; expected = !="),
        ("archived=maybe", 10, "expected yes or no, not 'maybe'"),
        ("status=finish", 8, "stopped, lost; did you mean finished?"),
        ("name~(a", 6, "this bracket is never closed"),
        ("name~'a['", 8, "this bracket is never closed"),
        ("(" * 41 + "a" + ")" * 41, 41, "fewer brackets"),
        ("not " * 41 + "a", 164, "fewer brackets"),
        ("a" * 2001, 2000, "at most 2,000 characters"),
    ],
)
def test_what_is_no_filter_is_said_at_its_column(text, column, said):
    if said is None:  # a keyword is a value like any other
        assert Filter.parse("name=and").node == Term(Field.parse("name"), "=", "and")
        return
    with pytest.raises(Misread) as caught:
        Filter.parse(text, KNOWN, NOW)
    assert caught.value.column == column
    assert said in caught.value.problem


def made(draw, depth):
    kind = draw.randrange(5 if depth else 2)
    if kind == 0:
        words = ["isic", "or", "a b", 'a"b', "x=1", "(", "s0", "back\\", "best(x)", "né"]
        return Word(draw.choice([*words, "-x", "/x/", "/", "//"]))
    if kind == 1:
        field = draw.choice(["name", "train.lr", "tags.why", "tags.a b", "tags.x=y", "params.or"])
        value = draw.choice(
            ["x", "0.1", "a b", "(", ")", 'q"', "and", ">", "'", "\\", "\\\\x", "*"]
        )
        return Term(Field.parse(field), draw.choice(["=", "!=", "<", ">=", ":"]), value)
    if kind == 2:
        return Not(made(draw, depth - 1))
    parts = [made(draw, depth - 1) for _ in range(draw.randrange(2, 4))]
    several = And if kind == 3 else Or
    other = tuple(part for part in parts if not isinstance(part, several))
    return several(other) if len(other) > 1 else parts[0]


def test_what_is_printed_reads_as_the_same_filter():
    draw = random.Random(3)
    for _ in range(500):
        node = made(draw, 3)
        text = str(node)
        again = Filter.parse(text)
        assert str(again) == text and again.node == node, text


def test_what_means_something_elsewhere_is_a_word_or_a_name_in_quotes():
    for text in ('"-x"', '"/x/"', '"-x/y">3', "/x", "created>-24h"):
        node = Filter.parse(text).node
        assert str(node) == text and Filter.parse(str(node)).node == node


def test_no_text_at_all_ends_in_anything_but_a_filter_or_a_misread():
    draw = random.Random(4)
    pieces = [*"()=!<>~:'\"\\ ", "val", "name", "and", "or", "not", "60%", "best(", "[", "*", "-1d"]
    read = 0
    for _ in range(3000):
        text = "".join(draw.choice(pieces) for _ in range(draw.randrange(1, 9)))
        try:
            wanted = Filter.parse(text, now=NOW)
        except Misread as error:
            assert 1 <= error.column <= len(text) + 1, text
        else:
            read += 1
            assert Filter.parse(str(wanted), now=NOW).node == wanted.node, text
            for one in RUNS:
                assert wanted(one) in (True, False)
    assert read > 100


def test_fields_are_those_that_it_asks_for_each_once():
    wanted = Filter.parse("imp (val>1% or not best(a/b)<3) and val<90%")
    assert [field.name for field in wanted.fields] == ["val", "best(a/b)"]
