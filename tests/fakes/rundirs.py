"""Run folders made by hand: a spec and the journal that a worker would have written."""

from __future__ import annotations

import json
import math
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from engine.events import (
    EpochEnded,
    Evaluated,
    EvaluationFailed,
    Journal,
    LevelEnded,
    LevelStarted,
    RunEnded,
    RunStarted,
    TicketSaved,
    Winning,
)
from engine.rundir import Launch, RunDirectory, run_id, write_json
from engine.spec import RunSpec
from lthtui import identity, specfiles

TOTAL = 100_000
TICKET_BYTES = 1000
FLOPS = 3e6  # of the dense network, for one image
BEGAN = 1_790_000_000.0  # when the clock of these runs starts


class FakeRun:
    """A run folder whose events come when the test says so.

    Accuracy over levels is a parabola with its top at `top`; it starts from `dense`.
    """

    def __init__(
        self, root: Path, name: str, seed: int = 0, levels: int = 5, epochs: int = 4, **changes
    ) -> None:
        self.levels, self.epochs = levels, epochs
        self.dense, self.top = changes.pop("dense", 0.90), changes.pop("top", 3)
        spec = RunSpec.model_validate(
            {
                "name": name,
                "experiment": name,
                "seed": seed,
                "data": {"name": "digits", "validation": 300},
                "model": "resnet20",
                "sparsifier": {"name": "imp", "levels": levels},
                "train": {"epochs": epochs},
                **changes,
            }
        )
        self.directory = RunDirectory(root / "runs" / run_id(spec, "20261121"))
        self.directory.path.mkdir(parents=True)
        self.directory.spec_file.write_text(specfiles.write(spec))
        created = BEGAN + len(list(root.glob("runs/*")))
        os.utime(self.directory.spec_file, (created, created))
        identity.store(self.directory, spec)
        self.journal: Journal | None = None
        self.close: Callable[[], object] = lambda: None
        self.clock = BEGAN

    @property
    def run_id(self) -> str:
        return self.directory.run_id

    def start(self, *, alive: bool = False) -> FakeRun:
        """A worker opens the run; `alive` makes this very process pass for it."""
        if alive:
            from engine.processes import Process

            launch = Launch(
                attempt=1,
                backend="local",
                process=Process.of(os.getpid()),
                device="cpu",
                threads=1,
                time=time.time(),
            )
            write_json(self.directory.launch_file, launch.model_dump())
        self.open(1)
        self._append(
            RunStarted(
                levels=self.levels + 1,
                epochs=(self.levels + 1) * self.epochs,
                steps_per_epoch=4,
                images={"train": 200, "val": 300, "test": 797},
                subset="",
                parameters=TOTAL,
                prunable=TOTAL,
                flops=FLOPS,
                environment={},
            )
        )
        return self

    def open(self, attempt: int) -> None:
        """Have an attempt write the journal from now on; it is closed with the fake, unasked."""
        self.close()
        self.journal = Journal(self.directory.events_file, self.run_id, attempt)
        self.close = weakref.finalize(self, self.journal.close)

    def kept(self, level: int) -> int:
        return round(TOTAL * 0.8**level)

    def accuracy(self, level: int) -> float:
        return self.dense + 0.004 * (self.top**2 - (level - self.top) ** 2)

    def begin_level(self, level: int) -> None:
        kept = self.kept(level)
        self._append(
            LevelStarted(
                level=level,
                epoch=level * self.epochs,
                density=kept / TOTAL,
                kept=kept,
                total=TOTAL,
                epochs=self.epochs,
                steps=4 * self.epochs,
            )
        )

    def end_epoch(self, level: int, epoch: int, *, loss: float | None = None) -> None:
        """`epoch` counts from 1 within the level."""
        share = 1 - math.exp(-3 * epoch / self.epochs)
        self._append(
            EpochEnded(
                level=level,
                epoch=level * self.epochs + epoch,
                level_epoch=epoch,
                train_loss=2.3 * (1.05 - share) if loss is None else loss,
                train_accuracy=share,
                learning_rate=0.1,
                images_per_second=312.0,
                val_accuracy=share * self.accuracy(level),
            )
        )

    def end_level(self, level: int) -> None:
        kept = self.kept(level)
        at = {"level": level, "epoch": (level + 1) * self.epochs}
        self._append(
            LevelEnded(
                **at,
                density=kept / TOTAL,
                kept=kept,
                total=TOTAL,
                epochs=self.epochs,
                seconds=3.0,
                val_accuracy=self.accuracy(level),
                test_accuracy=self.accuracy(level) - 0.01,
                inference_flops=FLOPS * kept / TOTAL,
                training_flops=3 * 200 * self.epochs * FLOPS * kept / TOTAL,
            )
        )
        ticket = f"levels/{level:02d}/ticket.safetensors"
        self.keep(level, bytes(TICKET_BYTES))
        self._append(
            TicketSaved(
                **at,
                density=kept / TOTAL,
                kept=kept,
                total=TOTAL,
                sha256="0" * 64,
                path=ticket,
                bytes=TICKET_BYTES,
            )
        )

    def keep(self, level: int, ticket: bytes | None) -> None:
        """Have a level's folder hold a ticket, or none."""
        file = self.directory.level(level) / "ticket.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        if ticket is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(ticket)
        body = {"files": {} if ticket is None else {file.name: "0" * 64}, "meta": {}}
        file.with_name("manifest.json").write_text(json.dumps({"body": body, "sha256": ""}))

    def evaluate(self, level: int, name: str, metrics, **documents) -> FakeRun:
        """What an evaluation found of a level's ticket; documents by their names without suffix."""
        paths = []
        for file, document in documents.items():
            paths.append(f"evaluations/{level:02d}/{file}.json")
            path = self.directory.path / paths[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))
        self._append(Evaluated(level=level, name=name, metrics=metrics, files=tuple(paths)))
        return self

    def fail(self, level: int, name: str, error: str) -> FakeRun:
        """An evaluation of a level's ticket could not be made."""
        self._append(EvaluationFailed(level=level, name=name, error=error))
        return self

    def train(self, levels: int, epochs: int = 0) -> FakeRun:
        """Whole levels, and some epochs of the one after."""
        for level in range(levels):
            self.begin_level(level)
            for epoch in range(1, self.epochs + 1):
                self.end_epoch(level, epoch)
            self.end_level(level)
        if epochs:
            self.begin_level(levels)
            for epoch in range(1, epochs + 1):
                self.end_epoch(levels, epoch)
        return self

    def end(self, status: str = "finished", error: str | None = None) -> FakeRun:
        winning = None
        if status == "finished":
            best = max(range(1, self.levels + 1) or [0], key=self.accuracy)
            winning = Winning(
                level=best,
                density=self.kept(best) / TOTAL,
                val_accuracy=self.accuracy(best),
                test_accuracy=self.accuracy(best) - 0.01,
                ticket=f"levels/{best:02d}/ticket.safetensors",
                beats_dense=self.accuracy(best) > self.accuracy(0),
            )
        self._append(RunEnded(status=status, error=error, winning=winning))
        return self

    def queue(self) -> FakeRun:
        """An entry in the queue that no queue process looks at."""
        self.directory.queue_file.parent.mkdir(exist_ok=True)
        self.directory.queue_file.write_text("{}")
        return self

    def log(self, text: str) -> None:
        with self.directory.log_file.open("a", newline="") as file:
            file.write(text)

    def _append(self, event) -> None:
        self.clock += 1
        self.journal.append(event.model_copy(update={"time": self.clock}))


def populate(root: Path) -> dict[str, FakeRun]:
    """A root with runs of every status: a group of three seeds, a sweep, and single runs."""
    runs = {}
    for seed in range(2):
        runs[f"imp-s{seed}"] = FakeRun(root, "digits-imp", seed, dense=0.90 + 0.01 * seed)
        runs[f"imp-s{seed}"].start().train(6).end()
    runs["imp-s2"] = FakeRun(root, "digits-imp", 2, dense=0.91).start(alive=True).train(3, 2)
    runs["imp-s2"].log("level 3 epoch 2 loss 0.412\nepoch 3:  50%\repoch 3: 100%\n")
    runs["queued"] = FakeRun(root, "wide", 0, model="resnet32").queue()
    runs["failed"] = FakeRun(root, "diverging", 0, train={"epochs": 4, "batch_size": 20})
    runs["failed"].start().train(1, 1).end("failed", "the loss became NaN at level 1")
    runs["stopped"] = FakeRun(root, "halted", 0, train={"epochs": 4, "batch_size": 25})
    runs["stopped"].start().train(2).end("stopped")
    for rate in (0.3, 0.5):
        sparsifier = {"name": "imp", "rate": rate, "levels": 4}
        name = f"sweep-{rate}"
        runs[name] = FakeRun(root, "sweep", 0, levels=4, sparsifier=sparsifier, top=2)
        runs[name].start().train(5).end()
    return runs
