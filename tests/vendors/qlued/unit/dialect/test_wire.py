"""Submissions in all their spellings, and the words for a job's state."""

from __future__ import annotations

import json
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from qwicket.devices import built_in
from qwicket.model.errors import QwicketError
from qwicket.model.limits import Limits
from qwicket.vendors.qlued.dialect import wire
from support.for_each import for_each

LIMITS = Limits.from_names(shots=1_000, circuits=3, document_bytes=1_000)
(RYDBERG,) = (device for device in built_in() if device.name == "rydberg")
SECRET = "qw_" + 43 * "s"


@for_each(
    "body",
    [
        json.dumps({"job": "{}", "token": SECRET}).encode(),
        json.dumps({"job": "{}", "password": SECRET, "username": "x"}).encode(),
        json.dumps({"job": "{}", "token": SECRET, "password": "another"}).encode(),
        b" \n" + json.dumps({"job": "{}", "token": SECRET}).encode(),
        f"json=%7B%7D&username=x&password={SECRET}".encode(),
        f"job=%7B%7D&token={SECRET}".encode(),
    ],
)
def test_every_spelling_of_a_submission_is_the_same(body: bytes) -> None:
    assert wire.read_posted(body, LIMITS) == wire.Posted(SECRET, b"{}")


@pytest.mark.parametrize("name", ["token", "password"])
@pytest.mark.parametrize("job", [{"job_id": "x"}, {"json": '{"job_id": "x"}'}])
def test_every_spelling_of_a_query_is_the_same(name: str, job: dict[str, str]) -> None:
    query = QueryParams({**job, name: SECRET})
    assert (wire.token(query), wire.job_id(query)) == (SECRET, "x")


@pytest.mark.parametrize(
    ("query", "missing"),
    [({}, "query.job_id"), ({"token": SECRET}, "query.job_id"), ({"job_id": "x"}, "query.token")],
)
def test_what_a_query_of_version_2_lacks_is_named(query: dict[str, str], missing: str) -> None:
    with pytest.raises(wire.Unprocessable, match="Field required") as refused:
        wire.token(QueryParams(query))
    assert refused.value.field == missing


def test_no_token_is_in_a_text_about_a_submission() -> None:
    assert SECRET not in repr(wire.Posted(SECRET, b"{}"))


def test_a_large_form_is_refused_and_large_json_is_not() -> None:
    job = json.dumps({"x": 2_000 * "x"})
    assert wire.read_posted(json.dumps({"job": job, "token": SECRET}).encode(), LIMITS).job
    with pytest.raises(wire.Unprocessable, match="document_bytes"):
        wire.read_posted(urlencode({"json": job, "password": SECRET}).encode(), LIMITS)


def test_a_submission_has_the_most_shots_of_its_experiments_within_bounds() -> None:
    def shots(*each: object) -> int:
        job = {f"experiment_{n}": {"shots": shots} for n, shots in enumerate(each)}
        return wire.submission(RYDBERG, json.dumps(job).encode(), LIMITS).shots

    assert shots(3, 500, 7) == 500
    assert shots(10**400) == shots(10**9) == 1_000
    assert shots() == shots("x") == shots(None) == shots(-5) == 1
    assert shots(*[1] * 20) == 1_000, "of too many keys the worst is believed"


def test_python_writes_nan_into_json_and_only_small_texts_are_read_so() -> None:
    assert wire.submission(RYDBERG, b'{"experiment_0": NaN}', LIMITS).source
    for no_job in (b"NaN", b'{"a": NaN', b'{"a": NaN}' + b" " * (64 << 10)):
        with pytest.raises(wire.JobRejected):
            wire.submission(RYDBERG, no_job, LIMITS)


@settings(max_examples=200)
@given(st.binary() | st.text().map(str.encode) | st.sampled_from([b"{}", b" {", b"[]", b"{}{}"]))
def test_whatever_comes_is_taken_or_refused(body: bytes) -> None:
    for read in (wire.read_posted, wire.read_posted_object):
        with suppress(QwicketError):
            assert read(body, LIMITS).job is not None
    with suppress(wire.JobRejected):
        assert wire.submission(RYDBERG, body, LIMITS).source == body
        assert isinstance(json.loads(body), dict)
