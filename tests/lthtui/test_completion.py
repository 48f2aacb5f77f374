"""Completion as shells ask for it, and in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import manyruns
import pytest
import typer
from rundirs import FakeRun
from terminal import Terminal

from lthtui import fieldwords
from lthtui.cli import main
from lthtui.commands.tree import GROUPS, tree

SPEC = """\
data: digits
model: resnet20
sparsifier: {name: imp, rate: 0.3, levels: 2}
train: {epochs: 7}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with specs, and a root with runs."""
    (tmp_path / "specs/more").mkdir(parents=True)
    (tmp_path / "specs/quick.yaml").write_text(SPEC)
    (tmp_path / "specs/slow.yml").write_text(SPEC.replace("imp, rate: 0.3, levels: 2", "rigl"))
    (tmp_path / "specs/notes.txt").touch()
    (tmp_path / "specs/more/deep.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mlruns"
    monkeypatch.setenv("LTHTUI_ROOT", str(root))
    for seed in range(2):
        FakeRun(root, "digits-imp", seed).start().train(2).end()
    FakeRun(root, "digits-rigl", experiment="other").start().train(1)
    return root


@pytest.fixture
def bash(here, monkeypatch, capsys):
    """What bash is told after a line, which it takes apart at `=` and `:`."""

    def bash(line):
        words = line.replace("=", " = ").replace(":", " : ").split(" ")
        words = [word for word in words[:-1] if word] + words[-1:]
        if line.endswith(("=", ":")):
            words.pop()
        monkeypatch.setenv("_LTHTUI_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        assert main([]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        return said.out.split()

    return bash


def test_every_command_is_in_the_file_that_the_tree_says():
    for group, names in GROUPS.items():
        own = typer.main.get_command(tree(names.split()[:1])).commands
        assert {*own} == {*names.split()}, group
    assert {*typer.main.get_command(tree()).commands} == {*" ".join(GROUPS.values()).split()}


def test_names_of_commands_and_options(bash):
    assert bash("lthtui sh") == ["show"]
    assert {"run", "tag", "trash", "ticket"} <= {*bash("lthtui ")}
    assert "--append" in bash("lthtui note digits --a")
    assert bash("lthtui ticket e") == ["export"]


def test_runs_and_experiments_that_only_the_store_knows(here, bash, template):
    manyruns.store(template, here, 1)
    assert bash("lthtui show spec") == ["spec0"]
    assert "Default" in bash("lthtui metrics --experiment ")


def test_runs_by_the_names_that_commands_take(bash):
    names = ["digits-imp", "digits-imp-s0", "digits-imp-s1", "digits-rigl-s0"]
    assert sorted(bash("lthtui show d")) == names
    assert bash("lthtui cancel ")[0] == "@last"
    assert len(bash("lthtui logs 20261121-digits-imp")) == 2
    assert bash("lthtui archive digits-rigl-s0 digits-imp-s1") == ["digits-imp-s1"]
    assert bash("lthtui cancel --experiment o") == ["other"]
    assert bash("lthtui ticket export digits-imp-s0 --level ") == ["best", "last", "0", "1"]


def test_runs_in_the_trash_where_they_are_meant(bash, here):
    shutil.move(here / "runs" / bash("lthtui show 20261121-digits-r")[0], here / "trash/x-s0")
    assert bash("lthtui trash --restore ") == ["@last", "x-s0"]
    assert "x-s0" not in bash("lthtui trash ")


def test_spec_files_and_their_fields(bash):
    assert bash("lthtui run ") == ["specs/more/", "specs/quick.yaml", "specs/slow.yml"]
    assert bash("lthtui check specs/m") == ["specs/more/deep.yaml"]
    assert bash("lthtui plan qu") == ["quick"]
    assert bash("lthtui run specs/quick.yaml spars") == ["sparsifier=", "sparsifier."]
    assert bash("lthtui run quick sparsifier.ra") == ["sparsifier.rate=", "sparsifier.rate=0.3"]
    assert "sparsifier.drop_schedule=" in bash("lthtui run slow sparsifier.d")
    assert "sparsifier.drop_schedule=" in bash("lthtui run quick sparsifier=rigl sparsifier.d")
    assert bash("lthtui run quick train.epochs=") == ["7", "200"]
    assert {"true", "false"} == {*bash("lthtui run quick train.optimizer.nesterov=")}
    assert bash("lthtui run quick contr") == ["control="]
    assert bash("lthtui extend digits-imp sparsifier.lev")[0] == "sparsifier.levels="


def test_fields_of_runs_and_what_they_may_be(bash):
    assert bash("lthtui list --columns name,best_") == ["name,best_level"]
    assert bash("lthtui list --sort name,-va") == ["name,-val"]
    assert bash("lthtui list --sort seed,sparsifier.ra") == ["seed,sparsifier.rate"]
    assert bash("lthtui list --columns best(epoch/val_l") == ["best(epoch/val_loss)"]
    assert bash("lthtui list --filter stat") == ["status=", "status:", "status~"]
    assert bash("lthtui list --filter status=f") == ["finished", "failed"]
    assert bash("lthtui ticket list --filter experiment=o") == ["other"]
    assert bash("lthtui list --filter method:ri") == ["rigl"]
    assert bash("lthtui list --filter train.epo") == [f"train.epochs{sign}" for sign in "=<>"]
    assert bash("lthtui list --filter sparsifier.nothing=") == []


def test_filters_of_many_words_go_on_in_their_quotes(bash, here, monkeypatch, capsys):
    monkeypatch.setenv("_LTHTUI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "lthtui\nlist\n--filter\n'val>3 and (stat")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert main([]) == 0
    assert capsys.readouterr().out.splitlines() == [f"val>3 and (status{sign}" for sign in "=:~"]


def test_values_are_told_without_what_bash_has_split_off(bash):
    assert bash("lthtui run quick data.name=is") == ["isic2018"]
    assert {"cifar10", "digits"} <= {*bash("lthtui run quick data=")}
    assert bash("lthtui run quick train.precision=b") == ["bf16"]


def test_other_shells_get_whole_words(here, monkeypatch, capsys):
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "lthtui run quick data.name=is")
    monkeypatch.setenv("_LTHTUI_COMPLETE", "complete_zsh")
    assert main([]) == 0
    assert '"data.name=isic2018"' in capsys.readouterr().out
    monkeypatch.setenv("_LTHTUI_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    assert main([]) == 0
    assert capsys.readouterr().out.strip() == "data.name=isic2018"


def test_a_shell_never_sees_an_error(bash, here, monkeypatch, capsys):
    Path("specs/broken.yaml").write_text("a: [")
    for line in ("bogus x", "run nothing x", "run broken spars", "run quick =", "show x y z"):
        assert bash(f"lthtui {line}") == []
    (here / "runs/\x1b[2Jevil").mkdir()
    (here / "runs/\x1b[2Jevil/spec.yaml").touch()
    assert not any("\x1b" in word for word in bash("lthtui show "))
    Path(".lthtui.toml").write_text("root = 3")
    monkeypatch.delenv("LTHTUI_ROOT")
    assert bash("lthtui show ") == []
    monkeypatch.setattr(fieldwords, "words", lambda *_: 1 / 0)
    assert bash("lthtui run quick x") == []
    monkeypatch.setenv("COMP_CWORD", "no number")
    assert main([]) == 0 and capsys.readouterr() == ("", "")


def test_completing_loads_nothing_that_takes_long(here):
    heavy = {"torch", "mlflow", "textual", "numpy", "pandas", "sqlalchemy", "matplotlib"}
    code = (
        "import sys\nfrom lthtui.cli import main\nmain([])\n"
        f"print({heavy!r} & {{*sys.modules}}, file=sys.stderr)"
    )
    for line in ("lthtui show d", "lthtui run quick sparsifier.r", "lthtui list --filter v"):
        words = {"COMP_WORDS": line.replace(" ", "\n"), "COMP_CWORD": str(line.count(" "))}
        asked = {**os.environ, **words, "_LTHTUI_COMPLETE": "complete_bash"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True
        )
        assert done.stdout and done.stderr == "set()\n"


def test_a_real_bash_completes(here):
    assert shutil.which("lthtui", path=str(Path(sys.executable).parent))
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    terminal = Terminal(shell, 120, 20, PATH=places, PS1="$ ", INPUTRC="/dev/null")
    try:
        terminal.until("$")
        terminal.type(b'eval "$(_LTHTUI_COMPLETE=source_bash lthtui)"; echo re""ady\n')
        terminal.until("ready")
        terminal.type(b"lthtui ru\tspecs/q\tdata.na\t")
        terminal.until("$ lthtui run specs/quick.yaml data.name=")
        terminal.type(b"isi\t")
        terminal.until("$ lthtui run specs/quick.yaml data.name=isic2018")
    finally:
        terminal.close()
