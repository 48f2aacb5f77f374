"""How much of a mask changes during training, and how much of what grows survives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import tickets
from engine.lazy import torch
from engine.masks import Mask

if TYPE_CHECKING:
    from torch import Tensor


class Churn:
    """Counts over the updates of an epoch.

    Attributes:
        before: the mask at the end of the epoch before.
        grown: what the newest update grew that was not alive.
        survived, of: of the weights that updates grew, how many outlived the next update's drop.
    """

    def __init__(self, mask: Mask) -> None:
        self.before = mask
        self.grown = Mask({name: torch.zeros_like(alive) for name, alive in mask.items()})
        self.survived = self.of = 0

    def updated(self, before: Mask, stayed: Mask, after: Mask) -> None:
        """See an update: the masks before it, after its drop, and after its growth."""
        self.of += self.grown.kept
        self.survived += sum(int((g & stayed[name]).sum()) for name, g in self.grown.items())
        self.grown = Mask({name: alive & ~before[name] for name, alive in after.items()})

    def metrics(self, mask: Mask) -> dict[str, float]:
        """The numbers of the epoch that just ended with `mask`; the next one counts anew."""
        fresh = sum(int((alive & ~self.before[name]).sum()) for name, alive in mask.items())
        found = {"mask_churn": fresh / mask.kept}
        if self.of:
            found["grown_survival"] = self.survived / self.of
        self.before, self.survived, self.of = mask, 0, 0
        return found

    def state_dict(self) -> dict[str, Tensor]:
        """What `load` takes."""
        packed = {"before": tickets.pack_mask(self.before), "grown": tickets.pack_mask(self.grown)}
        state = {f"{kind}/{name}": t for kind, p in packed.items() for name, t in p.items()}
        return {**state, "survived": torch.tensor([self.survived, self.of])}

    @classmethod
    def load(cls, state: dict[str, Tensor], device: torch.device) -> Churn:
        """Take back what `state_dict` gave."""
        parts: dict[str, dict[str, Tensor]] = {"before": {}, "grown": {}}
        for key, tensor in state.items():
            kind, _, name = key.partition("/")
            if kind in parts:
                parts[kind][name] = tensor
        masks = {kind: tickets.unpack_mask(part).to(device) for kind, part in parts.items()}
        churn = cls(masks["before"])
        churn.grown = masks["grown"]
        churn.survived, churn.of = (int(count) for count in state["survived"])
        return churn
