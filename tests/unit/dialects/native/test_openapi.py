from __future__ import annotations

import json
import re

import msgspec
import pytest

from qwicket import schema
from qwicket.dialects.native import ROUTES, account_wire, description, params
from qwicket.dialects.native.admin.routes import ROUTES as OF_ADMIN

DOCUMENT = json.loads(msgspec.json.encode(description()))
SCHEMAS = DOCUMENT["components"]["schemas"]


def test_every_route_is_described_and_nothing_else() -> None:
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == {
        *((each.method, f"/v1{each.path}") for each in ROUTES if each.is_listed),
        *((each.method, f"/v1/admin{each.path}") for each in OF_ADMIN),
    }


def test_every_parameter_is_explained() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for each in operation["parameters"]:
                said = each["description"]
                assert said.endswith("."), (method, path, each)
                assert said != "As an earlier response gave it.", (
                    method,
                    path,
                    each,
                )  # of other dialects


def test_every_reference_leads_somewhere() -> None:
    references = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT))
    assert references
    assert set(references) <= set(SCHEMAS)
    assert not [name for name in SCHEMAS if "." in name]  # no two structs of one name


def test_every_struct_that_decodes_a_body_is_in_it() -> None:
    bodies = {
        f"{method} {path}": operation["requestBody"]["content"]["application/json"]["schema"]
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }
    assert bodies["post /v1/jobs"] == {"$ref": "#/components/schemas/SubmitBody"}
    assert bodies["post /v1/tokens"] == {"$ref": "#/components/schemas/TokenRequest"}
    assert len(bodies) == sum(each.body is not None for each in (*ROUTES, *OF_ADMIN))


@pytest.mark.parametrize(
    "struct",
    [
        schema.jobs.SubmitBody,
        account_wire.TokenRequest,
        schema.groups.OpenGroupBody,
        schema.pilots.PilotResultBody,
    ],
)
def test_a_schema_has_the_fields_of_its_struct(struct: type[msgspec.Struct]) -> None:
    described = SCHEMAS[struct.__name__]
    fields = msgspec.structs.fields(struct)
    assert list(described["properties"]) == [field.encode_name for field in fields]
    assert described["required"] == [field.encode_name for field in fields if field.required]


def test_what_is_raw_on_the_wire_is_described_by_its_type() -> None:
    fields = SCHEMAS["SubmitBody"]["properties"]
    assert fields["inputs"] == {
        "description": "Values of the inputs that the program declares; angles in radians.",
        "type": "object",
        "additionalProperties": {"type": "number"},
        "default": {},
    }
    assert fields["outputs"]["default"] == ["counts"]


def test_every_parameter_of_a_list_is_described() -> None:
    (names,) = [
        {parameter["name"] for parameter in methods["get"]["parameters"]}
        for path, methods in DOCUMENT["paths"].items()
        if path == "/v1/jobs"
    ]
    assert names == {"before", "limit", *params.SEARCH}


def test_every_schema_and_every_field_says_what_it_is() -> None:
    mute = [
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, kind in schema.get("properties", {}).items()
        if not kind.get("description")
    ]
    mute += [name for name, schema in SCHEMAS.items() if not schema.get("description")]
    assert not mute


def test_every_operation_and_parameter_says_what_it_is() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"].endswith("."), (method, path)
            assert operation["tags"]
            for parameter in operation["parameters"]:
                assert parameter.get("description"), (method, path, parameter["name"])


def test_descriptions_keep_to_what_clients_need_to_know() -> None:
    text = json.dumps(DOCUMENT)
    assert "Attributes:" not in text
    assert "million a second" not in text  # why a struct is made as it is
