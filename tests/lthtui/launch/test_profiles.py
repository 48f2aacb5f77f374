"""Site profiles for Slurm: where they come from, what wins, and what they refuse."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.launchspec import SlurmSpec
from lthtui import settings
from lthtui.launch import profiles


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """An empty current folder and an empty home for settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings.user_file().parent.mkdir(parents=True)


def user(text):
    settings.user_file().write_text(text)


def project(text):
    Path(".lthtui.toml").write_text(text)


def resolve(**fields):
    return profiles.resolve(SlurmSpec.model_validate(fields))


LAB = """
[slurm.lab]
partition = "gpu"
gres = "gpu:1"
time = "12:00:00"
memory = "16GiB"
warning = 300
python = "/shared/python"
setup = ["module load cuda"]
extra = {account = "vision", nice = 5}
"""


def test_without_settings_the_site_decides():
    found = resolve()
    assert (found.partition, found.gres, found.time, found.memory) == (None,) * 4
    assert found.python == sys.executable and found.setup == ()
    assert profiles.warning_of(found) == 120


def test_a_spec_has_the_last_word_and_options_add_up():
    user(LAB)
    found = resolve(profile="lab", time="1:00:00", extra={"nice": 9, "qos": "long"})
    assert (found.partition, found.gres, found.time) == ("gpu", "gpu:1", "1:00:00")
    assert found.memory == 16 * 2**30 and profiles.warning_of(found) == 300
    assert found.extra == {"account": "vision", "nice": "9", "qos": "long"}
    assert found.python == "/shared/python" and found.setup == ("module load cuda",)


def test_a_project_has_its_say_over_the_users_own_file():
    user(LAB + '[slurm]\ndefault = "lab"\n')
    project('[slurm.lab]\npartition = "cpu"\n[slurm.other]\ntime = 30\n')
    assert profiles.names() == ["lab", "other"]
    found = resolve()
    assert (found.partition, found.gres, found.python) == ("cpu", "gpu:1", "/shared/python")
    assert resolve(profile="other").time == "30"


@pytest.mark.parametrize("line", ['python = "./evil"', 'setup = ["curl x | sh"]', 'python = "/x"'])
def test_what_is_run_is_not_up_to_the_folder_one_works_in(line):
    project(f"[slurm.lab]\n{line}\n")
    with pytest.raises(UsageError, match=r"may be set in .*config\.toml only"):
        resolve()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[slurm.lab]\npartitoin = "x"\n', "unknown key 'partitoin'; did you mean partition?"),
        ('[slurm.lab]\npartition = "a b"\n', r"\[slurm.lab\]: partition: "),
        ("[slurm.lab]\nwarning = 1\n", "warning: Input should be greater than or equal to 10"),
        ('[slurm.lab]\npython = "python3"\n', "python: "),
        ('[slurm]\ndefault = "lap"\n[slurm.lab]\n', "no profile 'lap'; did you mean lab?"),
        ('[slurm]\ndefault = "lap"\n', "no profile 'lap'; there is none"),
        ("slurm = 3\n", "slurm must be a table"),
        ("[slurm]\nlab = 3\n", "lab must be a table"),
        ('[slurm.lab]\n"\\u001b[2J" = 1\n', r"\\x1b\[2J"),
    ],
)
def test_a_wrong_file_is_named(text, words):
    user(text)
    with pytest.raises(UsageError, match=words):
        resolve()


def test_a_warning_must_leave_time_to_train():
    with pytest.raises(UsageError, match="a time limit of 2 leaves nothing to train in"):
        resolve(time="2")
    assert resolve(time="2", warning=60).time == "2"
    assert resolve(time="0").time == "0"  # as sbatch has it: none
