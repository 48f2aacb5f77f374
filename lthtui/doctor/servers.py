"""MLflow servers that runs are logged to: whether they answer us, and what they have yet to get."""

from __future__ import annotations

import functools
import shlex
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from urllib.parse import urlsplit

from engine import remote
from engine.errors import StoreDenied, StoreError
from engine.rundir import RunDirectory, Status
from lthtui.doctor.findings import Case, Finding, Severity, behind, tracking

PATIENCE = 5.0  # seconds for all servers together, each of which is asked once


def check(case: Case) -> Iterator[Finding]:
    """Ask every server that a run of the root is logged to."""
    runs = defaultdict[str, list[RunDirectory]](list)
    missing = defaultdict[str, list[RunDirectory]](list)
    for run, state in case.runs:
        if "://" in (address := tracking(run)):
            runs[address].append(run)
            if state != Status.RUNNING and behind(run):
                missing[address].append(run)
    for address, trouble in _asked(runs).items():
        yield _finding(case, address, len(runs[address]), missing[address], trouble)


def _finding(
    case: Case,
    address: str,
    count: int,
    missing: Sequence[RunDirectory],
    trouble: StoreError | None,
) -> Finding:
    left = f"{len(missing)} of {count} run(s) are still to be delivered there"
    if trouble is None:
        message = f"{_shown(address)} answers; {left if missing else f'it has all {count} run(s)'}"
        if not missing:
            return Finding("servers", Severity.FINE, message)
        remedy = f"lthtui sync {shlex.join(run.run_id for run in missing[:20])}"
        repair = functools.partial(case.sync, missing)
        return Finding("servers", Severity.WARNING, message, remedy, repair)
    message = f"{trouble}; {left}: `lthtui sync` once it can be reached"
    remedy = f"curl -sS {shlex.quote(f'{_shown(address)}/health')}"
    if isinstance(trouble, StoreDenied):
        remedy = f"export {remote.USERNAME}=... {remote.PASSWORD}=..."
    return Finding("servers", Severity.WARNING, message, remedy)


def _asked(addresses: Collection[str]) -> dict[str, StoreError | None]:
    """What is wrong with servers; all are asked at once, and left when the time is over."""
    late = f"did not answer within {PATIENCE:.0f} s"
    found: dict[str, StoreError | None] = {
        address: StoreError(f"{_shown(address)} {late}") for address in addresses
    }

    def ask(address: str) -> None:
        try:
            remote.greet(address, PATIENCE)
            found[address] = None
        except StoreError as error:
            found[address] = error

    asking = [threading.Thread(target=ask, args=(one,), daemon=True) for one in addresses]
    deadline = time.monotonic() + PATIENCE
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def _shown(address: str) -> str:
    """An address without the name and password that it may hold."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
