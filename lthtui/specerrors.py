"""What pydantic found wrong in a spec, in plain words and with the path of what is to blame."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.errors import did_you_mean
from lthtui import spechints
from lthtui.specfields import field_at, fields_at, tags_at
from lthtui.specpatterns import allowed
from lthtui.text import clean_line
from lthtui.yamlfile import Keys


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong at a path.

    Attributes:
        at: whether the key or the value is to blame.
        together: whether it only shows when fields are seen together, so that another one than that
            at `path` may be its cause.
    """

    path: Keys
    message: str
    at: Literal["key", "value"] = "value"
    together: bool = False


def explain(error: ValidationError, tree: dict[str, Any], extra: Sequence[str]) -> list[Finding]:
    """Turn an error about a `RunSpec` made from `tree` into findings.

    `extra` are fields that a file may have at the top besides the spec's own.
    """
    errors = (one for one in error.errors(include_url=False) if not _echo(one))
    details = [(_path(one["loc"], tree), one) for one in errors]
    findings, wrong_types = [], dict[Keys, list[ErrorDetails]]()
    for path, one in details:
        if one["type"] in _EXPECTED:
            wrong_types.setdefault(path, []).append(one)
        else:
            findings.append(_finding(path, one, tree, extra))
    blamed = {finding.path for finding in findings}
    blamed |= {path[:end] for path in (*blamed, *wrong_types) for end in range(len(path))}
    for path, alternatives in wrong_types.items():
        if path not in blamed:  # one member of a union got further than its type
            findings.append(Finding(path, _expected(alternatives, path)))
    return findings


def found(value: Any) -> str:
    """A value as messages show it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    text = clean_line(str(value), 60)
    return f"'{text}'" if isinstance(value, str) else text


def _echo(one: ErrorDetails) -> bool:
    """Whether a list only counts as too short because some of its items were refused."""
    return one["type"] == "too_short" and len(one["input"]) >= one["ctx"]["min_length"]


def _path(location: Iterable[str | int], tree: Any) -> Keys:
    """Leave out of pydantic's location what stands in no file: tags of unions, missing fields."""
    path: list[str | int] = []
    for key in location:
        if isinstance(tree, dict) and key in tree:
            tree = tree[key]
        elif isinstance(tree, list) and isinstance(key, int) and key < len(tree):
            tree = tree[key]
        else:
            continue
        path.append(key)
    return tuple(path)


def _finding(path: Keys, one: ErrorDetails, tree: Any, extra: Sequence[str]) -> Finding:
    context: dict[str, Any] = one.get("ctx", {})
    match one["type"]:
        case "missing":
            return Finding(path, _missing(one["loc"], path, tree), "key")
        case "extra_forbidden":
            known = [*fields_at(tree, path[:-1]), *(extra if len(path) == 1 else ())]
            hint = spechints.field(str(path[-1]), known, tree)
            return Finding(path, f"unknown field {found(str(path[-1]))}{hint}", "key")
        case "union_tag_invalid":
            known = re.findall(r"'(\w+)'", context["expected_tags"])
            tag = str(context["tag"])
            return Finding((*path, "name"), f"unknown name {found(tag)}{did_you_mean(tag, known)}")
        case "union_tag_not_found":
            return Finding(path, f"name is missing; one of {', '.join(tags_at(tree, path))}", "key")
        case "string_pattern_mismatch" if one["loc"][-1] == "[key]":
            why = f"a name consists of letters, digits, '.', '_' and '-', found {found(path[-1])}"
            return Finding(path, why, "key")
        case "string_pattern_mismatch":
            field = field_at(tree, path)
            about = [field.description if field else None, allowed(context["pattern"])]
            why = "; ".join(filter(None, about)) or context["pattern"]
            return Finding(path, f"{found(one['input'])} does not fit here: {why}")
        case "impossible":
            at = tuple(str(context["at"]).split(".")) if context["at"] else ()
            return Finding((*path, *at), one["msg"], together=True)
        case "unknown_choice":
            return Finding((*path, "name"), one["msg"])
        case "choice" if one["msg"].startswith("expected"):
            return Finding(path, f"{one['msg']}, found {found(one['input'])}")
        case "value_error":
            message = one["msg"].removeprefix("Value error, ")
            return Finding(path, message, together=isinstance(one["input"], dict))
    if (bound := _BOUNDS.get(one["type"])) is not None:
        return Finding(path, bound(context, one["input"]))
    return Finding(path, clean_line(one["msg"]))


def _missing(location: tuple[str | int, ...], path: Keys, tree: Any) -> str:
    name = str(location[-1])
    field = field_at(tree, (*path, name))
    about = f" ({field.description})" if field and field.description else ""
    return f"field '{name}' is missing{about}"


def _number(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _length(word: str) -> Callable[[dict[str, Any], Any], str]:
    def say(context: dict[str, Any], value: Any) -> str:
        limit = context.get("min_length", context.get("max_length"))
        return f"must have {word} {limit} item(s), found {len(value)}"

    return say


_BOUNDS: dict[str, Callable[[dict[str, Any], Any], str]] = {
    "greater_than": lambda c, v: f"must be above {_number(c['gt'])}, found {found(v)}",
    "greater_than_equal": lambda c, v: f"must be at least {_number(c['ge'])}, found {found(v)}",
    "less_than": lambda c, v: f"must be below {_number(c['lt'])}, found {found(v)}",
    "less_than_equal": lambda c, v: f"must be at most {_number(c['le'])}, found {found(v)}",
    "too_short": _length("at least"),
    "too_long": _length("at most"),
    "string_too_short": lambda c, v: "must not be empty",
    "string_too_long": lambda c, v: f"must have at most {c['max_length']} characters",
}

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of fields",
    "model_type": "a mapping of fields",
    "none_required": "nothing",
    "literal_error": "",
}


def _expected(alternatives: Sequence[ErrorDetails], path: Keys) -> str:
    """Merge what the members of a union would have taken into one sentence."""
    words: list[str] = []
    for one in alternatives:
        if one["type"] == "literal_error":
            words += re.findall(r"'([^']*)'", one["ctx"]["expected"]) or [one["ctx"]["expected"]]
        else:
            words.append(_EXPECTED[one["type"]])
    value = alternatives[0]["input"]
    known = [w for w in words if w not in _EXPECTED.values()]
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    listed = ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]
    message = f"expected {listed}, found {found(value)}"
    if words == ["text"] and isinstance(value, (int, float)):
        return f"{message}; put it in quotes"
    near = difflib.get_close_matches(value, known, 1, 0.5) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else spechints.value(value, words, path)
    return message + hint
