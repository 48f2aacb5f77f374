"""Commands about spec files: check, plan, new, schema."""

from __future__ import annotations

import json
from typing import Any

import typer

from engine.errors import USAGE, LthError, UsageError
from lthtui import overrides, specfiles
from lthtui.commands import Json, Specs
from lthtui.text import clean
from lthtui.yamlfile import FileError


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(check)


def check(arguments: Specs, as_json: Json = False) -> None:
    """Validate spec files, their plans and their data; nothing is started."""
    names, changes = overrides.separate(arguments)
    if not names:
        raise UsageError("no spec given; name a file, such as specs/quickstart.yaml")
    reports = [_checked(name, changes) for name in names]
    if as_json:
        typer.echo(json.dumps(reports, indent=2))
    for report in reports:
        for note in report["notes"]:
            typer.echo(clean(f"{report['source']}: {note}"), err=True)
        if not as_json:
            typer.echo(clean(report["text"]), err=not report["ok"])
    if not all(report["ok"] for report in reports):
        raise typer.Exit(USAGE)


def _checked(name: str, changes: list[str]) -> dict[str, Any]:
    try:
        found = specfiles.expand(name, changes)
    except LthError as error:
        problems = error.problems if isinstance(error, FileError) else []
        return {
            "source": name,
            "ok": False,
            "runs": 0,
            "notes": [],
            "problems": [
                {
                    "source": one.source,
                    "line": one.mark and one.mark.line,
                    "column": one.mark and one.mark.column,
                    "message": one.message,
                }
                for one in problems
            ],
            "text": str(error),
        }
    return {
        "source": found.source,
        "ok": True,
        "runs": len(found.runs),
        "notes": list(found.notes),
        "problems": [],
        "text": f"{found.source}: ok, {_count(len(found.runs), 'run')}; {_images(found)}",
    }


def _images(found: specfiles.Expansion) -> str:
    """The numbers of images that the runs use, each set of numbers once."""
    counts = dict.fromkeys((r.images.train, r.images.val, r.images.test) for r in found.runs)
    return " | ".join(f"{a:,} training, {b:,} validation, {c:,} test images" for a, b, c in counts)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
