"""The command `lthtui worth` on run folders: what it is told, and what it writes."""

import json

import pytest
from rundirs import FakeRun

TOP = 0.81 + 0.004 * 9  # of both, at level 3


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Three seeds of imp, which differ in their gains, and the null of two of them."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mlruns"
    monkeypatch.setenv("LTHTUI_ROOT", str(root))
    for seed in range(3):
        source = FakeRun(root, "imp", seed, dense=0.81 + seed / 50).start().train(6).end()
        if seed < 2:
            of = {"run": source.run_id, "level": 3, "sha256": "0" * 64}
            more = {"controls": {"source": of, "kind": "null"}, "dense": 0.80 + seed / 40}
            null = FakeRun(
                root, "imp-null", seed, sparsifier={"name": "dense", "levels": 5}, **more
            )
            null.start().train(6).end()
    return root


def test_the_table_fits_80_columns_and_names_what_is_missing(root, command):
    code, out, said = command("worth", "imp")
    lines = out.splitlines()
    [run] = [one.name for one in root.glob("runs/*-s2")]
    [group] = {one["group"][:6] for one in listed(command) if one["name"] == "imp"}
    assert code == 0 and said == ""
    assert lines[0] == f"imp ({group}), 3 seeds, tickets of levels 3 3 3"
    assert max(len(one) for one in lines if not one.startswith("lthtui control")) <= 80
    rows = {one.split("  ")[0]: one.split() for one in lines}
    assert rows["ticket"][1:] == [f"{100 * (TOP + 0.01):.2f}", "±", "2.00", "3"]
    pruning = rows["ticket - null: pruning"]
    assert pruning[4:7] == ["+0.75", "±", "0.35"] and pruning[-1] == "2"
    assert lines[-2:] == [
        f"lthtui control {run} --kind null",
        f"lthtui control {group} --kind budget,same_layer,random,uniform,erk,reinit,shuffle,labels",
    ]


def listed(command):
    return json.loads(command("list", "--json")[1])


def test_as_json_and_as_markdown(root, command):
    code, out, _ = command("worth", "imp", "--json")
    [group] = json.loads(out)["groups"]
    assert code == 0 and group["parts"]["pruning"]["mean"] == pytest.approx(0.0075)
    code, out, _ = command("worth", "imp", "--markdown")
    tables = [line for line in out.splitlines() if line.startswith("|---")]
    assert code == 0 and len(tables) == 3 and out.startswith("### imp")
    assert all(line in out for line in group["commands"])


def test_what_has_no_ticket_is_refused(root, command):
    code, _, said = command("worth", "imp-null")
    assert code == 2 and "no ticket in 2 runs; name finished ones that prune" in said
    assert command("worth", "imp", "--json", "--markdown")[0] == 2
    assert command("worth", "nothing")[0] == 2


def test_the_margin_is_in_points(root, command):
    [group] = json.loads(command("worth", "imp", "--margin", "2.5", "--json")[1])["groups"]
    assert {check["margin"] for check in group["checks"]} == {0.025}
