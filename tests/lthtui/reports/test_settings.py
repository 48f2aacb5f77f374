"""What methods of a report differ in."""

from lthtui.reports.sections import settings


def method(made, name, **params):
    told = {"train.epochs": "40", "model.name": name, "data.root": "/home/me", "keep": "best"}
    return made.imp(0, 0.5, 0.6, group=name, params={**told, **params})


def test_values_that_not_all_have_stand_with_who_has_them_and_the_rest_is_told_once(made):
    both = {"loss.name": "tvmf"}
    runs = [
        method(made, "resnet18", **{"model.convolution": "plain", "loss.name": "cosine"}),
        method(made, "resnet34", **both, **{"model.convolution": "full", "loss.kappa": "16"}),
        method(made, "vgg16", **both, **{"loss.kappa": "8"}),
    ]
    table, rest = settings.build(made.subject(*runs)).blocks
    assert {*table.rows} == {
        ("model.name", "resnet18", "impresnet18"),
        ("model.name", "resnet34", "impresnet34"),
        ("model.name", "vgg16", "impvgg16"),
        ("loss.name", "cosine", "impresnet18"),
        ("loss.name", "tvmf", "all others"),
        ("loss.kappa", "16", "impresnet34"),
        ("loss.kappa", "8", "impvgg16"),
    }
    assert rest.text == "train.epochs: 40\nmodel.convolution: plain or full"


def test_of_a_run_that_others_start_from_its_name_is_enough(made):
    begun = {"start.ticket.run": "a-s0", "start.ticket.path": "/home/me/ticket"}
    table, _ = settings.build(made.subject(method(made, "a"), method(made, "b", **begun))).blocks
    assert [row[:2] for row in table.rows][2:] == [("start.ticket.run", "a-s0")]


def test_one_method_differs_in_nothing(made):
    (rest,) = settings.build(made.subject(method(made, "a"))).blocks
    assert rest.text == "train.epochs: 40\nmodel.name: a"
    assert settings.build(made.subject(made.imp(0, 0.5))) is None
