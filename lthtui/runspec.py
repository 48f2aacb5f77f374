"""The spec of a run to look at: all settings, what is not by default, or as it was written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from engine.errors import LthError
from engine.rundir import RunDirectory
from engine.sources import replaced
from engine.spec import RunSpec
from lthtui import cloning, commandline, specfiles, yamlfile
from lthtui.loglines import LogLine, Part
from lthtui.text import clean, clean_line

CHANGED = "not by default"
WAYS = ("resolved", CHANGED, "as written")
_ENTRY = re.compile(r"(?P<lead>\s*(- )*)(?P<key>[\w.-]+:)(?P<value>.*?)(?P<comment>\s+# .*)?$")


@dataclass(frozen=True)
class RunTexts:
    """What there is to show of a run's spec.

    Attributes:
        texts: by the names of `WAYS`, those that there are.
        command: the command line that asks for the run.
    """

    texts: Mapping[str, str]
    command: str = ""


def of_run(run: RunDirectory, paths: Iterable[str]) -> RunTexts:
    """The spec of a run's folder.

    Args:
        paths: of the spec files that the run may have been made of.

    Raises:
        LthError, OSError: the spec cannot be read.
    """
    spec = run.spec()
    written = clean(run.spec_file.read_text(errors="replace"))
    ways = specfiles.write(spec), "\n".join(_changed(spec, spec.model_dump(mode="json"))), written
    texts = {way: clean(text) for way, text in zip(WAYS, ways, strict=True)}
    return RunTexts(texts, clean_line(command(run, paths), 10_000))


def of_params(params: Mapping[str, str]) -> RunTexts:
    """The spec of a run that only MLflow knows, from what that has: every setting."""
    lines = (f"{clean_line(key)}: {clean_line(value, 1000)}" for key, value in params.items())
    return RunTexts({WAYS[0]: "\n".join(lines)} if params else {})


def command(run: RunDirectory, paths: Iterable[str]) -> str:
    """The command line that asks for a run, by the file of its name if that can be said so."""
    spec = run.spec()
    for path in paths:
        try:
            made = specfiles.load(path)
            before = next((one for one in made if one.repetition == spec.repetition), made[0])
            if before.name == spec.name and (found := _overridden(path, before, spec)):
                return found
        except LthError:  # it is another file by now
            continue
    return shlex.join(["lthtui", "run", cloning.near(str(run.spec_file))])


def lines(text: str) -> list[LogLine]:
    """The lines of a text of YAML with tones for its keys and comments."""
    found = (line.expandtabs(4) for line in text.splitlines())
    return [LogLine(at, line, tuple(_parts(line))) for at, line in enumerate(found)]


def _parts(line: str) -> Iterator[Part]:
    if line.lstrip().startswith("#"):
        yield 0, len(line), "dim"
    elif entry := _ENTRY.match(line):
        yield *entry.span("key"), "name"
        if entry["comment"]:
            yield *entry.span("comment"), "dim"


def _changed(settings: BaseModel, dump: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Lines of settings that are not by default, with the default behind them."""
    for name, field in type(settings).model_fields.items():
        value, default = getattr(settings, name), field.get_default(call_default_factory=True)
        if value == default or name not in dump:
            continue
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            if own := dump[name].get("name"):
                named = getattr(default, "name", None)
                yield _entry(f"{indent}  name", own, None if own == named else named)
            rest = {key: one for key, one in dump[name].items() if key != "name"}
            yield from _changed(value, rest, f"{indent}  ")
        else:
            yield _entry(f"{indent}{name}", dump[name], default)


def _entry(name: str, value: Any, default: Any) -> str:
    line = f"{name}: {yamlfile.dump_inline(value)}"
    if default in (PydanticUndefined, None, "", {}, ()):
        return line
    told = list(default) if isinstance(default, tuple) else default
    told = told if isinstance(told, bool | int | float | str | list | dict) else str(told)
    return f"{line}  # by default {yamlfile.dump_inline(told)}"


def _overridden(path: str, before: RunSpec, wanted: RunSpec) -> str | None:
    """`lthtui run` of a file with what differs, if that makes the wanted run."""
    dumps = [_plain(before), _plain(wanted)]
    found = commandline.command(path, *dumps)
    if found is None:
        return None
    found += f" seeds={wanted.seed}"
    made = specfiles.load(path, shlex.split(found)[3:])
    return found if [one.digest for one in made] == [wanted.digest] else None


def _plain(spec: RunSpec) -> dict[str, Any]:
    """All that a command line can say of a spec, but for its seed."""
    named = replaced(spec, lambda at, source: type(source).parse(str(source)))
    aside = {"seed", "controls", "extends", "experiment", "name"}
    dump: dict[str, Any] = named.model_dump(mode="json", exclude=aside)
    dump["data"].pop("examples_sha256", None)
    dump["data"]["root"] = cloning.near(named.data.root)
    return dump
