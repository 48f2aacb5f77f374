"""Taking tickets away, checking them, and bringing pruned checkpoints in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import prune

from engine import exporting, levels, tickets, verifying
from engine.errors import Damaged, DataError, UsageError
from engine.experiment import Experiment
from engine.masks import prunable
from engine.rundir import RunDirectory
from engine.setup import build_for
from engine.spec import RunSpec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run of three levels, of which the middle one is the best and all are kept."""
    directory = RunDirectory(tmp_path_factory.mktemp("root") / "runs" / "run-s0")
    directory.path.mkdir(parents=True)
    spec = RunSpec.model_validate(
        {
            "name": "exported",
            "data": {"name": "digits", "per_class": 10, "validation": 100},
            "model": {"name": "resnet20", "width": 4},
            "sparsifier": {"name": "imp", "levels": 2, "rewind": "1ep"},
            "train": {"epochs": 3, "batch_size": 25},
            "select": {"level": 1},
            "keep": ["best", "last"],
            "tracking": "off",
        }
    )
    directory.spec_file.write_text(spec.model_dump_json())
    environment = {"threads": torch.get_num_threads(), "device": "cpu"}
    Experiment(
        directory, spec, CPU, lambda event: None, lambda: None, lambda: False, environment
    ).run()
    return directory


def test_the_picked_ticket_is_exported_with_its_card(
    finished: RunDirectory, tmp_path: Path
) -> None:
    card = exporting.export(finished, "best", tmp_path / "t.safetensors", "ticket")
    assert card["level"] == 1 and card["density"] == pytest.approx(0.8, abs=1e-4)
    assert tickets.load(tmp_path / "t.safetensors").card == card
    assert (tmp_path / "t.json").is_file()
    last = exporting.export(finished, "last", tmp_path / "l.safetensors", "ticket")
    assert last["level"] == 2


def test_a_state_dict_loads_into_a_plain_network_and_is_masked(
    finished: RunDirectory, tmp_path: Path
) -> None:
    exporting.export(finished, "2", tmp_path / "net.pt", "state_dict")
    state = torch.load(tmp_path / "net.pt", weights_only=True)
    net = build_for(finished.spec())
    net.load_state_dict(state)
    zeros = sum(int((p == 0).sum()) for p in prunable(net, "conv").values())
    mask = levels.mask(finished, 2)
    assert zeros == mask.total - mask.kept > 0


@pytest.mark.parametrize(
    ("level", "message"),
    [("0", "weights of level 0 were not kept; kept: 1, 2"), ("3", "best, last, or 0 to 2")],
)
def test_levels_that_cannot_be_exported(
    finished: RunDirectory, tmp_path: Path, level: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        exporting.export(finished, level, tmp_path / "t.safetensors", "ticket")
    assert not list(tmp_path.iterdir())


def test_a_run_that_kept_no_weights_says_so(finished: RunDirectory, tmp_path: Path) -> None:
    bare = RunDirectory(tmp_path / "run-s0")
    shutil.copytree(finished.path, bare.path)
    levels.retain(bare, range(3), set())
    with pytest.raises(UsageError, match=r"level 1 were not kept; kept: none \(keep"):
        exporting.export(bare, "best", tmp_path / "t.safetensors", "ticket")


def test_a_ticket_reproduces_its_accuracy_and_a_changed_one_does_not(
    finished: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "t.safetensors"
    exporting.export(finished, "best", path, "ticket")
    report = verifying.verify(path, None, CPU)
    assert report["verified"] and report["splits"]["test"]["total"] == 797
    ticket = tickets.load(path)
    net = {name: t.clone() for name, t in ticket.trained.items()}
    net["fc.bias"][0] += 100.0  # predicts one class only
    card = {k: v for k, v in ticket.card.items() if k not in ("sha256", "shapes")}
    path.write_bytes(tickets.serialise(tickets.Ticket(ticket.mask, ticket.rewind, net, card))[0])
    report = verifying.verify(path, None, CPU)
    assert not report["verified"]
    assert report["splits"]["test"]["correct"] < report["splits"]["test"]["claimed_correct"]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(Damaged):
        verifying.verify(path, None, CPU)
    with pytest.raises(UsageError, match="no such file"):
        verifying.verify(tmp_path / "absent.safetensors", None, CPU)


def _pruned(spec: RunSpec) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A checkpoint as DataEfficientLTH writes it, and its masks."""
    net = build_for(spec)
    init = {name: t.clone() for name, t in net.state_dict().items()}
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1)
    modules = [
        (net.get_submodule(n.removesuffix(".weight")), "weight") for n in prunable(net, "conv")
    ]
    prune.global_unstructured(modules, prune.L1Unstructured, amount=0.3)
    masks = {n: m for n, m in net.state_dict().items() if n.endswith("_mask")}
    return {"model": net.state_dict(), "init": init}, masks


def test_a_checkpoint_of_torch_prune_is_imported(finished: RunDirectory, tmp_path: Path) -> None:
    spec = finished.spec()
    checkpoint, masks = _pruned(spec)
    torch.save(checkpoint, tmp_path / "best_imp_3.ckpt")
    card = exporting.bring(tmp_path / "best_imp_3.ckpt", spec, tmp_path / "t.safetensors")
    ticket = tickets.load(tmp_path / "t.safetensors")
    assert card["rewind_known"] and card["density"] == pytest.approx(0.7, abs=1e-4)
    for name, mask in ticket.mask.items():
        assert torch.equal(mask, masks[f"{name}_mask"].bool())
        assert torch.equal(ticket.rewind[name], checkpoint["init"][name] * mask)
        assert torch.equal(ticket.trained[name], checkpoint["model"][f"{name}_orig"] * mask)
    with pytest.raises(DataError, match="claims no accuracies"):
        verifying.verify(tmp_path / "t.safetensors", None, CPU)


def test_foreign_names_are_matched_by_order(finished: RunDirectory, tmp_path: Path) -> None:
    spec = finished.spec()
    checkpoint, masks = _pruned(spec)
    renamed = {name.replace("layer", "stage"): t for name, t in checkpoint["model"].items()}
    torch.save({"state_dict": renamed}, tmp_path / "renamed.pt")
    card = exporting.bring(tmp_path / "renamed.pt", spec, tmp_path / "r.safetensors")
    assert not card["rewind_known"]
    assert card["trained_known"]
    found = tickets.load(tmp_path / "r.safetensors").mask
    assert all(torch.equal(m, masks[f"{name}_mask"].bool()) for name, m in found.items())


def test_masks_alone_are_imported_with_initial_weights(
    finished: RunDirectory, tmp_path: Path
) -> None:
    spec = finished.spec()
    torch.save(_pruned(spec)[1], tmp_path / "masks.pt")
    card = exporting.bring(tmp_path / "masks.pt", spec, tmp_path / "m.safetensors")
    assert not card["trained_known"] and not card["rewind_known"]
    ticket, initial = tickets.load(tmp_path / "m.safetensors"), build_for(spec).state_dict()
    for name, mask in ticket.mask.items():
        assert torch.equal(ticket.trained[name], initial[name] * mask)


def test_what_is_no_pruned_checkpoint_is_refused_without_running_it(
    finished: RunDirectory, tmp_path: Path
) -> None:
    spec = finished.spec()

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    torch.save({"model": {"w": torch.randn(3)}}, tmp_path / "dense.pt")
    other = spec.model_copy(update={"model": spec.model.model_copy(update={"width": 6})})
    torch.save(_pruned(other)[0], tmp_path / "wide.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")
    for name, message in [
        ("evil.pt", r"without running code from it; save plain tensors instead: torch.save\(net"),
        ("dense.pt", "no masks in it"),
        ("wide.pt", "do not fit the model"),
        ("text.pt", "cannot be read"),
    ]:
        with pytest.raises(DataError, match=message):
            exporting.bring(tmp_path / name, spec, tmp_path / "t.safetensors")
    with pytest.raises(UsageError, match="no such file"):
        exporting.bring(tmp_path / "absent.pt", spec, tmp_path / "t.safetensors")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "t.safetensors").exists()
