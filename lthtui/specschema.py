"""The JSON Schema of a spec file, for editors that complete and check YAML by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.spec import RunSpec
from lthtui.filefields import SpecFile


def json_schema() -> dict[str, Any]:
    """What a spec file may hold: a run's fields but for its seed, and what makes several runs."""
    schema = RunSpec.model_json_schema()
    schema["properties"].pop("seed")
    extra = SpecFile.model_json_schema()
    schema["properties"].update(extra["properties"])
    schema["required"] = [name for name in schema["required"] if name != "name"]
    schema["title"] = "lthtui spec"
    definitions = schema.setdefault("$defs", {})
    definitions.update(extra.get("$defs", {}))
    for node in list(_nodes(schema)):
        if node is not schema:
            definitions.update(node.pop("$defs", {}))
        _allow_bare_name(node)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from _nodes(child)


def _allow_bare_name(node: dict[str, Any]) -> None:
    """One of several blocks may also be given by its name alone: `optimizer: sgd`."""
    if "discriminator" in node:
        names = list(node.pop("discriminator")["mapping"])
        node["anyOf"] = [{"enum": names}, *node.pop("oneOf")]
