"""Commands about waiting and running: queue, cancel, pause, resume, retry, hold, release ..."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import FAILED, UsageError
from engine.rundir import RunDirectory, Status, status
from lthtui import people, runnames, settings
from lthtui.commands import Json, Root
from lthtui.commands.meant import Everything, Experiment, Meant, Run, Runs, User, meant
from lthtui.commands.runs import After, Hold, turn
from lthtui.commands.saying import say
from lthtui.counting import counted
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.launch.entries import Change
    from lthtui.launch.later import Later

_ELSEWHERE = "is in Slurm's own queue; `lthtui queue` says as which job, for scontrol"


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (cancel, pause, resume, retry, hold, release, priority, exchange, limit):
        app.command()(command)
    app.command("queue")(show_queue)


def show_queue(as_json: Json = False, root: Root = None) -> None:
    """List the runs that wait, in the order in which they are due, and why they do.

    Then the commands that wait for runs, by the names by which cancel, hold, release and priority
    take them.
    """
    from lthtui.launch import entries, later, queue, turns, waits

    folder = settings.root(root)
    queue.rouse(folder)
    waiting = turns.in_order(entries.read(folder))
    why = waits.reasons(folder, waiting)
    commands = later.read(folder)
    until = waits.until(folder, commands)
    facts: list[dict[str, Any]] = [
        {
            "name": entry.run_id,
            "run_id": entry.run_id,
            "command": None,
            "priority": entry.priority,
            "user": entry.user,
            "after": list(entry.after),
            "hold": entry.hold,
            "job": entry.job,
            "reason": why[entry.run_id],
            "error": None,
        }
        for entry in waiting
    ]
    facts += [
        {
            "name": one.name,
            "run_id": None,
            "command": one.verb,
            "priority": one.priority,
            "user": one.user,
            "after": list(one.after),
            "hold": one.hold,
            "job": None,
            "reason": until[one.name],
            "error": one.error,
        }
        for one in commands
    ]
    if as_json:
        typer.echo(json.dumps(facts))
        return
    if facts:
        _table(facts)
    else:
        say("nothing waits")


def cancel(
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    root: Root = None,
) -> None:
    """Stop runs at a checkpoint, or take them out of the queue; they can be resumed.

    A command that waits for runs, as `lthtui queue` lists it, is forgotten.
    """
    from lthtui.launch import later, stopping

    chosen = meant(root, names, experiment, everything, user)
    commands = chosen.commands()
    later.drop(chosen.root, commands)
    for one in commands:
        typer.echo(f"{one.name} dropped")
    _stop(chosen, partial(stopping.cancel, tell=say), commands)


def pause(
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    root: Root = None,
) -> None:
    """As cancel, but the runs count as paused."""
    from lthtui.launch import stopping

    chosen = meant(root, names, experiment, everything, user)
    _stop(chosen, partial(stopping.pause, tell=say))


def resume(
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    level: Annotated[
        int, typer.Option("--priority", min=-1000, max=1000, help="Higher starts before lower.")
    ] = 0,
    after: After = None,
    hold: Hold = False,
    root: Root = None,
) -> None:
    """Queue runs again; each goes on from its last checkpoint. In bulk, stopped and paused ones."""
    from lthtui.launch import queue

    chosen = meant(root, names, experiment, everything, user)
    found = chosen.runs(lambda run: status(run) in (Status.STOPPED, Status.PAUSED))
    if chosen.bulk and not found:
        say(chosen.none("is stopped or paused"))
    left = {"active": "is queued or running already", "finished": "is finished"}
    for one in queue.resume(found, turn=turn(chosen.root, level, after, hold)):
        typer.echo(f"{one.directory.run_id} {left.get(one.action, 'queued')}")


def retry(
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that would fail in the same way again.")
    ] = False,
    root: Root = None,
) -> None:
    """Queue runs again that failed or were lost; others are left alone."""
    from lthtui.launch import queue, retrying

    def failed(run: RunDirectory) -> bool:
        return status(run) in (Status.FAILED, Status.LOST)

    chosen, hopeless = meant(root, names, experiment, everything, user), False
    found = chosen.runs(failed)
    if chosen.bulk and not found:
        say(chosen.none("failed or was lost"))
    for run in found:
        if not failed(run):
            typer.echo(f"{run.run_id} is {status(run)}")
        elif (why := retrying.in_vain(run)) and not force:
            hopeless = True
            say(f"{run.run_id}: {why}; --force tries it all the same")
        else:
            queue.resume([run])
            typer.echo(f"{run.run_id} queued")
    if hopeless:
        raise typer.Exit(FAILED)


def hold(
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    root: Root = None,
) -> None:
    """Have waiting runs and commands wait on, until `lthtui release`."""
    from lthtui.launch import later, queue

    said = _Said("held", "was held already", "waits unheld")
    _change(meant(root, names, experiment, everything, user), queue.hold, later.hold, said)


def release(
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    root: Root = None,
) -> None:
    """Let held runs and commands have their turn; what is to be tried again has it at once.

    A command that waits for runs, and failed, is tried again.
    """
    from lthtui.launch import later, queue

    not_held = "was not held; `lthtui queue` says what it waits for"
    said = _Said("released", not_held, "was held")
    _change(meant(root, names, experiment, everything, user), queue.release, later.release, said)


def priority(
    level: Annotated[int, typer.Argument(min=-1000, max=1000, help="Higher starts before lower.")],
    names: Runs = None,
    experiment: Experiment = None,
    everything: Everything = False,
    user: User = None,
    root: Root = None,
) -> None:
    """Change the priority of waiting runs and commands. A negative one comes after `--`."""
    from lthtui.launch import later, queue

    _change(
        meant(root, names, experiment, everything, user),
        partial(queue.prioritise, priority=level),
        partial(later.prioritise, priority=level),
        _Said(f"has priority {level}", f"had priority {level} already", "waits with another"),
    )


def exchange(run: Run, other: Run, root: Root = None) -> None:
    """Give two waiting runs each other's turn, as `lthtui queue` shows it, and priority."""
    from lthtui.launch import entries, queue

    folder = settings.root(root)
    both = runnames.find(folder, [run, other])
    if len(both) != 2:
        raise UsageError(f"{run} and {other} are the same run; name two")
    if queue.exchange(*both):
        typer.echo(" and ".join(one.run_id for one in both) + " exchanged turns")
        return
    for one in both:
        entry = entries.find(one)
        if entry is None:
            say(_waits_not(folder, one.run_id))
        elif entry.job:
            say(f"{one.run_id} {_ELSEWHERE}")


def limit(
    most: Annotated[
        str | None, typer.Argument(help="Runs at once, or 'none' to lift the limit.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Of a person, by login or LTHTUI_USER; * is everybody else.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="On a device: cpu, a GPU's index or UUID; * is every other.")
    ] = None,
    root: Root = None,
) -> None:
    """Set how many runs a person may have running at once, or a device takes; or show it."""
    from lthtui.launch import limiting

    folder = settings.root(root)
    if most is None:
        if user or device:
            raise UsageError("say how many, such as `lthtui limit 2 --user alice`, or none")
        _show_limits(folder)
        return
    if (user is None) == (device is None):
        raise UsageError("a limit is of a person (--user NAME) or of a device (--device NAME)")
    if most != "none" and not (most.isdecimal() and int(most) <= 10_000):
        raise UsageError(f"'{clean_line(most)}' is no limit; give a number of runs, or none")
    runs = None if most == "none" else int(most)
    if user is not None:
        limiting.limit(folder, "users", user, runs)
        if runs is not None and limiting.stranger(folder, user):
            say(f"nobody has the login {clean_line(user)}, or has queued anything as that yet")
    elif device is not None:
        limiting.limit(folder, "devices", device, runs)
    _show_limits(folder)


def _stop(
    chosen: Meant, stop: Callable[[list[RunDirectory]], None], commands: Sequence[Later] = ()
) -> None:
    from lthtui.launch import retrying

    found = chosen.runs(retrying.goes_on, commands)
    active = [run for run in found if retrying.goes_on(run)]
    if not active and len(found) == 1:
        say(f"{found[0].run_id} neither runs nor waits: it is {status(found[0])}")
    elif not active and not commands:
        say(chosen.none("waits or runs") if chosen.bulk else "none of these runs waits or runs")
    stop(active)
    for run in active:
        typer.echo(f"{run.run_id} {status(run)}{_unevaluated(run)}")


def _unevaluated(run: RunDirectory) -> str:
    """What makes the evaluations that a finished run was kept from."""
    from lthtui import evaluations

    missed = evaluations.missed(run)
    more = counted(missed, "evaluation")
    return f"; `lthtui resume {run.run_id}` makes {more} that it lacks" if missed else ""


@dataclass(frozen=True)
class _Said:
    """What a command says of what it changed, of what was so already, and where it found none."""

    did: str
    already: str
    none: str


def _change(
    chosen: Meant,
    change_runs: Callable[[Sequence[RunDirectory]], dict[str, Change]],
    change_commands: Callable[[Path, Sequence[Later]], dict[str, Change]],
    said: _Said,
) -> None:
    commands = chosen.commands()
    found = chosen.runs(lambda run: run.queue_file.exists(), commands)
    became = {**change_commands(chosen.root, commands), **change_runs(found)}
    for name in [*(one.name for one in commands), *(run.run_id for run in found)]:
        what = became.get(name)
        if what == "changed":
            typer.echo(f"{name} {said.did}")
        elif what == "elsewhere":
            say(f"{name} {_ELSEWHERE}")
        elif not chosen.bulk:
            say(f"{name} {said.already}" if what else _waits_not(chosen.root, name))
    if chosen.bulk and "changed" not in became.values():
        say(chosen.none(said.none if became else "waits"))


def _waits_not(root: Path, name: str) -> str:
    return f"{name} does not wait: it is {status(RunDirectory(root / 'runs' / name))}"


def _table(facts: Sequence[dict[str, Any]]) -> None:
    from lthtui.aligned import aligned

    columns = {"name": "RUN", "priority": "PRIORITY", "user": "USER", "reason": "WHY"}
    if not people.others(one["user"] for one in facts):
        del columns["user"]
    rows = [[clean_line(str(one[key]), 1000) for key in columns] for one in facts]
    for line in aligned([*columns.values()], rows):
        typer.echo(line)


def _show_limits(root: Path) -> None:
    from lthtui.launch import limits

    known = limits.read(root)
    for kind, of in (("person", known.users), ("device", known.devices)):
        for name, most in of.items():
            typer.echo(f"{kind} {clean_line(name)}: {most} at once")
    if not (known.users or known.devices):
        say("no limits are set")
