"""Shows a network fewer images at once where the device has no room for all of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine import causes
from engine.causes import Cause


def halved(says: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What `says` makes of each image, in halves where memory runs out.

    Args:
        says: of images [B, ...], makes values [B, ...], of each by itself; no gradients are needed.

    Raises:
        Exception: as `says`; also where there is no room for one image.
    """
    try:
        return says(x)
    except Exception as error:
        if causes.of(error) != Cause.MEMORY or len(x) < 2:
            raise
    torch.cuda.empty_cache()  # which does nothing where there is no GPU
    return torch.cat([halved(says, half) for half in x.tensor_split(2)])
