"""Prints what the fault tests measured, and writes it down with `--results FILE`.

A test measures with pytest's own `record_property(name, value)`.
"""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import pytest
from criteria import CRITERIA, Criterion
from lab import WORKER, Lab
from staging import staged

OUTCOMES = {"passed": "met", "failed": "NOT MET", "error": "NOT MET", "skipped": "not run"}


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A root whose workers play scripts; `play` says what they do."""
    yield from staged(tmp_path, monkeypatch)


@pytest.fixture
def lab(stage, monkeypatch):
    """Real workers in the place of those that play scripts; they may be told when to die."""
    monkeypatch.setenv("LTHTUI_WORKER", WORKER)
    return Lab(stage)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", type=Path, help="write the table of criteria to this file")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    found = _measured(terminalreporter)
    measured = [(name, figures) for name, (_, figures) in found.items() if figures]
    if measured:
        terminalreporter.section("figures")
    for name, figures in measured:
        terminalreporter.write_line(f"{_number(name)}{name.partition('::')[2]}: {figures}")
    target = config.getoption("results", None)
    if target is not None:
        target.write_text("\n".join(_table(found)) + "\n")


def _number(name: str) -> str:
    """The criteria that a test is for."""
    return "".join(f"{one.number}. " for one in CRITERIA if name in one.tests)


def _measured(reporter) -> dict[str, tuple[str, str]]:
    """By test, without its parameters: how it went and what it measured."""
    found: dict[str, tuple[str, str]] = {}
    for outcome, shown in OUTCOMES.items():
        for report in reporter.stats.get(outcome, ()):
            name = report.nodeid.partition("[")[0]
            before, figures = found.get(name, (shown, ""))
            more = ", ".join(
                f"{key} {value}" for key, value in getattr(report, "user_properties", ())
            )
            worst = shown if before == "met" else before
            found[name] = worst, ", ".join(filter(None, (figures, more)))
    return found


def _table(found: dict[str, tuple[str, str]]) -> list[str]:
    now = datetime.datetime.now(datetime.UTC)
    lines = [
        "# Fault tests: the 29 criteria, and what was measured",
        "",
        "Made by `uv run python tests/faults --results tests/faults/RESULTS.md` on",
        f"{now:%Y-%m-%d}: Python {platform.python_version()}, {os.cpu_count()} cores,"
        f" {platform.system()} {platform.release()}; other programs were at work on them.",
        "",
        "| | criterion | | figures |",
        "|---|---|---|---|",
    ]
    for criterion in CRITERIA:
        outcome, figures = _together(criterion, found)
        lines.append(f"| {criterion.number} | {criterion.title} | {outcome} | {figures} |")
    lines += ["", "## Where each is tested", ""]
    for criterion in CRITERIA:
        tests = "; ".join(f"`{name}`" for name in criterion.tests) or "-"
        lines.append(f"{criterion.number}. {tests}" + (f" {criterion.note}" * bool(criterion.note)))
    return lines


def _together(criterion: Criterion, found: dict[str, tuple[str, str]]) -> tuple[str, str]:
    rows = [found[name] for name in criterion.tests if name in found]
    if not rows:
        return "not run" if criterion.tests else "does not apply", criterion.note
    outcomes = {outcome for outcome, _ in rows}
    outcome = next(one for one in ("NOT MET", "met", "not run") if one in outcomes)
    figures = "; ".join(filter(None, (figures for _, figures in rows)))
    return outcome, figures or f"{len(rows)} tests"
