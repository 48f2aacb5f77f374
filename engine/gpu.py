"""The NVIDIA driver's word on the first GPU that this process may see."""

from __future__ import annotations

import os
from typing import Any


def opened() -> tuple[Any, Any] | None:
    """The driver's library and its handle of the GPU; None without one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if not visible:
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        if visible.isdigit():
            return pynvml, pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(visible)
    except Exception:  # no driver, or no such GPU: nothing to say
        return None
