"""What it took to have a level, with the runs that it started from, worked out by hand."""

from dataclasses import replace

from lthtui.runview import LevelView, RunView
from lthtui.spent import Spent, spent


def level(index, density, **more):
    """One that took 10 s and 6 operations for each of 100 weights that it had."""
    counts = {"kept": round(100 * density), "total": 100, "planned": 1, "epochs": 1, "ended": True}
    known = {"val": 0.5, "test": 0.5, "seconds": 10.0, "ticket": None}
    return LevelView(index, density, training_flops=600 * density, **counts, **known, **more)


def run(name, *levels, **more):
    facts = dict.fromkeys(("name", "experiment", "group", "family", "sparsifier"), name)
    about = {"seed": 0, "dataset": "digits", "model": "mlp", "status": "finished"}
    return RunView(run_id=f"{name}-s0", **facts, **about, levels=levels, **more)


def starting(setting, source, pick="best", **more):
    """Settings of a run that starts from another's ticket."""
    about = {"run": source, "sha256": "ab", "pick": pick, **more}
    return {f"{setting}.{name}": value for name, value in about.items()}


def chain():
    """A pretrained network, a search that starts from it, and what starts from that and another."""
    first = run("pre", level(0, 1.0))
    params = starting("start.ticket", "pre-s0")
    search = run("imp", *(level(at, 0.5**at) for at in range(3)), params=params)
    return first, search


def summed(one, *known):
    return spent(one, one.ended_levels, {each.run_id: each for each in known})


def test_a_run_alone_costs_what_its_levels_cost():
    one = run("dense", level(0, 1.0, device_seconds=20.0, joules=5.0))
    assert summed(one) == Spent(600.0, 10.0, 20.0, 5.0)


def test_what_others_started_from_counts_too():
    first, search = chain()
    params = starting("sparsifier.source", "imp-s0", "last")
    one = run("ticket", level(0, 0.25), params=params)
    found = summed(one, first, search, one)
    assert found.training_flops == 6 * (25 + (100 + 50 + 25) + 100)
    assert found.seconds == 50.0 and found.others == ("imp-s0", "pre-s0")


def test_a_run_that_is_named_twice_counts_once_up_to_its_later_level():
    first, search = chain()
    params = starting("sparsifier.source", "imp-s0", "0") | starting("data.examples", "imp-s0", "1")
    one = run("ticket", level(0, 0.25), params=params)
    assert summed(one, first, search).seconds == 10 + 20 + 10
    turned = starting("sparsifier.source", "imp-s0", "1") | starting("data.examples", "imp-s0", "0")
    assert summed(replace(one, params=turned), first, search).seconds == 10 + 20 + 10
    params |= starting("sparsifier.weights_source", "imp-s0")
    one = run("ticket", level(0, 0.25), params=params)
    assert summed(one, first, search).seconds == 10 + 30 + 10


def test_runs_that_are_not_known_are_named_and_left_out():
    _, search = chain()
    one = run("ticket", level(0, 0.25), params=starting("sparsifier.source", "imp-s0", "0"))
    found = summed(one, search)
    assert found.seconds == 20.0 and found.unknown == ("pre-s0",) and found.others == ("imp-s0",)


def test_tickets_that_are_only_looked_at_and_imported_ones_cost_nothing():
    params = starting("evaluate.0.other", "imp-s0") | starting("start.ticket", "")
    found = summed(run("dense", level(0, 1.0), params=params), *chain())
    assert found.seconds == 10.0 and not found.others and not found.unknown


def test_a_sum_is_unknown_where_a_part_is():
    first, search = chain()
    known = level(0, 0.25, joules=5.0)
    one = run("ticket", known, params=starting("sparsifier.source", "imp-s0"))
    assert summed(one, first, search).joules is None
