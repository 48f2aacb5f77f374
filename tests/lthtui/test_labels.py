"""Names that tell the groups of one spec apart."""

from __future__ import annotations

from lthtui.identity import Identity
from lthtui.labels import by_experiment, by_method, chosen, distinguish, method


def spec(**sparsifier):
    return {
        "name": "s",
        "seed": 1,
        "sparsifier": {"name": "imp", **sparsifier},
        "loss": {"name": "ce"},
    }


def test_only_what_differs_is_named():
    specs = {"a": spec(rate=0.1, levels=4), "b": spec(rate=0.2, levels=4)}
    assert distinguish(specs) == {"a": "rate=0.1", "b": "rate=0.2"}


def test_numbers_are_as_long_as_they_need_to_be():
    specs = {"a": spec(rate=8 / 3), "b": spec(rate=1e-5), "c": spec(rate=2)}
    assert [*distinguish(specs).values()] == ["rate=2.66667", "rate=1e-05", "rate=2"]


def test_a_choice_is_named_by_its_kind():
    specs = {"a": spec(rate=0.1), "b": {**spec(), "sparsifier": {"name": "rigl"}}}
    assert distinguish(specs) == {"a": "imp", "b": "rigl"}


def test_settings_count_among_those_who_chose_the_same():
    rigl = {**spec(), "sparsifier": {"name": "rigl", "alpha": 0.3}}
    specs = {"a": spec(rate=0.1), "b": spec(rate=0.2), "c": rigl}
    assert distinguish(specs) == {"a": "imp rate=0.1", "b": "imp rate=0.2", "c": "rigl"}


def test_many_differences_are_counted():
    one = {key: 0 for key in "pqrst"}
    two = {key: 1 for key in "pqrst"}
    assert distinguish({"a": one, "b": two})["a"] == "p=0 q=0 r=0 +2"


def test_name_and_seed_do_not_count():
    assert distinguish({"a": {"seed": 1, "x": 1}, "b": {"seed": 2, "x": 2}})["a"] == "x=1"


def test_hostile_values_are_shown_as_text():
    specs = {"a": {"root": "\x1b[2J"}, "b": {"root": "y"}}
    assert distinguish(specs)["a"] == "root=\\x1b[2J"


def asked(method, kind="", source="", instead=(), **settings):
    found = {"sparsifier": {"name": method}, "model": {"name": "m", "width": 4}}
    if kind:
        ticket = {"run": "r", "group": source}
        found["controls"] = {"kind": kind, "source": ticket, "instead": dict(instead)}
    return {**found, **settings}


def test_a_control_is_named_after_what_it_controls():
    specs = {
        "control1": asked("ticket", "random", "source1"),
        "source1": asked("imp"),
        "random1": asked("random"),
        "control2": asked("ticket", "random", "rigl1"),
        "rigl1": asked("rigl"),
        "nested": asked("ticket", "reinit", "control2"),
        "control3": asked("ticket", "random", "elsewhere"),
    }
    assert by_method(specs) == {
        "source1": "imp",
        "random1": "random",
        "rigl1": "rigl",
        "control1": "random of imp",
        "control2": "random of rigl",
        "nested": "reinit of random of rigl",
        "control3": "random of elsewh",
    }


def test_what_is_set_for_a_control_stands_on_its_row_only():
    narrow = {"model": {"name": "m", "width": 2}, "train": {"multiplier": 2.5}}
    instead = {"model.width": 4, "train.multiplier": 1.0}
    dense = asked("dense")
    alone = asked("dense", "small_dense", "gone", instead, **narrow)
    among = asked("dense", "small_dense", "imp1", instead, **narrow)
    set_ = "width=2 multiplier=2.5"
    assert by_method({"d": dense, "imp1": asked("imp"), "c": among}) == {
        "d": "dense",
        "imp1": "imp",
        "c": f"small_dense of imp {set_}",
    }
    assert by_method({"d": dense, "c": alone}) == {"d": "dense", "c": f"small_dense of gone {set_}"}


def test_controls_of_one_source_are_told_apart():
    specs = {
        "imp1": asked("imp"),
        "a": asked("ticket", "random", "imp1"),
        "b": asked("ticket", "random", "imp1", sparsifier={"name": "ticket", "schedule": "whole"}),
        "ccccccc": asked("ticket", "erk", "imp1"),
        "ddddddd": asked("ticket", "erk", "imp1"),
    }
    named = by_method(specs)
    assert named["b"] == "random of imp schedule=whole" and named["a"] == "random of imp"
    assert (named["ccccccc"], named["ddddddd"]) == ("erk of imp cccccc", "erk of imp dddddd")


def test_controls_of_one_sources_levels_are_told_apart_by_the_level_that_was_asked_for():
    def control(pick):
        spec = asked("ticket", "same_layer", "imp1")
        spec["controls"]["source"]["pick"] = pick
        return spec

    imp = {"imp1": asked("imp")}
    assert by_method({**imp, "a": control("last")})["a"] == "same_layer of imp"
    named = by_method({**imp, "a": control("last"), "b": control(2), "ccccccc": control(2)})
    assert named == {
        "imp1": "imp",
        "a": "same_layer of imp level last",
        "b": "same_layer of imp level 2 b",
        "ccccccc": "same_layer of imp level 2 cccccc",
    }


def test_what_starts_from_another_runs_mask_says_so():
    again = {"name": "rigl", "source": {"run": "r", "group": "g"}, "interval": 10}
    specs = {"a": asked("rigl"), "b": asked("rigl", sparsifier=again), "c": asked("ticket")}
    specs["c"]["sparsifier"]["source"] = {"run": "r", "group": "g"}
    assert by_method(specs) == {"a": "rigl", "b": "rigl source", "c": "ticket"}


def test_listed_images_are_told_in_short():
    def listed(examples):
        return asked("imp", data={**plain, "examples": examples, "examples_sha256": "0" * 64})

    plain = {"name": "digits"}
    file = "/a/long/way/mlruns/runs/20260101-a-long-name-abcdef-s1/evaluations/03/critical_set.json"
    specs = {"a": asked("imp", data=plain), "b": listed(file), "c": listed("/far/away/few.txt")}
    assert by_method(specs) == {
        "a": "imp",
        "b": "imp examples=abcdef-s1:3",
        "c": "imp examples=few.txt",
    }
    same = by_method({"aaaaaa1": listed("/one/few.txt"), "bbbbbb1": listed("/two/few.txt")})
    assert same == {"aaaaaa1": "imp aaaaaa", "bbbbbb1": "imp bbbbbb"}


def test_first_weights_are_told_in_short():
    def begun(**start):
        return asked("imp", start=start)

    run = {"run": "20260101-simclr-abcdef-s0", "group": "abcdef" + "0" * 58, "level": 0}
    specs = {
        "a": asked("imp"),
        "b": begun(file="/a/long/way/net.pth", sha256="0" * 64),
        "c": begun(ticket={**run, "path": "/a/ticket.safetensors", "sha256": "1" * 64}),
        "d": begun(ticket={"path": "/an/other.safetensors", "sha256": "2" * 64}),
        "e": begun(ticket="", file=None, sha256=None, torchvision="IMAGENET1K_V1"),
    }
    assert by_method(specs) == {
        "a": "imp",
        "b": "imp file=net.pth",
        "c": "imp ticket=abcdef",
        "d": "imp ticket=other.safetensors",
        "e": "imp torchvision=IMAGENET1K_V1",
    }


def test_controls_that_name_each_other_are_named_too():
    specs = {"a": asked("ticket", "erk", "b"), "b": asked("ticket", "erk", "a")}
    assert by_method(specs) == {"a": "erk of b", "b": "erk of a"}


def test_a_method_is_told_with_its_settings():
    spec = {"sparsifier": {"name": "ticket", "mask": "erk", "source": {"run": "r"}}}
    assert method(spec) == "ticket mask=erk"
    nested = {"sparsifier": {"name": "x", "a": {"b": 1, "name": "n"}, "c": "\x1b"}}
    assert method(nested) == "x a.b=1 c=\\x1b"


def test_a_choice_is_the_same_whether_it_was_asked_for_or_is_made_by_default():
    defaults = {"name": "x", "train.optimizer.name": "sgd", "train.optimizer.lr": "0.1"}
    slow = asked("imp", train={"optimizer": {"name": "sgd", "lr": 0.03}})
    adam = asked("imp", train={"optimizer": {"name": "adam"}})
    specs = {"a": chosen(asked("imp"), defaults), "b": chosen(slow, defaults)}
    assert by_method(specs) == {"a": "imp", "b": "imp lr=0.03"}
    specs["c"] = chosen(adam, {"train.optimizer.name": "adam"})
    assert by_method(specs) == {"a": "imp sgd", "b": "imp sgd lr=0.03", "c": "imp adam"}
    listed = {"evaluate": [{"name": "layer_density"}]}
    assert chosen(listed, {"evaluate.0.name": "layer_density"}) == listed


def test_groups_are_told_apart_within_their_experiment():
    def identity(experiment, group, spec):
        facts = dict.fromkeys(("name", "family", "digest", "sparsifier", "dataset", "model"), "x")
        return Identity(experiment=experiment, group=group, asked=spec, params={}, seed=0, **facts)

    slow, fast = ({"name": "rigl", "interval": i} for i in (10, 20))
    known = [
        identity("one", "a", asked("rigl", sparsifier=slow)),
        identity("one", "b", asked("rigl", sparsifier=fast)),
        identity("two", "a", asked("rigl", sparsifier=slow)),
    ]
    assert by_experiment(known) == {
        ("one", "a"): "rigl interval=10",
        ("one", "b"): "rigl interval=20",
        ("two", "a"): "rigl",
    }
