"""Where and with what runs were trained."""

from __future__ import annotations

from rundirs import FakeRun

from engine.events import RunStarted
from lthtui import provenance
from lthtui.lookout import Lookout


def said(root, width=100):
    runs = sorted(Lookout(root).look().runs.values(), key=lambda run: run.seed)
    found = provenance.lines(runs, provenance.read(runs), width)
    return ["".join(span.text for span in line).rstrip() for line in found]


def begin(run, attempt, **environment):
    """Another attempt of a run begins."""
    run.open(attempt)
    run._append(
        RunStarted(
            levels=6,
            epochs=24,
            steps_per_epoch=4,
            images={"train": 200, "val": 300},
            subset="",
            parameters=1_000,
            prunable=900,
            flops=2e6,
            environment=environment,
        )
    )


def test_the_newest_attempt_tells_the_machine_and_the_first_when_it_began(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    run = FakeRun(tmp_path, "one").start().train(1)
    begin(run, 2, torch="2.9", host="n1\x1b[2J", device="cpu", threads=4, git_commit="f" * 40)
    assert said(tmp_path) == [
        "began     2026-09-21 14:13, 0:08, 2 attempts",
        "machine   n1\\x1b[2J, cpu, 4 threads",
        "program   torch 2.9, lthtui ffffffffffff",
        "images    200 train, 300 val",
        "weights   1,000, 900 of them prunable, 2.00 M FLOPs an image",
    ]


def test_seeds_that_differ_are_told_apart(tmp_path):
    for seed, torch in ((0, "2.9"), (1, "2.9"), (2, "2.11")):
        run = FakeRun(tmp_path, "one", seed).start()
        begin(run, 2, torch=torch, threads=1)
    lines = said(tmp_path)
    assert lines[0] == "s0, s1" and "s2" in lines
    assert lines.count("machine   1 thread") == 2
    assert [line for line in lines if "torch" in line] == [
        "program   torch 2.9",
        "program   torch 2.11",
    ]
    FakeRun(tmp_path, "waits")
    assert said(tmp_path) == lines
