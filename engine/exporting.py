"""Taking tickets away, and bringing in masks that `torch.nn.utils.prune` wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from engine import foreign, levels, selection, tickets
from engine.errors import DataError, UsageError
from engine.masks import Mask, prunable
from engine.rundir import RunDirectory
from engine.setup import build_for
from engine.spec import RunSpec
from engine.tickets import State, Ticket

Format = Literal["ticket", "state_dict"]
START_KEYS = ("init", "init_weight", "rewind")  # DataEfficientLTH, PrAC, others


def export(directory: RunDirectory, level: str, output: Path, form: Format) -> dict[str, Any]:
    """Write the ticket of a level, and its card beside it as `.json`; returns the card.

    Args:
        level: `best` for the winning one, `last`, or a number.
        form: our safetensors ticket, or the trained weights as a plain masked `state_dict` (.pt).

    Raises:
        UsageError: the level does not exist or its weights were not kept.
    """
    index = _level(directory, level)
    if levels.ticket_path(directory, index) is None:
        raise UsageError(
            f"the weights of level {index} were not kept; kept: {_kept(directory)}"
            " (keep: [all] in a spec keeps every level)"
        )
    ticket = levels.ticket(directory, index)
    if form == "ticket":
        _replace(output, (directory.level(index) / levels.TICKET).read_bytes())
    else:
        _save_state(output, ticket.trained)
    _replace(output.with_suffix(".json"), json.dumps(ticket.card, indent=1).encode())
    return ticket.card


def bring(checkpoint: Path, spec: RunSpec, output: Path) -> dict[str, Any]:
    """Turn a checkpoint written with `torch.nn.utils.prune` into a ticket; returns its card.

    Takes `<p>_mask` with or without the weights `<p>_orig` (DataEfficientLTH, PrAC), in the file's
    mapping or one level below. Names that differ from the model's are matched by order when all
    shapes agree. Weights that the file lacks are the spec's initial ones.

    Args:
        spec: names the model the checkpoint belongs to.

    Raises:
        DataError: the file is no such checkpoint, or does not fit the spec's model.
    """
    found = foreign.read(checkpoint)
    pruned = next((group for group in found.values() if _masks(group)), None)
    if pruned is None:
        raise DataError(
            f"{checkpoint}: no masks in it; expected entries such as layer1.0.conv1.weight_mask"
        )
    net = build_for(spec)
    shapes = {name: tuple(p.shape) for name, p in prunable(net, spec.prunable).items()}
    mask = Mask(_fitted(_masks(pruned), shapes, checkpoint))
    state = {name: t.detach().clone() for name, t in net.state_dict().items()}
    weights = _plain(pruned)
    trained = _fitted_state(weights, state, checkpoint) if weights else state
    start = next((found[key] for key in START_KEYS if key in found), None)
    rewind = state if start is None else _fitted_state(_plain(start), state, checkpoint)
    card = {
        "level": None,
        "density": mask.density,
        "digest": spec.digest,
        "seed": spec.seed,
        "spec": spec.model_dump(mode="json"),
        "imported": True,
        "rewind_known": start is not None,
        "trained_known": bool(weights),
    }
    ticket = Ticket(mask, tickets.masked(rewind, mask), tickets.masked(trained, mask), card)
    data, card = tickets.serialise(ticket)
    _replace(output, data)
    _replace(output.with_suffix(".json"), json.dumps(card, indent=1).encode())
    return card


def _level(directory: RunDirectory, level: str) -> int:
    done = levels.finished(directory, lambda message: None)
    if not done:
        raise UsageError(f"{directory.run_id} has no finished level yet")
    if level == "last":
        return len(done) - 1
    if level == "best":
        won = selection.winner(directory.spec().select, [finished.ended for finished in done])
        if won is None or won.level is None:
            raise UsageError(f"{directory.run_id} has no winning level yet; last, or a number")
        return won.level
    if not level.isdigit() or int(level) >= len(done):
        raise UsageError(f"no level '{level}'; best, last, or 0 to {len(done) - 1}")
    return int(level)


def _kept(directory: RunDirectory) -> str:
    folders = sorted(directory.levels.glob("[0-9]*"))
    kept = [str(int(folder.name)) for folder in folders if (folder / levels.TICKET).exists()]
    return ", ".join(kept) or "none"


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _save_state(path: Path, state: State) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        torch.save(state, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _masks(group: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The masks of a mapping by parameter name, as bool tensors."""
    return {k.removesuffix("_mask"): v != 0 for k, v in group.items() if k.endswith("_mask")}


def _plain(group: Mapping[str, Tensor]) -> State:
    """A state dict without the parametrisation of `torch.nn.utils.prune`."""
    return {k.removesuffix("_orig"): v for k, v in group.items() if not k.endswith("_mask")}


def _fitted(
    found: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], path: Path
) -> dict[str, Tensor]:
    """Tensors under the model's names: by name, or by order when every shape agrees."""
    if all(name in found and tuple(found[name].shape) == s for name, s in shapes.items()):
        return {name: found[name] for name in shapes}
    if [tuple(t.shape) for t in found.values()] == list(shapes.values()):
        return dict(zip(shapes, found.values(), strict=True))
    raise DataError(
        f"{path}: {len(found)} tensors do not fit the model's {len(shapes)}; is the spec's model,"
        " its width, stem and shortcut, the one that was pruned?"
    )


def _fitted_state(found: State, state: State, path: Path) -> State:
    shapes = {name: tuple(t.shape) for name, t in state.items()}
    known = {k: v for k, v in found.items() if k in shapes}
    return _fitted(known if len(known) == len(shapes) else found, shapes, path)
