"""The vision transformer, with timm's parameter names."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention: each token takes from all of them what resembles its query."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, tokens, width], unchanged in shape."""
        tokens = x.shape[1]
        parts = self.qkv(x).unflatten(2, (3, self.heads, -1))  # [B, tokens, 3, heads, share]
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each [B, heads, tokens, share]
        taken = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(taken.transpose(1, 2).reshape(-1, tokens, x.shape[2]))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """Two linear maps with a GELU between them, token by token."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, tokens, width], unchanged in shape."""
        return self.fc2(self.act(self.fc1(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention and a perceptron, each of normalised tokens and beside a shortcut."""

    branches: ClassVar = {"attn": "norm1", "mlp": "norm2"}

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class PatchEmbedding(nn.Module):
    """A linear map of square patches, which do not overlap, to tokens."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, patches, width], row by row."""
        return self.proj(x).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """(batch, channels, size, size) images -> (batch, classes) logits."""

    def __init__(
        self,
        depth: int,
        heads: int,
        width: int,
        patch: int,
        classes: int,
        channels: int,
        size: int,
    ) -> None:
        """Make a network of `depth` blocks on tokens of `width` numbers, for `heads` heads."""
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, width))
        self.patch_embed = PatchEmbedding(channels, width, patch)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embed(x)
        first = self.cls_token.expand(x.shape[0], -1, -1)
        tokens = torch.cat((first, patches), 1) + self.pos_embed
        return self.head(self.norm(self.blocks(tokens)[:, 0]))  # type: ignore[no-any-return]

    def truncated(self) -> None:
        """Draw linear maps and positions from a narrow normal distribution, without biases."""
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
