"""What the fault tests measured: kept by test in results.json, shown by criterion in RESULTS.md."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from criteria import CRITERIA, LAUNCH, Criterion

HERE = Path(__file__).parent
KEPT, TABLE = HERE / "results.json", HERE / "RESULTS.md"
COMMAND = "uv run python tests/faults --long --write"
RANK = ("failed", "error", "passed", "skipped")  # the first of them counts for a test


@dataclass(frozen=True)
class Measured:
    """How a test went the last time.

    Attributes:
        day: when, as year-month-day.
    """

    outcome: str
    figures: str
    day: str


def measured(stats: Mapping[str, Iterable[Any]]) -> dict[str, Measured]:
    """By test, without its parameters, what pytest's reports of one session say."""
    day = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    found: dict[str, Measured] = {}
    for outcome in RANK:
        for report in stats.get(outcome, ()):
            name = report.nodeid.partition("[")[0]
            pairs = getattr(report, "user_properties", ())
            figures = ", ".join(f"{key} {value}" for key, value in pairs)
            before = found.get(name, Measured(outcome, "", day))
            both = "; ".join(filter(None, (before.figures, figures)))
            found[name] = Measured(before.outcome, both, day)
    return found


def shown(found: Mapping[str, Measured]) -> list[str]:
    """Lines for the terminal: what was measured, with the numbers of its criteria."""
    lines = []
    for name, one in found.items():
        numbers = [f"{c.number}." for c in CRITERIA if name in c.names]
        if one.figures:
            lines.append(" ".join((*numbers, name.rpartition("::")[2] + ":", one.figures)))
    return lines


def keep(found: Mapping[str, Measured]) -> None:
    """Write down what was measured beside what is known of other tests, and the table of all."""
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    named = {name for criterion in (*CRITERIA, LAUNCH) for name in criterion.names}
    known |= {name: asdict(one) for name, one in found.items() if name in named}
    KEPT.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    TABLE.write_text("\n".join(table({n: Measured(**one) for n, one in known.items()})) + "\n")


def table(found: Mapping[str, Measured]) -> list[str]:
    """The lines of RESULTS.md."""
    lines = [
        "# The criteria of reliability, and what was measured",
        "",
        f"Made by `{COMMAND}`; without `--long` only the short tests run, and numbers name",
        "criteria. `LTHTUI_FAULT_SEED=n` gives other kills, orders and moments;",
        "`LTHTUI_FAULT_KILLS=n` so many kills, `LTHTUI_SOAK_MINUTES` and `LTHTUI_LOAD_MINUTES`",
        "other lengths than 50, 30 and 10.",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}"
        f" {platform.release()}; other programs were at work on them.",
        "",
        "| | criterion | result | figures | |",
        "|--:|---|---|---|---|",
    ]
    lines += [_row(criterion, found) for criterion in CRITERIA]
    lines += ["", "## What launching costs", ""]
    lines += [
        f"- {name.rpartition('::')[2]}: {found[name].figures} ({found[name].day})"
        for name in LAUNCH.names
        if name in found
    ]
    lines += ["", "## Where each is tested", ""]
    for criterion in CRITERIA:
        lines.append(f"{criterion.number}. " + "; ".join(f"`{name}`" for name in criterion.names))
    return lines


def _row(criterion: Criterion, found: Mapping[str, Measured]) -> str:
    rows = [found[name] for name in criterion.names if name in found]
    outcomes = [one.outcome for one in rows]
    result = next((outcome for outcome in RANK if outcome in outcomes), "not run")
    open_ = sum(name not in found for name in criterion.names)
    result += f" ({open_} not run)" if open_ and rows else ""
    figures = "; ".join(filter(None, (one.figures for one in rows))) or f"{len(rows)} tests"
    figures += f" ({criterion.note})" if criterion.note else ""
    day = max((one.day for one in rows), default="")
    cells = (str(criterion.number), criterion.title, result, figures, day)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
