"""`launch:` of a spec: what it takes, and what it refuses before anything is started."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.launchspec import EXTRA, LaunchSpec, SlurmSpec, seconds


def slurm(**fields):
    return SlurmSpec.model_validate(fields)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("90", 90 * 60),
        ("1:30", 90),
        ("2:00:05", 7205),
        ("1-2", 26 * 3600),
        ("1-02:30", 26 * 3600 + 1800),
        ("2-00:00:01", 2 * 86_400 + 1),
    ],
)
def test_a_time_limit_is_read_as_sbatch_reads_it(limit, expected):
    assert slurm(time=limit).time == limit
    assert seconds(limit) == expected


def test_numbers_are_taken_for_text_where_sbatch_wants_text():
    found = slurm(time=90, extra={"nice": 100, "exclusive": True, "qos": "long"})
    assert found.time == "90"
    assert found.extra == {"nice": "100", "exclusive": "", "qos": "long"}
    assert slurm(memory="1.5GiB").memory == 1536 * 2**20


HOSTILE = ["x\n#SBATCH --wrap=id", "$(id)", "`id`", "a;id", "a b", "'", '"', "\x1b[2J", "-h", "\\n"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["partition", "gres", "time", "profile"])
def test_no_field_takes_what_a_shell_would_make_something_of(field, value):
    with pytest.raises(ValidationError):
        slurm(**{field: value})


@pytest.mark.parametrize("value", ["x\ny", "$(id)", "`id`", "'", '"', "\x1b[2J", "\\n", "a" * 201])
def test_no_further_option_does_either(value):
    with pytest.raises(ValidationError, match="is not passed on; letters, digits, spaces"):
        slurm(extra={"account": value})


# Options by which a spec could have something run, read or written, or change what lthtui relies on
REFUSED = [
    "wrap",
    "export",
    "output",
    "error",
    "chdir",
    "prolog",
    "bb",
    "bbf",
    "uid",
    "get-user-env",
]


@pytest.mark.parametrize("name", [*REFUSED, "no-requeue", "signal", "array", "Account", "--qos"])
def test_an_option_that_is_not_listed_is_refused(name):
    assert name not in EXTRA
    with pytest.raises(ValidationError, match="is not passed on to sbatch"):
        slurm(extra={name: "x"})


def test_a_slip_in_an_options_name_gets_a_hint():
    with pytest.raises(ValidationError, match="did you mean account?"):
        slurm(extra={"acount": "x"})


def test_where_it_runs_is_no_part_of_what_it_is(tiny):
    on_a_cluster = tiny(launch={"slurm": {"partition": "gpu", "time": "60"}})
    assert on_a_cluster.digest == tiny().digest
    assert LaunchSpec.model_validate(on_a_cluster.launch.model_dump()) == on_a_cluster.launch
