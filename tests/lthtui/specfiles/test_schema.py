"""The schema of a spec file, as editors read it."""

from __future__ import annotations

from engine.registry import names
from engine.spec import RunSpec
from lthtui import controlkinds, specfiles
from lthtui.specschema import json_schema


def test_the_schema_knows_every_field_of_a_file():
    schema = json_schema()
    known = {*RunSpec.model_fields, *specfiles.SpecFile.model_fields} - {"seed"}
    assert set(schema["properties"]) == known
    assert schema["required"] == ["data", "model"]
    sparsifier = schema["properties"]["sparsifier"]["anyOf"]
    assert sparsifier[0]["enum"] == names("sparsifiers")
    imp = next(o for o in sparsifier[1:] if o["properties"]["name"] == {"const": "imp"})
    rate = imp["properties"]["rate"]
    assert rate["anyOf"][0]["exclusiveMaximum"] == 1 and "share" in rate["description"]
    assert imp["description"].startswith("Iterative magnitude pruning with rewinding")
    optimizer = schema["$defs"]["TrainSpec"]["properties"]["optimizer"]["anyOf"]
    assert optimizer[0] == {"enum": ["adam", "sgd"]}


def test_a_file_may_list_every_kind_of_controls():
    known = json_schema()["properties"]["control"]["items"]["enum"]
    assert {*known} == {*controlkinds.KINDS, *controlkinds.SETS, None}
