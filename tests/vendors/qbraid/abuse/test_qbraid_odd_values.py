"""Unexpected values in every field, form and query of qBraid's dialect: a 4xx of its own shape."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from abuse.dialects import FORMER_QBRAID, QBRAID, Dialect, harmless
from abuse.fixtures import Tokens
from abuse.odd_values import LATE, NO_JSON, ODD, matters
from qwicket.vendors.qbraid.dialect import groups, submissions
from support.for_each import for_each
from support.pairwise import by_row, pairs

pytestmark = pytest.mark.extended

OLD, NEW = FORMER_QBRAID.prefix, QBRAID.prefix
FIELDS = {
    (dialect.prefix, field.encode_name): field.type
    for dialect in (QBRAID, FORMER_QBRAID)
    for field in msgspec.structs.fields(dialect.body)
}
READ_AS_JSON = {"program", "ionqCircuit", "tags", "runtimeOptions", "metadata"}
"""Fields of any JSON that are read. The others of that kind are refused, or left unread."""
TEXTS = {
    "empty": "",
    "NUL": "a\0b",
    "4,000 characters": "x" * 4_000,
    "minus one": "-1",
    "zero": "0",
    "a huge number": "9" * 400,
    "a fraction": "1.5",
    "other digits": "٣",
    "a list": "[1]",
    "an object": "{}",
    "deep JSON": "[" * 20_000,
    "open text": '{"a": "',
    "NUL in JSON": '{"a": "\\u0000"}',
    "SQL": "' or 1=1; --",
    "surrogate": "%ED%A0%80",
    "snowman": "☃",
}
QUERIES = (
    *("status", "statusGroup", "vendor", "provider", "tags", "search", "page", "limit"),
    *("deviceQrn", "shots", "qrns", "qbraidDeviceId", "resultsPerPage", "tags.run", "minutes"),
    *("qbraidJobId", "vendorJobId", "_id", "qbraid_id", "numberQubits", "retired"),
)
READS = (
    *(f"{NEW}/devices", f"{NEW}/jobs", f"{NEW}/jobs/cost-estimate", f"{NEW}/jobs/group"),
    *(f"{OLD}/quantum-jobs", f"{OLD}/quantum-devices", f"{OLD}/public/lab/get-devices"),
    f"{OLD}/quantum-jobs/cost-estimate",
)
FORM = (
    *("vendorJobId", "qbraidDeviceId", "vendorDeviceId", "shots", "circuitNumQubits"),
    *("circuitDepth", "circuitBatchNumQubits", "circuitBatchDepth", "status", "qbraidStatus"),
)


def answered(dialect: Dialect, response: httpx.Response) -> None:
    """Check that an answer is a success, or a refusal in the dialect's shape."""
    if response.status_code == 501:
        dialect.said(response)
        return
    harmless(response)
    if not response.is_success:
        dialect.refused(response)


def is_read(name: str, of: Any) -> bool:
    return of is not msgspec.Raw or name in READ_AS_JSON


@for_each(
    "of, odd",
    pairs(
        FIELDS,
        ODD,
        per=lambda of: of[0],
        keep=lambda of, odd: is_read(of[1], FIELDS[of]) and matters(odd, FIELDS[of]),
    )
    + pairs(
        FIELDS,
        NO_JSON,
        per=lambda of: of[0],
        keep=lambda of, odd: FIELDS[of] is msgspec.Raw and odd in LATE,
    ),
)
def test_an_odd_field_of_a_submission_is_taken_or_refused(
    client: httpx.Client,
    tokens: Tokens,
    of: tuple[str, str],
    odd: str,
) -> None:
    dialect = QBRAID if of[0] == NEW else FORMER_QBRAID
    content = dialect.text(**{of[1]: {**ODD, **NO_JSON}[odd]})
    auth = dialect.auth(tokens.good)
    answered(dialect, client.post(dialect.jobs, content=content, headers=auth))


IN_PROGRAMS = [(key, is_batch) for key in ("format", "data") for is_batch in (False, True)]


@for_each(
    "place, odd",
    pairs(
        IN_PROGRAMS,
        ODD,
        # A text may be either, and any JSON may be data. A batch goes through the same reader.
        keep=lambda place, odd: not place[1] and matters(odd, str if place[0] == "format" else Any),
    ),
)
def test_an_odd_program_is_taken_or_refused(
    client: httpx.Client,
    tokens: Tokens,
    place: tuple[str, bool],
    odd: str,
) -> None:
    key, is_batch = place
    other = b'"data":"x"' if key == "format" else b'"format":"qasm3"'
    program = b'{"%s":%s,%s}' % (key.encode(), ODD[odd], other)
    content = QBRAID.text(program=b"[%s]" % program if is_batch else program)
    answered(QBRAID, client.post(QBRAID.jobs, content=content, headers=QBRAID.auth(tokens.good)))


@for_each(
    "format_, odd",
    pairs(
        sorted({*submissions._FORMATS, *submissions._NOT_OFFERED}),
        ["{}", "[]", "null", "\0", "x", "{" * 10_000, '{"qubits": 1e400}'],
        keep=lambda format_, _: format_ in submissions._FORMATS,
    ),
)
def test_a_program_that_makes_no_sense_is_refused(
    client: httpx.Client, tokens: Tokens, format_: str, odd: str
) -> None:
    device = "rydberg" if format_ == "analog" else "statevector"
    program = {"format": format_, "data": odd}
    body = {"deviceQrn": f"qbraid:qbraid:sim:{device}", "program": program}
    response = client.post(QBRAID.jobs, json=body, headers=QBRAID.auth(tokens.good))
    answered(QBRAID, response)
    assert not response.is_success or (format_, odd) == ("qasm2", "x"), response.text


OF_GROUPS = {field.encode_name: field.type for field in msgspec.structs.fields(groups.OpenBody)}


@for_each(
    "field, odd",
    pairs(OF_GROUPS, ODD, keep=lambda field, odd: matters(odd, OF_GROUPS[field]))
    + pairs(
        OF_GROUPS,
        NO_JSON,
        keep=lambda field, odd: OF_GROUPS[field] is msgspec.Raw and odd in LATE,
    ),
)
def test_an_odd_field_of_a_group_is_taken_or_refused(
    client: httpx.Client, tokens: Tokens, field: str, odd: str
) -> None:
    content = b'{"%s":%s}' % (field.encode(), {**ODD, **NO_JSON}[odd])
    headers = QBRAID.auth(tokens.good)
    answered(QBRAID, client.post(f"{NEW}/jobs/group", content=content, headers=headers))


NUMBERS = ("page", "limit", "shots", "resultsPerPage", "minutes", "numberQubits")


@for_each(
    "name, text",
    pairs(
        QUERIES,
        TEXTS,
        keep=lambda name, text: name in NUMBERS or "NUL" in text or text == "surrogate",
    ),
)
def test_an_odd_query_is_answered_or_refused(
    client: httpx.Client, tokens: Tokens, name: str, text: str
) -> None:
    for path in READS:
        dialect = QBRAID if path.startswith(NEW) else FORMER_QBRAID
        url = f"{path}?{quote(name)}={quote(TEXTS[text])}"
        answered(dialect, client.get(url, headers=dialect.auth(tokens.good)))
    url = f"{NEW}/jobs?qrns={quote(TEXTS[text])}"
    QBRAID.refused(client.delete(url, headers=QBRAID.auth(tokens.good)))


@for_each(
    "name, text",
    # The form's fields hold numbers but for texts, in which a NUL or half a character counts.
    pairs(
        FORM,
        TEXTS,
        keep=lambda name, text: (
            name.startswith(("circuit", "shots")) or "NUL" in text or text == "surrogate"
        ),
    ),
)
def test_an_odd_field_of_a_form_is_taken_or_refused(
    client: httpx.Client, tokens: Tokens, name: str, text: str
) -> None:
    auth = FORMER_QBRAID.auth(tokens.good)
    fields = {"vendorJobId": "v", "qbraidDeviceId": "d", name: TEXTS[text]}
    answered(FORMER_QBRAID, client.post(f"{OLD}/init-job", data=fields, headers=auth))
    update = {"qbraidJobId": TEXTS[text], "status": "x", "qbraidStatus": "QUEUED"}
    FORMER_QBRAID.refused(client.put(f"{OLD}/update-job", data=update, headers=auth))


@for_each("content", [b"\xff\xfe", b"=" * 100_000, b"&" * 1_000_000, b"a=1&" * 20_000])
def test_a_form_that_is_none_is_refused(
    client: httpx.Client, tokens: Tokens, content: bytes
) -> None:
    auth = FORMER_QBRAID.auth(tokens.good)
    FORMER_QBRAID.refused(client.post(f"{OLD}/init-job", content=content, headers=auth))


@pytest.mark.parametrize(
    ("path", "odds"),
    by_row(
        pairs(["/get-user-jobs", "/public/lab/get-devices"], ODD, always=ODD)
        + pairs(["/get-user-jobs", "/public/lab/get-devices"], NO_JSON)
    ),
)
def test_an_odd_search_is_answered_or_refused(
    subtests: pytest.Subtests, client: httpx.Client, tokens: Tokens, path: str, odds: list[str]
) -> None:
    for odd in odds:
        with subtests.test(odd):
            auth = FORMER_QBRAID.auth(tokens.good)
            value = {**ODD, **NO_JSON}[odd]
            for content in (value, b'{"shots":%s}' % value, b'{"numResults":%s}' % value):
                answered(FORMER_QBRAID, client.post(OLD + path, content=content, headers=auth))


@for_each("operator", ["$where", "$function", "$expr", "$or", "$regex"])
def test_operators_that_could_stall_or_run_code_are_refused(
    client: httpx.Client, tokens: Tokens, operator: str
) -> None:
    auth = FORMER_QBRAID.auth(tokens.good)
    queries: list[dict[str, Any]] = [{operator: "(a+)+$"}, {"status": {operator: "(a+)+$"}}]
    for query in queries:
        content = json.dumps(query)
        answer = client.post(f"{OLD}/get-user-jobs", content=content, headers=auth)
        FORMER_QBRAID.refused(answer, 400)
