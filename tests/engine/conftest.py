"""Fixtures for comparing the engine with loops that others would write, and MLflow stores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Proxy, proxy
from torch import Tensor

from engine import images, relocation, setup, training


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine in float64: rounding then cannot move a weight across the pruning threshold."""
    build, normalise = setup.build, images.normalise
    monkeypatch.setattr(setup, "build", lambda *a: build(*a).double())
    monkeypatch.setattr(images, "normalise", lambda x, g: normalise(x, g).double())


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[tuple[Tensor, Tensor]]]:
    """What the engine feeds its network, by level: images and classes of every batch in order."""
    seen: dict[int, list[tuple[Tensor, Tensor]]] = {}
    augmented = training.Training.augmented

    def watched(self: training.Training, ids: Tensor) -> images.Batch:
        batch = augmented(self, ids)
        x = self.inputs(batch).contiguous()
        seen.setdefault(self.level.index, []).append((x, self.data.train.y[ids]))
        return batch

    monkeypatch.setattr(training.Training, "augmented", watched)
    return seen


@pytest.fixture
def root(tmp_path: Path, template: Path) -> Path:
    """A root whose store exists."""
    root = tmp_path / "mlruns"
    root.mkdir()
    shutil.copy(template, root)
    done = relocation.relocate(root)
    assert done and done.backup
    done.backup.unlink()
    return root


@pytest.fixture
def alone() -> Iterator[Proxy]:
    """A proxy with nothing behind it: it answers by itself."""
    with proxy() as found:
        yield found
