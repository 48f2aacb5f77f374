"""The seam every method stands behind: the moments at which it may act on a training.

A method is one file in `engine/sparsifiers/` with a `Settings` and a `Sparsifier` that overrides
the hooks it needs. Only `mask_before`, `mask_during` and `mask_after` may change a mask.

Each level has a sparsifier of its own, which takes over the `state_dict` of the level before: what
is not in there does not outlive a level, nor a restart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from engine.events import LevelEnded
from engine.plan import Level, Plan
from engine.plugin import Settings
from engine.spec import RunSpec

if TYPE_CHECKING:
    import torch

    from engine.context import Result
    from engine.masks import Mask
    from engine.training import Training

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Host:
    """What a run does for its method.

    Attributes:
        warn: reports what does not stop the run.
        initial: gives the weights, a state dict, that the run's network begins with under a number
            of `engine.seeds`.
    """

    warn: Callable[[str], object]
    initial: Callable[[int], dict[str, torch.Tensor]]


class Sparsifier(ABC, Generic[S]):
    """A method that decides which weights live."""

    labelled = False
    """Whether it goes by the classes that the network predicts, which not every loss knows."""

    dense_memory = False
    """Whether the optimizer remembers gradients of pruned weights too, as SNFS needs."""
    planned: frozenset[str] = frozenset()
    """Settings that show in its levels alone: equal ones are trained alike, whatever these are."""
    scale = 1.0
    """What the weights held in the network are multiples of; tickets say it on their card."""

    host: Host  # from before the first hook with tensors

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @abstractmethod
    def levels(self) -> Sequence[Level]:
        """The nominal plan, without touching torch."""

    @property
    def open_ended(self) -> bool:
        """Whether its last level is as if another followed, and leaves what that would start from.

        A finished run can then be extended from its last level on.
        """
        return False

    def check(self, spec: RunSpec, plan: Plan) -> None:
        """Refuse, without touching torch, what cannot be done in this plan.

        Raises:
            SpecError: `at` names the field to change.
        """

    def rests_on_shapes(self, spec: RunSpec) -> bool:
        """Whether the network's shapes may rule the settings out, which only a worker can tell.

        No is cheap: yes has every such run wait for torch before it is queued.
        """
        prunable = str(getattr(self.settings, "prunable", "conv"))
        dense = str(getattr(self.settings, "keep_dense", "none"))
        return prunable.startswith("re:") or dense != "none"

    def check_shapes(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Refuse what cannot be done with these prunable weights, which have no values yet.

        Raises:
            SpecError: `at` names the field to change.
        """

    def notes(self, spec: RunSpec, plan: Plan) -> list[str]:
        """What the user should know of this plan beside its numbers, without touching torch."""
        return []

    def proceed(
        self, history: Sequence[LevelEnded], level: Level, metric: Callable[[LevelEnded], float]
    ) -> bool:
        """Whether to train `level`, after the levels in `history`; at least one.

        Args:
            metric: what a level scores on the split and by the measure that select goes by.
        """
        return True

    def attach(self, training: Training) -> None:
        """See a level before its first step or after a resume, once `load_state_dict` is done.

        The network must keep its modules and the names of its parameters.
        """

    def parameter_groups(self, training: Training) -> list[dict[str, Any]]:
        """Groups of parameters with optimizer settings of their own, besides the network's.

        Each has `params` (name -> tensor) and may have `lr_factor` and `weight_decay`. Values are
        to be resumed from `state_dict`; the optimizer's memory of them is taken care of.
        """
        return []

    def mask_before(self, training: Training) -> Mask:
        """The mask a level trains under; called once, before its first step.

        It may run the network: buffers and gradients are put back.
        """
        return training.mask

    def mask_during(self, training: Training) -> tuple[Mask, bool] | None:
        """A new mask after a step's backward pass, and whether it replaces the optimizer's step.

        Gradients are dense here, and `training.shown` is the step's batch. None leaves the mask as
        it is.
        """
        return None

    def dense_gradients(self, training: Training) -> bool:
        """Whether the step being taken needs the gradients of pruned weights; for its cost only.

        Asked after `mask_during`, under the mask that the step ran with.
        """
        return self.dense_memory

    def weights_before(
        self, level: Level, weights: dict[str, torch.Tensor], rng: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """What a level starts from; `weights`, a state dict, is what the plan says.

        Called again after a resume, and must then give the same.
        """
        return weights

    def weights_during(self, training: Training) -> dict[str, torch.Tensor]:
        """By name, what the network computes with in place of parameters, such as gated weights.

        Gradients flow through them; scores are taken and tickets made with them.
        """
        return {}

    def penalty(self, training: Training) -> torch.Tensor | None:
        """A scalar added to the loss of a step."""
        return None

    def examples(self, training: Training) -> torch.Tensor | None:
        """Indices (int64, on the CPU) of the training images to use in a level; None for all."""
        return None

    def stretch(self, training: Training) -> float:
        """A factor on the epochs of a level, its warm-up and its learning-rate schedule."""
        return 1.0

    def keeps_optimizer(self, level: int) -> bool:
        """Whether level `level` goes on with what the optimizer remembers of the level before."""
        return False

    def stop(self, training: Training) -> bool:
        """Whether to end a level after the epoch that just ended."""
        return False

    def ticket(self, training: Training) -> tuple[Mask, dict[str, torch.Tensor]]:
        """What a level's ticket keeps: a mask and, by name, weights in place of the network's."""
        return training.mask, self.weights_during(training)

    def mask_after(self, training: Training) -> Mask:
        """The mask for the next level, from a level's final weights; called once if one follows."""
        return training.mask

    def metrics(self, training: Training) -> dict[str, float]:
        """Numbers to log for the epoch that just ended, by names such as `mask_distance`."""
        return {}

    def report(self, training: Training) -> Result | None:
        """Numbers and JSON documents to keep of a level at its end, after `mask_after`."""
        return None

    def state_dict(self) -> dict[str, torch.Tensor]:
        """What a resumed run needs to go on exactly as before."""
        return {}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take back what `state_dict` gave; tensors are on the CPU."""
