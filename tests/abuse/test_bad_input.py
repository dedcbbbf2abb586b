"""Invalid bodies, queries and headers: refused with the name of the field, without side effects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import httpx
import msgspec
import pytest

from abuse.dialects import DIALECTS, IONQ, IONQ_AT_ROOT, NATIVE, WAYS, Dialect, Way, harmless
from abuse.fixtures import Tokens
from abuse.odd_values import DEEP, LATE, NO_JSON, ODD, matters
from qwicket.dialects import mounts
from support.for_each import for_each
from support.pairwise import by_row, pairs
from support.programs import BELL

pytestmark = pytest.mark.extended


class Field(NamedTuple):
    """A field of a submission: `in_body` makes the body in which it has the given JSON text."""

    dialect: Dialect
    name: str
    type: Any
    in_body: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"{self.dialect.prefix} {self.name}"

    @property
    def is_program(self) -> bool:
        return self.name == self.dialect.program


def _fields() -> Iterator[Field]:
    for dialect in (NATIVE, IONQ):  # the mount at the root is the same application
        for field in msgspec.structs.fields(dialect.body):
            name = field.encode_name
            yield Field(dialect, name, field.type, _replaced(dialect, name))
            for inner in _structs(field.type):
                for part in msgspec.structs.fields(inner):
                    path = (name, part.encode_name)
                    yield Field(dialect, ".".join(path), part.type, _replaced(dialect, *path))


def _structs(of: Any) -> Iterator[type[msgspec.Struct]]:
    for each in getattr(of, "__args__", ()):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            yield each


def _replaced(dialect: Dialect, name: str, part: str | None = None) -> Callable[[bytes], bytes]:
    if part is None:
        return lambda value: dialect.text(**{name: value})
    return lambda value: dialect.text(**{name: b'{"%s":%s}' % (part.encode(), value)})


FIELDS = tuple(_fields())


def prefix(field: Field) -> str:
    return field.dialect.prefix


def test_ionq_is_one_application_at_both_its_mounts() -> None:
    dialects = mounts(cast(Any, None))
    assert dialects[IONQ.prefix] is dialects[IONQ_AT_ROOT.prefix]


def post(client: httpx.Client, dialect: Dialect, token: str, content: bytes) -> httpx.Response:
    return client.post(dialect.jobs, content=content, headers=dialect.auth(token))


@pytest.fixture
def token(tokens: Tokens) -> str:
    return tokens.good


# --- fields ---------------------------------------------------------------------------------------


@for_each(
    "field, text",
    pairs(
        FIELDS,
        NO_JSON,
        per=prefix,
        keep=lambda field, text: field.type is msgspec.Raw and text in LATE,
    ),
)
def test_a_field_that_is_no_json_is_refused(
    client: httpx.Client, token: str, field: Field, text: str
) -> None:
    response = post(client, field.dialect, token, field.in_body(NO_JSON[text]))
    said = field.dialect.refused(response, 400)
    is_named = field.dialect.names(response, field.name.partition(".")[0])
    assert is_named or "JSON" in said or "nested" in said or "UTF-8" in said


@for_each("dialect, text", pairs(DIALECTS, NO_JSON))
def test_an_unknown_field_that_is_no_json_is_refused(
    client: httpx.Client, token: str, dialect: Dialect, text: str
) -> None:
    dialect.refused(post(client, dialect, token, dialect.text(unheard=NO_JSON[text])), 400)


@for_each(
    "field, text",
    pairs(FIELDS, ODD, per=prefix, keep=lambda field, text: matters(text, field.type)),
)
def test_a_field_of_an_odd_value_is_taken_or_refused_by_name(
    client: httpx.Client, token: str, field: Field, text: str
) -> None:
    check_odd_value(client, token, field, text)


def check_odd_value(client: httpx.Client, token: str, field: Field, text: str) -> None:
    response = post(client, field.dialect, token, field.in_body(ODD[text]))
    harmless(response)
    if fits(ODD[text], field.type) and response.status_code == 201:
        return
    said = field.dialect.refused(response)
    assert len(response.content) < 5_000, "a refusal must not echo what it refuses"
    if not field.is_program:
        assert field.dialect.names(response, field.name) or "device" in said


def fits(text: bytes, type_: Any) -> bool:
    """Return whether JSON text has the type that a field declares."""
    try:
        msgspec.json.decode(text, type=type_)
    except msgspec.ValidationError:
        return False
    return True


@for_each("field", FIELDS)
def test_a_nul_character_is_refused_by_the_field_that_has_it(
    client: httpx.Client, token: str, field: Field
) -> None:
    for text in (b'"a\\u0000"', b'"\\\\\\u0000"'):
        response = post(client, field.dialect, token, field.in_body(text))
        assert field.dialect.names(response, field.name.partition(".")[0])


@for_each("dialect", DIALECTS)
def test_an_absent_field_is_refused_by_name(
    client: httpx.Client, token: str, dialect: Dialect
) -> None:
    for field in msgspec.structs.fields(dialect.body):
        if field.required:
            name = field.encode_name
            valid = {key: item for key, item in dialect.valid.items() if key != name}
            response = post(client, dialect, token, json.dumps(valid).encode())
            assert dialect.names(response, name)


def test_an_unknown_field_is_refused_by_name(
    subtests: pytest.Subtests, client: httpx.Client, token: str
) -> None:
    for text in ODD:
        with subtests.test(text):
            response = post(client, NATIVE, token, NATIVE.text(unheard=ODD[text]))
            assert NATIVE.names(response, "unheard")
            assert response.json()["field"] == "unheard"


@for_each("name", ["", ".", "a.b", "`", " - at `$.x`", "\0", "☃", "x" * 100_000])
def test_an_unknown_field_of_an_odd_name_is_refused(
    client: httpx.Client, token: str, name: str
) -> None:
    response = post(client, NATIVE, token, NATIVE.text(**{name: 1}))
    NATIVE.refused(response, 400)
    assert len(response.content) < 5_000


def test_ionq_ignores_an_unknown_field(
    subtests: pytest.Subtests, client: httpx.Client, token: str
) -> None:
    for text in ODD:
        with subtests.test(text):
            response = post(client, IONQ, token, IONQ.text(extra_query_params=ODD[text]))
            assert response.status_code == 201


@for_each("dialect", DIALECTS)
def test_of_a_key_that_comes_twice_the_last_counts(
    client: httpx.Client, token: str, dialect: Dialect
) -> None:
    twice = dialect.text(shots=b'7,"shots":8')
    sent = post(client, dialect, token, twice)
    assert sent.status_code == 201
    job = client.get(f"/v1/jobs/{dialect.job(sent)}", headers=NATIVE.auth(token)).json()
    assert job["shots"] == 8


# --- bodies ---------------------------------------------------------------------------------------

ROOM = 15 << 20


def keys(n: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % i for i in range(n)) + b"}"


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "blank": lambda _: b" \n\t" * 1000,
    "null": lambda _: b"null",
    "true": lambda _: b"true",
    "number": lambda _: b"1",
    "text": lambda _: b'"x"',
    "list": lambda _: b"[]",
    "list around it": lambda valid: b"[" + valid + b"]",
    "text around it": lambda valid: json.dumps(valid.decode()).encode(),
    "cut": lambda valid: valid[:-1],
    "twice": lambda valid: valid + valid,
    "with a tail": lambda valid: valid + b"x",
    "with a NUL after it": lambda valid: valid + b"\0",
    "byte order mark": lambda valid: b"\xef\xbb\xbf" + valid,
    "UTF-16": lambda valid: valid.decode().encode("utf-16"),
    "UTF-32": lambda valid: valid.decode().encode("utf-32-le"),
    "gzip": gzip.compress,
    "NULs": lambda _: bytes(1000),
    "all bytes": lambda _: bytes(range(256)) * 100,
    "deep": lambda _: b"[" * DEEP + b"]" * DEEP,
    "deep, open": lambda _: b'{"a":' * DEEP,
    "form": lambda _: b"device=simulator&shots=10",
    "XML": lambda _: b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "pickle": lambda _: b"cos\nsystem\n(S'id'\ntR.",
    "15 MB of blanks": lambda _: b" " * ROOM,
    "15 MB of text": lambda _: b'"' + b"x" * ROOM + b'"',
    "15 MB of escapes": lambda _: b'"' + b"\\n" * (ROOM // 2) + b'"',
    "15 MB of digits": lambda _: b"1" * ROOM,
    "15 MB of lists": lambda _: b"[" + b"[]," * (ROOM // 3) + b"[]]",
    "a million keys": lambda _: keys(1_000_000),
}


@for_each(
    "dialect, body",
    pairs(
        DIALECTS,
        BODIES,
        keep=lambda dialect, body: dialect != IONQ_AT_ROOT and "15 MB" not in body,
    ),
)
def test_a_body_that_is_no_submission_is_refused(
    client: httpx.Client, token: str, dialect: Dialect, body: str
) -> None:
    response = post(client, dialect, token, BODIES[body](dialect.text()))
    dialect.refused(response, 400)
    assert len(response.content) < 5_000


@for_each(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x" * 999],
)
@for_each("dialect", DIALECTS)
def test_a_body_is_json_whatever_its_content_type_says(
    client: httpx.Client, token: str, dialect: Dialect, content_type: str | None
) -> None:
    headers = dialect.auth(token)
    if content_type is not None:
        headers["Content-Type"] = content_type
    assert client.post(dialect.jobs, content=dialect.text(), headers=headers).status_code == 201


@for_each("dialect", DIALECTS)
def test_a_compressed_body_is_refused(client: httpx.Client, token: str, dialect: Dialect) -> None:
    headers = {**dialect.auth(token), "Content-Encoding": "gzip"}
    response = client.post(dialect.jobs, content=gzip.compress(dialect.text()), headers=headers)
    dialect.refused(response, 400)


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "65 levels": lambda: b'{"a":' * 65 + b"1" + b"}" * 65,
    "65 levels of lists": lambda: b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "65 levels after brackets in text": lambda: (
        b'{"t":"}}}}\\"]]]]\\\\","a":' + b"[" * 64 + b"]" * 64 + b"}"
    ),
    "10 001 keys": lambda: keys(10_001),
    "10 001 keys within": lambda: b'{"a":[' + b",".join([b'{"k":1}'] * 10_001) + b"]}",
    "a million keys": lambda: keys(1_000_000),
    "2 MB of text": lambda: b'{"a":"' + b"x" * (2 << 20) + b'"}',
    "15 MB of text": lambda: b'{"a":"' + b"x" * ROOM + b'","b":' + b"[" * 65 + b"]" * 65 + b"}",
    "15 MB of texts": lambda: (
        b'{"a":[' + b'"",' * (ROOM // 3) + b'""],"b":' + b"[" * 65 + b"]" * 65 + b"}"
    ),
    "15 MB of backslashes": lambda: b'{"a":"' + b"\\\\" * (ROOM // 2) + b'"}',
    "15 MB of objects": lambda: b'{"a":[' + b"{}," * (ROOM // 3) + b"{}]}",
    "null in a list": lambda: b"[null]",
    "text": lambda: b'"{}"',
    "number": lambda: b"1",
    "true": lambda: b"true",
}
KEPT = {
    "null": (b"null", {}),
    "empty": (b"{}", {}),
    "spaces": (b'{ "a" :  1 }', {"a": 1}),
    "64 levels": (b'{"a":' * 64 + b"1" + b"}" * 64, ...),
    "brackets in text": (b'{"a":"' + b"{[:" * 20_000 + b'\\"[[["}', ...),
    "10 000 keys": (keys(10_000), ...),
    "control characters": (b'{"a":"a\\u001f0\\u001eb\\u00011"}', {"a": "a\x1f0\x1eb\x011"}),
    "40 000 characters": (b'{"a":"' + b"H4sI" * 10_000 + b'"}', ...),
    "not ASCII": ('{"ключ":"☃\U0001f600"}'.encode(), {"ключ": "☃\U0001f600"}),
    "escaped backslash before u0000": (b'{"a":"\\\\u0000"}', {"a": "\\u0000"}),
    "empty key": (b'{"":""}', {"": ""}),
}

HUGE_DOCUMENTS = {name for name in DOCUMENTS if name.startswith("15 MB")}


@pytest.mark.parametrize(
    ("field", "documents"),
    by_row(
        pairs(["metadata", "settings"], DOCUMENTS, always=set(DOCUMENTS) - HUGE_DOCUMENTS),
    ),
)
def test_a_document_that_is_none_or_too_much_is_refused_by_name(
    subtests: pytest.Subtests, client: httpx.Client, token: str, field: str, documents: list[str]
) -> None:
    for document in documents:
        with subtests.test(document):
            response = post(client, IONQ, token, IONQ.text(**{field: DOCUMENTS[document]()}))
            assert IONQ.refused(response, 400).startswith(field)


@pytest.mark.parametrize("field", ["metadata", "settings"])
def test_a_document_within_bounds_comes_back_unchanged(
    subtests: pytest.Subtests, client: httpx.Client, token: str, field: str
) -> None:
    for document in KEPT:
        with subtests.test(document):
            text, value = KEPT[document]
            sent = post(client, IONQ, token, IONQ.text(**{field: text}))
            assert sent.status_code == 201, sent.text
            read = client.get(f"{IONQ.jobs}/{sent.json()['id']}", headers=IONQ.auth(token))
            assert read.json()[field] == (json.loads(text) if value is ... else value)


# --- programs -------------------------------------------------------------------------------------

GATE_FIELDS: dict[str, Any] = {
    "gate": str,
    "target": int,
    "targets": list[int],
    "control": int,
    "controls": list[int],
    "rotation": float,
    "phase": float,
    "phases": list[float],
    "angle": float,
    "time": float,
    "coefficients": list[float],
    "terms": list[str],
}
PROGRAM_FIELDS: dict[str, Any] = {
    "gateset": str,
    "qubits": int,
    "circuit": list[Any],
    "circuits": list[Any],
}
IN_PROGRAMS = {**PROGRAM_FIELDS, **GATE_FIELDS}
"""Fields of a program and of its gates, by the type that the format gives them."""


def program(field: str, value: bytes) -> bytes:
    """Return a program with one field changed, of its first gate where a gate has that field."""
    if field in PROGRAM_FIELDS:
        fields = {**BELL, field: ...}
        inner: dict[str, Any] = fields
    else:
        inner = {"gate": "rx", "target": 0, "rotation": 0.5, field: ...}
        fields = {**BELL, "circuit": ...}
    changed = b"{" + b",".join(_pair(k, v, value) for k, v in inner.items()) + b"}"
    if inner is fields:
        return changed
    return b"{" + b",".join(_pair(k, v, b"[%s]" % changed) for k, v in fields.items()) + b"}"


def _pair(key: str, item: Any, value: bytes) -> bytes:
    text = value if item is ... else json.dumps(item).encode()
    return json.dumps(key).encode() + b":" + text


@for_each(
    "field, text",
    pairs(IN_PROGRAMS, NO_JSON)
    + pairs(IN_PROGRAMS, ODD, keep=lambda field, text: matters(text, IN_PROGRAMS[field])),
)
def test_an_odd_value_in_a_program_is_taken_or_refused(
    client: httpx.Client, token: str, field: str, text: str
) -> None:
    source = program(field, NO_JSON.get(text, ODD.get(text, b"")))
    dialect = NATIVE if len(text) % 2 else IONQ  # one reader stands behind both
    response = post(client, dialect, token, dialect.text(**{dialect.program: source}))
    harmless(response)
    if text in NO_JSON or response.status_code != 201:
        dialect.refused(response, 400)
        assert len(response.content) < 5_000


def test_several_circuits_through_ionq_are_answered_by_their_ids(
    client: httpx.Client, token: str
) -> None:
    one = {"circuit": [{"gate": "x", "target": 0}]}
    body = IONQ.text(input={"qubits": 1, "circuits": [one, {"circuit": []}]})
    job = post(client, IONQ, token, body).json()["id"]
    client.get(f"/v1/jobs/{job}?wait=60", headers=NATIVE.auth(token))
    url = f"{IONQ.jobs}/{job}/results/probabilities"
    response = client.get(url, headers=IONQ.auth(token))
    assert [*response.json().values()] == [{"1": 1.0}, {"0": 1.0}]


# --- queries --------------------------------------------------------------------------------------

NUMBERS = ("", "x", "-1", "1.5", "1e3", "0x1", "²", "١", " 1", "1_0", "%00", "%ff", "9" * 5000)
LISTS = {
    **{f"limit={text}": 400 for text in (*NUMBERS, "0", "1001", str(2**63))},
    **{f"before={text}": 400 for text in (*NUMBERS, "0", str(2**63), str(2**64))},
    **{
        f"state={text}": 400 for text in ("", "x", ",", "queued,", "QUEUED", "%00", "queued," * 500)
    },
    "limit=1&limit=x": 400,
    "limit": 400,
    f"before={2**63 - 1}&limit=1000": 200,
    "state=queued,queued": 200,
    "device=": 200,
    "device=%00": 400,
    "device=%ff": 200,
    "device=%27%20or%201=1": 200,
    "device=" + "x" * 30_000: 200,
    "x=1": 400,
    "%00=1": 400,
    "=": 400,
    "&&&": 200,
    "x" * 30_000 + "=1": 400,
    "__proto__[a]=1": 400,
}


def test_an_odd_query_of_a_list_is_taken_or_refused(
    subtests: pytest.Subtests, client: httpx.Client, token: str
) -> None:
    for query in LISTS:
        with subtests.test(query[:40]):
            response = client.get(f"/v1/jobs?{query}", headers=NATIVE.auth(token))
            harmless(response)
            assert response.status_code == LISTS[query], response.text[:200]
            if response.status_code == 400:
                assert NATIVE.names(response, httpx.QueryParams(query[:200]).multi_items()[0][0])
                assert len(response.content) < 5_000


@for_each(
    "path, text",
    pairs(["", "/result"], ["x", "-1", "nan", "inf", "-inf", "1e999", "1_0", "%00", "1s"]),
)
def test_a_wait_that_is_no_time_is_refused(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], path: str, text: str
) -> None:
    url = f"/v1/jobs/{jobs[NATIVE.prefix]}{path}?wait={text}"
    assert NATIVE.names(client.get(url, headers=NATIVE.auth(tokens.good)), "wait")


STRANGE_QUERIES = ("%ff%fe=%00", "a[]=1&a[]=2&a.b=c", "x" * 30_000, "&".join(["a=1"] * 5_000))


@for_each("dialect", DIALECTS)
def test_a_strange_query_harms_no_route(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], dialect: Dialect
) -> None:
    auth = dialect.auth(tokens.good)
    for way in (way for way in WAYS if way.dialect is dialect):
        for query in STRANGE_QUERIES:
            harmless(way.send(client, f"{way.url(jobs[dialect.prefix])}?{query}", auth))


# --- headers --------------------------------------------------------------------------------------


STRANGE_HEADERS: dict[str, dict[str, str]] = {
    "Cookie": {"Cookie": "a=b;" * 20_000},
    "Accept": {"Accept": "text/html"},
    "Accept-Encoding": {"Accept-Encoding": "identity;q=0, *;q=0"},
    "Range": {"Range": "bytes=0-0"},
    "If-None-Match": {"If-None-Match": "*"},
    "X-Forwarded-For": {"X-Forwarded-For": "127.0.0.1"},
    "X-HTTP-Method-Override": {"X-HTTP-Method-Override": "DELETE"},
    "X-Request-Id": {"X-Request-Id": "mine"},
    "Upgrade": {"Upgrade": "websocket"},
    "TE": {"TE": "trailers"},
    "2,000 headers": {f"X-{number}": "x" for number in range(2_000)},
}


@for_each(
    "way, strange",
    pairs(
        [way for way in WAYS if not way.is_endless],
        STRANGE_HEADERS,
        per=lambda way: way.dialect.prefix,
    ),
)
def test_strange_headers_harm_no_route(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], way: Way, strange: str
) -> None:
    url, auth = way.url(jobs[way.dialect.prefix]), way.dialect.auth(tokens.good)
    response = way.send(client, url, {**auth, **STRANGE_HEADERS[strange]})
    harmless(response)
    assert response.headers["x-request-id"] != "mine"


def submit_with_key(client: httpx.Client, token: str, key: bytes, **changes: Any) -> httpx.Response:
    headers = {k.encode(): v.encode() for k, v in NATIVE.auth(token).items()}
    headers[b"Idempotency-Key"] = key
    return client.post("/v1/jobs", content=NATIVE.text(**changes), headers=headers)


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"x" * 100_000], ids=["empty", "256", "100 kB"])
def test_an_idempotency_key_of_a_wrong_length_is_refused(
    client: httpx.Client, token: str, key: bytes
) -> None:
    response = submit_with_key(client, token, key)
    assert NATIVE.names(response, "Idempotency-Key")


@for_each("key", [b"x" * 255, b"'; drop table job; --", b"\xff\xfe", b"a\tb", b"%00"])
def test_an_odd_idempotency_key_still_makes_one_job(
    client: httpx.Client, token: str, key: bytes
) -> None:
    first, second = (submit_with_key(client, token, key) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]


def test_an_idempotency_key_with_other_content_is_refused_by_name(
    client: httpx.Client, token: str
) -> None:
    for field, value in {"shots": 11, "name": "x", "tags": ["x"], "seed": 0, "priority": 1}.items():
        key = f"changed {field}".encode()
        assert submit_with_key(client, token, key).status_code == 201
        response = submit_with_key(client, token, key, **{field: value})
        NATIVE.refused(response, 422)
        assert response.json()["field"] == "Idempotency-Key"


def test_a_refused_submission_spends_no_idempotency_key(client: httpx.Client, token: str) -> None:
    assert submit_with_key(client, token, b"spent?", shots=-1).status_code == 400
    assert submit_with_key(client, token, b"spent?", program={}).status_code == 400
    assert submit_with_key(client, token, b"spent?").status_code == 201
