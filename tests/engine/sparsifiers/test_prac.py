"""PrAC on digits: its sets and stopping epochs against plain loops, its guards, its shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from inprocess import run
from pydantic import ValidationError
from torch import Tensor

from engine import images, levels
from engine.errors import SpecError, Stopped
from engine.events import EpochEnded, Evaluated, Event, LevelEnded, LevelStarted
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.sparsifiers import imp, prac
from engine.spec import RunSpec
from engine.training import Training

Folders = Callable[..., RunDirectory]
Specs = Callable[..., RunSpec]
IMAGES = 200


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def spec(tiny: Specs) -> Specs:
    def make(epochs: int = 10, **settings: Any) -> RunSpec:
        return tiny(
            data={"name": "digits", "per_class": IMAGES // 10, "validation": 100},
            model={"name": "resnet20", "width": 4, "shortcut": "B"},
            train={"epochs": epochs, "batch_size": 25, "evaluate": {"every": 0}},
            sparsifier={"name": "prac", "levels": 3, "rewind": "1ep", **settings},
            keep=["all"],
        )

    return make


def _sets(directory: RunDirectory) -> list[dict[str, Any]]:
    files = sorted(directory.evaluations.glob("*/critical_set.json"))
    return [json.loads(file.read_text()) for file in files]


def _of(kind: type[Event], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@dataclass
class Search:
    """What can be seen of a level from outside: predictions and weights, as plain Python."""

    right: dict[str, list[bool]] = field(default_factory=dict)
    weights: list[list[float]] = field(default_factory=list)
    alive: list[bool] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> dict[int, Search]:
    """By level, what a run shows of itself while it trains."""
    seen: dict[int, Search] = {}
    step, stop, after = Training.take_step, prac.Sparsifier.stop, prac.Sparsifier.mask_after

    def take_step(self: Training, ids: Tensor, sparsifier: Any) -> None:
        step(self, ids, sparsifier)
        level = seen.setdefault(self.level.index, Search())
        classes = self.shown.logits.argmax(1).tolist()
        for index, found in zip(ids.tolist(), classes, strict=True):
            name, target = self.data.train.ids[index], int(self.data.train.y[index])
            level.right.setdefault(name, []).append(found == target)

    def stopped(self: Any, training: Training) -> bool:
        level = seen[training.level.index]
        level.weights.append(_flat(training.prunable()))
        level.alive = _flat(training.mask)
        return bool(stop(self, training))

    def mask_after(self: Any, training: Training) -> Any:
        training.net.eval()
        with torch.no_grad():
            x = images.normalise(training.data.train.x, training.data.geometry)
            seen[training.level.index].classes = training.net(x).argmax(1).tolist()
        training.net.train()
        return after(self, training)

    monkeypatch.setattr(Training, "take_step", take_step)
    monkeypatch.setattr(prac.Sparsifier, "stop", stopped)
    monkeypatch.setattr(prac.Sparsifier, "mask_after", mask_after)
    return seen


def _flat(tensors: Any) -> list[Any]:
    """All layers in one list, by name: a stored mask has them in that order."""
    return torch.cat([tensors[name].detach().flatten() for name in sorted(tensors)]).tolist()


def _events(history: list[bool]) -> float:
    """Forgetting events of an image, as the paper's code counts them."""
    learned, events = False, 0
    for before, now in zip([False, *history], history, strict=False):
        learned = learned or now
        if before and not now:
            events += 1
    return events if learned else float("inf")


def _masks(search: Search, rate: float) -> list[set[int]]:
    """Which weights pruning would keep after each epoch."""
    living = [i for i, alive in enumerate(search.alive) if alive]
    kept = len(living) - round(rate * len(living))
    return [set(sorted(living, key=lambda i: -abs(w[i]))[:kept]) for w in search.weights]


def _stops(search: Search, rate: float, threshold: float, window: int) -> int:
    """The epoch after which a search ends, or the last one that was trained."""
    living, masks = sum(search.alive), _masks(search, rate)
    queue, record = [1.0] * window, False
    for epoch in range(1, len(masks)):
        h = len(masks[epoch] ^ masks[epoch - 1]) / living
        record = record or h > threshold
        if record:
            queue = [h, *queue[:-1]]
        if max(queue) < threshold:
            return epoch + 1
    return len(masks)


@pytest.mark.parametrize("select", ["zero_out", "constant"])
def test_sets_masks_and_stops_are_those_of_plain_loops(
    select: str, spec: Specs, run_folder: Folders, watched: dict[int, Search]
) -> None:
    settings: dict[str, Any] = {"select": select, "mask_distance": 0.03, "window": 2}
    if select == "constant":
        settings["data_rate"] = 0.4
    directory = run_folder(spec(min_per_class=2, **settings))
    ended = _of(LevelEnded, run(directory))
    found, subset = _sets(directory), json.loads(directory.subset_file.read_text())
    used = set(subset["train"])
    assert len(found) == 3 and len(used) == IMAGES
    for level, one in enumerate(found):
        search = watched[level]
        assert set(search.right) == used
        assert ended[level].epochs == len(search.weights) == _stops(search, 0.2, 0.03, 2)
        mask = levels.mask(directory, level + 1)
        alive = {i for i, one in enumerate(_flat(mask)) if one}
        assert alive == _masks(search, 0.2)[-1]
        events = {name: _events(history) for name, history in search.right.items()}
        pairs = zip(subset["train"], watched[0].classes, search.classes, strict=True)
        pie = {name for name, dense, now in pairs if dense != now}
        chosen = dict(zip(one["images"]["id"], one["images"]["why"], strict=True))
        assert pie == {name for name, why in chosen.items() if why in ("pie", "both")}
        hard = {name for name, why in chosen.items() if why in ("hard", "both")}
        if select == "zero_out":
            assert hard == {name for name, count in events.items() if count > 0}
        else:
            assert len(hard) == int(IMAGES * 0.6 ** (level + 1))
            others = [count for name, count in events.items() if name not in hard]
            assert min(events[name] for name in hard) >= max(others)
        assert "added" not in chosen.values()  # no class is short of images here
        assert 0 < len(chosen) < IMAGES and not set(chosen) & set(subset["val"])
        used = set(chosen)
    assert set(watched[3].right) == set(subset["train"])
    assert min(e.epochs for e in ended) < 9
    returned = set(found[1]["images"]["id"]) - set(watched[1].right)
    assert returned, "no image came back, so that this shows nothing of those that may"


def _first_search(directory: RunDirectory) -> int:
    """Epochs of the first level; the run is stopped then."""
    events: list[Event] = []
    try:
        run(directory, lambda: directory.level(0).is_dir())
    except Stopped:
        pass
    return levels.finished(directory, events.append)[0].ended.epochs


def test_the_first_search_reaches_the_rewind_point_and_passes_the_warm_up(
    spec: Specs, run_folder: Folders
) -> None:
    early = {"mask_distance": 0.09, "window": 1, "levels": 1}
    first = _first_search(run_folder(spec(8, **early), "a"))
    assert first == 3  # one distance wakes it, and the next is smaller
    assert _first_search(run_folder(spec(8, **early, rewind="6ep"), "b")) == 6
    whole = spec(8, **early).model_dump(mode="json")
    whole["train"]["warmup"] = "4ep"
    # the masks of epochs 5 and 6 are the first two that both lie beyond the warm-up
    assert _first_search(run_folder(RunSpec.model_validate(whole), "c")) >= 6
    # no distance is that large, so that nothing wakes it
    assert _first_search(run_folder(spec(4, **early, wake=0.39), "d")) == 4


@pytest.mark.parametrize(("window", "fills"), [(3, True), (4, False)])
def test_a_window_that_never_fills_is_in_the_plan(
    window: int, fills: bool, spec: Specs, run_folder: Folders
) -> None:
    settings = {"mask_distance": 0.399, "wake": 0, "window": window, "levels": 1}
    whole = spec(6, **settings).model_dump(mode="json")
    whole["train"]["warmup"] = "2ep"
    asked = RunSpec.model_validate(whole)
    said = any("no search can stop early" in note for note in plan(asked, IMAGES).notes)
    events = run(run_folder(asked))
    farthest = [e.metrics["mask_distance_max"] for e in _of(EpochEnded, events) if e.level == 0]
    assert said is not fills and (farthest[-1] < 1) is fills and len(farthest) == 6


@pytest.mark.parametrize("iterations", ["linear", "quadratic"])
def test_iterations_shrink_with_the_set(iterations: str, spec: Specs, run_folder: Folders) -> None:
    asked = spec(6, iterations=iterations, mask_distance=0, levels=2, schedule="restart")
    directory = run_folder(asked)
    events = run(directory)
    sizes = [IMAGES, *(len(one["images"]["id"]) for one in _sets(directory))][:2]
    epochs = [6, int(6 * sizes[1] / IMAGES) if iterations == "quadratic" else 6]
    per_epoch = [-(-size // 25) - (size % 25 == 1) for size in sizes]
    started = _of(LevelStarted, events)
    steps = [e * p for e, p in zip(epochs, per_epoch, strict=True)]
    assert [e.steps for e in started] == [*steps, 6 * 8]
    assert [e.epochs for e in _of(LevelEnded, events)] == [*epochs, 6]
    reports = [e.metrics for e in _of(Evaluated, events) if e.name == "prac"]
    assert [e["examples"] for e in reports] == [*sizes, IMAGES]
    saved = [e["iterations_saved"] for e in reports]
    assert saved == pytest.approx([0, 1 - sum(steps) / 96, 1 - (sum(steps) + 48) / 144])
    rates = [[e.learning_rate for e in _of(EpochEnded, events) if e.level == i] for i in (0, 1)]
    # the cosine spans what is trained, from its peak
    assert rates[1][0] == rates[0][0] and len(rates[1]) == epochs[1]
    assert rates[1][-1] < rates[1][0]


@pytest.mark.parametrize(
    ("retrain", "images", "stops"),
    [("full", IMAGES, False), ("critical", 0, False), ("none", 0, True)],
)
def test_the_final_ticket_trains_as_asked(
    retrain: str, images: int, stops: bool, spec: Specs, run_folder: Folders
) -> None:
    asked = spec(10, retrain=retrain, levels=2, mask_distance=0.03, window=2)
    directory = run_folder(asked)
    events = run(directory)
    found = _sets(directory)
    assert [one["level"] for one in found] == [0, 1]
    last = [e for e in _of(EpochEnded, events) if e.level == 2]
    assert last[-1].metrics["examples"] == (images or len(found[1]["images"]["id"]))
    assert ("mask_distance_max" in last[-1].metrics) == stops
    assert (len(last) < 9) == stops
    ended = _of(LevelEnded, events)[2]
    assert ended.kept == pytest.approx(0.64 * ended.total, abs=2)


def test_no_set_is_empty_and_no_class_is_missing(spec: Specs, run_folder: Folders) -> None:
    # nothing is forgotten so often; the original code would then train on all images
    directory = run_folder(spec(4, threshold=1000, levels=2, min_per_class=3, mask_distance=0))
    events = run(directory)
    first, second = _sets(directory)
    never_learned = first["images"]["why"].count("hard")
    assert 30 <= len(first["images"]["id"]) <= 30 + never_learned < IMAGES
    for one in (first, second):
        assert all(one["images"]["class"].count(digit) >= 3 for digit in "0123456789")
    assert _of(Evaluated, events)[0].metrics["added"] > 0
    why = dict(zip(second["images"]["id"], second["images"]["why"], strict=True))
    returned = set(why) - set(first["images"]["id"])
    assert {why[name] for name in returned} <= {"pie", "added"}


def test_a_rewind_point_beyond_the_steps_of_a_small_set_leaves_it_an_epoch(
    spec: Specs, run_folder: Folders
) -> None:
    small = {"threshold": 1000, "min_per_class": 2, "mask_distance": 0, "levels": 2}
    events = run(run_folder(spec(3, rewind="20it", **small)))
    started = _of(LevelStarted, events)
    assert started[1].steps >= 1 and started[1].epochs == 1
    assert [e.level for e in _of(LevelEnded, events)] == [0, 1, 2]


def test_watching_does_not_disturb_the_training(spec: Specs, run_folder: Folders) -> None:
    """A first search that never stops is the first level of IMP, weight for weight."""
    ours = spec(4, levels=1, mask_distance=0)
    theirs = ours.model_copy(
        update={"sparsifier": imp.Settings(levels=1, rewind=ours.sparsifier.rewind)}
    )
    one, other = run_folder(ours, "prac"), run_folder(theirs, "imp")
    run(one), run(other)
    for level in (0, 1):  # the last one trains on all images too
        mine, its = levels.ticket(one, level), levels.ticket(other, level)
        assert mine.mask.same(its.mask)
        assert all(torch.equal(t, its.trained[n]) for n, t in mine.trained.items())


def test_another_network_trains_on_a_set(spec: Specs, run_folder: Folders) -> None:
    first = run_folder(spec(2, levels=2, mask_distance=0, select="constant"))
    run(first)
    found = _sets(first)[0]
    file = first.evaluations / "00" / "critical_set.json"
    data = {"name": "digits", "validation": 100, "examples": str(file)}
    whole = spec(1).model_dump(mode="json", exclude={"experiment"})
    model = {"name": "resnet18", "width": 4}
    other = RunSpec.model_validate({**whole, "data": data, "model": model, "sparsifier": "dense"})
    second = run_folder(other, "other")
    run(second)
    drawn = json.loads(second.subset_file.read_text())
    assert sorted(drawn["train"]) == sorted(found["images"]["id"])
    assert drawn["val"] == json.loads(first.subset_file.read_text())["val"]
    assert found["dataset"] == "digits" and found["validation"] == 100 and found["level"] == 0


def test_the_plan_is_that_of_imp_and_says_that_it_is_an_upper_bound(spec: Specs) -> None:
    ours = spec(density=0.1, levels=None)
    theirs = ours.model_copy(
        update={"sparsifier": imp.Settings(density=0.1, rewind=ours.sparsifier.rewind)}
    )
    mine, its = plan(ours, IMAGES), plan(theirs, IMAGES)
    assert [replace(one, level=replace(one.level, search=False)) for one in mine.levels] == [
        *its.levels
    ]
    assert not its.notes
    assert "upper bound" in mine.notes[0]
    assert [one.level.search for one in mine.levels[-2:]] == [True, False]
    assert mine.levels[0].level.search  # it may stop early, which is no dense training
    assert not plan(spec(mask_distance=0.0), IMAGES).levels[0].level.search
    again = plan(spec(schedule="restart"), IMAGES)
    assert [(one.first, one.end) for one in again.levels] == [(0, 10 * 8)] * 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"levels": 0}, "greater than or equal to 1"),
        ({"min_per_class": 1}, "greater than or equal to 2"),
        ({"stop_below": 0.1}, "leave it out"),
        ({"density": 0.1, "levels": 3, "rate": 0.2}, "two of the three"),
        ({"iterations": "cubic"}, "linear"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        prac.Settings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "at", "words"),
    [
        ({"rate": 0.2, "wake": 0.4}, "wake", "0.4, so that none wakes a search at wake 0.4"),
        ({"rate": 0.2, "mask_distance": 0.4}, "mask_distance", "no search would end early"),
        ({"rate": 0.02}, "mask_distance", "at most twice the share that is pruned, 0.04"),
        ({"mask_distance": 0.4, "wake": 0.1}, "mask_distance", "every search would end at once"),
        # prunings of 0.3, 0.3 / 0.7 and 0.3 / 0.4 of what is kept
        (
            {"density": 0.1, "levels": 3, "density_schedule": "linear", "wake": 1.5},
            "wake",
            "1.5, so that",
        ),
    ],
)
def test_distances_that_no_pair_of_masks_can_have_are_refused(
    settings: dict[str, Any], at: str, words: str, spec: Specs
) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        plan(spec(4, **{"levels": 2, **settings}), IMAGES)
    assert caught.value.at == f"sparsifier.{at}"
    near = {"wake": 0.0} if at == "mask_distance" else {}
    plan(spec(4, **{"levels": 2, **settings, **near, at: 0.01}), IMAGES)
