"""Training one level: the live state, and the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from engine import adversarial, auxiliary, flops, images, masks, seeds, sharpness
from engine.averaging import Average
from engine.errors import DataError
from engine.evaluation import Judge
from engine.images import Batch, Splits
from engine.masks import Mask
from engine.mixing import mixed_targets
from engine.neighbours import Neighbours
from engine.optim import Optimizer, last_learning_rate, learning_rate
from engine.plan import Level, in_steps, steps_per_epoch
from engine.registry import load
from engine.sparsifier import Sparsifier
from engine.spec import RunSpec


@dataclass
class Tally:
    """Sums over the part of an epoch that is trained, kept on the device to avoid waiting for it.

    Attributes:
        loss: sum over images of the objective, float64.
        correct: images whose class was predicted while training, int64.
        seen: images.
        seconds: time spent training them.
    """

    loss: Tensor
    correct: Tensor
    seen: int = 0
    seconds: float = 0.0

    @classmethod
    def empty(cls, device: torch.device) -> Tally:
        """Nothing trained yet."""
        zero = torch.zeros((), dtype=torch.float64, device=device)
        return cls(zero, torch.zeros((), dtype=torch.int64, device=device))


@dataclass(frozen=True)
class Shown:
    """The batch of a step: ids (int64, on the CPU), classes [B], and detached logits [B, C]."""

    ids: Tensor
    targets: Tensor
    logits: Tensor


class Training:
    """The live state of one level.

    Attributes:
        net: the network, a plain module; pruned weights are exactly zero between steps.
        mask: which weights live, on the network's device.
        level: the level that is trained.
        schedule: how it is trained; as the spec says, or stretched by the sparsifier.
        planned: the level in steps.
        position: schedule position of the next step, from `planned.first` to `planned.end`.
        data: images on the device.
        examples: indices of the training images in use; None for all.
        shown: the batch of the newest step.
        ended: whether the sparsifier stopped the level; None while an epoch goes on.
        flops: what an image's way through the network costs.
        spent: operations of this level's training so far, those with pruned weights left out.
        average: of the weights since the level began; None unless `train.ema` asks for it.
    """

    shown: Shown

    def __init__(
        self,
        spec: RunSpec,
        level: Level,
        data: Splits,
        net: nn.Module,
        mask: Mask,
        device: torch.device,
    ) -> None:
        self.spec, self.level, self.data, self.net, self.device = spec, level, data, net, device
        self.use(None)
        self.ended: bool | None = None
        self.tally = Tally.empty(device)
        self.flops = flops.count(net, data.train.x.shape[1], data.geometry.size)
        self.spent = 0.0
        self._dense_memory = False
        self._augment: ModuleType = load("augmentations", spec.augmentation.name)
        self._loss: ModuleType = load("losses", spec.loss.name)
        self._views: int = getattr(self._loss, "VIEWS", 1)
        self._bf16 = spec.train.in_bf16(device.type)
        self._named = dict(net.named_parameters())
        self._prunable = masks.prunable(net, spec.prunable)
        self.average: Average | None = None
        self.set_mask(mask)

    def use(self, examples: Tensor | None, stretch: float = 1.0) -> None:
        """Train on these images (int64 indices on the CPU) only; None for all.

        Epochs get shorter with fewer images, so the level's positions are counted anew. There are
        as many epochs as the spec says, times `stretch`.

        Raises:
            DataError: the images make no batch.
        """
        self.examples = examples
        self.schedule = self.spec.train.whole.stretched(stretch)
        count = len(self.data.train) if examples is None else len(examples)
        self.steps_per_epoch = steps_per_epoch(count, self.spec.train.batch_size)
        if not self.steps_per_epoch:
            raise DataError(f"{count} training image(s) make no batch; at least 2 are needed")
        self.planned = in_steps(self.level, self.steps_per_epoch, self.schedule.epochs)
        self.position = self.planned.first

    @property
    def epoch(self) -> int:
        """The schedule's epoch, from 0, that is being trained or has just ended."""
        # a checkpoint may lie between the last step of an epoch and its result
        return (self.position - bool(self.tally.seen)) // self.steps_per_epoch

    def prunable(self) -> dict[str, nn.Parameter]:
        """The parameters that the sparsifier may prune, by name."""
        return self._prunable

    def rng(self, *key: str | int) -> torch.Generator:
        """A CPU generator for a stream of this level; the same numbers in any process."""
        return seeds.rng(self.spec.seed, *key, self.level.stream)

    def set_mask(self, mask: Mask) -> None:
        """Put a mask in place: pruned weights become zero, and stay so."""
        self.mask = mask.to(self.device)
        self._masked = [
            (p, self.mask[name]) for name, p in self._prunable.items() if not self.mask[name].all()
        ]
        with torch.no_grad():
            for parameter, alive in self._masked:
                parameter.mul_(alive)
        self._factors = [
            alive.to(p.dtype).contiguous(memory_format=masks.layout(p)) for p, alive in self._masked
        ]
        self._sparse_flops = self.flops.sparse(self.mask)
        if hasattr(self, "optimizer") and not self._dense_memory:
            self.optimizer.mask_(self.mask)
        if self.average:
            self.average.mask_(self.mask)

    def start_optimizer(self, sparsifier: Sparsifier[Any]) -> None:
        """A new optimizer, with nothing remembered, and no gradients."""
        self.net.zero_grad()
        self._dense_memory = sparsifier.dense_memory
        extra = sparsifier.parameter_groups(self)
        self.optimizer = Optimizer(self.spec.train, self.net.named_parameters(), extra)
        self.average = Average(self.net, self.spec.train.ema) if self.spec.train.ema else None

    def learning_rate(self, position: int) -> float:
        """The learning rate of the step at a schedule position."""
        if self.level.learning_rate == "last":
            return last_learning_rate(self.schedule, self.steps_per_epoch)
        return learning_rate(self.schedule, position, self.steps_per_epoch)

    def autocast(self) -> torch.autocast:
        """The arithmetic that the spec asks for on this device."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16)

    def augmented(self, ids: Tensor, *draw: str | int, mixed: bool = True) -> Batch:
        """Training images `ids` (int64 [B], on the CPU) as they are shown.

        Where the loss compares views of images, all first views come before all second ones.

        Args:
            draw: names what is drawn for them; by default that of the next step.
            mixed: whether images may be mixed with others, where the spec asks for that.
        """
        batch = self.data.train.batch(ids.repeat(self._views), self.data.geometry)
        rng = self.rng("augment", *(draw or (self.position,)))
        settings = self.spec.augmentation
        if not mixed:
            settings = settings.model_copy(update={"mixup": 0.0, "cutmix": 0.0})
        shown: Batch = self._augment.augment(settings, batch, rng)
        return shown

    def inputs(self, batch: Batch) -> Tensor:
        """Normalised images [B, C, size, size], channels last."""
        return images.normalise(batch.x, batch.geometry)

    def predictions(self) -> Tensor:
        """Classes int64 [N] of all training images, on the CPU: not augmented, in test mode."""
        self.charge(len(self.data.train), 1)
        return self._outputs().argmax(1).cpu()

    def judge(self) -> Judge:
        """How the network is scored: by its own logits, or by what is near to its features."""
        if self._views == 1:
            return Judge(self.loss, self.autocast)
        train = self.data.train
        near = Neighbours.of(self._outputs(), train.y, len(train.classes))
        return Judge(functional.cross_entropy, self.autocast, near)

    def _outputs(self) -> Tensor:
        """What the network gives for all training images: not augmented, in test mode."""
        plain, data = load("augmentations", "none"), self.data.train
        was_training, found = self.net.training, []
        self.net.eval()
        with torch.inference_mode():
            for ids in torch.split(torch.arange(len(data)), self.spec.train.batch_size):
                batch = data.batch(ids, self.data.geometry)
                shown = plain.augment(plain.Settings(), batch, self.rng("plain"))
                found.append(self.forward(self.inputs(shown)))
        self.net.train(was_training)
        return torch.cat(found)

    def charge(self, count: int, passes: float) -> None:
        """Add to what the level costs `passes` forward passes over `count` images.

        A backward pass is two: one for the gradients of activations, one for those of weights.
        """
        self.spent += count * passes * self._sparse_flops

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The objective, a scalar averaged over the batch."""
        loss: Tensor = self._loss.loss(self.spec.loss, logits, targets)
        return loss

    def _hits(self, logits: Tensor, targets: Tensor) -> Tensor:
        """bool [B]: the images of a step that the network gets right."""
        if self._views == 1:
            return logits.argmax(1) == targets
        hits: Tensor = self._loss.hits(self.spec.loss, logits, targets)
        return hits

    def forward(self, x: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logits [B, classes], with `weights` in place of the parameters of their names."""
        with self.autocast():
            if weights:
                return functional_call(self.net, dict(weights), (x,))  # type: ignore[no-any-return]
            logits: Tensor = self.net(x)
        return logits

    def averaged(self) -> AbstractContextManager[None]:
        """With the average of the weights in the network, where one is kept."""
        return self.average.worn() if self.average else nullcontext()

    def take_average(self) -> None:
        """Leave the average of the weights, where one is kept, in the network for good."""
        if self.average:
            self.net.load_state_dict(self.average.state)

    @contextmanager
    def wearing(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """With `weights`, masked, in the parameters of their names; what was there comes back."""
        own = {name: self._named[name].detach().clone() for name in weights}
        self.wear(weights)
        yield
        self.wear(own)

    @torch.no_grad()
    def wear(self, weights: Mapping[str, Tensor]) -> None:
        """Copy `weights`, masked, to the parameters of their names."""
        for name, weight in weights.items():
            alive = self.mask.get(name)
            self._named[name].copy_(weight if alive is None else weight * alive)

    def take_step(self, ids: Tensor, sparsifier: Sparsifier[Any]) -> None:
        """One optimizer step on the training images `ids` (int64, on the CPU)."""
        batch, train = self.augmented(ids), self.spec.train
        targets = self.data.train.y.index_select(0, ids.to(self.device, non_blocking=True))
        loss, logits = self._backward(batch, targets, sparsifier)
        self.shown = Shown(ids, targets, logits)
        if train.sam:
            statistics = sharpness.statistics_kept(self.net)
            with sharpness.climbed(self._named, self.mask, train.sam), statistics:
                self.optimizer.zero_grad()
                self._backward(batch, targets, sparsifier)
        changed = sparsifier.mask_during(self)
        weights = self.flops.dense if sparsifier.dense_gradients(self) else self._sparse_flops
        shown = len(batch.x) * (1 + bool(train.sam)) * (1 + bool(train.advprop.steps))
        self.spent += shown * (2 * self._sparse_flops + weights)
        if changed is not None:
            self.set_mask(changed[0])
        if changed is None or not changed[1]:
            self.move()
        self.optimizer.zero_grad()
        if self.average:
            self.average.update()
        self.tally.loss += loss * len(ids)
        self.tally.correct += self._hits(logits, targets).sum()
        self.tally.seen += len(ids)
        self.position += 1

    def _backward(
        self, batch: Batch, targets: Tensor, sparsifier: Sparsifier[Any]
    ) -> tuple[Tensor, Tensor]:
        """Take the gradients of the objective; what it is, and the logits [B, classes]."""
        seeds.settle(self.device, self.spec.seed, "step", self.level.stream, self.position)
        weights = sparsifier.weights_during(self)
        logits = self.forward(self.inputs(batch), weights)
        loss = self._objective(logits, targets, batch)
        if self.spec.train.advprop.steps:
            loss = (loss + self._adversarial(batch, targets, weights)) / 2
        penalty = sparsifier.penalty(self)
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), logits.detach()

    def _objective(self, logits: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """The loss of a batch, whose images may be of two classes each."""
        if batch.mix is not None:
            targets = mixed_targets(targets, batch.mix, logits.shape[1])
        return self.loss(logits, targets)

    def _adversarial(
        self, batch: Batch, targets: Tensor, weights: Mapping[str, Tensor] | None
    ) -> Tensor:
        """The loss of images that are made to be hard, with the normalisations that are theirs."""
        settings = self.spec.train.advprop

        def loss(x: Tensor) -> Tensor:
            logits = self.forward(self.inputs(replace(batch, x=x)), weights)
            return self._objective(logits, targets, batch)

        with auxiliary.adversarial(self.net):
            self.net.eval()
            rng = self.rng("attack", self.position)
            x = adversarial.attacked(batch.x, loss, settings, rng)
            self.net.train()
            self.charge(len(x), 2 * settings.steps)
            return loss(x)

    def move(self) -> None:
        """Take the optimizer's step, and keep pruned weights exactly zero.

        `take_step` does so; a `mask_during` that changes the mask after the step calls this first,
        and then says that it replaced the step. Gradients of pruned weights may be gone then.

        Pruned weights and their momentum are zero when a mask is set; with zero gradients, weight
        decay and momentum keep them so, and one pass per step is enough. An optimizer that
        remembers dense gradients moves pruned weights too, which are then put back.
        """
        if self._factors and not self._dense_memory:
            gradients = cast("list[Tensor]", [p.grad for p, _ in self._masked])
            torch._foreach_mul_(gradients, self._factors)
        self.optimizer.step(self.learning_rate(self.position))
        if self._factors and self._dense_memory:
            with torch.no_grad():
                torch._foreach_mul_([p for p, _ in self._masked], self._factors)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """All tensors that resuming needs, on any device."""
        tally = {"loss": self.tally.loss, "correct": self.tally.correct}
        return {
            "net": dict(self.net.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "tally": tally,
        }

    def load_state(
        self, state: dict[str, dict[str, Tensor]], position: int, seen: int, seconds: float
    ) -> None:
        """Take back what `state` gave, and go on from `position`."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.position = position
        loss, correct = (state["tally"][k].to(self.device) for k in ("loss", "correct"))
        self.tally = Tally(loss, correct, seen, seconds)
