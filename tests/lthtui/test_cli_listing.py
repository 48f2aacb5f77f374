"""`lthtui list` with a filter, an order and columns."""

import json

import pytest
from rundirs import FakeRun, populate

from lthtui.cli import main
from lthtui.fields import BUILT_IN


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path))
    return tmp_path


def listed(capsys, *arguments):
    """Exit code, lines on stdout, and stderr."""
    code = main(["list", *arguments])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def names(capsys, *arguments):
    _, out, _ = listed(capsys, "--json", *arguments)
    return [f"{run['name']}-s{run['seed']}" for run in json.loads(out[0])]


def test_only_runs_that_meet_the_filter_are_listed(root, capsys):
    populate(root)
    assert names(capsys, "--filter", "digits-imp and status=finished") == [
        "digits-imp-s0",
        "digits-imp-s1",
    ]
    _, lines, _ = listed(capsys, "--filter", "status=failed")
    assert len(lines) == 2 and "diverging" in lines[1] and lines[0].startswith("RUN")
    assert names(capsys, "--filter", "sparsifier.rate>=0.3") == ["sweep-s0", "sweep-s0"]
    # accuracy of level 3: 0.91 + 0.004 * 9, of which 1 - exp(-3) after the last epoch: 0.8989
    assert names(capsys, "--filter", "best(epoch/val_accuracy)>89.7%") == ["digits-imp-s1"]


def test_nothing_like_it_is_no_failure(root, capsys):
    populate(root)
    assert listed(capsys, "--filter", "name=none") == (0, [], "no run is like that\n")
    assert listed(capsys, "--filter", "name=none", "--json") == (0, ["[]"], "")


def test_runs_are_sorted_by_fields(root, capsys):
    populate(root)
    found = names(capsys, "--sort", "-val,name", "--filter", "val>0")
    assert found[:2] == ["digits-imp-s1", "digits-imp-s2"] and found[-1] == "diverging-s0"
    _, lines, _ = listed(capsys, "--sort", "-created")
    assert "sweep" in lines[1] and "digits-imp" in lines[-1]


def test_columns_are_shown_with_their_titles(root, capsys):
    FakeRun(root, "one", seed=4, tags={"why": "paper\x1b[2J"}).start().train(2).end("stopped")
    asked = "name,seed,val,best(epoch/val_accuracy) as top,train.epochs,tags.why,gain"
    code, (header, line), _ = listed(capsys, "--columns", asked)
    assert header.split() == ["RUN", "SEED", "VAL", "TOP", "EPOCHS", "WHY", "GAIN"]
    # accuracy of level 1: 0.90 + 0.004 * (9 - 4), of which 1 - exp(-3) after the last epoch
    assert line.split() == ["one", "4", "92.0", "@1", "0.8742", "4", "paper\\x1b[2J", "+2.0"]
    assert code == 0
    _, (header, line), _ = listed(capsys, "--columns", "status")
    assert header.split() == ["ID", "STATUS"] and line.split()[1:] == ["■", "stopped"]


def test_help_in_the_place_of_columns_names_all_fields(root, capsys):
    _, (header, *lines), _ = listed(capsys, "--columns", "help")
    assert header.split() == ["FIELD", "WHAT", "IT", "IS"]
    assert [line.split()[0] for line in lines] == [*BUILT_IN]
    FakeRun(root, "one", levels=1).start().train(1).end()
    _, (_, *lines), _ = listed(capsys, "--columns", "help")
    told = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert told["val"] == "accuracy of its ticket on validation images, and its level"
    assert {"val@10%", "train.epochs", "level/test_accuracy", "min(epoch/train_loss)"} <= {*told}


def test_accuracies_at_a_share_of_weights_are_listed(root, capsys):
    populate(root)
    # of imp-s0 and s1, level 3 keeps 51.2 %; s2 has not ended it, and level 2 keeps 64 %
    asked = ("--filter", "name=digits-imp", "--sort", "-val@50%", "--columns", "name,val@50%")
    _, (header, *lines), _ = listed(capsys, *asked)
    assert header.split() == ["RUN", "VAL@50%"]
    assert [line.split() for line in lines] == [
        *(["digits-imp", accuracy] for accuracy in ("94.6", "93.6", "–")),
    ]
    assert names(capsys, "--filter", "val@64%>94%") == ["digits-imp-s1", "digits-imp-s2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--filter", "vall>3"), "--filter, column 1: no field 'vall'; did you mean val?"),
        (("--filter", "seed=0 val>60"), "column 12: val is a share of 1; expected one, or 60%"),
        (("--sort", "name,-vul"), "--sort, column 7: no field 'vul'; did you mean val?"),
        (("--columns", "name,best(epoch/val_los)"), "no metric 'epoch/val_los'; did you mean"),
        (("--filter", "train.epochz=4"), "no field 'train.epochz'; did you mean train.epochs?"),
    ],
)
def test_what_means_nothing_is_said_where_it_stands(root, capsys, arguments, said):
    populate(root)
    code, out, err = listed(capsys, *arguments)
    assert (code, out) == (2, []) and said in err
    _, text, mark = err.rstrip("\n").splitlines()
    column = int(err.partition("column ")[2].partition(":")[0])
    assert text.strip() == arguments[1] and mark.index("^") - 2 == column - 1


def test_an_empty_root_has_no_runs_whatever_is_asked(root, capsys):
    code, out, err = listed(capsys, "--filter", "train.anything>3", "--sort", "-a/b")
    assert (code, out) == (0, []) and err == "no run is like that\n"
