"""Takes over from a finished run what a longer one has in common with it: see `engine.growth`.

Each file is checked on its way, and each level appears whole. Whatever is done here may be done
again, so that a worker that is killed meanwhile goes on when it is started again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from engine import checkpoints, growth, levels, partials, selection, tickets
from engine.errors import Damaged, LthError, Stopped, UsageError
from engine.events import (
    EpochEnded,
    Evaluated,
    Event,
    LevelEnded,
    LevelStarted,
    MaskChanged,
    Tail,
    TicketSaved,
)
from engine.growth import Kept, Left, Shared
from engine.levels import CARD, TICKET
from engine.rundir import RunDirectory, write_json
from engine.setup import Setup

OF_A_LEVEL = (LevelStarted, EpochEnded, MaskChanged, LevelEnded, TicketSaved, Evaluated)


def take_over(setup: Setup) -> None:
    """Bring into a run's folder, once, what it shares with the run that its spec extends.

    What cannot be taken over is trained as in any run, and said.
    """
    directory, extends = setup.directory, setup.spec.extends
    if extends is None or directory.extends_file.exists():
        return
    source = RunDirectory(directory.root / "runs" / extends)
    try:
        found = _shared(setup, source)
    except (LthError, FileNotFoundError) as error:
        why = error if isinstance(error, LthError) else "there is no such run"
        setup.warn(f"{extends} is not taken over: {why}; all levels are trained")
        taken = {"levels": 0, "epochs": 0}
    else:
        _Taking(setup, source, found).take()
        taken = {"levels": found.levels, "epochs": found.epochs}
    write_json(directory.extends_file, {"run": extends, **taken})


def _shared(setup: Setup, source: RunDirectory) -> Shared:
    """What can be taken over, of what is there and intact.

    Raises:
        LthError: nothing, and why.
        OSError: the folder holds no run.
    """
    old = source.spec()
    if source.subset() != setup.data.subset.hash:
        raise UsageError("it was trained on other images than data.root gives now")
    found = growth.shared(old, setup.spec, len(setup.data.train), _intact(setup, source))
    if found.why:
        setup.warn(f"{source.run_id} is taken over up to level {found.levels - 1}: {found.why}")
    return found


def _intact(setup: Setup, source: RunDirectory) -> Kept:
    """What the folder holds that is as its checksums say; what is not is said."""

    def reads(folder: Path) -> bool:
        return _reads(folder, lambda why: setup.warn(f"{why}; it is not taken over"))

    seen = growth.look(source)
    whole: list[Left] = []
    for index, left in enumerate(seen.levels):
        if not reads(source.level(index)):
            break
        whole.append(left)
    rewinds = {step for step in seen.rewinds if reads(_rewind(source, step))}
    end = partials.last(source)
    return Kept(whole, rewinds, end is not None and reads(end))


class _Taking:
    """One finished run on its way into a longer one.

    Args:
        found: what is taken over.
    """

    def __init__(self, setup: Setup, source: RunDirectory, found: Shared) -> None:
        self.setup, self.source, self.found = setup, source, found
        self.spec, self.directory = setup.spec, setup.directory

    def take(self) -> None:
        """Take it over."""
        if self.found.epochs:
            self._take_epochs()
            return
        self._take_rewinds()
        journal = list(Tail(self.source.events_file).read())
        history: list[LevelEnded] = []
        metric = partial(selection.metric, self.spec.select)
        for planned in self.setup.plan.levels[: self.found.levels]:
            index = planned.level.index
            if self.setup.stopping():
                raise Stopped(
                    f"stopped before level {index} of {self.source.run_id} was taken over"
                )
            method = self.setup.sparsifier(index)
            if history and not method.proceed(history, planned.level, metric):
                break
            history.append(self._take_level(index, journal))

    def _take_rewinds(self) -> None:
        for point in self.setup.plan.rewinds:
            step = point.in_steps(self.setup.plan.steps_per_epoch)
            if step:
                _copy(_rewind(self.source, step), _rewind(self.directory, step))

    def _take_level(self, index: int, journal: list[Event]) -> LevelEnded:
        """Take over one level: first what the journal says of it, then its folder."""
        files, meta = checkpoints.read(self.source.level(index))
        ended = LevelEnded.model_validate(meta["ended"])
        if _reads(self.directory.level(index)):
            return ended  # before this worker was started
        saved = TicketSaved.model_validate(meta["saved"])
        if TICKET in files:
            files[TICKET], card = self._retold(files[TICKET])
            saved = saved.model_copy(update={"bytes": len(files[TICKET])})
        else:
            card = self._card(json.loads(files[CARD]))
        files[CARD] = levels.card_file(card)
        for event in journal:
            if event.level == index and isinstance(event, OF_A_LEVEL):
                self._emit(event, saved)
        self.setup.sync()
        meta = {**meta, "saved": saved.model_dump(mode="json")}
        checkpoints.write(self.directory.level(index), files, meta)
        return ended

    def _take_epochs(self) -> None:
        """Take over a single training with its last checkpoint, from which it goes on."""
        (planned,) = self.setup.plan.levels
        end = partials.last(self.source)
        assert end is not None, "looked for before"
        epochs = growth.epochs_of(planned, self.setup.plan.steps_per_epoch)
        for event in Tail(self.source.events_file).read():
            if isinstance(event, LevelStarted):
                more = {"epochs": epochs, "steps": planned.steps}
                self._emit(event.model_copy(update=more))
            elif isinstance(event, MaskChanged) or (
                # the last epoch's end comes again: what is scored then depends on the plan
                isinstance(event, EpochEnded) and event.level_epoch < self.found.epochs
            ):
                self._emit(event)
        self.setup.sync()
        _copy(end, self.directory.partial / end.name)

    def _emit(self, event: Event, saved: TicketSaved | None = None) -> None:
        """Write an event with the time that it has; files that it names come first."""
        if isinstance(event, TicketSaved) and saved is not None:
            event = event.model_copy(update={"bytes": saved.bytes})
        if isinstance(event, Evaluated):
            for file in _within(self.source.evaluations, self.source.path, event.files):
                target = self.directory.path / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.source.path / file, target)
        self.setup.emit(event)

    def _retold(self, data: bytes) -> tuple[bytes, dict[str, Any]]:
        """A ticket's file with a card that says which run it is of now."""
        ticket = tickets.parse(data)
        return tickets.serialise(
            tickets.Ticket(ticket.mask, ticket.rewind, ticket.trained, self._card(ticket.card))
        )

    def _card(self, card: dict[str, Any]) -> dict[str, Any]:
        return {**card, "digest": self.spec.digest, "spec": tickets.settings(self.spec)}


def _rewind(directory: RunDirectory, step: int) -> Path:
    return directory.rewind / f"{step:09d}"


def _copy(folder: Path, target: Path) -> None:
    """Copy a checkpoint that is not there yet, checking it on the way."""
    if not _reads(target):
        checkpoints.write(target, *checkpoints.read(folder))


def _reads(folder: Path, damaged: Callable[[str], object] = lambda why: None) -> bool:
    """Whether a checkpoint is there and intact."""
    try:
        checkpoints.read(folder)
    except Damaged as error:
        damaged(str(error))
        return False
    return True


def _within(folder: Path, home: Path, files: tuple[str, ...]) -> Iterator[str]:
    """Files of a run, by paths within its folder `home`, that exist and lie in `folder`."""
    for file in files:
        found = (home / file).resolve()
        if found.is_relative_to(folder.resolve()) and found.is_file():
            yield file
