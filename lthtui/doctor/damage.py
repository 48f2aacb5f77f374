"""Finished runs whose records are damaged: specs, journals and tickets are not as was written.

Sizes and manifests are looked at; `lthtui ticket verify` reads a ticket whole.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from engine import rundir
from engine.errors import LthError, some
from engine.events import TicketSaved, parse
from engine.rundir import RunDirectory, Status, last_end
from engine.spec import RunSpec
from lthtui.doctor import sources
from lthtui.doctor.findings import Case, Finding, Severity

ASIDE = "spec.yaml.damaged"
SAVED = b'"ticket_saved"'
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # which takes a tenth of the time


def check(case: Case) -> Iterator[Finding]:
    """Look at every finished run: nothing else will read it again by itself."""
    for run, state in case.runs:
        if state != Status.FINISHED:
            continue
        try:
            yield from _spec(case, run)
            yield from _records(case, run)
        except OSError as error:
            message = f"{run.run_id} can't be read: {error.strerror}: {error.filename}"
            remedy = f"ls -la {shlex.quote(str(run.path))}"
            yield Finding("runs", Severity.ERROR, message, remedy)


def _spec(case: Case, run: RunDirectory) -> Iterator[Finding]:
    try:
        if "name" in yaml.load(run.spec_file.read_bytes(), _Loader):
            return
    except (yaml.YAMLError, ValueError, TypeError):
        pass
    message = f"{run.spec_file} is damaged"
    if _written(run) is None:
        remedy = f"ls -la {shlex.quote(str(run.path))}"
        yield Finding("runs", Severity.ERROR, f"{message}, and no ticket has a copy", remedy)
        return
    remedy = f"lthtui doctor --fix --root {shlex.quote(str(case.root))}"
    repair = functools.partial(_restore, run)
    message += f"; its tickets have a copy, and it would be moved to {ASIDE}"
    yield Finding("runs", Severity.ERROR, message, remedy, repair)


def _written(run: RunDirectory) -> RunSpec | None:
    """What a run was asked, as the cards of its tickets have it."""
    for card in sorted(run.levels.glob("*/ticket.json")):
        try:
            spec = RunSpec.model_validate(json.loads(card.read_bytes())["spec"])
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if run.run_id.startswith(rundir.run_id(spec, run.run_id.partition("-")[0])):
            return spec
    return None


def _restore(run: RunDirectory) -> str:
    spec = _written(run)
    if spec is None:
        raise LthError(f"{run.run_id}: no ticket has a copy of its spec any more")
    shutil.copy2(run.spec_file, run.path / ASIDE)
    sources.write(run, spec)
    return f"took the spec of {run.run_id} from its tickets; what was there is in {ASIDE}"


def _records(case: Case, run: RunDirectory) -> Iterator[Finding]:
    """Look at a journal, and at the levels that it or their folders tell of."""
    saved, odd = _journal(run)
    wrong = [*_levels(run, saved)]
    if odd:
        wrong.insert(0, f"{odd} line(s) of {run.events_file.name} are none of a journal's")
    elif last_end(run) is None:
        wrong.insert(0, f"{run.events_file.name} has lost its end")
    if not wrong:
        return
    message = f"{run.run_id} is damaged: {some(wrong)}; what can be read can be used"
    again = f"lthtui run {shlex.quote(str(run.spec_file))} --again"
    remedy = f"{again} --root {shlex.quote(str(case.root))}"
    yield Finding("runs", Severity.ERROR, message, remedy)


def _journal(run: RunDirectory) -> tuple[dict[str, int], int]:
    """Bytes of the tickets that a journal tells of, by path; and how many lines are no events."""
    saved, odd = dict[str, int](), 0
    try:
        with run.events_file.open("rb") as journal:
            for line in journal:
                odd += not line.startswith(b"{")
                event = parse(line) if SAVED in line else None
                if isinstance(event, TicketSaved):
                    saved[event.path] = event.bytes
    except FileNotFoundError:
        odd += 1
    return saved, odd


def _levels(run: RunDirectory, saved: dict[str, int]) -> Iterator[str]:
    """What is wrong with the files of levels; weights that were not kept are in no manifest."""
    told = ((run.path / path).parent for path in saved)
    for folder in sorted({*run.levels.glob("[0-9]*"), *told}):
        place = folder.relative_to(run.path)
        try:
            files = [*json.loads((folder / "manifest.json").read_bytes())["body"]["files"]]
        except (OSError, ValueError, LookupError, TypeError):
            yield f"{place} has no readable manifest.json"
            continue
        for name in files:
            if why := _file(folder / str(name), saved.get(f"{place}/{name}")):
                yield f"{place / str(name)} {why}"


def _file(file: Path, expected: int | None) -> str:
    """What is wrong with a file, as far as its size tells."""
    try:
        size = os.stat(file).st_size
    except FileNotFoundError:
        return "is gone"
    if size == 0 or expected not in (None, size):
        return f"has {size:,} bytes" + (f", not {expected:,}" if expected else "")
    return ""
