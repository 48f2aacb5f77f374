import json
import math
import subprocess
import sys

import pytest

from engine.events import (
    EpochEnded,
    Evaluated,
    Journal,
    LevelStarted,
    RunEnded,
    Tail,
    Warned,
    Winning,
    parse,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def epoch(level, number, **more):
    fields = {"train_loss": 0.5, "train_accuracy": 0.9, "learning_rate": 0.1}
    return EpochEnded(
        level=level, epoch=number, level_epoch=number, images_per_second=1.0, **fields | more
    )


def level(index):
    return LevelStarted(level=index, density=1.0, kept=5, total=5, epochs=2, steps=8)


def write(path, attempt, *events):
    journal = Journal(path, "run", attempt)
    written = [journal.append(event) for event in events]
    journal.close()
    return written


def test_an_event_comes_back_with_run_attempt_and_time(path):
    write(path, 3, Warned(message="héllo\n", level=1))
    (event,) = Tail(path).read()
    assert (event.kind, event.run_id, event.attempt, event.level) == ("warned", "run", 3, 1)
    assert event.message == "héllo\n"
    assert event.time > 1e9
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_time_that_an_event_has_is_kept(path):
    write(path, 1, Warned(message="x", time=12.5))
    assert next(Tail(path).read()).time == 12.5


def test_not_a_number_survives(path):
    write(path, 1, epoch(0, 1, train_loss=math.nan, val_loss=-math.inf))
    (line,) = path.read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["train_loss"] == "NaN"
    (event,) = Tail(path).read()
    assert math.isnan(event.train_loss) and event.val_loss == -math.inf


def test_what_an_earlier_attempt_wrote_is_not_written_again(path):
    assert write(path, 1, level(0), epoch(0, 1), Warned(message="a")) == [True, True, True]
    again = [level(0), epoch(0, 1), epoch(0, 2), level(1), Warned(message="a")]
    assert write(path, 2, *again) == [False, False, True, True, True]
    found = [(event.kind, event.attempt) for event in Tail(path).read()]
    assert found == [
        ("level_started", 1),
        ("epoch_ended", 1),
        ("warned", 1),
        ("epoch_ended", 2),
        ("level_started", 2),
        ("warned", 2),
    ]


def test_what_is_of_another_ticket_is_written_again(path):
    def evaluated(*tickets):
        return Evaluated(level=0, name="fgsm", metrics={}, tickets=tickets)

    assert write(path, 1, evaluated(), evaluated("a")) == [True, True]
    again = [evaluated("a"), evaluated("b"), evaluated("b"), evaluated("a"), evaluated("a", "c")]
    assert write(path, 2, *again) == [False, True, False, True, True]


def test_a_late_line_of_a_replaced_attempt_does_not_count(path):
    old = Journal(path, "run", 1)
    old.append(epoch(0, 1))
    new = Journal(path, "run", 2)
    new.append(Warned(message="b"))
    old.append(epoch(0, 2, train_loss=9.0))  # it was on its way
    assert new.append(epoch(0, 2))
    old.close()
    new.close()
    assert write(path, 3, epoch(0, 2)) == [False]
    found = [(event.kind, event.attempt) for event in Tail(path).read()]
    assert found == [("epoch_ended", 1), ("warned", 2), ("epoch_ended", 2)]


def test_one_attempt_does_not_repeat_itself_either(path):
    assert write(path, 1, level(0), level(0)) == [True, False]


def test_a_torn_line_is_cut_off_and_its_event_written_again(path):
    write(path, 1, level(0), epoch(0, 1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert [event.kind for event in Tail(path).read()] == ["level_started"]
    assert write(path, 2, epoch(0, 1)) == [True]
    assert [event.kind for event in Tail(path).read()] == ["level_started", "epoch_ended"]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_reader_goes_on_where_it_stopped_and_waits_for_ends_of_lines(path):
    tail = Tail(path)
    assert [*tail.read()] == []
    write(path, 1, Warned(message="a"))
    assert [event.message for event in tail.read()] == ["a"]
    line = b'{"kind": "warned", "message": "b"}\n'
    with path.open("ab") as file:
        file.write(line[:10])
    assert [*tail.read()] == []
    with path.open("ab") as file:
        file.write(line[10:])
    assert [event.message for event in tail.read()] == ["b"]
    assert [*tail.read()] == []


def test_lines_are_given_as_they_are(path):
    path.write_bytes(b'{"kind": "future", "x": 1}\n\n{"kind": "warned"')
    assert [*Tail(path).lines()] == [b'{"kind": "future", "x": 1}']


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b'{"kind": "from the future"}',
        b'{"kind": ["warned"]}',
        b'{"kind": "warned"}',
        b'{"kind": "epoch_ended", "train_loss": "much"}',
        b"\xff\xfe",
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_a_line_that_is_no_event_is_skipped(line):
    assert parse(line) is None


def test_unknown_fields_are_skipped():
    assert parse(b'{"kind": "warned", "message": "x", "colour": "red"}').message == "x"


@pytest.mark.parametrize("unknown", ["val_accuracy", "test_accuracy", "ticket", "beats_dense"])
def test_the_winning_ticket_comes_back_also_where_something_is_unknown(path, unknown):
    known = {"val_accuracy": 0.9, "test_accuracy": 0.8, "ticket": "t", "beats_dense": False}
    won = Winning(level=3, density=0.5, **known | {unknown: None})
    write(path, 1, RunEnded(status="finished", winning=won))
    (event,) = Tail(path).read()
    assert event.winning == won


FULL = """
import resource, signal, sys
from pathlib import Path
from engine.events import Journal, Warned
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]), "run", 1)
journal.append(Warned(message="fits"))
resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
try:
    journal.append(Warned(message="x" * 1000))
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(Warned(message="goes on"))
"""


def test_a_full_disk_leaves_no_half_line(path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large\n"
    assert [event.message for event in Tail(path).read()] == ["fits", "goes on"]
    assert len(path.read_text().splitlines()) == 2
