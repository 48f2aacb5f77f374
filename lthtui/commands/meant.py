"""What a command on runs is about: those that are named, or one's own of an experiment, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import completion, people, runnames, settings
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from lthtui.launch.later import Later

T = TypeVar("T")
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=completion.runs,
        help="Any unique part of a run's id, NAME-s0, or @last.",
    ),
]
Runs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
        autocompletion=completion.any_runs,
        help="Any unique part of a run's id, NAME-s0, @last; or a NAME, for all its seeds.",
    ),
]
Experiment = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.experiments,
        help="All your runs of an experiment instead.",
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All your runs instead.")]
User = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="With --all or --experiment: this person's runs instead of yours, by login or"
        " LTHTUI_USER; * is everybody's.",
    ),
]


@dataclass(frozen=True)
class Meant:
    """What a command is about.

    Attributes:
        names: runs, however people name them; empty for a bulk command.
        experiment: that of which all are meant; None for any.
        user: whose are meant; None for one's own, `*` for everybody's. Named runs are taken
            whoever's they are.
    """

    root: Path
    names: tuple[str, ...]
    experiment: str | None
    user: str | None

    @property
    def bulk(self) -> bool:
        """Whether no run is named."""
        return not self.names

    def commands(self) -> list[Later]:
        """The commands that wait for runs, as `lthtui queue` lists them, that are meant."""
        from lthtui.launch import later

        waiting = later.read(self.root)
        if self.names:
            known = {one.name: one for one in waiting}
            return [known[word] for word in dict.fromkeys(self.names) if word in known]
        found = [one for one in waiting if self.experiment in (None, one.experiment)]
        return self._own(found, "waiting command", lambda one: one.user)

    def runs(
        self, apt: Callable[[RunDirectory], bool], besides: Sequence[Later] = ()
    ) -> list[RunDirectory]:
        """The runs that are meant; what was left to others is said.

        Args:
            apt: whether the command would change a run; asked of those that are not named.
            besides: what is dealt with already, and its name is no run's.

        Raises:
            UsageError: they are not there.
        """
        if self.names:
            words = [word for word in self.names if word not in {one.name for one in besides}]
            named = [run for word in words for run in runnames.seeds(self.root, word)]
            return [*{run.run_id: run for run in named}.values()]
        found = runnames.every(self.root)
        if self.experiment is not None:
            found = [run for run in found if runnames.experiment(run) == self.experiment]
            if not found and not besides:
                name = clean_line(self.experiment)
                raise UsageError(f"no run of an experiment '{name}' in {self.root}")
        return self._own([run for run in found if apt(run)], "run", people.of)

    def none(self, what: str) -> str:
        """That no run is as it would have to be, such as that none `waits`."""
        whose = {None: "none of your runs", people.EVERYBODY: "no run"}
        return f"{whose.get(self.user) or f'no run of {clean_line(str(self.user))}'} {what}"

    def _own(self, found: Sequence[T], what: str, whose: Callable[[T], str]) -> list[T]:
        """Those of the person who is meant; says what others have, unless that was asked for."""
        owners = [whose(one) for one in found]
        taken = [people.meant(owner, self.user) for owner in owners]
        if self.user is None:
            theirs = [owner for owner, mine in zip(owners, taken, strict=True) if not mine]
            if told := people.left_alone(theirs, what):
                typer.echo(clean(told), err=True)
        return [one for one, mine in zip(found, taken, strict=True) if mine]


def meant(
    root: Path | None,
    names: Sequence[str] | None,
    experiment: str | None,
    everything: bool,
    user: str | None,
) -> Meant:
    """What the arguments and options of a command say.

    Raises:
        UsageError: none are named, or in two ways at once.
    """
    if sum((bool(names), experiment is not None, everything)) != 1:
        raise UsageError("name runs, or give --experiment NAME, or --all")
    if names and user is not None:
        raise UsageError("--user goes with --all or --experiment NAME; named runs are taken anyway")
    return Meant(settings.root(root), tuple(names or ()), experiment, user)
