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
    keys = dict.fromkeys(key for one in flat.values() for key in one)
    differ = [key for key in keys if len({str(one.get(key)) for one in flat.values()}) > 1]
    return {group: _label(one, differ) for group, one in flat.items()}


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


def _label(flat: Mapping[str, Any], differ: list[str]) -> str:
    shown = [f"{key.rpartition('.')[2]}={flat[key]}" for key in differ if flat.get(key) is not None]
    more = f" +{len(shown) - MOST}" if len(shown) > MOST else ""
    return clean_line(" ".join(shown[:MOST]) + more)


def _flat(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if not prefix and key in IGNORED:
            continue
        if isinstance(value, Mapping):
            name = value.get("name")
            if name is not None:
                yield f"{prefix}{key}", name
            yield from _flat({k: v for k, v in value.items() if k != "name"}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
