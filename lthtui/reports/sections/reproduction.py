"""How to do it again: commands, specs, digests, and where the runs were trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.rundir import RunDirectory
from lthtui.reports.model import Block, Details, Section, Table
from lthtui.reports.subject import Subject
from lthtui.runview import RunView

HEADER = ("run", "group", "digest", "images", "lthtui", "torch", "device")


def build(subject: Subject) -> Section:
    """Every run with its digest, and one spec of every group, whole."""
    return Section("Reproduction", (_runs(subject), *_specs(subject)))


def _runs(subject: Subject) -> Table:
    from lthtui import provenance

    runs = {run.run_id: run for run in subject.runs}
    started = provenance.read([*runs.values()])
    rows = []
    for run in runs.values():
        about = attempts[-1].environment if (attempts := started.get(run.run_id)) else {}
        images = attempts[-1].images if attempts else {}
        commit = str(about.get("git_commit") or "")[:12] + "*" * bool(about.get("git_dirty"))
        rows.append(
            (
                run.run_id,
                run.group[:8],
                _digest(run)[:12],
                " ".join(f"{count:,} {split}" for split, count in images.items()),
                commit or "–",
                str(about.get("torch", "–")),
                str(about.get("device", "–")),
            )
        )
    caption = (
        "Every run: a digest covers all settings that make its result, a group all but seed, fold"
        " and draw. * marks a program with changes that no commit has."
    )
    return Table("runs", caption, HEADER, tuple(rows))


def _digest(run: RunView) -> str:
    from lthtui import identity

    if not run.directory:
        return "–"
    return identity.read(RunDirectory(Path(run.directory))).digest


def _specs(subject: Subject) -> Iterator[Block]:
    yield "Each spec file below trains one run of its group; `lthtui run FILE` repeats it."
    for row in subject.rows:
        if row.first.directory:
            text = RunDirectory(Path(row.first.directory)).spec_file.read_text(errors="replace")
            yield Details(f"{row.label} {row.first.repetition}: spec.yaml", text)
