"""The worker program's main verb: train the run in a folder, and leave with an exit code.

A launcher gives the attempt's number as LTHTUI_ATTEMPT. Where the store is out of reach, such as
on a cluster's node, LTHTUI_SINK=off leaves it to a `sync` elsewhere to bring the journal over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import TYPE_CHECKING

from engine import causes, checkpoints, outstanding
from engine.attempts import Attempt
from engine.causes import Cause
from engine.errors import FAILED, NO_ROOM, OK, RESUMABLE, Fenced, LthError, Stopped
from engine.events import (
    EpochEnded,
    Evaluated,
    EvaluationFailed,
    Event,
    Journal,
    LevelEnded,
    RunEnded,
    Tail,
    Warned,
)
from engine.rundir import RunDirectory, last_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.experiment import Experiment
    from engine.tracking import Sink

# How long MLflow may take for the rest. A launcher has somebody else bring that over, so that the
# device is free for the next run; a worker that is asked to stop will be killed after 30 s.
LEAVING_SECONDS, STOPPING_SECONDS, ENDING_SECONDS = 2.0, 25.0, 60.0


class Worker:
    """One attempt at a run: the claim, the journal, the sink and the signals around training."""

    def __init__(self, directory: RunDirectory, attempt: Attempt) -> None:
        self.directory, self.attempt, self.spec = directory, attempt, directory.spec()
        self.journal = Journal(directory.events_file, directory.run_id, attempt.number)
        self.stopping = False
        checkpoints.fence = attempt.check
        self._appending = threading.Lock()
        self.sink = self._open_sink()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._stop)

    def work(self) -> int:
        """Train to the end, or evaluate what is trained already; returns the exit code."""
        ended = last_end(self.directory)
        return self.evaluate() if ended and ended.status == "finished" else self.train()

    def train(self) -> int:
        """Train to the end; returns the exit code."""
        try:
            with self._experiment() as experiment:
                winning = experiment.run()
        except Fenced as error:
            say(str(error))
            return error.exit_code
        except Stopped as error:
            return self._end(RunEnded(status="stopped", error=str(error)), error.exit_code)
        except Exception as error:
            ended = RunEnded(status="failed", error=_message(error), cause=causes.of(error))
            return self._end(ended, error.exit_code if isinstance(error, LthError) else FAILED)
        return self._end(RunEnded(status="finished", winning=winning), OK)

    def evaluate(self) -> int:
        """Make the evaluations that a finished run still lacks; returns the exit code.

        The run has ended and stays so, whatever happens here: its journal gets no other end.
        """
        try:
            with self._experiment() as experiment:
                code = OK if experiment.evaluate() else FAILED
            self.journal.sync()
        except (Fenced, Stopped) as error:
            say(str(error))
            code = error.exit_code
        except Exception as error:
            code = self._give_up(error)
        self._leave(STOPPING_SECONDS if code == RESUMABLE else ENDING_SECONDS)
        return code

    def emit(self, event: Event) -> None:
        """Write an event to the journal and the log, and wake the sink."""
        self.attempt.check()
        with self._appending:
            new = self.journal.append(event)
        if new and not event.time:  # what is taken over was told when it happened
            narrate(event)
        if self.sink is not None:
            self.sink.wake()

    @contextlib.contextmanager
    def _experiment(self) -> Iterator[Experiment]:
        """The run, ready to go on, with the load of the machine sampled beside it."""
        from engine import machine, sampling
        from engine.experiment import Experiment

        device = machine.device(self.spec)
        threads = machine.settle(self.directory, self.spec)
        sampled = sum(event.kind == "sampled" for event in Tail(self.directory.events_file).read())
        sampler = sampling.Sampler(self.emit, self.directory.path, sampled)
        try:
            yield Experiment(
                self.directory,
                self.spec,
                device,
                self.emit,
                self._sync,
                lambda: self.stopping or self.attempt.replaced,
                machine.environment(device, threads),
            )
        finally:
            sampler.close()

    def _sync(self) -> None:
        self.attempt.check()
        self.journal.sync()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _open_sink(self) -> Sink | None:
        if self.spec.tracking == "off" or os.environ.get("LTHTUI_SINK") == "off":
            return None
        from engine.tracking import Sink

        sink = Sink(self.directory, self.spec)
        sink.start()
        return sink

    def _give_up(self, error: Exception) -> int:
        """Report of each evaluation that a finished run lacks what kept it from being made.

        Nothing but the exit code tells of a full disk: once there is room, they are tried again.
        """
        message = _message(error)
        say(message)
        try:
            if causes.of(error) == Cause.DISK:
                return NO_ROOM
            for task in outstanding.unreached(self.directory, self.spec):
                name = task.settings.label
                self.emit(EvaluationFailed(level=task.level, name=name, error=message))
        except (OSError, Fenced) as problem:
            say(f"that could not be written to the journal: {problem}")
            return NO_ROOM if causes.of(problem) == Cause.DISK else FAILED
        return error.exit_code if isinstance(error, LthError) else FAILED

    def _end(self, ended: RunEnded, code: int) -> int:
        """Report how it ended, as far as the disk and the store allow."""
        if ended.error:
            say(ended.error)
        try:
            self.emit(ended)
            self.journal.sync()
        except (OSError, Fenced) as problem:
            say(f"the end of the run could not be written to the journal: {problem}")
            code = NO_ROOM if causes.of(problem) == Cause.DISK else code
        self._leave(STOPPING_SECONDS if ended.status == "stopped" else ENDING_SECONDS)
        return code

    def _leave(self, patience: float) -> None:
        """Have the sink deliver the rest, as far as that is worth waiting for."""
        if self.sink is None:
            return
        if self.attempt.launched:
            if not self.sink.close(LEAVING_SECONDS if self.sink.delivers else 0.0):
                say("the queue brings the rest over into MLflow")
        elif not self.sink.close(patience):
            say(f"MLflow does not have everything; later: lthtui sync {self.directory.run_id}")


def main(run_dir: str) -> int:
    """Train the run in `run_dir`; see `engine.errors` for exit codes."""
    os.umask(0o077)
    directory = RunDirectory.open(run_dir)
    number = os.environ.get("LTHTUI_ATTEMPT")
    try:
        attempt = Attempt(directory, int(number) if number else None)
        try:
            return Worker(directory, attempt).work()
        finally:
            attempt.close()
    except OSError as error:
        say(_io_message(error))
        return NO_ROOM if causes.of(error) == Cause.DISK else FAILED


def narrate(event: Event) -> None:
    """Write what a person wants to read of an event to the run's log."""
    if isinstance(event, EpochEnded):
        val = "" if event.val_accuracy is None else f"  val {event.val_accuracy:.2%}"
        say(
            f"level {event.level}  epoch {event.level_epoch}  loss {event.train_loss:.4f}"
            f"  train {event.train_accuracy:.2%}{val}  lr {event.learning_rate:.4g}"
            f"  {event.images_per_second:.0f} img/s{_own(event)}"
        )
    elif isinstance(event, LevelEnded):
        test = "" if event.test_accuracy is None else f"  test {event.test_accuracy:.2%}"
        val = "" if event.val_accuracy is None else f"  val {event.val_accuracy:.2%}"
        epochs = f"{event.epochs} epoch{'' if event.epochs == 1 else 's'}"
        say(
            f"level {event.level} done after {epochs}  density {event.density:.2%}"
            f" ({event.kept:,}/{event.total:,}){val}{test}  {event.seconds:.1f} s"
        )
    elif isinstance(event, Evaluated):
        found = "  ".join(f"{name} {value:.4g}" for name, value in event.metrics.items())
        why = event.inapplicable
        told = f" does not apply: {why}" if why else f": {found or 'done'}"
        say(f"level {event.level}  {event.name}{told}")
    elif isinstance(event, EvaluationFailed):
        say(f"level {event.level}  {event.name} failed: {event.error}")
    elif isinstance(event, Warned):
        say(f"warning: {event.message}")
    elif isinstance(event, RunEnded):
        say(event.status)


def _own(event: EpochEnded) -> str:
    """What the method has to say of an epoch."""
    return "".join(f"  {name} {value:.4g}" for name, value in event.metrics.items())


def say(message: str) -> None:
    """One line in the run's log, if the disk has room for it."""
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stdout, flush=True)


def _io_message(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return (
            f"the disk is full{where}; free some space, then `lthtui resume` goes on from the"
            " last checkpoint"
        )
    return f"{error.strerror or error}{where}"


def _message(error: Exception) -> str:
    """What went wrong, in a line for people; what nobody foresaw has its traceback in the log."""
    if isinstance(error, LthError):
        return str(error)
    if isinstance(error, OSError):
        return _io_message(error)
    traceback.print_exception(error)
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    if "out of memory" in text.lower():
        return f"{text}; lower train.batch_size or launch.per_device"
    return text
