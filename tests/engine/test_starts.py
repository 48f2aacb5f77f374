"""First weights from elsewhere: all that fits is taken, and nothing is missed by accident."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fileserver import file_server
from inprocess import finish, run
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from engine import foreign, levels, networks, pretrained, starts, startspec
from engine.errors import DataError, SpecError, UsageError
from engine.events import RunStarted, Warned
from engine.rundir import RunDirectory
from engine.sources import Source
from engine.spec import RunSpec
from lthtui import specfiles
from lthtui.sources import resolve, resolved
from lthtui.yamlfile import FileError

Specs = Callable[..., RunSpec]
Folders = Callable[..., RunDirectory]
RESNET = {"name": "resnet20", "width": 4, "shortcut": "B"}


def net_of(spec: RunSpec, number: int = 0, classes: int = 10) -> nn.Module:
    return networks.build(spec, classes=classes, channels=1, size=8, number=number)


def state_of(spec: RunSpec, number: int, classes: int = 10) -> dict[str, Tensor]:
    return {n: t.clone() for n, t in net_of(spec, number, classes).state_dict().items()}


def same(net: nn.Module, state: dict[str, Tensor]) -> set[str]:
    """Names of the network's tensors that are those of a state; counts of batches apart."""
    own = net.state_dict()
    return {n for n, t in state.items() if n in own and torch.equal(own[n], t)}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    def save(content: Any, name: str = "weights.pth") -> str:
        path = tmp_path / name
        save_file(content, path) if name.endswith("safetensors") else torch.save(content, path)
        return str(path)

    return save


@pytest.mark.parametrize("form", ["plain", "inside", "wrapped", "safetensors"])
def test_all_but_the_classifier_comes_from_a_checkpoint(
    form: str, tiny: Specs, saved: Callable[..., str]
) -> None:
    state = state_of(tiny(), 1)
    content: Any = {"plain": state, "inside": {"epoch": 3, "state_dict": state}}.get(form, state)
    if form == "wrapped":
        content = {"state_dict": {f"module.encoder.{n}": t for n, t in state.items()}}
    file = saved(content, "w.safetensors" if form == "safetensors" else "w.pth")
    spec = tiny(start=file)
    net = net_of(spec)
    assert starts.load(net, spec) == ("fc.weight", "fc.bias")
    assert same(net, state) >= {n for n in state if not n.startswith("fc.")}
    assert not torch.equal(net.state_dict()["fc.weight"], state["fc.weight"])


def test_the_classifier_comes_along_on_request_if_it_fits(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    state = state_of(tiny(), 1)
    spec = tiny(start={"file": saved(state), "head": "keep"})
    net = net_of(spec)
    assert starts.load(net, spec) == () and same(net, state) == set(state)
    other = tiny(start={"file": saved(state_of(tiny(), 1, classes=7)), "head": "keep"})
    with pytest.raises(SpecError, match="classifier of start .* does not fit these classes"):
        starts.load(net_of(other), other)


def test_the_stem_is_taken_where_it_fits_unless_it_is_to_be_fresh(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    state = state_of(tiny(), 1)
    fresh = tiny(start={"file": saved(state), "stem": "fresh"})
    net = net_of(fresh)
    assert starts.load(net, fresh) == ("conv1.weight", "fc.weight", "fc.bias")
    assert "conv1.weight" not in same(net, state)
    state["conv1.weight"] = torch.randn(4, 3, 3, 3)  # of colour images
    gray = tiny(start=saved(state))
    assert "conv1.weight" in starts.load(net_of(gray), gray)


def test_the_stem_of_a_harmonic_network_is_its_first_layer(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    model = {"name": "resnet18", "width": 4, "convolution": "harmonic"}
    state = state_of(tiny(model=model), 1)
    spec = tiny(model=model, start={"file": saved(state), "stem": "fresh"})
    net = net_of(spec)
    anew = starts.load(net, spec)
    assert {name.split(".")[0] for name in anew} == {"conv1", "fc"}
    colour = networks.build(spec, classes=10, channels=3, size=8, number=0)
    assert "conv1.weight" in starts.load(colour, spec)


def test_pretraining_may_itself_start_from_elsewhere(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    spec = tiny(loss="nt_xent", start=saved(state_of(tiny(), 1)), sparsifier="dense")
    kinds = ("weight", "bias")
    head = {f"fc.projection_{part}.{kind}" for part in ("in", "out") for kind in kinds}
    assert set(starts.load(net_of(spec), spec)) == head


def test_normalisations_that_were_split_already_are_taken_as_they_are(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    train = {"epochs": 1, "advprop": {"steps": 1}}
    state = state_of(tiny(train=train), 1)
    state["bn1.auxiliary.weight"] = torch.full((4,), 8.0)
    spec = tiny(start=saved(state), train=train)
    net = net_of(spec)
    starts.load(net, spec)
    assert net.state_dict()["bn1.auxiliary.weight"].tolist() == [8.0] * 4


def test_another_network_is_refused_and_told_apart(tiny: Specs, saved: Callable[..., str]) -> None:
    wide = state_of(tiny(model=RESNET | {"width": 8}), 1)
    for content in (wide, {"a": torch.zeros(3)}, {"conv1.weight": wide["conv1.weight"]}):
        spec = tiny(start=saved(content))
        before = {n: t.clone() for n, t in net_of(spec).state_dict().items()}
        net = net_of(spec)
        with pytest.raises(SpecError, match="of another network: .* give this spec the model"):
            starts.load(net, spec)
        assert same(net, before) == set(before)


def test_code_in_a_checkpoint_is_never_run(tiny: Specs, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    for name, message in (("evil.pth", "without running code"), ("cut.safetensors", "damaged")):
        with pytest.raises(DataError, match=message):
            foreign.read(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(UsageError, match="no such file"):
        foreign.read(tmp_path / "none.pth")


def test_a_file_that_changed_after_submission_is_refused(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    spec = tiny(start={"file": saved(state_of(tiny(), 1)), "sha256": "0" * 64})
    with pytest.raises(DataError, match="not the file that start.file named"):
        starts.load(net_of(spec), spec)


def test_a_run_says_what_it_draws_and_trains_from_what_it_takes(
    tiny: Specs, saved: Callable[..., str], run_folder: Folders
) -> None:
    state = state_of(tiny(), 1)
    directory = run_folder(tiny(start=saved(state), keep=["all"], sparsifier="dense"))
    events = run(directory)
    said = [event.message for event in events if isinstance(event, Warned)]
    assert said == ["first weights drawn anew: fc.weight, fc.bias; the others are from start"]
    assert any(isinstance(event, RunStarted) for event in events)
    ticket = levels.ticket(directory, 0)
    assert torch.equal(ticket.rewind["conv1.weight"], state["conv1.weight"])


def test_a_pretraining_starts_a_run_of_images_with_labels(tiny: Specs, run_folder: Folders) -> None:
    train = {"epochs": 1, "batch_size": 50}
    before = run_folder(tiny(loss="nt_xent", sparsifier="dense", train=train), run_id="simclr-s0")
    finish(before)
    source = resolved(Source(before.run_id, "last"), 0, before.root)
    spec = tiny(start={"ticket": source}, keep=["all"], sparsifier="dense", train=train)
    after = run_folder(spec, run_id="tuned-s0")
    run(after)
    trained, first = levels.ticket(before, 0).trained, levels.ticket(after, 0).rewind
    assert torch.equal(first["layer1.0.conv1.weight"], trained["layer1.0.conv1.weight"])
    assert torch.equal(first["bn1.running_mean"], trained["bn1.running_mean"])
    assert first["fc.weight"].shape == (10, 16)
    assert (
        run_folder(spec, run_id="b").spec().digest != tiny(sparsifier="dense", train=train).digest
    )


def test_adversarial_normalisations_begin_with_the_weights_that_were_taken(
    tiny: Specs, saved: Callable[..., str]
) -> None:
    state = state_of(tiny(), 1)
    state["bn1.running_mean"] = torch.full((4,), 3.0)
    spec = tiny(start=saved(state), train={"epochs": 1, "advprop": {"steps": 1}})
    net = net_of(spec)
    assert starts.load(net, spec) == ("fc.weight", "fc.bias")
    assert net.state_dict()["bn1.auxiliary.running_mean"].tolist() == [3.0] * 4


@pytest.mark.parametrize(
    "start",
    [
        {"file": "a.pth", "torchvision": "IMAGENET1K_V1"},
        {"ticket": "run-s0", "file": "a.pth"},
        {"sha256": "0" * 64},
        {"stem": "fresh"},
        {"torchvision": "IMAGENET22K"},
    ],
)
def test_weights_come_from_one_place(start: dict[str, Any], tiny: Specs) -> None:
    with pytest.raises(ValidationError):
        tiny(start=start)


def test_a_ticket_of_another_network_is_refused_by_its_card(
    tiny: Specs, run_folder: Folders
) -> None:
    train = {"epochs": 1, "batch_size": 50}
    before = run_folder(tiny(sparsifier="dense", train=train), run_id="dense-s0")
    finish(before)
    for model, why in (
        ({"name": "resnet20", "width": 8, "shortcut": "B"}, "model.width is 4 there, 8 here"),
        ({"name": "resnet32", "width": 4, "shortcut": "B"}, "model.name is resnet20 there"),
    ):
        with pytest.raises(SpecError, match=why) as caught:
            resolve(tiny(start="dense-s0", model=model), before.root)
        assert caught.value.at == "start.ticket"
    anew = {"name": "resnet20", "width": 4, "shortcut": "B", "init": "xavier"}
    assert resolve(tiny(start="dense-s0", model=anew), before.root).spec.start.ticket.found


def test_short_forms(tiny: Specs) -> None:
    assert tiny(start="torchvision", model="vgg16").start.torchvision == "IMAGENET1K_V1"
    assert tiny(start="a/b.pt").start.file == "a/b.pt"
    assert tiny(start="simclr-s0:last").start.ticket == Source("simclr-s0", "last")
    assert not tiny().start.named and tiny().digest == tiny(start={}).digest


def test_submission_notes_which_file_it_is(
    tmp_path: Path, saved: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = saved({"a": torch.zeros(1)})
    text = f"data: digits\nmodel: resnet20\nstart: {Path(file).name}\n"
    (tmp_path / "s.yaml").write_text(text)
    [spec] = specfiles.load("s.yaml")
    assert spec.start.file == file and len(spec.start.sha256 or "") == 64
    moved = tmp_path / "elsewhere.pth"
    Path(file).rename(moved)
    (tmp_path / "s.yaml").write_text(text.replace("weights.pth", "elsewhere.pth"))
    [again] = specfiles.load("s.yaml")
    assert again.digest == spec.digest
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(FileError, match="s.yaml:3:8: .*weights.pth cannot be read"):
        specfiles.load("s.yaml")


def test_the_files_are_those_that_torchvision_names() -> None:
    from torchvision.models import get_model_weights

    for name, files in startspec.FILES.items():
        theirs = get_model_weights(f"{name}_bn" if name.startswith("vgg") else name)
        known = {weights.name: weights.url for weights in theirs}
        assert known == {w: pretrained.ADDRESS + file for w, file in files.items()}


def test_a_file_of_torchvisions_is_found_or_told_where_to_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "ADDRESS", "http://127.0.0.1:9/")
    path = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    with pytest.raises(DataError, match=f"cannot be downloaded .* put the file to {path}"):
        pretrained.file("resnet18", "IMAGENET1K_V1")
    path.write_bytes(b"half")
    with pytest.raises(DataError, match="is damaged: its SHA-256 begins"):
        pretrained.file("resnet18", "IMAGENET1K_V1")


def test_a_download_of_torchvisions_is_whole_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(5000)
    name = f"tiny-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    path = tmp_path / "hub" / "checkpoints" / name
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(pretrained.FILES, "tiny", {"V1": name})
    with file_server() as server:
        monkeypatch.setattr(pretrained, "ADDRESS", f"{server.address}/")
        stalled = threading.Event()
        failures: dict[str, dict[str, Any]] = {
            "nothing came for 0.2 s": {"pause": stalled},
            "its SHA-256 begins": {"cuts": [3000]},
            "HTTP Error 503": {"status": [503]},
        }
        for why, way in failures.items():
            server.put(f"/{name}", content, **way)
            monkeypatch.setattr(pretrained, "PATIENCE", 0.2 if "pause" in way else 60.0)
            with pytest.raises(DataError, match=f"cannot be downloaded .*{why}.*put the file"):
                pretrained.file("tiny", "V1")
            assert not [*path.parent.iterdir()]
        stalled.set()
        server.put(f"/{name}", content)
        assert pretrained.file("tiny", "V1") == path and path.read_bytes() == content


def test_torchvisions_networks_fit_ours(
    tmp_path: Path, tiny: Specs, saved: Callable[..., str]
) -> None:
    from torchvision import models

    for name, made in (("resnet18", models.resnet18), ("resnet50", models.resnet50)):
        state = made().state_dict()
        spec = tiny(model={"name": name, "stem": "imagenet"}, start=saved(state))
        net = networks.build(spec, classes=7, channels=3, size=64, number=0)
        assert starts.load(net, spec) == ("fc.weight", "fc.bias")
        small = tiny(model={"name": name, "stem": "cifar"}, start=saved(state))
        net = networks.build(small, classes=7, channels=3, size=32, number=0)
        assert starts.load(net, small) == ("conv1.weight", "fc.weight", "fc.bias")
