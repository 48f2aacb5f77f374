"""Checkpoints that other programs wrote: mappings of tensors, read without running any code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import DataError, UsageError


def read(path: Path) -> dict[str, dict[str, Tensor]]:
    """All mappings of tensors in a checkpoint, by key; the file's own under an empty key.

    Raises:
        UsageError: there is no such file.
        DataError: it holds something else than tensors, or is damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        return {"": _safe(path)}
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # what torch says of it advises to run the code
        raise DataError(
            f"{path}: no checkpoint, or one that cannot be read without running code from it; save"
            " plain tensors instead: torch.save(net.state_dict(), path)"
        ) from None
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: not a mapping of tensors")
    groups = {str(k): _tensors(v) for k, v in content.items() if isinstance(v, Mapping)}
    return {"": _tensors(content), **groups}


def _safe(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _tensors(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path}: not a safetensors file, or a damaged one ({error})") from None


def _tensors(group: Mapping[str, Any]) -> dict[str, Tensor]:
    return {str(k).removeprefix("module."): v for k, v in group.items() if isinstance(v, Tensor)}
