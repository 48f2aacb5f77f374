"""The names under which events become metrics in MLflow."""

from engine import schema
from engine.events import EpochEnded, LevelEnded

EPOCH = {"level_epoch": 1, "train_loss": 0.5, "train_accuracy": 0.75, "learning_rate": 0.1}


def test_what_a_sparsifier_measured_is_an_epochs_metric_and_replaces_none_of_ours():
    own = {"mask_distance": 0.25, "train_loss": 99.0}
    metrics = schema.metrics_of(EpochEnded(**EPOCH, images_per_second=9.0, metrics=own))
    assert metrics == {
        "epoch/mask_distance": 0.25,
        "epoch/train_loss": 0.5,
        "epoch/train_accuracy": 0.75,
        "epoch/learning_rate": 0.1,
        "epoch/images_per_second": 9.0,
    }


def test_costs_are_a_levels_metrics_where_they_are_known():
    fields = {"density": 0.5, "kept": 4, "total": 8, "epochs": 1, "seconds": 2.0}
    old = schema.metrics_of(LevelEnded(**fields))
    assert old == {"level/density": 0.5, "level/kept": 4.0, "level/seconds": 2.0}
    costs = {"inference_flops": 10.0, "training_flops": 1e15, "device_seconds": 4.0, "joules": 9.0}
    new = schema.metrics_of(LevelEnded(**fields, **costs))
    assert new == {**old, **{f"level/{name}": value for name, value in costs.items()}}
