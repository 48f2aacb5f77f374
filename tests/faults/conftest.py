"""Stages for faults; prints what was measured, and writes it down with `--write-results`.

A test measures with pytest's own `record_property(name, value)`.
"""

from __future__ import annotations

import pytest
import reporting
from lab import WORKER, Lab
from staging import staged


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
    parser.addoption("--write-results", action="store_true", help="renew results.json, RESULTS.md")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    found = reporting.measured(terminalreporter.stats)
    lines = reporting.shown(found)
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(lines) + "\n")
    if config.getoption("write_results", False):
        reporting.keep(found)
