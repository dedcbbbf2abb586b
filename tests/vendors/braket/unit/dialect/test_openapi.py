"""Descriptions of dialects: where a request has its parameters."""

from __future__ import annotations

from dataclasses import replace

from qwicket.dialects.openapi import describe
from qwicket.vendors.braket.dialect.registration import REGISTRATION
from qwicket.vendors.braket.dialect.routes import BRAKET, S3


def places(path: str) -> dict[str, str]:
    operation = describe(REGISTRATION, {"/s3": S3})["paths"][path]["get"]
    return {each["name"]: each["in"] for each in operation["parameters"]}


def test_a_hyphen_makes_no_header() -> None:
    found = places("/s3/{bucket}")
    assert found.pop("bucket") == "path"
    assert {"list-type", "max-keys", "prefix"} <= found.keys()
    assert {*found.values()} == {"query"}


def test_a_header_needs_no_hyphen() -> None:
    assert places("/s3/{bucket}/{key}") == {"bucket": "path", "key": "path", "Range": "header"}


def test_a_required_parameter_has_its_description() -> None:
    described = replace(REGISTRATION, parameters={"tagKeys": ("Keys to remove.", {})})
    operation = describe(described, {"/braket": BRAKET})["paths"]["/braket/tags/{arn}"]["delete"]
    (found,) = [each for each in operation["parameters"] if each["name"] == "tagKeys"]
    assert found["required"]
    assert found["description"] == "Keys to remove."
