"""Common corruptions of images: what they are called (Hendrycks & Dietterich 2019).

https://arxiv.org/abs/1903.12261
"""

from __future__ import annotations

GROUPS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("gaussian_blur", "saturate", "spatter", "speckle_noise"),
}
"""Corruptions by group. The last were meant to tune on: a mean corruption error leaves them out."""

NAMES = tuple(name for group in GROUPS.values() for name in group)
SEVERITIES = (1, 2, 3, 4, 5)
