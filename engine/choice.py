"""Fields of a spec that name a choice: a file of `engine/<kind>/`, whose settings stand there."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from engine import registry
from engine.errors import SpecError
from engine.plugin import Settings


class Choice:
    """A field whose settings are those of the `engine/<kind>/` file that it names."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def resolve(self, value: Any) -> Settings:
        """Turn `imp` or `{name: imp, rate: 0.1}` into the settings of that choice."""
        if isinstance(value, Settings):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("choice", "expected a name, or a mapping with a name")
        knobs = dict(value)
        name = knobs.pop("name", None)
        if not isinstance(name, str):
            known = ", ".join(registry.names(self.kind))
            raise PydanticCustomError(
                "choice", "{why}", {"why": f"name is missing; one of {known}"}
            )
        try:
            module = registry.load(self.kind, name)
        except SpecError as error:
            raise PydanticCustomError(
                "unknown_choice", "{why}", {"why": str(error), "at": "name"}
            ) from None
        settings = module.Settings.model_validate(knobs)
        assert isinstance(settings, Settings)
        return settings

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        dump = core_schema.plain_serializer_function_ser_schema(
            lambda settings, info: settings.model_dump(
                mode=info.mode, exclude_defaults=info.exclude_defaults, context=info.context
            ),
            info_arg=True,
        )
        return core_schema.no_info_plain_validator_function(self.resolve, serialization=dump)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        options: list[dict[str, Any]] = [{"enum": registry.names(self.kind)}]
        for name in registry.names(self.kind):
            option = _inlined(registry.load(self.kind, name).Settings.model_json_schema())
            option["properties"] = {"name": {"const": name}, **option.get("properties", {})}
            told = filter(None, [registry.about(self.kind, name), option.get("description")])
            option["description"] = " ".join(told)
            option["required"] = ["name", *option.get("required", [])]
            options.append(option)
        return {"anyOf": options}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without definitions of its own: what it refers to stands in the place of that."""
    definitions = schema.pop("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(item) for item in node]
        if not isinstance(node, dict):
            return node
        rest = {key: inline(value) for key, value in node.items() if key != "$ref"}
        name = str(node.get("$ref", "")).rpartition("/")[2]
        return {**inline(definitions[name]), **rest} if name in definitions else rest

    found: dict[str, Any] = inline(schema)
    return found
