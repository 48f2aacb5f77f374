"""How charts of a kind were drawn last, remembered between sessions."""

from __future__ import annotations

from typing import Any, get_args

from lthtui import state
from lthtui.charts.axes import SCALES
from lthtui.charts.panel import How, XName
from lthtui.charts.spread import BANDS

SECTION = "charts"
MOST = 1_000_000  # points that a half-life may have


def recall(kind: str) -> How:
    """How they were drawn last, kept as `asdict`; what cannot be read is as it is at first."""
    found = state.get(SECTION, kind)
    if not isinstance(found, dict):
        return How()
    return How(
        **{key: found[key] for key, fits in _FITS.items() if key in found and fits(found[key])}
    )


def _scales(value: Any) -> bool:
    return isinstance(value, dict) and all(_in(SCALES, scale) for scale in value.values())


def _in(known: tuple[Any, ...], value: Any) -> bool:
    return isinstance(value, str) and value in known


_FITS = {
    "x": lambda value: _in(("", *get_args(XName)), value),
    "half_life": lambda value: type(value) is int and 0 <= value <= MOST,
    "band": lambda value: _in((*BANDS,), value),
    "traces": lambda value: isinstance(value, bool),
    "scales": _scales,
}
