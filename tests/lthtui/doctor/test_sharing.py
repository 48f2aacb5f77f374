"""`lthtui doctor --advise`: what it says of what was measured."""

from __future__ import annotations

import json

import pytest

from engine.errors import LthError
from lthtui.cli import main
from lthtui.doctor import sharing
from lthtui.launch.advice import Row

ROWS = [
    Row(1, 2, 100.0, 0.1, 2**30),
    Row(2, 1, 190.0, 0.1, 2**30),
    Row(4, 1, 192.0, 0.2, 0),
]


@pytest.fixture
def spec(tmp_path, monkeypatch) -> str:
    file = tmp_path / "small.yaml"
    file.write_text("version: 1\ndata: digits\nmodel: resnet20\nlaunch: {devices: cpu}\n")
    monkeypatch.setattr(sharing, "advise", lambda spec, device: ROWS)
    monkeypatch.setattr(sharing.os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    return str(file)


def test_the_fewest_that_get_nearly_as_much_done_are_advised(spec, capfd):
    assert main(["doctor", "--advise", spec]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        "runs of small at once on cpu:",
        "   1  100 images/s in all (1.00 x), 1GiB each",
        "   2  190 images/s in all (1.90 x), 1GiB each",
        "   4  192 images/s in all (1.92 x)",
        "write into the spec: launch: {per_device: 2, threads: auto}",
    ]
    assert "trying small" in err
    assert main(["doctor", "--advise", spec, "--json"]) == 0
    advice = json.loads(capfd.readouterr().out)
    assert (advice["per_device"], advice["device"], len(advice["rows"])) == (2, "cpu", 3)


def test_what_was_measured_beside_others_is_no_advice(spec, monkeypatch, capfd):
    monkeypatch.setattr(sharing.os, "getloadavg", lambda: (5.6 * sharing.devices.cores(), 0, 0))
    assert main(["doctor", "--advise", spec]) == 0
    *rows, last = capfd.readouterr().out.splitlines()
    assert len(rows) == 4 and "try again when it is idle" in last and "per_device" not in last


def test_what_cannot_be_trained_is_said(spec, monkeypatch, capfd):
    def fails(spec, device):
        raise LthError("1 at once can't be measured: no memory")

    monkeypatch.setattr(sharing, "advise", fails)
    assert main(["doctor", "--advise", spec]) == 1
    assert "can't be measured: no memory" in capfd.readouterr().err
    assert main(["doctor", "--advise", "nothing.yaml"]) == 2
