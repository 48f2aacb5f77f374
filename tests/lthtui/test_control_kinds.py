"""Controls that a source can't have, or has already: told with those that it can have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from inprocess import IMP, KINDS, train

from engine.errors import SpecError
from engine.rundir import RunDirectory
from lthtui import cli, identity, runnames, specfiles, verbs


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """A root with a run of IMP, a control of it, and one of Continuous Sparsification."""
    folder = tmp_path_factory.mktemp("chain")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("LTHTUI_ROOT", raising=False)
        torch.set_num_threads(1)
        Path("imp.yaml").write_text(IMP)
        train(folder / "mlruns", "imp.yaml", "sparsifier.levels=1")
        assert cli.main(["control", "imp", "--kind", "same_layer", "--write", "."]) == 0
        train(folder / "mlruns", "imp-same_layer.yaml")
        settings = "sparsifier={name: continuous, rounds: 2, rewind: 1ep, initial: 0.1}"
        train(folder / "mlruns", "imp.yaml", "name=cont", settings, "select.level=best")
        torch.set_num_threads(threads)
    return folder


@pytest.fixture
def chain(chained, monkeypatch):
    """That folder; no worker program is asked for narrow networks."""
    monkeypatch.chdir(chained)
    monkeypatch.setattr(verbs, "ask", lambda arguments: {"model": {"width": 3}})
    monkeypatch.delenv("LTHTUI_ROOT", raising=False)
    return chained


def of(root: Path, name: str) -> RunDirectory:
    [found] = [run for run in runnames.every(root) if identity.read(run).name == name]
    return found


def test_the_null_of_searches_is_as_long_and_picks_only_its_last(chain, capsys):
    source = of(chain / "mlruns", "cont")
    planned = specfiles.expand(source.path).runs[0].plan
    assert cli.main(["control", "cont", "--kind", "null", "--write", "nulls"]) == 0
    [null] = specfiles.expand("nulls/cont-null.yaml").runs
    assert (len(null.plan.levels), null.plan.steps) == (3, planned.steps)
    assert null.spec.select.level == "last" and null.spec.family == source.spec().family
    assert identity.Identity.of(null.spec).controls.sets == ()


def test_kinds_that_cannot_be_are_told_with_those_that_can(chain, capsys):
    [control, imp] = [of(chain / "mlruns", name).run_id for name in ("imp-same_layer", "imp")]
    can = "reinit,shuffle,small_dense,budget"
    for asked in ("all", "erk,null", "null"):
        for more in (["--dry-run"], ["--write", "refused"]):
            assert cli.main(["control", control, "--kind", asked, *more]) == 2
            said = capsys.readouterr().err
            assert said.endswith(f"possible: --kind {can}\n") and "weights_source" not in said
            assert f"no null: {control}: ticket starts its trainings" in said
            assert said.count(f"; control {imp} --level 1\n") == (1 if asked == "null" else 2)
    assert not Path("refused").exists()
    assert cli.main(["control", control, "--kind", "erk", "--dry-run"]) == 2
    assert f"no erk: {control} knows only what the weights that its" in capsys.readouterr().err
    assert cli.main(["control", control, "--kind", can, "--dry-run"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_wrong_overrides_of_controls_are_no_fault_of_their_kinds(chain, capsys):
    assert cli.main(["control", "imp", "--dry-run", "train.epochs=0"]) == 2
    assert capsys.readouterr().err == "override train.epochs=0: must be at least 1, found 0\n"


def test_a_network_without_a_width_has_no_small_one(chain, capsys, monkeypatch):
    def refuse(arguments):
        raise SpecError("lenet has no width to narrow", "model")

    monkeypatch.setattr(verbs, "ask", refuse)
    assert cli.main(["control", "imp", "--kind", "small_dense,erk", "--dry-run"]) == 2
    rest = ",".join(kind for kind in KINDS if kind != "small_dense")
    assert capsys.readouterr().err == (
        f"lthtui: no small_dense: lenet has no width to narrow\npossible: --kind {rest}\n"
    )


def test_a_run_that_will_stand_for_a_control_is_told_with_what_it_was_made_as(chain, capsys):
    imp = of(chain / "mlruns", "imp").run_id
    plain = ["sparsifier={name: dense, levels: 1, rewind: 1ep}", "name=plain"]
    [dense] = train(chain / "mlruns", "imp.yaml", *plain)
    nulls = ["control", "imp", "--kind", "null,same_layer", "--dry-run"]
    assert cli.main(nulls) == 0
    said = capsys.readouterr()
    assert "is finished already: 2 levels" in said.out
    assert said.err == (
        f"{dense.run_id} is finished already and stands for the null of {imp}, level 1,"
        " as well as for a run of its own; --again makes another\n"
    )
    assert cli.main([*nulls, "--again"]) == 0
    assert capsys.readouterr().err == ""
