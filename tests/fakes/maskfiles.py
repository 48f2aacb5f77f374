"""Masks and tickets on disk, written with NumPy alone, as a run leaves them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save


def draw(shapes, density, seed=0):
    """Random masks of these shapes."""
    rng = np.random.default_rng(seed)
    return {name: rng.random(shape) < density for name, shape in shapes.items()}


def write_mask(folder: Path, masks) -> None:
    """What a finished level keeps of its mask; a ticket that lies there already stays listed."""
    tensors = {name: np.packbits(mask.reshape(-1)) for name, mask in masks.items()}
    tensors |= {f"{name}#shape": np.array(mask.shape, np.int64) for name, mask in masks.items()}
    data = save(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mask.safetensors").write_bytes(data)
    manifest = folder / "manifest.json"
    body = json.loads(manifest.read_text())["body"] if manifest.exists() else {"files": {}}
    body["files"]["mask.safetensors"] = hashlib.sha256(data).hexdigest()
    manifest.write_text(json.dumps({"body": body, "sha256": ""}))


def write_ticket(path: Path, masks, **card) -> None:
    """A ticket file with a mask and kept weights that are all 1."""
    tensors = {f"mask/{name}": np.packbits(mask.reshape(-1)) for name, mask in masks.items()}
    for part in ("rewind", "trained"):
        tensors |= {f"{part}/{n}": np.ones(int(m.sum()), np.float32) for n, m in masks.items()}
    kept, total = (sum(int(f(m)) for m in masks.values()) for f in (np.sum, np.size))
    whole = {
        "format": "lthtui-ticket/1",
        "sha256": _digest(tensors),
        "shapes": {name: list(mask.shape) for name, mask in masks.items()},
        "spec": {"model": {"name": "resnet20"}},
        "kept": kept,
        "total": total,
        "density": kept / total,
        **card,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(tensors, {"card": json.dumps(whole)}))


def _digest(tensors) -> str:
    """The checksum of a ticket: of its tensors with their names, types and shapes, by name."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        shape = list(tensors[name].shape)
        sha.update(f"{name}\ntorch.{tensors[name].dtype}\n{shape}\n".encode())
        sha.update(tensors[name].tobytes())
    return sha.hexdigest()


NETWORK = {  # 100,000 weights, as those of `rundirs`
    "conv1.weight": (10, 20, 10, 10),
    "layer1.0.conv1.weight": (50, 10, 10, 10),
    "fc.weight": (100, 300),
}


def leave_masks(run, levels: int, shapes=NETWORK) -> None:
    """Give levels of a run made by hand masks that keep as many weights as its journal says.

    Each keeps weights of the one before. Seeds keep other ones; the last layer loses half as many.
    """
    rng = np.random.default_rng(int(run.run_id[-1]))
    scores = {name: rng.random(shape) for name, shape in shapes.items()}
    scores["fc.weight"] **= 0.5
    flat = np.sort(np.concatenate([score.reshape(-1) for score in scores.values()]))[::-1]
    for level in range(levels):
        least = flat[run.kept(level) - 1]
        folder = run.directory.level(level)
        write_mask(folder, {name: score >= least for name, score in scores.items()})
        card = {"level": level, "sha256": "ab" * 32, "digest": "cd" * 32, "classes": ["0"] * 10}
        card |= {"spec": {"sparsifier": {"rewind": "2ep", "prunable": "conv+linear"}}}
        card |= {"environment": {"device": "cpu", "torch": "2.9"}}
        (folder / "ticket.json").write_text(json.dumps(card))
