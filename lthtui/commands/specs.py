"""Commands about spec files: check, plan, new, schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer

from engine.errors import USAGE, LthError, UsageError
from engine.repetition import listed
from lthtui import costs, extending, layouts, overrides, planning, settings, specfiles, specpaths
from lthtui.commands import Json, Specs
from lthtui.costs import Cost, Measurement
from lthtui.counting import counted
from lthtui.planning import Group
from lthtui.specschema import json_schema
from lthtui.template import template
from lthtui.text import clean
from lthtui.verbs import ask
from lthtui.yamlfile import FileError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (check, plan, new, schema):
        app.command()(command)


def check(arguments: Specs, as_json: Json = False) -> None:
    """Validate spec files, their plans and their data; nothing is started."""
    names, changes = overrides.separate(arguments)
    if not names:
        raise UsageError("no spec given; name a file, such as specs/quickstart.yaml")
    reports = list(_reports(names, changes))
    if as_json:
        typer.echo(json.dumps(reports, indent=2))
    for report in reports:
        for note in report["notes"]:
            typer.echo(clean(f"{report['source']}: {note}"), err=True)
        if not as_json:
            typer.echo(clean(report["text"]), err=not report["ok"])
    if not all(report["ok"] for report in reports):
        raise typer.Exit(USAGE)


def plan(
    arguments: Specs,
    quick: Annotated[bool, typer.Option("--quick", help="Don't measure time and disk.")] = False,
    as_json: Json = False,
) -> None:
    """Show the runs of a spec: levels, densities, steps, and what they cost on this machine."""
    names, changes = overrides.separate(arguments)
    if len(names) != 1:
        raise UsageError(f"plan takes one spec; {len(names)} given")
    found = specfiles.expand(names[0], changes)
    groups = planning.groups(found.runs)
    for note in [*found.notes, *extending.hints(settings.root(), found.runs)]:
        typer.echo(clean(note), err=True)
    if not quick:
        groups = [_measured(group, index, len(groups)) for index, group in enumerate(groups)]
    if as_json:
        runs = [planning.describe(group) for group in groups]
        typer.echo(
            json.dumps({"source": found.source, "groups": runs, **_totals(groups)}, indent=2)
        )
        return
    for line in _lines(found, groups):
        typer.echo(clean(line))


def new(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME [FIELD=CHOICE]...",
            help="The spec's name, and choices such as data=cifar10 or train.optimizer=adam.",
        ),
    ],
) -> None:
    """Write a commented spec to start from into specs/."""
    names, changes = overrides.separate(arguments)
    if len(names) != 1 or not _NAME.fullmatch(names[0]):
        raise UsageError("new takes one name of letters, digits, '.', '_' and '-'")
    text = template(dict(change.split("=", 1) for change in changes))
    file = specpaths.FOLDER / f"{names[0].removesuffix('.yaml')}.yaml"
    file.parent.mkdir(exist_ok=True)
    try:
        with file.open("x") as handle:
            handle.write(text)
    except FileExistsError:
        raise UsageError(f"{file} exists already; it was left as it is") from None
    typer.echo(str(file))
    typer.echo(f"Edit it, then: lthtui check {file}", err=True)


def schema() -> None:
    """Print the JSON Schema of a spec file, for editors that complete and check YAML.

    Save it as specs/schema.json, and begin a spec with the line
    "# yaml-language-server: $schema=schema.json".
    """
    typer.echo(json.dumps(json_schema(), indent=2))


def _measured(group: Group, index: int, count: int) -> Group:
    typer.echo(f"measuring {index + 1} of {count} ...", err=True)
    spec = group.first.spec
    measured = costs.measure(spec)
    return replace(group, measured=measured, cost=costs.estimate(spec, group.first.plan, measured))


def _totals(groups: list[Group]) -> dict[str, Any]:
    """Runs of all groups, and what they cost one after another; None where not measured."""
    both = [(group.cost, len(group.runs)) for group in groups]
    seconds = [cost.seconds * count for cost, count in both if cost is not None]
    disk = [cost.disk_bytes * count for cost, count in both if cost is not None]
    measured = len(seconds) == len(groups)
    return {
        "runs": sum(count for _, count in both),
        "seconds": sum(seconds) if measured else None,
        "disk_bytes": sum(disk) if measured else None,
    }


def _lines(found: specfiles.Expansion, groups: list[Group]) -> Iterator[str]:
    total = _totals(groups)
    yield f"{found.source}: {counted(total['runs'], 'run')}; {_images(found)}"
    for group in groups:
        spec, laid_out = group.first.spec, group.first.plan
        yield ""
        varied = "".join(f"  {key}={value}" for key, value in group.differs.items())
        which = listed(run.spec.repetition for run in group.runs)
        yield f"{spec.name} {spec.group[:6]}  {which}{varied}"
        yield from planning.table(group)
        trainings = counted(len(laid_out.levels), "training")
        epochs = counted(laid_out.epochs, "epoch")
        yield f"{trainings}, {epochs}, {counted(laid_out.steps, 'step')} a run"
        if group.cost and group.measured:
            yield from _cost_lines(group.cost, group.measured)
    if total["seconds"] is not None:
        yield ""
        time, disk = planning.duration(total["seconds"]), planning.size(total["disk_bytes"])
        yield f"all runs one after another: about {time}, {disk} kept"


def _cost_lines(cost: Cost, measured: Measurement) -> Iterator[str]:
    kept, peak = planning.size(cost.disk_bytes), planning.size(cost.peak_bytes)
    yield f"about {planning.duration(cost.seconds)} a run; disk {kept} kept, {peak} at the peak"
    threads = "" if measured.device != "cpu" else f", {counted(measured.threads, 'thread')}"
    step, validate, test, start = map(
        planning.duration,
        (
            measured.seconds_per_step,
            measured.seconds_per_validation,
            measured.seconds_per_test,
            measured.seconds_to_start,
        ),
    )
    yield (
        f"  measured on {measured.device}{threads}: {start} to start, {step} a step, {validate} to"
        f" validate, {test} to test; {measured.prunable:,} of"
        f" {measured.parameters:,} parameters prunable"
    )


def _reports(names: list[str], changes: list[str]) -> Iterator[dict[str, Any]]:
    """What to say of each file; shapes are asked about once for all that can be read."""
    read = [_expanded(name, changes) for name in names]
    good = [one for one in read if isinstance(one, specfiles.Expansion)]
    refused = iter(layouts.refusals(good, ask, _say))
    for name, one in zip(names, read, strict=True):
        if isinstance(one, LthError):
            yield _refused(name, one)
        else:
            wrong = next(refused)
            yield _refused(name, wrong) if wrong else _accepted(one)


def _expanded(name: str, changes: list[str]) -> specfiles.Expansion | LthError:
    try:
        return specfiles.expand(name, changes)
    except LthError as error:
        return error


def _refused(name: str, error: LthError) -> dict[str, Any]:
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


def _accepted(found: specfiles.Expansion) -> dict[str, Any]:
    return {
        "source": found.source,
        "ok": True,
        "runs": len(found.runs),
        "notes": list(found.notes),
        "problems": [],
        "text": f"{found.source}: ok, {counted(len(found.runs), 'run')}; {_images(found)}",
    }


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _images(found: specfiles.Expansion) -> str:
    """The numbers of images that the runs use, each set of numbers once."""
    counts = dict.fromkeys((r.images.train, r.images.val, r.images.test) for r in found.runs)
    return " | ".join(f"{a:,} training, {b:,} validation, {c:,} test images" for a, b, c in counts)
