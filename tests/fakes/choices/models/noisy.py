"""A small network whose dropout draws from torch's own generator."""

from __future__ import annotations

from engine import plugin


class Settings(plugin.ModelSettings):
    """Nothing to set."""


def build(settings, classes, channels, size):
    from torch import nn

    features = nn.Sequential(nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    return nn.Sequential(features, nn.Flatten(), nn.Dropout(0.5), nn.Linear(8 * 36, classes))
