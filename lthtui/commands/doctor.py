"""The command that examines the machine and the root: doctor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import FAILED
from lthtui import completion, settings
from lthtui.commands import Json, Root
from lthtui.text import clean_line
from lthtui.verbs import ask

if TYPE_CHECKING:
    from lthtui.doctor.findings import Finding

MARKS = {"fine": " ", "warning": "!", "error": "✗"}


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(doctor)


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Do what is safe about what is wrong, and say what.")
    ] = False,
    advise: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            autocompletion=completion.spec,
            help="Instead, try how many runs of a spec should share a device; it should be idle.",
        ),
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Examine devices, disk, store, runs, queue and versions; say what to do about findings.

    The exit code is 1 if something is found that loses work or keeps runs from starting.
    """
    from lthtui.doctor.examining import examine, treat
    from lthtui.doctor.findings import Case, Severity
    from lthtui.launch import owner

    if advise is not None:
        settings.use(root)
        _advise(advise, as_json)
        return
    folder = settings.root(root)
    if fix:
        owner.check(folder)
    findings = examine(Case(folder, ask))
    treated = treat(findings) if fix else []
    if treated:
        findings = examine(Case(folder, ask))
    if as_json:
        report = {
            "root": str(folder),
            "treated": [{"message": f.message, "done": did, "ok": ok} for f, did, ok in treated],
            "findings": [_described(found) for found in findings],
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        for _, did, ok in treated:
            typer.echo(clean_line(f"{'fixed: ' if ok else 'not fixed: '}{did}", 1000), err=True)
        _show(findings)
    if any(found.severity == Severity.ERROR for found in findings):
        raise typer.Exit(FAILED)


def _advise(name: str, as_json: bool) -> None:
    from lthtui import specfiles
    from lthtui.doctor import sharing

    spec = specfiles.load(name)[0]
    typer.echo(f"trying {clean_line(spec.name)}; this takes a minute or two...", err=True)
    advice = sharing.measure(spec)
    if as_json:
        typer.echo(json.dumps(advice, indent=2))
        return
    for line in sharing.lines(advice):
        typer.echo(clean_line(line))


def _described(found: Finding) -> dict[str, str | bool | None]:
    return {
        "topic": found.topic,
        "severity": found.severity,
        "message": found.message,
        "remedy": found.remedy or None,
        "fixable": found.repair is not None,
    }


def _show(findings: Sequence[Finding]) -> None:
    for topic, found in groupby(findings, lambda one: one.topic):
        typer.echo(topic)
        _show_topic(found)


def _show_topic(findings: Iterable[Finding]) -> None:
    for one in findings:
        typer.echo(f"{MARKS[one.severity]} {clean_line(one.message, 1000)}")
        if one.remedy:
            fixable = (
                "  (or lthtui doctor --fix)" if one.repair and "--fix" not in one.remedy else ""
            )
            typer.echo(f"    {clean_line(one.remedy, 2000)}{fixable}")
