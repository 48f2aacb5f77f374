"""torch, imported at first use, so that describing a run never costs seconds.

Choice files write `from engine.lazy import torch`: their settings can then be read by programs
that never import torch. Type checkers see the real module.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


if TYPE_CHECKING:
    import torch as torch
    from torch.nn import functional as functional
else:
    torch = _Lazy("torch")
    functional = _Lazy("torch.nn.functional")
