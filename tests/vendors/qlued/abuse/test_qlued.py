"""Unexpected texts in qlued's dialect: they are refused, or their jobs end with an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from abuse.dialects import harmless, qlued_json, routes
from abuse.fixtures import Tokens
from abuse.odd_values import NO_JSON, ODD
from abuse.test_access import MALFORMED, absent_id
from abuse.test_bad_input import BODIES
from support.for_each import for_each
from support.pairwise import by_row, pairs
from support.waiting import until

pytestmark = pytest.mark.extended

V2, V3 = "/qlued/api/v2", "/qlued/api/v3"
TOKEN_ROUTES = ("get_job_status", "get_job_result")
GOOD = {
    "instructions": [["rlx", [0], [1.0]], ["measure", [0], []]],
    "num_wires": 1,
    "shots": 2,
    "wire_order": "interleaved",
    "seed": 1,
}
DEVICES = ("singlequdit", "multiqudit", "rydberg", "fermions")


def refused(response: httpx.Response, *statuses: int) -> str:
    harmless(response)
    assert response.status_code in statuses, (response.status_code, response.text[:300])
    assert len(response.content) < 20_000
    return qlued_json(response)


def post(client: httpx.Client, token: str, job: str, device: str = "rydberg") -> httpx.Response:
    return client.post(f"{V2}/{device}/post_job", json={"job": job, "token": token})


def ends_in_error(client: httpx.Client, token: str, sent: httpx.Response, device: str) -> str:
    """Check that a refused program became a job that says why; return what it says."""
    assert sent.status_code == 200, sent.text
    query = {"job_id": sent.json()["job_id"], "token": token}
    url = f"{V2}/{device}/get_job_result"
    read = until(
        lambda: (
            found
            if (found := client.get(url, params=query)).json()["status"] in ("DONE", "ERROR")
            else None
        ),
        "the job ends",
        timeout_s=60,
    )
    return refused(read, 406)


@pytest.fixture
def token(tokens: Tokens) -> str:
    return tokens.good


# --- who may not get in ---------------------------------------------------------------------------

WRONG = ("", "x", "qw_" + 43 * "x", 4_000 * "x", "None", "\0", "☃", "' or 1=1 --", "../..")


@pytest.mark.parametrize("route", TOKEN_ROUTES)
def test_no_wrong_token_reads_a_job(client: httpx.Client, tokens: Tokens, route: str) -> None:
    made = post(client, tokens.good, json.dumps({"experiment_0": GOOD})).json()["job_id"]
    wrong = (*WRONG, tokens.revoked, tokens.expired, tokens.disabled, tokens.good + "x")
    for device in ("rydberg", "nothing"):
        for secret in wrong:
            for query in ({"token": secret}, {"password": secret}):
                url = f"{V2}/{device}/{route}"
                refused(client.get(url, params={"job_id": made, **query}), 401)
    for header in ("", "Bearer", "Bearer x", f"Bearer {tokens.revoked}", f"Basic {tokens.good}"):
        url = f"{V3}/rydberg/{route}?job_id={made}&token={tokens.good}"
        refused(client.get(url, headers={"Authorization": header}), 401)
    header = f"Bearer {tokens.good}"
    url = f"{V2}/rydberg/{route}?job_id={made}"
    refused(client.get(url, headers={"Authorization": header}), 422)


@pytest.mark.parametrize("route", TOKEN_ROUTES)
def test_version_3_refuses_a_wrong_token_before_it_reads_the_query(
    client: httpx.Client, tokens: Tokens, route: str
) -> None:
    url = f"{V3}/rydberg/{route}"
    refused(client.get(url), 401)
    refused(client.get(url, headers={"Authorization": f"Bearer {tokens.unscoped}"}), 403)
    refused(client.get(url, headers={"Authorization": f"Bearer {tokens.good}"}), 422)


def test_no_wrong_token_submits(client: httpx.Client, tokens: Tokens) -> None:
    wrong = (*WRONG, tokens.revoked, tokens.expired, tokens.disabled)
    for secret in wrong:
        refused(post(client, secret, json.dumps({"experiment_0": GOOD})), 401, 422)
        form = {"json": "{}", "username": "ada", "password": secret}
        refused(client.post(f"{V2}/rydberg/post_job/", data=form), 401)


def test_a_token_without_the_scope_is_told_so(client: httpx.Client, tokens: Tokens) -> None:
    assert "lacks the scope" in refused(post(client, tokens.unscoped, "{}"), 403)
    query = {"job_id": absent_id(), "token": tokens.unscoped}
    for route in TOKEN_ROUTES:
        refused(client.get(f"{V2}/rydberg/{route}", params=query), 403)


def test_anothers_job_looks_exactly_like_an_absent_one(
    client: httpx.Client, tokens: Tokens
) -> None:
    theirs = post(client, tokens.good, json.dumps({"experiment_0": GOOD})).json()["job_id"]
    absent = absent_id()
    for route in TOKEN_ROUTES:
        told = [
            client.get(f"{V2}/rydberg/{route}", params={"job_id": job, "token": tokens.stranger})
            for job in (theirs, absent)
        ]
        refused(told[0], 406)
        assert told[0].text.replace(theirs, "ID") == told[1].text.replace(absent, "ID")


# --- ids and names --------------------------------------------------------------------------------


def test_a_text_that_is_no_id_is_an_unknown_id(
    subtests: pytest.Subtests, client: httpx.Client, token: str
) -> None:
    for text in (*MALFORMED, "path", "4 000 characters"):
        with subtests.test(text):
            more = {"path": quote("../.."), "4 000 characters": 4_000 * "x"}
            id_ = {**MALFORMED, **more}[text]
            for route in TOKEN_ROUTES:
                response = client.get(f"{V2}/rydberg/{route}?token={token}&job_id={id_}")
                harmless(response)
                assert response.status_code == 406
                assert "x-evil" not in response.headers
                assert response.json()["error_message"].startswith("Missing status file for ")


def test_an_odd_value_for_json_in_a_query_is_refused(
    subtests: pytest.Subtests, client: httpx.Client, token: str
) -> None:
    for text in ODD:
        with subtests.test(text):
            for value in (ODD[text], b'{"job_id":%s}' % ODD[text]):
                query = {"json": value[:10_000].decode(errors="ignore"), "token": token}
                for route in TOKEN_ROUTES:
                    response = client.get(f"{V2}/rydberg/{route}", params=query)
                    harmless(response)
                    assert response.status_code in (406, 422)


def test_an_odd_name_is_an_unknown_device(
    subtests: pytest.Subtests, client: httpx.Client, token: str
) -> None:
    for text in MALFORMED:
        with subtests.test(text):
            for route in ("get_config", "get_backend_status"):
                response = client.get(f"{V2}/{MALFORMED[text]}/{route}")
                harmless(response)
                assert response.status_code == 404


@for_each("path", routes("/qlued"))
def test_strange_queries_and_headers_harm_no_route(
    client: httpx.Client, token: str, path: str
) -> None:
    url = "/qlued" + path.format(backend_name="rydberg")
    for query in (
        "%ff%fe=%00",
        "token=%ff&job_id=%00",
        "x" * 30_000,
        "&".join(["token=1"] * 5_000),
    ):
        for method in ("GET", "POST", "PUT", "DELETE"):
            response = client.request(method, f"{url}?{query}")
            harmless(response)
            assert response.status_code < 300 or qlued_json(response)
    harmless(client.get(url, headers={b"Authorization": "Bearer t\xf6".encode("latin-1")}))


# --- bodies ---------------------------------------------------------------------------------------


def body(secret: str, /, **fields: bytes) -> bytes:
    pairs = {"job": b'"{}"', "token": json.dumps(secret).encode(), **fields}
    return b"{" + b",".join(b'"%s":%s' % (key.encode(), text) for key, text in pairs.items()) + b"}"


@pytest.mark.parametrize(
    ("version", "texts"),
    by_row(
        pairs([V2, V3], BODIES, always={name for name in BODIES if not name.startswith("15 MB")}),
    ),
)
def test_a_body_that_is_no_submission_is_refused(
    subtests: pytest.Subtests, client: httpx.Client, token: str, version: str, texts: list[str]
) -> None:
    for text in texts:
        with subtests.test(text):
            sent = BODIES[text](body(token, payload=b"{}"))
            headers = {"Authorization": f"Bearer {token}"}
            response = client.post(f"{version}/rydberg/post_job", content=sent, headers=headers)
            refused(response, 422)


@for_each("field, text", pairs(["job", "token", "password", "unheard"], NO_JSON))
def test_a_field_that_is_no_json_is_refused(
    client: httpx.Client, token: str, field: str, text: str
) -> None:
    sent = body(token, **{field: NO_JSON[text]})
    refused(client.post(f"{V2}/rydberg/post_job", content=sent), 422)


@pytest.mark.parametrize("field", ["job", "token"])
def test_a_field_of_an_odd_value_is_refused(
    subtests: pytest.Subtests, client: httpx.Client, token: str, field: str
) -> None:
    for text in ODD:
        with subtests.test(text):
            sent = body(token, **{field: ODD[text]})
            expected = (422, 406) if field == "job" else (422, 401)
            refused(client.post(f"{V2}/rydberg/post_job", content=sent), *expected)


@for_each("text", ["", "&&&", "json", "json=%ff&password=x", "json=%00&password=x"])
def test_an_odd_form_is_refused(client: httpx.Client, token: str, text: str) -> None:
    refused(client.post(f"{V2}/rydberg/post_job", content=text), 422, 401)
    many = "&".join(["json=x"] * 100_000)
    refused(client.post(f"{V2}/rydberg/post_job", content=f"{many}&password={token}"), 422)


# --- the job inside of the body -------------------------------------------------------------------


@for_each("text", NO_JSON)
def test_a_job_that_is_no_json_is_refused_or_ends_in_an_error(
    client: httpx.Client, token: str, text: str
) -> None:
    for job in (NO_JSON[text], b'{"experiment_0":%s}' % NO_JSON[text]):
        try:
            sent = post(client, token, job.decode())
        except UnicodeDecodeError:
            continue  # no text at all
        if sent.status_code == 200:  # Python writes NaN, Python's servers take it
            ends_in_error(client, token, sent, "rydberg")
        else:
            refused(sent, 406, 422)


FIELDS = ("instructions", "num_wires", "shots", "wire_order", "seed")


def odd_experiments(value: bytes) -> Iterator[bytes]:
    """Yield experiments of which one part has this JSON text."""
    for field in FIELDS:
        fields = {key: json.dumps(item).encode() for key, item in GOOD.items()} | {field: value}
        yield b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in fields.items()) + b"}"
    for instruction in (b"%s", b"[%s,[0],[1]]", b'["rlx",%s,[1]]', b'["rlx",[0],%s]'):
        whole = json.dumps({**GOOD, "instructions": "HERE"}).encode()
        yield whole.replace(b'"HERE"', b"[" + instruction % value + b"]")
    yield b'{"instructions":[["rlx",[%s],[%s]]],"num_wires":1,"shots":1}' % (value, value)


@for_each("text", ODD)
def test_an_odd_value_in_an_experiment_is_run_or_ends_in_an_error(
    client: httpx.Client, token: str, text: str
) -> None:
    for number, experiment in enumerate(odd_experiments(ODD[text])):
        device = DEVICES[number % len(DEVICES)]
        job = b'{"experiment_0":%s}' % experiment
        sent = post(client, token, job.decode(), device)
        harmless(sent)
        assert sent.status_code == 200, sent.text
        query = {"job_id": sent.json()["job_id"], "token": token}

        def end(query: dict[str, str] = query, device: str = device) -> dict[str, Any] | None:
            read = client.get(f"{V2}/{device}/get_job_result", params=query)
            harmless(read)
            return read.json() if read.json()["status"] in ("DONE", "ERROR") else None

        found = until(end, "the job ends", timeout_s=60)
        assert found["status"] == "DONE" or found["error_message"] not in ("", "None")


HUGE = {
    "a billion shots": {**GOOD, "shots": 10**9},
    "10^400 shots": {**GOOD, "shots": 10**400},
    "a thousand wires": {**GOOD, "num_wires": 1_000},
    "minus one wire": {**GOOD, "num_wires": -1},
    "half a shot": {**GOOD, "shots": 0.5},
    "no shots": {**GOOD, "shots": 0},
    "wire 10^18": {**GOOD, "instructions": [["rlx", [10**18], [1]]]},
    "an angle of 10^300": {**GOOD, "instructions": [["rlx", [0], [1e300]]]},
    "21 million numbers": {
        **GOOD,
        "shots": 1_000_000,
        "instructions": [["measure", [0], []]] * 21,
    },
}


@for_each("case", HUGE)
def test_what_is_huge_ends_in_an_error_that_names_it(
    client: httpx.Client, token: str, case: str
) -> None:
    sent = post(client, token, json.dumps({"experiment_0": HUGE[case]}))
    said = ends_in_error(client, token, sent, "rydberg")
    assert ("samples" if case.startswith("21") else "experiment_0") in said


@pytest.mark.parametrize("depth", [100, 100_000])
def test_a_deep_job_is_refused_or_ends_in_an_error(
    client: httpx.Client, token: str, depth: int
) -> None:
    lists = "[" * depth + "]" * depth
    objects = '{"experiment_0":' * depth + "1" + "}" * depth
    refused(post(client, token, lists), 406)
    for job in (objects, f'{{"experiment_0":{lists}}}', f'{{"experiment_0":{{"x":{lists}}}}}'):
        sent = post(client, token, job)
        if sent.status_code == 200:
            ends_in_error(client, token, sent, "rydberg")
        else:
            refused(sent, 406)


def test_a_job_of_a_megabyte_or_ten_is_taken_or_refused(client: httpx.Client, token: str) -> None:
    measures = {**GOOD, "instructions": [["rlx", [0], [0.001]]] * 40_000 + [["measure", [0], []]]}
    sent = post(client, token, json.dumps({"experiment_0": measures}))
    assert sent.status_code == 200
    big = json.dumps({"experiment_0": {**GOOD, "extra": "x" * (11 << 20)}})
    sent = post(client, token, big)
    assert "program_json_bytes" in ends_in_error(client, token, sent, "rydberg")


def test_too_large_a_body_is_413(client: httpx.Client, token: str) -> None:
    refused(post(client, token, "x" * (17 << 20)), 413)


def test_many_refused_jobs_leave_the_device_free(client: httpx.Client, token: str) -> None:
    for _ in range(200):
        assert post(client, token, "{}").status_code == 200
    status = client.get(f"{V2}/rydberg/get_backend_status").json()
    assert (status["operational"], status["pending_jobs"]) == (True, 0)
    good = post(client, token, json.dumps({"experiment_0": GOOD})).json()["job_id"]
    query = {"job_id": good, "token": token}
    url = f"{V2}/rydberg/get_job_result"
    until(lambda: client.get(url, params=query).json()["status"] == "DONE", "it runs", timeout_s=60)
