from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket import schema
from qwicket.clients.native import wire
from qwicket.clients.native.errors import UnexpectedResponse
from support.for_each import for_each

NOT_A_RESULT: list[Any] = [
    None,
    5,
    "text",
    [],
    {},
    {"parts": None},
    {"parts": {}},
    {"parts": [5]},
    {"parts": [{"counts": []}]},
    {"parts": [{"counts": {"00": "many"}}]},
    {"parts": [{"counts": {"00": 1.5}}]},
    {"parts": [{"probabilities": {"00": "likely"}}]},
    {"parts": [{"memory": "0011"}]},
    {"parts": [{"memory": [0, 1]}]},
    {"parts": [{"seed": "1"}]},
    {"parts": [{"engine": None}]},
    {"parts": [{"error": "it failed"}]},
    {"parts": [{"error": {"code": "x"}}]},
]


@for_each("value", NOT_A_RESULT)
def test_an_answer_of_another_shape_is_refused_with_a_sentence(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match=r"^The response is not one of Qwicket's API"):
        wire.decode(json.dumps(value).encode(), schema.results.ResultBody)


@for_each(
    "content",
    [
        b"",
        b"<html>Welcome to the guest network</html>",
        b'{"parts": [',
        b'{"parts": []} {}',
        b'{"parts": [{"engine": "\xff\xfe"}]}',
        b"\xff\xff",
        b"[" * 200_000,
        b'{"parts": [{"seconds": NaN}]}',
    ],
)
def test_an_answer_that_is_no_json_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match="Is the address right"):
        wire.decode(content, schema.results.ResultBody)


def test_fields_that_a_newer_server_adds_are_no_error() -> None:
    content = b'{"id": "x", "parts": [{"part": 0, "counts": {"0": 3}, "colour": [1]}]}'
    (part,) = wire.decode(content, schema.results.ResultBody).parts
    assert part.counts == {"0": 3}


@for_each(
    "body",
    [
        {},
        {"id": "a"},
        {"state": "queued"},
        {"id": None, "state": "queued"},
        {"id": 5, "state": "queued"},
        {"id": "a", "state": 5},
        {"id": "", "state": "queued"},
        {"id": "a b", "state": "queued"},
        {"id": "a\n", "state": "queued"},
        {"id": "x" * 41, "state": "queued"},
        {"id": "a", "state": "\x1b[31m"},
        {"id": "a", "state": "queued", "url": "javascript:alert(1)//http://q"},
        {"id": "a", "state": "queued", "url": "http://q/\x1b[31m"},
    ],
)
def test_a_document_that_is_no_job_is_refused_with_a_sentence(body: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedResponse, match="is not one of Qwicket's API"):
        wire.job(body)


def test_a_state_that_this_client_does_not_know_is_no_error() -> None:
    assert wire.job({"id": "a", "state": "pondering"}).state == "pondering"


@given(st.binary())
def test_any_bytes_are_a_problem_or_none(content: bytes) -> None:
    assert isinstance(wire.problem(content), dict)


@given(st.binary())
def test_any_bytes_are_an_answer_or_refused(content: bytes) -> None:
    with contextlib.suppress(UnexpectedResponse):
        wire.decode(content, schema.results.ResultBody)


def test_threads_may_decode_a_type_for_the_first_time_at_once() -> None:
    """Without a lock, msgspec 0.22 ends the process with a segmentation fault."""
    program = Path(__file__).parent / "first_decoding.py"
    done = subprocess.run([sys.executable, program], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done
