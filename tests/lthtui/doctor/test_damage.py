"""What doctor says of finished runs whose files are not as they were written."""

from __future__ import annotations

import json
import os
import shlex

import pytest
from rundirs import FakeRun

from lthtui import runnames
from lthtui.doctor import damage
from lthtui.doctor.examining import treat
from lthtui.doctor.findings import Case, Severity


@pytest.fixture
def run(tmp_path):
    return FakeRun(tmp_path / "a root", "whole", levels=2).start().train(3).end()


def found(run):
    """Severity, message and command of what there is to say of a run."""
    case = Case(run.directory.root, lambda words: {})
    return [(one.severity, one.message, one.remedy) for one in damage.check(case)]


def noise(file):
    file.write_bytes(os.urandom(2000) + b"\n" + os.urandom(2000).replace(b"{", b"x"))


def cut(file):
    os.truncate(file, file.stat().st_size - 10)


def drop_end(file):
    lines = file.read_bytes().splitlines(keepends=True)
    (file.parent / "exit.json").write_text('{"attempt": 1, "code": 0, "time": 1}')
    file.write_bytes(b"".join(lines[:-1]))


CASES = {
    "noise for a journal": ("events.jsonl", noise, "of events.jsonl are none of a journal's"),
    "a journal without its end": ("events.jsonl", drop_end, "events.jsonl has lost its end"),
    "a ticket cut short": (
        "levels/01/ticket.safetensors",
        cut,
        "levels/01/ticket.safetensors has 990 bytes, not 1,000",
    ),
    "a ticket that is gone": (
        "levels/02/ticket.safetensors",
        lambda file: file.unlink(),
        "levels/02/ticket.safetensors is gone",
    ),
    "a manifest that is gone": (
        "levels/00/manifest.json",
        lambda file: file.unlink(),
        "levels/00 has no readable manifest.json",
    ),
    "noise for a manifest": (
        "levels/00/manifest.json",
        noise,
        "levels/00 has no readable manifest.json",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_damaged_is_named_with_what_to_do(run, case):
    name, spoil, said = CASES[case]
    assert found(run) == []
    file = run.directory.path / name
    (run.directory.path / "exit.json").write_text('{"attempt": 1, "code": 0, "time": 1}')
    spoil(file)
    ((severity, message, remedy),) = found(run)
    assert severity == Severity.ERROR and message.startswith(f"{run.run_id} is damaged: ")
    assert said in message
    assert shlex.split(remedy) == [
        "lthtui", "run", str(run.directory.spec_file), "--again", "--root", str(run.directory.root),
    ]  # fmt: skip


def test_weights_that_were_not_kept_are_not_missed(run):
    folder = run.directory.level(1)
    (folder / "ticket.safetensors").unlink()
    (folder / "manifest.json").write_text('{"body": {"files": {}, "meta": {}}, "sha256": ""}')
    assert found(run) == []


def test_a_damaged_spec_is_taken_from_a_ticket_of_that_run_only(run, tmp_path):
    other = FakeRun(tmp_path / "a root", "other", levels=2)
    file, whole = run.directory.spec_file, run.directory.spec_file.read_text()
    cards = [run.directory.level(level) / "ticket.json" for level in range(2)]
    specs = [other.directory.spec(), run.directory.spec()]
    before = [one.run_id for one in runnames.every(run.directory.root)]
    noise(file)
    ((_, message, remedy),) = found(run)
    assert "no ticket has a copy" in message and remedy.startswith("ls -la '")
    for card, spec in zip(cards, specs, strict=True):
        card.write_text(json.dumps({"spec": spec.model_dump(mode="json")}))
        os.utime(file, ns=(0, run.directory.path.stat().st_mtime_ns // 10**10 * 10**9))
    (finding,) = damage.check(Case(run.directory.root, lambda words: {}))
    assert finding.remedy == f"lthtui doctor --fix --root '{run.directory.root}'"
    spoilt = file.read_bytes()
    ((_, done, ok),) = treat([finding])
    assert ok and done.startswith(f"took the spec of {run.run_id} from its tickets")
    assert file.read_text() == whole and found(run) == []
    assert (file.parent / "spec.yaml.damaged").read_bytes() == spoilt
    assert [one.run_id for one in runnames.every(run.directory.root)] == before


def test_a_file_that_cannot_be_read_leaves_other_runs_to_be_looked_at(run, tmp_path, monkeypatch):
    second = FakeRun(tmp_path / "a root", "second", levels=2).start().train(3).end()
    os.truncate(second.directory.level(1) / "ticket.safetensors", 0)
    whole = damage._spec

    def denied(case, directory):
        if directory.run_id == run.run_id:
            raise PermissionError(13, "Permission denied", str(directory.spec_file))
        return whole(case, directory)

    monkeypatch.setattr(damage, "_spec", denied)
    first, last = (message for _, message, _ in found(run))
    assert "Permission denied" in first and "has 0 bytes, not 1,000" in last
