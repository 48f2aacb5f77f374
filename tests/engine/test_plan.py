import pytest

from engine.durations import Duration
from engine.errors import SpecError
from engine.plan import plan, steps_per_epoch
from engine.spec import RunSpec


def spec(**changes):
    train = {"epochs": 10, "batch_size": 50, **changes.pop("train", {})}
    base = {"name": "x", "data": "digits", "model": "resnet20", "train": train}
    return RunSpec.model_validate({**base, **changes})


ONCE = ("snip", "grasp", "synflow", "magnitude_init", "random", "static", "gradual")


def imp(**knobs):
    return {"name": "imp", "levels": 2, **knobs}


@pytest.mark.parametrize(
    ("images", "batch", "steps"),
    [(200, 50, 4), (201, 50, 4), (202, 50, 5), (50, 50, 1), (49, 50, 1), (2, 50, 1), (1, 50, 0)],
)
def test_a_last_batch_of_one_image_is_dropped(images, batch, steps):
    assert steps_per_epoch(images, batch) == steps


def spans(planned):
    return [(one.first, one.end) for one in planned.levels]


@pytest.mark.parametrize(
    ("knobs", "expected", "rewinds"),
    [
        ({"rewind": "2ep"}, [(0, 40), (8, 40), (8, 40)], (8,)),
        ({"rewind": "5it"}, [(0, 40), (5, 40), (5, 40)], (5,)),
        ({"rewind": "1ep2it"}, [(0, 40), (6, 40), (6, 40)], (6,)),
        ({"rewind": "init"}, [(0, 40)] * 3, (0,)),
        ({"rewind": "2ep", "length": "full"}, [(0, 40), (8, 48), (8, 48)], (8,)),
        ({"rewind": "3ep", "after": "lr_rewind"}, [(0, 40), (12, 40), (12, 40)], ()),
        ({"after": "finetune", "finetune": "3ep"}, [(0, 40), (0, 12), (0, 12)], ()),
        ({"after": "continue"}, [(0, 40)] * 3, ()),
    ],
)
def test_levels_train_these_positions_of_the_schedule(knobs, expected, rewinds):
    planned = plan(spec(sparsifier=imp(**knobs)), 200)
    assert spans(planned) == expected
    assert tuple(point.in_steps(4) for point in planned.rewinds) == rewinds
    assert planned.steps == sum(end - first for first, end in expected)
    assert planned.epochs == planned.steps / 4


def test_what_follows_a_pruning_decides_weights_and_learning_rate():
    def second(**knobs):
        level = plan(spec(sparsifier=imp(**knobs)), 200).levels[1].level
        return level.start, level.learning_rate

    assert second(rewind="2ep") == (Duration(2), "schedule")
    assert second(after="lr_rewind") == (None, "schedule")
    assert second(after="finetune") == (None, "last")


def densities(**knobs):
    levels = plan(spec(sparsifier={"name": "imp", **knobs}), 200).levels
    return [round(one.level.density, 6) for one in levels]


def test_nominal_densities():
    assert densities(levels=3, rate=0.2) == [1.0, 0.8, 0.64, 0.512]
    assert len(densities()) == 16  # 15 prunings by default
    assert densities(levels=0) == [1.0]
    assert densities(levels=2, density=0.25) == [1.0, 0.5, 0.25]
    assert densities(rate=0.5, density=0.2) == [1.0, 0.5, 0.25, 0.2]
    assert densities(rate=0.5, density=0.25) == [1.0, 0.5, 0.25]


def test_one_training_without_levels():
    assert spans(plan(spec(sparsifier="dense"), 200)) == [(0, 40)]
    [level] = plan(spec(sparsifier={"name": "random", "density": 0.3}), 200).levels
    assert level.level.density == 0.3


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({"sparsifier": imp(rewind="10ep")}, "sparsifier.rewind", "rewind 10ep lies at or beyond"),
        ({"sparsifier": imp(rewind="40it")}, "sparsifier.rewind", "are 40 steps"),
        (
            {"sparsifier": imp(rewind="11ep", after="lr_rewind")},
            "sparsifier.rewind",
            "11ep lies at or beyond",
        ),
        (
            {"sparsifier": imp(after="finetune", finetune="init")},
            "sparsifier.finetune",
            "at least one step",
        ),
        *(
            ({"sparsifier": {"name": name, **more, "rewind": "5ep"}}, "sparsifier.rewind", why)
            for name in ("imp", "prac", "dense")
            for more, why in (
                ({"levels": 2, "after": "finetune"}, "no effect with after: finetune"),
                ({"levels": 2, "after": "continue"}, "no effect with after: continue"),
            )
        ),
        *(
            (
                {"sparsifier": {"name": name, "density": 1.0}},
                "sparsifier.density",
                "at density 1",
            )
            for name in (*ONCE, "rigl", "set", "snfs", "continuous")
        ),
        ({"train": {"warmup": "40it"}}, "train.warmup", "takes the whole training"),
        (
            {"sparsifier": imp(), "select": {"level": 3}},
            "select.level",
            "the run has levels 0 to 2",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_and_the_field_named(changes, at, words):
    with pytest.raises(SpecError, match=words) as caught:
        plan(spec(**changes), 200)
    assert caught.value.at == at


def test_a_rewinding_that_nobody_asked_for_is_the_fault_of_the_epochs():
    with pytest.raises(SpecError, match="rewind 2ep lies at or beyond") as caught:
        plan(spec(train={"epochs": 2}), 200)
    assert caught.value.at == "train.epochs"


def test_the_last_step_may_be_the_rewind_point():
    assert spans(plan(spec(sparsifier=imp(rewind="39it")), 200))[1] == (39, 40)


def test_too_few_images_make_no_plan():
    with pytest.raises(SpecError, match="at least 2 are needed") as caught:
        plan(spec(), 1)
    assert caught.value.at == "data"
