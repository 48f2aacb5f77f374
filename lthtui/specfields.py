"""Which settings stand at a path of a spec: the fields one may write there, and their defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine import registry
from engine.choice import Choice
from engine.errors import SpecError
from engine.spec import RunSpec
from lthtui.search import Search
from lthtui.yamlfile import Keys


def settings_at(tree: Any, path: Keys) -> type[BaseModel] | None:
    """The model of the block at `path`, given the names that `tree` chooses; None if unknown."""
    if path[:1] == ("search",):
        return Search if path[1:] == () else None
    model: type[BaseModel] | None = RunSpec
    annotation: Any = RunSpec
    metadata: Iterable[Any] = ()
    for key in path:
        tree = _child(tree, key)
        if isinstance(key, int):
            annotation, metadata = _unwrap(get_args(annotation)[0] if get_args(annotation) else Any)
        elif model is not None and (field := model.model_fields.get(key)) is not None:
            annotation, metadata = field.annotation, field.metadata
        else:
            return None
        model = _settings(annotation, metadata, tree)
    return model


def fields_at(tree: Any, path: Keys) -> list[str]:
    """The names one may write in the block at `path`; empty if that is unknown."""
    model = settings_at(tree, path)
    if model is None:
        return []
    return [*(["name"] if is_choice(model) else []), *model.model_fields]


def field_at(tree: Any, path: Keys) -> FieldInfo | None:
    """The field at `path`: its description, bounds and default."""
    model = settings_at(tree, path[:-1])
    return model.model_fields.get(str(path[-1])) if model else None


def tags_at(tree: Any, path: Keys) -> list[str]:
    """The names that a block which is one of several may have, such as sgd and adam."""
    field = field_at(tree, path)
    models = _models(field.annotation) if field else ()
    return [str(_tag(model)) for model in models if _tag(model) is not None]


def takes_fractions(tree: Any, path: Keys) -> bool:
    """Whether the field at `path` takes numbers with fractions, and 1 as one of them."""
    field = field_at(tree, path)
    kinds = {*_leaves(field.annotation)} if field else set()
    return float in kinds and int not in kinds


def literals(annotation: Any) -> list[Any]:
    """The values that a field of this type may have besides numbers and texts of any kind."""
    leaves = [*_leaves(annotation)]
    return [
        *(leaf for leaf in leaves if isinstance(leaf, str | int)),
        *([True, False] if bool in leaves else []),
    ]


def is_choice(model: type[BaseModel]) -> bool:
    """Whether these settings belong to a choice file, whose name is no field of theirs."""
    return any(model.__module__.startswith(f"engine.{kind}.") for kind in registry.KINDS)


def choice_of(field: FieldInfo) -> Choice | None:
    """What resolves a field that names a file of `engine/<kind>/`."""
    return next((one for one in field.metadata if isinstance(one, Choice)), None)


def default_name(path: Keys) -> str | None:
    """The choice that a spec gets where it says nothing, such as `sgd` at train.optimizer."""
    field = RunSpec.model_fields.get(str(path[0])) if path else None
    value = field.get_default(call_default_factory=True) if field else None
    for key in path[1:]:
        value = getattr(value, str(key), None)
    name = None if value is PydanticUndefined else getattr(value, "name", None)
    return name if isinstance(name, str) else None


def _child(tree: Any, key: str | int) -> Any:
    if isinstance(tree, Mapping):
        return tree.get(key)
    if isinstance(tree, list) and isinstance(key, int) and key < len(tree):
        return tree[key]
    return None


def _unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    metadata = getattr(annotation, "__metadata__", ())
    return (get_args(annotation)[0], metadata) if metadata else (annotation, ())


def _settings(annotation: Any, metadata: Iterable[Any], value: Any) -> type[BaseModel] | None:
    name = value.get("name") if isinstance(value, Mapping) else value
    for one in metadata:
        if isinstance(one, Choice) and isinstance(name, str):
            try:
                found: type[BaseModel] = registry.load(one.kind, name).Settings
                return found
            except SpecError:
                return None
    models = list(_models(annotation))
    if len(models) == 1:
        return models[0]
    return next((model for model in models if _tag(model) == name), None)


def _tag(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("name")
    return field.default if field else None


def _leaves(annotation: Any) -> Iterable[Any]:
    if not get_args(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from _leaves(argument)


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not tuple:
        for argument in get_args(annotation):
            yield from _models(argument)
