"""Names for groups of runs: a spec's name, and the settings that tell its groups apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lthtui.text import clean_line

IGNORED = (
    *("name", "experiment", "seed", "tags", "launch", "tracking"),
    *("keep", "evaluate", "checkpoint", "controls"),
)
MOST = 3  # settings that a label names


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
    """Name groups by their sparsifier or kind of control, and by as much more as tells them apart.

    Args:
        specs: by group, the dumped spec of one of its runs.
    """
    methods = {group: _method(spec) for group, spec in specs.items()}
    own: dict[str, str] = {}
    for method in dict.fromkeys(methods.values()):
        alike = [group for group in specs if methods[group] == method]
        own |= distinguish({group: {"own": _settings(specs[group])} for group in alike})
    rest = distinguish(
        {
            group: {key: value for key, value in spec.items() if key != "sparsifier"}
            for group, spec in specs.items()
        }
    )
    named = {one: " ".join(filter(None, (methods[one], own[one], rest[one]))) for one in specs}
    count = Counter(named.values())
    return {
        group: clean_line(name if count[name] == 1 else f"{name} {group[:6]}")
        for group, name in named.items()
    }


def _method(spec: Mapping[str, Any]) -> str:
    return str((spec.get("controls") or {}).get("kind") or spec["sparsifier"]["name"])


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A sparsifier's settings but for whose ticket it takes, which differs from seed to seed."""
    return {key: value for key, value in spec["sparsifier"].items() if "source" not in key}


def _choices(flat: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """The names of the choices that a field belongs to."""
    parts = key.split(".")
    above = [".".join(parts[:end]) for end in range(1, len(parts))]
    return tuple(flat.get(f"{block}.name") for block in above if f"{block}.name" != key)


def _label(differs: Mapping[str, Any]) -> str:
    names = [str(value) for key, value in differs.items() if key.endswith(".name")]
    shown = [
        f"{key.rpartition('.')[2]}={value}"
        for key, value in differs.items()
        if not key.endswith(".name")
    ]
    more = [f"+{len(shown) - MOST}"] if len(shown) > MOST else []
    return clean_line(" ".join([*names, *shown[:MOST], *more]))


def _flat(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if not prefix and key in IGNORED:
            continue
        if isinstance(value, Mapping):
            name = value.get("name")
            if name is not None:
                yield f"{prefix}{key}.name", name
            yield from _flat({k: v for k, v in value.items() if k != "name"}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
