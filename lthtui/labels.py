"""Names for groups of runs: a spec's name, and the settings that tell its groups apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import schema
from engine.repetition import WRITTEN
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.identity import Identity

IGNORED = (*schema.UNNAMED, "controls")
UNTOLD = (  # said by data.examples and start.file, and what repetitions differ in
    *("data.examples_sha256", "start.sha256", "data.seed", "data.fold"),
)
MOST = 3  # settings that a label names
_RUN = re.compile(rf"[0-9a-f]{{6}}-{WRITTEN}(-\d+)?$")  # the end of a run's id
SHORT = 6  # characters of a group's id that stand for it
TICKET = "ticket"  # the sparsifier that always starts from another run's mask


def distinguish(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Name groups of the same spec name by what differs, such as `rate=0.1`.

    Args:
        specs: by group, the dumped spec of one of its runs.
    """
    flat = {group: dict(_flat(spec)) for group, spec in specs.items()}
    return {group: _label(differs) for group, differs in told_apart(flat).items()}


def told_apart(flat: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By group, the fields in which it differs from others.

    The settings of a choice, such as a sparsifier's, count only among groups that chose the same.

    Args:
        flat: by group, values by dotted field, choices by names such as `sparsifier.name`.
    """
    found: dict[str, dict[str, Any]] = {group: {} for group in flat}
    for key in dict.fromkeys(key for one in flat.values() for key in one):
        alike: dict[tuple[Any, ...], list[str]] = {}
        for group, one in flat.items():
            alike.setdefault(_choices(one, key), []).append(group)
        for groups in alike.values():
            if len({str(flat[group].get(key)) for group in groups}) > 1:
                for group in groups:
                    if flat[group].get(key) is not None:
                        found[group][key] = flat[group][key]
    return found


def by_method(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Name groups by their sparsifier, or as a control, and by as much more as tells them apart.

    A control is called by its kind and what it controls, such as `same_layer of imp`, and by what
    was set for it alone.

    Args:
        specs: by group, the dumped spec of one of its runs.
    """
    rest = _rest(specs)
    names: dict[str, str] = {}
    waiting = [*specs]
    while waiting:
        ready = [one for one in waiting if _source(specs[one]) not in waiting] or waiting
        called = {one: _called(specs[one], names) for one in ready}
        own = _own({one: specs[one] for one in ready}, called)
        parts = {one: (called[one], own[one], rest[one], _set(specs[one])) for one in ready}
        found = {one: " ".join(filter(None, parts[one])) for one in ready}
        found = _apart(found, {one: _level(specs[one]) for one in ready})
        found = _apart(found, {one: one[:SHORT] for one in ready})
        names |= {one: clean_line(name) for one, name in found.items()}
        waiting = [one for one in waiting if one not in names]
    return names


def chosen(asked: Mapping[str, Any], params: Mapping[str, str]) -> Mapping[str, Any]:
    """What a spec asks for, and the names of what it left to defaults to choose.

    Or else one that asks for another learning rate would differ from one that does not by its
    optimizer's name, although that is the same.

    Args:
        params: every setting by its dotted field, defaults too.
    """
    for key, name in params.items():
        block, _, last = key.rpartition(".")
        if block and last == "name":
            asked = _naming(asked, block.split("."), name)
    return asked


def by_experiment(known: Iterable[Identity]) -> dict[tuple[str, str], str]:
    """By experiment and group, what the group is called among those of its experiment."""
    specs: dict[str, dict[str, Mapping[str, Any]]] = {}
    for one in known:
        told = chosen(one.asked, one.params)
        specs.setdefault(one.experiment, {}).setdefault(one.group, told)
    named = {experiment: by_method(groups) for experiment, groups in specs.items()}
    return {(name, group): label for name, of in named.items() for group, label in of.items()}


def method(spec: Mapping[str, Any]) -> str:
    """A dumped spec's sparsifier with all that it says of it, but for whose ticket it takes."""
    shown = {key: value for key, value in _flat(_own_settings(spec)) if not key.endswith(".name")}
    fields = (f"{key.partition('.')[2]}={value}" for key, value in shown.items())
    return clean_line(" ".join([str(spec["sparsifier"]["name"]), *fields]), 1000)


def _naming(asked: Mapping[str, Any], blocks: Sequence[str], name: str) -> Mapping[str, Any]:
    """A block of settings with the name of a choice in it, unless it has one."""
    if not blocks:
        return {"name": name, **asked}
    inner = asked.get(blocks[0], {})
    if not isinstance(inner, Mapping):
        return asked
    return {**asked, blocks[0]: _naming(inner, blocks[1:], name)}


def _called(spec: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The sparsifier, or the kind of control and the name or the group of what it controls."""
    if not spec.get("controls"):
        method = spec["sparsifier"]
        starts = " source" if method.get("source") and method["name"] != TICKET else ""
        return f"{method['name']}{starts}"
    kind, source = str(spec["controls"]["kind"]), _source(spec)
    return f"{kind} of {names.get(source, source[:SHORT])}" if source else kind


def _source(spec: Mapping[str, Any]) -> str:
    """The group that a control controls; empty where it is not known."""
    source = (spec.get("controls") or {}).get("source")
    return str(source.get("group") or "") if isinstance(source, Mapping) else ""


def _own(specs: Mapping[str, Mapping[str, Any]], called: Mapping[str, str]) -> dict[str, str]:
    """The settings of their sparsifiers in which groups that are called the same differ."""
    own: dict[str, str] = {}
    for name in dict.fromkeys(called.values()):
        alike = [group for group in specs if called[group] == name]
        own |= distinguish({group: _own_settings(specs[group]) for group in alike})
    return own


def _own_settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A sparsifier's settings but for whose ticket it takes, which differs from seed to seed."""
    return {"own": {k: value for k, value in spec["sparsifier"].items() if "source" not in k}}


def _rest(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """In what else than the sparsifier groups differ.

    Controls of one of the groups do not count, as they have all from that, and others count with
    what was set for them taken back.
    """
    flat = {
        group: dict(_flat({key: value for key, value in spec.items() if key != "sparsifier"}))
        for group, spec in specs.items()
        if _source(spec) not in specs
    }
    instead = {group: (specs[group].get("controls") or {}).get("instead", {}) for group in flat}
    kept = {g: {k: v for k, v in one.items() if k not in instead[g]} for g, one in flat.items()}
    known = {key for one in kept.values() for key in one}
    for group, before in instead.items():
        kept[group] |= {key: value for key, value in before.items() if key in known}
    return dict.fromkeys(specs, "") | {g: _label(found) for g, found in told_apart(kept).items()}


def _set(spec: Mapping[str, Any]) -> str:
    """What was set for a control alone."""
    flat = dict(_flat(spec))
    instead = (spec.get("controls") or {}).get("instead", {})
    return _label({key: flat[key] for key in instead if key in flat})


def _level(spec: Mapping[str, Any]) -> str:
    """Which level's ticket a control was asked for; empty for what is none."""
    source = (spec.get("controls") or {}).get("source")
    pick = source.get("pick") if isinstance(source, Mapping) else None
    return "" if pick is None else f"level {pick}"


def _apart(names: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """The names, those of several groups with more to them if that tells these apart."""
    known: dict[str, set[str]] = {}
    for group, name in names.items():
        known.setdefault(name, set()).add(more[group])
    return {
        group: f"{name} {more[group]}".rstrip() if len(known[name]) > 1 else name
        for group, name in names.items()
    }


def _choices(flat: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """The names of the choices that a field belongs to."""
    parts = key.split(".")
    above = [".".join(parts[:end]) for end in range(1, len(parts))]
    return tuple(str(flat.get(f"{block}.name")) for block in above if f"{block}.name" != key)


def _label(differs: Mapping[str, Any]) -> str:
    names = [str(value) for key, value in differs.items() if key.endswith(".name")]
    shown = [
        f"{key.rpartition('.')[2]}={_value(value)}"
        for key, value in differs.items()
        if not key.endswith(".name")
    ]
    more = [f"+{len(shown) - MOST}"] if len(shown) > MOST else []
    return clean_line(" ".join([*names, *shown[:MOST], *more]))


def _value(value: Any) -> str:
    """As it is written; of a quotient, such as a control's share of epochs, the first digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _listed(value: Any) -> Any:
    """The file that lists images, in short: a run's set as `RUN:LEVEL`."""
    path = Path(str(value)) if value else None
    if path is None:
        return value
    run = _RUN.search(path.parts[-4]) if path.parts[3:] else None
    return f"{run[0]}:{int(path.parts[-2])}" if run and path.parts[-2].isdecimal() else path.name


def _file(value: Any) -> str | None:
    """A file without where it is."""
    return Path(str(value)).name if value else None


def _begun(value: Any) -> str | None:
    """Whose weights come first, in short: a run's group, since seeds start from runs of their own.

    A ticket's file is told by its name, and a run that was not looked for as it was written.
    """
    if not isinstance(value, Mapping):
        return value or None
    return str(value.get("group") or "")[:SHORT] or _file(value.get("path"))


SHORTER: Mapping[str, Callable[[Any], Any]] = {
    "data.examples": _listed,
    "start.file": _file,
    "start.ticket": _begun,
}


def _flat(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if (not prefix and key in IGNORED) or f"{prefix}{key}" in UNTOLD:
            continue
        if shorter := SHORTER.get(f"{prefix}{key}"):
            yield f"{prefix}{key}", shorter(value)
        elif isinstance(value, Mapping):
            name = value.get("name")
            if name is not None:
                yield f"{prefix}{key}.name", name
            yield from _flat({k: v for k, v in value.items() if k != "name"}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
