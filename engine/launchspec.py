"""Where a run is placed and how it is looked after: `launch:` of a spec, not of its identity."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from engine.errors import did_you_mean
from engine.plugin import Frozen

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def read_size(value: Any) -> Any:
    """Bytes from a number or from text such as `8GiB` or `500M` (powers of 1024)."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"'{value}' is no size; write it as 8GiB or 500MiB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def show_size(size: float) -> str:
    """A number of bytes as people write it: `8GiB`, `1.5GiB`, `300B`."""
    unit = next((unit for unit in "tgmk" if size >= _UNITS[unit]), "")
    text = f"{size / _UNITS[unit]:.1f}".removesuffix(".0")
    return f"{text}{unit.upper()}iB" if unit else f"{text}B"


def _written(size: int) -> int | str:
    """A size that reads back as the same number of bytes."""
    return show_size(size) if read_size(show_size(size)) == size else size


Size = Annotated[
    int,
    BeforeValidator(read_size),
    Field(gt=0, le=2**60),
    PlainSerializer(_written, return_type=int | str, when_used="json"),
]

# What may be asked of sbatch besides the fields below: where and how, never what is run.
EXTRA = (
    *("account", "begin", "cluster-constraint", "comment", "constraint", "core-spec", "deadline"),
    *("exclude", "exclusive", "gpu-bind", "gpu-freq", "hint", "licenses", "mail-type", "mail-user"),
    *("mem-bind", "mem-per-gpu", "nice", "nodelist", "priority", "qos", "reservation", "switches"),
    *("tmp", "wckey"),
)
_VALUE = re.compile(r"[A-Za-z0-9_.,:;=@%+*&|\[\]()/ -]{0,200}")


def _known(extra: dict[str, str]) -> dict[str, str]:
    for name, value in extra.items():
        if name not in EXTRA:
            hint = did_you_mean(name, [*EXTRA])
            raise ValueError(f"'{name}' is not passed on to sbatch{hint}")
        if not _VALUE.fullmatch(value):
            raise ValueError(
                f"{name}: '{value}' is not passed on; letters, digits, spaces and"
                " _ . , : ; = @ % + * & | [ ] ( ) / - are, up to 200 of them"
            )
    return extra


def _word(value: Any) -> Any:
    """Text of a number, and nothing of `true`: an option such as exclusive needs no value."""
    if isinstance(value, bool):
        return "" if value else value
    return str(value) if isinstance(value, int | float) else value


Word = Annotated[str, BeforeValidator(_word)]


def _text(pattern: str, description: str) -> Any:
    return Field(None, pattern=pattern, max_length=100, description=description)


def seconds(limit: str) -> int:
    """Seconds of a time limit as sbatch takes it: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S."""
    days, dash, rest = limit.rpartition("-")
    numbers = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, left = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, left = numbers
    else:
        hours, (minutes, left) = 0, (*numbers, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + left


class SlurmOptions(Frozen):
    """What a job asks of a cluster. What is left out, the site decides."""

    partition: str | None = _text(r"^[A-Za-z0-9_][A-Za-z0-9_.,-]*$", "partition or partitions")
    gres: str | None = _text(
        r"^[A-Za-z0-9_][A-Za-z0-9_.:,-]*$", "devices, such as gpu:1; none is a run on the CPU"
    )
    time: Annotated[str | None, BeforeValidator(_word)] = _text(
        r"^\d+(:\d\d){0,2}$|^\d+-\d\d?(:\d\d){0,2}$",
        "time limit as sbatch takes it: minutes, H:MM:SS or D-HH:MM:SS; the run goes on in another"
        " job when it is over",
    )
    memory: Size | None = Field(None, description="main memory of the job, such as 16GiB")
    warning: int | None = Field(
        None,
        ge=10,
        le=3600,
        description="seconds before the time limit at which to checkpoint and queue again; 120 if"
        " nothing says otherwise",
    )
    extra: Annotated[dict[str, Word], AfterValidator(_known)] = Field(
        {}, description="further options of sbatch, from a list of allowed ones"
    )


class SlurmSpec(SlurmOptions):
    """What a run asks of a Slurm cluster; fields left out come from the profile, then the site."""

    profile: str | None = _text(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "a [slurm.NAME] of lthtui's settings files"
    )
    array: bool = Field(False, description="submit runs that are queued together as one job array")


class LaunchSpec(Frozen):
    """Where and beside how many others a run may be placed, and how often it is tried again."""

    devices: Literal["auto", "cpu"] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        "auto", description="auto, cpu, or a list of GPU indices or UUIDs"
    )
    per_device: int = Field(1, ge=1, le=64, description="runs that may share one device")
    memory: Size | None = Field(
        None,
        description="GPU memory of the run, such as 6GiB; runs that say so share a GPU for as long"
        " as it has room, up to per_device if that is above 1, also beside programs of others",
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        1,
        description="CPU threads per run, fixed at first start; auto divides the machine's cores"
        " among per_device runs",
    )
    retries: int = Field(
        2,
        ge=0,
        le=20,
        description="how often in a row a run is started again by itself when it was killed, lost,"
        " or ran out of memory or disk",
    )
    slurm: SlurmSpec | None = Field(
        None, description="run it as a job of this machine's Slurm cluster"
    )

    def share(self, cores: int) -> int:
        """CPU threads of a run on a machine with so many cores."""
        if self.threads == "auto":
            return max(1, cores // self.per_device)
        return self.threads
