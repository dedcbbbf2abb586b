"""Validation errors: a sentence that names the field, what it may be, and its value."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest

from qwicket.dialects.bodies import decode
from qwicket.dialects.native import routes
from qwicket.dialects.native.admin import routes as admin
from qwicket.model.errors import InvalidRequest
from qwicket.model.states import JobState
from qwicket.vendors.qbraid.dialect import submissions
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4)]


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1


class Document(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    shots: int = 1
    angle: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    name: _Name = "a"
    note: str | None = None
    is_dry: bool = False
    mode: Literal["batch", "session"] = "batch"
    state: JobState = JobState.QUEUED
    at: datetime | None = None
    pair: tuple[int, int] = (0, 0)
    tags: tuple[_Name, ...] = ()
    values: dict[str, float] = {}
    inner: Inner = Inner()
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{4}$")] = "0000"
    data: bytes = b""
    api_token: str = ""
    either: str | int = 1


DECODER = msgspec.json.Decoder(Document)


def refusal(text: bytes, decoder: msgspec.json.Decoder[Any] = DECODER) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        decode(text, decoder)
    return refused.value


@for_each(
    "text, field, detail",
    [
        ('{"shots": "a"}', "shots", 'shots must be a whole number, not "a".'),
        ('{"shots": 1.5}', "shots", "shots must be a whole number, not 1.5."),
        ('{"shots": null}', "shots", "shots must be a whole number, not null."),
        ('{"shots": [1]}', "shots", "shots must be a whole number, not a list."),
        ('{"angle": 0}', "angle", "angle must be a number above 0.0, not 0."),
        ('{"name": ""}', "name", 'name must be a text of at least 1 characters, not "".'),
        ('{"name": "abcde"}', "name", 'name must be a text of at most 4 characters, not "abcde".'),
        ('{"note": 3}', "note", "note must be a text, not 3."),
        ('{"isDry": 1}', "isDry", "isDry must be true or false, not 1."),
        ('{"mode": "x"}', "mode", 'mode must be one of batch, session, not "x".'),
        ('{"pair": [1]}', "pair", "pair must be a list of 2 items, not a list of 1."),
        ('{"tags": ["a", 7]}', "tags[1]", "tags[1] must be a text, not 7."),
        ('{"values": {"theta": "x"}}', "values[...]", "values[...] must be a number."),
        ('{"inner": {"width": 0}}', "inner.width", "inner.width must be a whole number of at"),
        ('{"inner": {"widht": 1}}', "inner.widht", "no field inner.widht. Did you mean width?"),
        ('{"at": "soon"}', "at", 'at must be a time such as 2026-01-31T12:00:00Z, not "soon".'),
        ('{"hash": "x"}', "hash", 'hash must be a text that matches ^[0-9a-f]{4}$, not "x".'),
        ('{"data": "?"}', "data", 'data must be a text in base64, not "?".'),
        ('{"either": []}', "either", "either must be a whole number or a text, not a list."),
        ('{"apiToken": 5}', "apiToken", "apiToken must be a text."),
        ("[]", None, "The body must be an object, not a list."),
        ("{", None, "The body is not valid JSON: it ends too early."),
        ('{"shots": x}', None, "The body is not valid JSON at byte 10: invalid character."),
    ],
)
def test_an_invalid_body_is_explained_in_one_sentence(
    text: str, field: str | None, detail: str
) -> None:
    error = refusal(text.encode())
    assert error.field == field
    assert detail in error.detail
    assert "`" not in error.detail


def test_a_value_is_cut_to_a_hundred_characters() -> None:
    detail = refusal(b'{"shots": "%s"}' % (b"x" * 300)).detail
    assert detail == f'shots must be a whole number, not "{"x" * 98}….'


def test_characters_that_cannot_be_seen_are_escaped() -> None:
    detail = refusal('{"shots": "1\u00a0\u200b0 é"}'.encode()).detail
    assert detail == 'shots must be a whole number, not "1\\u00a0\\u200b0 é".'


def test_a_body_that_is_not_utf_8_is_reported_with_its_position() -> None:
    assert refusal(b'{"note": "\xff"}').detail == "The body is not UTF-8 at byte 10."


BODIES = [
    *(each.body.struct for each in (*routes.ROUTES, *admin.ROUTES) if each.body),
    submissions.V1Body,
]


def test_no_error_of_a_field_contains_the_librarys_text(subtests: pytest.Subtests) -> None:
    for struct in BODIES:
        for value in [b"5", b'"x"', b"[]", b"{}", b"null", b"1e400"]:
            with subtests.test(f"{struct.__name__} {value!r}"):
                decoder = msgspec.json.Decoder(struct)
                details = []
                for name in struct.__struct_encode_fields__:
                    try:
                        decode(b'{"%s": %s}' % (name.encode(), value), decoder)
                    except InvalidRequest as error:
                        details.append(error.detail)
                assert all(re.fullmatch(r"[^`]+\.", detail) for detail in details)
                words = re.compile(r"Expected|Invalid|Object|got `|\bstr\b|\bint\b|another value")
                assert not [detail for detail in details if words.search(detail)]
