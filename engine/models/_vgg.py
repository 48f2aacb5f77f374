"""VGG networks for small images: 3x3 convolutions in five stages, and one linear map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.models._settings import VGG as Settings


class VGG(nn.Module):
    """(batch, channels, height, width) images -> (batch, classes) logits.

    Its convolutions have torchvision's parameter names. Maps are halved between stages, as long as
    there is something to halve, and averaged at the end.
    """

    def __init__(
        self,
        counts: tuple[int, int, int, int, int],
        settings: Settings,
        classes: int,
        channels: int,
        size: int,
    ) -> None:
        """Make a network with `counts` convolutions in its stages for images of `size` pixels."""
        super().__init__()
        layers: list[nn.Module] = []
        for stage, count in enumerate(counts):
            if stage:
                layers.append(nn.MaxPool2d(2) if size > 1 else nn.Identity())
                size //= 2
            outputs = settings.width * min(2**stage, 8)
            for _ in range(count):
                norm = nn.BatchNorm2d(outputs)
                layers += [nn.Conv2d(channels, outputs, 3, 1, 1), norm, nn.ReLU(inplace=True)]
                channels = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)
        if settings.init == "kaiming":
            self._kaiming()

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.mean(self.features(x), (2, 3)))  # type: ignore[no-any-return]

    def _kaiming(self) -> None:
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
