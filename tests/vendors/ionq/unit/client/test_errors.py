from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from qwicket.clients import ionq
from qwicket.vendors.ionq.client import (
    RETRIABLE,
    RETRIABLE_FOR_GETS,
    IonQAPIError,
    IonQError,
    IonQGateError,
    IonQJobTimeoutError,
    IonQRetriableError,
)


@dataclass
class Response:
    """The three names by which `requests` and `httpx` say what came."""

    text: str
    status_code: int = 404
    headers: dict[str, str] = field(default_factory=lambda: {"X-Trace": "trace-7"})


@pytest.mark.parametrize(
    ("text", "message", "error_type"),
    [
        ('{"statusCode": 404, "error": "Not Found", "message": "No job."}', "No job.", "Not Found"),
        ('{"code": 7, "message": "No job."}', "No job.", "internal_error"),
        ('{"error": {"type": "missing", "message": "No job."}}', "No job.", "missing"),
        ('{"error": "No job."}', "No job.", "internal_error"),
        ('{"message": "No job."}', "No job.", "internal_error"),
        ('{"detail": "No job."}', "The server answered 404.", "internal_error"),
        ('{"statusCode": 404, "message": 5}', "The server answered 404.", "internal_error"),
        ('{"error": {"type": [], "message": {}}}', "The server answered 404.", "internal_error"),
        ("<html>No job.</html>", "The server answered 404.", "internal_error"),
        ("[]", "The server answered 404.", "internal_error"),
        ("", "The server answered 404.", "internal_error"),
        ("[" * 100_000, "The server answered 404.", "internal_error"),
    ],
)
def test_each_shape_of_an_error_is_understood(text: str, message: str, error_type: str) -> None:
    error = IonQAPIError.from_response(Response(text))
    assert (error.message, error.error_type, error.status_code) == (message, error_type, 404)
    assert error.body == text
    assert error.headers == {"X-Trace": "trace-7"}


def test_the_text_of_an_error_has_cause_type_and_status_but_neither_headers_nor_body() -> None:
    text = '{"statusCode": 404, "error": "Not Found", "message": "No job.", "more": "body"}'
    error = IonQAPIError.from_response(Response(text))
    assert str(error) == "No job. (Not Found, HTTP 404)"
    assert repr(error) == "IonQAPIError('No job.')"


def test_the_class_that_is_asked_makes_the_error() -> None:
    assert type(IonQRetriableError.from_response(Response("{}"))) is IonQRetriableError


@pytest.mark.parametrize(
    "error",
    [
        IonQAPIError("No.", 400, {"A": "b"}, "{}", "Bad Request"),
        IonQRetriableError("Later.", 503, {}, "", "x"),
        IonQGateError("ecr", "qis"),
    ],
)
def test_an_error_comes_whole_out_of_another_process(error: Any) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)


def test_cloudflare_is_retriable_and_a_conflict_only_for_reads() -> None:
    # The table "Errors and retries" of what IonQ's own client of v0.4 does.
    assert {429, 502, 503, 504, 520, 529} <= RETRIABLE
    assert not RETRIABLE & {400, 401, 404, 408, 409, 500, 519, 530}
    assert {409} == RETRIABLE_FOR_GETS


def test_every_error_is_an_ionq_error_and_a_wait_that_is_over_a_timeout() -> None:
    errors = [
        value
        for value in vars(ionq).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(errors) == 7
    assert all(issubclass(error, IonQError) for error in errors)
    assert issubclass(IonQJobTimeoutError, TimeoutError)


def test_the_facade_names_what_it_exports() -> None:
    offered = {name for name in vars(ionq) if name[0].isupper()}
    assert offered == set(ionq.__all__)
