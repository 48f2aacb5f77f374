"""The verbs of the worker program: what lthtui has done in a process that may import torch."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import LthError, UsageError

if TYPE_CHECKING:
    from engine.spec import RunSpec


def main(arguments: list[str]) -> int:
    """Do what the arguments say; JSON on stdout, one line on stderr for an error.

    `RUN_DIR` alone trains the run in it. The verbs: ensure-store, sync, note, trash, restore,
    forget, verify, export, import, measure, pace, narrow, lay-out, clear and inspect.
    """
    try:
        if len(arguments) == 1 and arguments[0] not in VERBS and not arguments[0].startswith("-"):
            from engine import worker

            return worker.main(arguments[0])
        options = _parser().parse_args(arguments)
        report = VERBS[options.verb](options)
    except LthError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    json.dump(report, sys.stdout)
    print()
    return 0 if report.get("verified", True) and not report.get("failed") else 1


def _ensure_store(options: argparse.Namespace) -> dict[str, Any]:
    from engine.tracking import ensure_store

    return {"tracking_uri": ensure_store(options.root)}


def _sync(options: argparse.Namespace) -> dict[str, Any]:
    """Sync runs; what fails says so on stderr, too. `later`: what may pass, and in how many s."""
    from dataclasses import asdict

    from engine.errors import StoreAway
    from engine.tracking import sync_all

    done, failed, later = [], {}, {}
    for run, outcome in sync_all(options.runs):
        if not isinstance(outcome, LthError):
            done.append(asdict(outcome))
            continue
        failed[run] = str(outcome)
        print(outcome, file=sys.stderr)
        if isinstance(outcome, StoreAway):
            later[run] = outcome.later
    return {"runs": done, "failed": failed, "later": later}


def _note(options: argparse.Namespace) -> dict[str, Any]:
    from engine import lifecycle

    return lifecycle.each(lifecycle.note, options.runs)


def _trash(options: argparse.Namespace) -> dict[str, Any]:
    from engine import lifecycle

    return lifecycle.each(lifecycle.trash, options.runs)


def _restore(options: argparse.Namespace) -> dict[str, Any]:
    from engine import lifecycle

    return lifecycle.each(lifecycle.restore, options.runs)


def _forget(options: argparse.Namespace) -> dict[str, Any]:
    from engine import lifecycle

    return lifecycle.each(lifecycle.forget, options.runs)


def _verify(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from engine import verifying

    kind = "cuda" if torch.cuda.is_available() else "cpu"
    return verifying.verify(options.ticket, options.data_root, torch.device(kind))


def _export(options: argparse.Namespace) -> dict[str, Any]:
    from engine import exporting
    from engine.rundir import RunDirectory

    directory = RunDirectory.open(options.run)
    return exporting.export(directory, options.level, options.output, options.format)


def _import(options: argparse.Namespace) -> dict[str, Any]:
    from engine import exporting

    return exporting.bring(options.checkpoint, _spec(options.spec), options.output)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from engine import machine, measuring

    spec = _spec(options.spec)
    machine.keep_memory()  # as a worker does
    return measuring.measure(spec, machine.device(spec))


def _pace(options: argparse.Namespace) -> dict[str, Any]:
    """Say `ready`, and train for some seconds from when a line comes in."""
    from engine import machine, measuring

    def begin() -> None:
        print("ready", flush=True)
        if not sys.stdin.readline():
            raise UsageError("nobody is there any more to say when to begin")

    spec = _spec(options.spec)
    machine.keep_memory()
    return measuring.pace(spec, machine.device(spec), options.seconds, begin)


def _narrow(options: argparse.Namespace) -> dict[str, Any]:
    from engine import narrowing

    return narrowing.narrow(_spec(options.spec), options.parameters)


def _clear(options: argparse.Namespace) -> dict[str, Any]:
    """Say what runs could do without, or remove it, as a JSON file asks."""
    from engine import clearing

    return clearing.report(_asked(options.asked))


def _lay_out(options: argparse.Namespace) -> dict[str, Any]:
    """Say what the shapes of networks rule out, of everything that a JSON file asks about."""
    from engine import layouts

    return {"refusals": layouts.refusals(_asked(options.asked))}


def _inspect(options: argparse.Namespace) -> dict[str, Any]:
    """Look at a data set, and draw pictures of it, as a JSON file asks."""
    from engine import inspecting

    return inspecting.inspect(_asked(options.asked))


def _asked(file: Path) -> Any:
    """Read what a JSON file asks."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: not a list of what is asked: {error}") from None


VERBS = {
    "ensure-store": _ensure_store,
    "sync": _sync,
    "note": _note,
    "trash": _trash,
    "restore": _restore,
    "forget": _forget,
    "verify": _verify,
    "export": _export,
    "import": _import,
    "measure": _measure,
    "pace": _pace,
    "narrow": _narrow,
    "lay-out": _lay_out,
    "clear": _clear,
    "inspect": _inspect,
}


def _spec(path: Path) -> RunSpec:
    """Read a resolved spec, as lthtui writes it."""
    import yaml

    from engine.spec import RunSpec

    try:
        return RunSpec.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: not a resolved spec: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -P -m engine")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("ensure-store").add_argument("root", type=Path)
    for of_runs in ("sync", "note", "trash", "restore", "forget"):
        verbs.add_parser(of_runs).add_argument("runs", type=Path, nargs="+")
    verify = verbs.add_parser("verify")
    verify.add_argument("ticket", type=Path)
    verify.add_argument("--data-root")
    export = verbs.add_parser("export")
    export.add_argument("run", type=Path)
    export.add_argument("--level", default="best")
    export.add_argument("--format", choices=["ticket", "state_dict"], default="ticket")
    bring = verbs.add_parser("import")
    bring.add_argument("checkpoint", type=Path)
    bring.add_argument("--spec", type=Path, required=True)
    for verb in (export, bring):
        verb.add_argument("-o", "--output", type=Path, required=True)
    verbs.add_parser("measure").add_argument("spec", type=Path)
    pace = verbs.add_parser("pace")
    pace.add_argument("spec", type=Path)
    pace.add_argument("seconds", type=float)
    narrow = verbs.add_parser("narrow")
    narrow.add_argument("spec", type=Path)
    narrow.add_argument("parameters", type=int)
    for name in ("lay-out", "clear", "inspect"):
        verbs.add_parser(name).add_argument("asked", type=Path)
    return parser
