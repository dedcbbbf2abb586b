"""Hostile requests in Xanadu's dialect: refused in its own shape, quickly, without side effects."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from abuse.dialects import harmless, xanadu_json
from abuse.fixtures import Tokens
from abuse.odd_values import DEEP, NO_JSON, ODD, matters
from qwicket.gateway.signin import new_secret
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.dialect import wire
from support.bombs import BOMBS
from support.for_each import for_each
from support.pairwise import pairs
from support.processes import below
from support.server import LiveServer
from support.waiting import PROMPT_S, until
from support.xanadu import TOKEN_PATH, Caller, pair

pytestmark = pytest.mark.extended

VALID: dict[str, Any] = {"name": "x", "target": "simulon_gaussian", "language": "blackbird:1.0"}
FIELDS = {field.encode_name: field.type for field in msgspec.structs.fields(wire.SubmitBody)}
IDS = {
    "4,000 characters": "9" * 4_000,
    "NUL": "%00",
    "a NUL in an id": "0190%00aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
    "a foreign id": "01908a5c-3a45-7000-8000-0000ffff0000",
    "up": "..%2F..%2Fetc%2Fpasswd",
    "snowmen": "☃" * 40,
    "SQL": "' or 1=1 --",
    "bad UTF-8": "%ff%fe",
    "braces": "{id}",
    "a format": "%25s%25n",
}
READS = ["/jobs/{}", "/jobs/{}/circuit", "/jobs/{}/result"]


@pytest.fixture(scope="module")
def caller(client: httpx.Client, tokens: Tokens) -> Caller:
    return Caller(client, tokens.good)


@pytest.fixture(scope="module")
def stranger(client: httpx.Client, tokens: Tokens) -> Caller:
    return Caller(client, tokens.stranger)


def refused(answer: httpx.Response) -> str:
    harmless(answer)
    assert answer.is_client_error, (answer.status_code, answer.text[:500])
    return xanadu_json(answer)


# --- programs -------------------------------------------------------------------------------------


@for_each("name", BOMBS)
def test_a_bomb_is_refused_within_a_second_and_ends_no_process(
    server: LiveServer, caller: Caller, name: str
) -> None:
    before = set(server.children())

    def was_quick() -> bool:
        began = time.monotonic()
        answer = caller.post(BOMBS[name])
        took_s = time.monotonic() - began
        refused(answer)
        assert answer.json()["code"] == "validation-error"
        assert list(answer.json()["meta"]) == ["circuit"]
        return took_s < 1

    assert any(was_quick() for _ in range(3))  # other tests keep this machine busy, too
    assert before <= below(server.process.pid)


def test_no_file_is_opened(caller: Caller, tmp_path: Path) -> None:
    """A pipe without a writer would block a reader; a file shows when it was read."""
    pipe, there = tmp_path / "pipe", tmp_path / "there.xbb"
    os.mkfifo(pipe)
    there.write_text("Sgate(1) | 0")
    os.utime(there, (1, 1))
    said = {
        refused(caller.post(f'name t\ninclude "{path}"\n{pair()}'))
        for path in (pipe, there, tmp_path / "missing", "/etc/passwd", "http://127.0.0.1:1/")
    }
    assert said == {"line 2: include is not allowed here: no file is ever read"}
    assert there.stat().st_atime == 1


def test_no_program_sees_anothers_variables(caller: Caller, stranger: Caller) -> None:
    for text in ("int secret = 42\nRgate(", "int secret = 42\nMeasureFock() | 0"):
        caller.post(text)
        for other in (caller, stranger):
            said = refused(other.post("target simulon_gaussian (shots=secret)\nMeasureFock() | 0"))
            assert said == "line 1: 'secret' is not known"


@for_each(
    "array",
    [
        'str array U =\n    "a", "b"',
        "complex array U =\n    q0, 1",
        "float array U =\n    {p}",
        "float array U[2, 2] =\n    1, 0",
        "object array U =\n    1",
    ],
)
def test_arrays_hold_numbers_alone(caller: Caller, array: str) -> None:
    refused(caller.post(f"{array}\nInterferometer(U) | [0, 1]\nMeasureFock() | [0, 1]"))


def test_many_bombs_at_once_hold_up_nobody(caller: Caller, stranger: Caller) -> None:
    """What is refused before it is read (too many wait) says when to come again."""
    done: list[int] = []

    def throw() -> None:
        names = ("elements", "matrices", "formula")
        done.extend(caller.post(BOMBS[name]).status_code for name in names)

    threads = [threading.Thread(target=throw) for _ in range(3)]
    for thread in threads:
        thread.start()
    job = stranger.done(pair())
    assert stranger.samples(job).shape == (10, 2)
    for thread in threads:
        thread.join()
    assert set(done) <= {400, 429, 503}


# --- fields ---------------------------------------------------------------------------------------


@for_each(
    "field, text",
    pairs(FIELDS, NO_JSON)
    + pairs(FIELDS, ODD, keep=lambda field, text: matters(text, FIELDS[field])),
)
def test_a_field_of_any_kind_is_taken_or_refused(caller: Caller, field: str, text: str) -> None:
    value = {**NO_JSON, **ODD}[text]
    parts = {key: json.dumps(each).encode() for key, each in VALID.items()}
    parts |= {"circuit": json.dumps(pair()).encode(), field: value}
    body = b"{" + b",".join(b'"%s":%s' % (key.encode(), part) for key, part in parts.items()) + b"}"
    answer = caller.call("POST", "/jobs", content=body)
    if answer.status_code != 201:
        refused(answer)
    assert answer.status_code in (201, 400), answer.text[:300]


def test_a_change_of_any_kind_is_refused(subtests: pytest.Subtests, caller: Caller) -> None:
    for text, value in {**NO_JSON, **ODD}.items():
        with subtests.test(text):
            job = "01908a5c-3a45-7000-8000-0000ffff0000"
            for body in (value, b'{"status":%s}' % value):
                assert caller.call("PATCH", f"/jobs/{job}", content=body).status_code == 400
            refused(caller.call("PATCH", f"/jobs/{job}", content=b'{"status":"cancelled"}'))


def test_a_body_that_is_too_large_is_refused(caller: Caller) -> None:
    body = b" " * (Limits().bodies.body_bytes + 1)
    answer = caller.call("POST", "/jobs", content=body)
    assert answer.status_code == 413
    assert "body_bytes" in refused(answer)


def test_a_circuit_that_is_too_long_is_refused(caller: Caller) -> None:
    said = refused(caller.post(pair() + "#" * Limits().programs.program_text_bytes))
    assert "program_text_bytes" in said


@for_each("query", ["size=" + "9" * 5_000, "size=1e3", "size=%00", "status=%00"])
def test_a_query_of_any_kind_is_refused(caller: Caller, query: str) -> None:
    refused(caller.call("GET", f"/jobs?{query}"))


@for_each("path, name", pairs(READS, IDS, always={"NUL", "a NUL in an id"}))
def test_an_id_of_any_kind_is_not_found(caller: Caller, path: str, name: str) -> None:
    answer = caller.call("GET", path.format(IDS[name]))
    assert answer.status_code == 404
    refused(answer)


@for_each("id_text", IDS.values())
def test_an_id_of_any_kind_is_left_out_of_a_list(caller: Caller, id_text: str) -> None:
    answer = caller.call("GET", f"/jobs?id={id_text}")
    assert (answer.status_code, answer.json()) == (200, {"data": []})


@for_each("id_text", IDS.values())
def test_a_target_of_any_kind_is_refused(caller: Caller, id_text: str) -> None:
    refused(caller.post("MeasureFock() | 0", target=id_text))
    refused(caller.post(f"target {id_text}\nMeasureFock() | 0"))
    for path in ("", "/specifications", "/certificate"):
        assert caller.call("GET", f"/devices/{id_text}{path}").status_code == 404


# --- other people's -------------------------------------------------------------------------------


def test_other_peoples_jobs_look_like_none(caller: Caller, stranger: Caller) -> None:
    job = caller.done(pair())
    for path in READS:
        own = stranger.call("GET", path.format(job))
        absent = stranger.call("GET", path.format("01908a5c-3a45-7000-8000-0000ffff0000"))
        assert (own.status_code, own.content) == (absent.status_code, absent.content)
        assert own.status_code == 404
    theirs = stranger.call("PATCH", f"/jobs/{job}", json={"status": "cancelled"})
    assert theirs.status_code == 404
    assert caller.read(job)["status"] == "complete"


def test_a_pass_of_a_token_that_died_is_refused_everywhere(
    client: httpx.Client, tokens: Tokens
) -> None:
    for token in (tokens.revoked, tokens.expired, tokens.disabled):
        answer = client.post(
            TOKEN_PATH, data={"grant_type": "refresh_token", "refresh_token": token}
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


# --- the way in -----------------------------------------------------------------------------------

FORMS = {
    "no form": b"{}",
    "deep JSON": b"[" * DEEP,
    "bad UTF-8": b"grant_type=refresh_token&refresh_token=\xff\xfe",
    "bad escapes": b"grant_type=refresh_token&refresh_token=%ff%zz%",
    "NUL": b"grant_type=refresh_token&refresh_token=%00",
    "surrogate": b"grant_type=refresh_token&refresh_token=%ed%a0%80",
    "twice": b"grant_type=refresh_token&refresh_token=a&refresh_token=b",
    "many fields": b"&".join([b"a=b"] * 100_000),
    "long": b"grant_type=refresh_token&refresh_token=" + b"a" * (2 << 20),
    "semicolons": b"grant_type=refresh_token;refresh_token=x",
    "nothing": b"",
}


@for_each("form", FORMS.values())
def test_a_form_of_any_kind_is_refused(client: httpx.Client, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post(TOKEN_PATH, content=form, headers=headers)
    harmless(answer)
    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)


PASSES = {
    "deep head": "W1tb" * 140 + ".e30.x",
    "no algorithm": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    "no parts": "x" * 500,
    "many dots": "." * 500,
    "long": "e" * 60_000,
    "None": "None",
}


@for_each("text", PASSES.values())
def test_a_pass_of_any_kind_is_refused(client: httpx.Client, text: str) -> None:
    answer = client.get("/jobs", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 401
    refused(answer)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that allows three wrong tokens."""
    live = LiveServer(tmp_path_factory.mktemp("strict"), "--limit", "wrong_tokens=3")
    yield live
    assert live.stop() == 0


def test_guesses_of_tokens_and_passes_are_slowed_and_nobody_else(strict: LiveServer) -> None:
    with httpx.Client(base_url=strict.url, timeout=60) as http:
        good = Caller(http, strict.token())
        genuine = good.auth["Authorization"].removeprefix("Bearer ")
        forged = genuine[:-8] + ("A" if genuine[-8] != "A" else "B") + genuine[-7:]

        def guess_token() -> httpx.Response | None:
            form = {"grant_type": "refresh_token", "refresh_token": new_secret()}
            return _if_slowed(http.post(TOKEN_PATH, data=form))

        def guess_pass() -> httpx.Response | None:
            return _if_slowed(http.get("/jobs", headers={"Authorization": f"Bearer {forged}"}))

        for guess in (guess_token, guess_pass):
            slowed = until(guess, "guesses are slowed", timeout_s=PROMPT_S)
            assert "wrong_tokens" in xanadu_json(slowed)
            assert 1 <= int(slowed.headers["retry-after"]) <= 60
            assert good.call("GET", "/healthz").status_code == 200
            assert Caller(http, strict.token()).call("GET", "/healthz").status_code == 200


def _if_slowed(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 429 else None
