"""Colours that can be told from what they are drawn on, in light themes and in dark ones."""

from __future__ import annotations

from functools import lru_cache

SEEN = 1.8  # contrast of lines that guide the eye, which nothing would be lost without
LEGIBLE = 3.0  # contrast that the Web's guidelines ask of graphics and of large text


def mix(colour: str, other: str, share: float) -> str:
    """`share` of one `#rrggbb` colour and the rest of another."""
    pairs = zip(channels(colour), channels(other), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


@lru_cache(4096)
def legible(colour: str, paper: str, least: float = LEGIBLE) -> str:
    """The colour itself, or the first mix with black or white that contrasts with the paper."""
    away = "#000000" if _luminance(paper) > 0.18 else "#ffffff"
    mixes = (mix(away, colour, share / 20) for share in range(20))
    return next((one for one in mixes if contrast(one, paper) >= least), away)


def contrast(colour: str, other: str) -> float:
    """The ratio of luminances by which the Web's guidelines measure contrast: 1 to 21."""
    high, low = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a `#rrggbb` colour, each from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    shares = (channel / 255 for channel in channels(colour))
    linear = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return sum(part * one for part, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
