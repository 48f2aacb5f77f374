"""What a longer run can take over of a finished one, by their plans and by what was kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import UsageError
from engine.growth import Kept, Left, Shared, fixed, look, shared
from engine.plan import plan
from engine.rundir import RunDirectory
from engine.spec import RunSpec

IMP: dict[str, Any] = {"name": "imp", "levels": 3, "rewind": "1ep"}
ALL = Kept([Left(True, True)] * 4, {2}, True)  # 50 images in batches of 25: an epoch is 2 steps
Tiny = Callable[..., RunSpec]


def _compare(
    tiny: Tiny, old: dict[str, Any], new: dict[str, Any], kept: Kept = ALL
) -> Shared | str:
    """What is shared, or why nothing is; what is given replaces whole fields."""
    try:
        return shared(tiny(**old), tiny(**new), 50, kept)
    except UsageError as error:
        return str(error)


def _imp(**more: Any) -> dict[str, Any]:
    found = {**IMP, **more}
    return {"sparsifier": {key: value for key, value in found.items() if value is not None}}


def _train(**more: Any) -> dict[str, Any]:
    return {"epochs": 3, "batch_size": 25, "schedule": "constant", **more}


def test_all_levels_with_what_they_took(tiny: Tiny) -> None:
    # 3 epochs of 2 steps, then three times what remains from epoch 1: 6 + 3 * 4
    assert _compare(tiny, _imp(), _imp(levels=5)) == Shared(4, 0, 18)
    assert _compare(tiny, _imp(), _imp(levels=None)) == Shared(4, 0, 18)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            _imp(density=0.5),
            _imp(density=0.5, levels=4),
            "level 1 would keep 84.09% of the weights instead of 79.37%",
        ),
        (
            _imp(density_schedule="linear"),
            _imp(density_schedule="linear", levels=4),
            "level 1 would keep",
        ),
        (_imp(), _imp(rate=0.3), "level 1 would keep 70.00% of the weights instead of 80.00%"),
        (_imp(), _imp(score="taylor", levels=5), "sparsifier.score would be other"),
        (_imp(), {**_imp(levels=5), "seed": 1}, "seed would be other"),
        (_imp(), {**_imp(levels=5), "select": {"level": "last"}}, "select.level would be other"),
        (_imp(), {**_imp(levels=5), "train": _train()}, "train.schedule.name would be other"),
        (_imp(), {"sparsifier": {"name": "dense"}}, "sparsifier.name would be other"),
    ],
)
def test_why_nothing_is_taken_over(
    tiny: Tiny, old: dict[str, Any], new: dict[str, Any], why: str
) -> None:
    found = _compare(tiny, old, new)
    assert isinstance(found, str) and why in found, found


def test_a_solved_number_of_levels_keeps_those_that_were_pruned_by_rate(tiny: Tiny) -> None:
    """To density 0.5 there are 4 prunings by a fifth, and the last one takes what is missing."""
    kept = Kept([Left(True, False)] * 5, {2}, False)
    found = _compare(tiny, _imp(levels=None, density=0.5), _imp(levels=None, density=0.2), kept)
    assert isinstance(found, Shared) and found.levels == 3  # level 3 was pruned to 0.5
    assert found.why == "level 4 would keep 40.96% of the weights instead of 50.00%"


def test_what_the_next_level_needs_must_have_been_kept(tiny: Tiny) -> None:
    closed = Kept([Left(True, True)] * 3 + [Left(True, False)], {2}, False)
    found = _compare(tiny, _imp(), _imp(levels=5), closed)
    assert isinstance(found, Shared) and found.levels == 3
    assert found.why == "level 3 was the last, and left nothing for another to start from"

    no_rewind = Kept(ALL.levels, set(), False)
    found = _compare(tiny, _imp(), _imp(levels=5), no_rewind)
    assert isinstance(found, str) and "the weights at 1ep of level 0 were not kept" in found
    init = _compare(tiny, _imp(rewind="init"), _imp(rewind="init", levels=5), no_rewind)
    assert isinstance(init, Shared) and init.levels == 4

    dropped = Kept([Left(index == 1, True) for index in range(4)], (), False)
    onward = {"after": "continue", "rewind": None}
    found = _compare(tiny, _imp(**onward), _imp(**onward, levels=5), dropped)
    assert isinstance(found, Shared) and found.levels == 2
    assert found.why == "the weights that level 3 ended with were not kept"


def test_a_last_epoch_is_none_of_the_best(tiny: Tiny) -> None:
    """Where tickets keep the best epoch, a level's last weights are there only by themselves."""
    best = {"select": {"epoch": "best"}}
    rounds = {"name": "dense", "levels": 2, "rounds": 2, "rewind": "1ep"}
    old = {"sparsifier": rounds, **best}
    new = {"sparsifier": {**rounds, "levels": 3, "rounds": 3}, **best}
    found = _compare(tiny, old, new, Kept(ALL.levels[:3], {2}, False))
    assert isinstance(found, Shared) and found.levels == 1
    found = _compare(tiny, {**old, "select": {}}, {**new, "select": {}})
    assert isinstance(found, Shared) and found.levels == 2


@pytest.mark.parametrize(
    ("sparsifier", "old", "new", "why"),
    [
        ("dense", {"schedule": "cosine"}, {"schedule": "cosine"}, "cosine spans the whole"),
        ("dense", {}, {"epochs": 2}, "it would be shorter"),
        ("dense", {"evaluate": {"last": 2}}, {"evaluate": {"last": 2}}, "last 2 epochs validated"),
        ({"name": "rigl", "interval": "1it", "at": "after"}, {}, {}, "mask updates lie at shares"),
        ({"name": "imp", "levels": 1, "rewind": "init"}, {}, {}, "train 10 steps instead of 6"),
    ],
)
def test_why_epochs_are_not_taken_over(
    tiny: Tiny, sparsifier: Any, old: dict[str, Any], new: dict[str, Any], why: str
) -> None:
    before = {"sparsifier": sparsifier, "train": _train(**old)}
    after = {"sparsifier": sparsifier, "train": _train(**{"epochs": 5, **new})}
    found = _compare(tiny, before, after)
    assert isinstance(found, str) and why in found, found


def test_epochs_need_the_checkpoint_of_the_last_step(tiny: Tiny) -> None:
    before = {"sparsifier": "dense", "train": _train()}
    after = {"sparsifier": "dense", "train": _train(epochs=5)}
    assert _compare(tiny, before, after) == Shared(0, 3, 6)
    found = _compare(tiny, before, after, Kept(ALL.levels[:1], (), False))
    assert isinstance(found, str) and "no checkpoint of its last step was kept" in found


def test_a_checkpoint_is_kept_only_where_a_training_can_go_on(tiny: Tiny) -> None:
    def keeps(**fields: Any) -> bool:
        spec = tiny(**fields)
        return not fixed(spec, plan(spec, 50))

    assert keeps(sparsifier="dense", train=_train())
    assert not keeps(sparsifier="dense", train=_train(schedule="cosine"))
    assert not keeps(sparsifier={**IMP, "levels": 1}, train=_train())


def test_what_somebody_put_beside_the_kept_weights_is_left_out(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "x")
    for name in ("000000004", "000000004.old", "9 copy"):
        (directory.rewind / name).mkdir(parents=True)
    assert look(directory) == Kept([], {4}, False)
