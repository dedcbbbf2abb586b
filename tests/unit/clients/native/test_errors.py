from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.clients import native
from qwicket.clients.native.errors import ApiError, ClientError, ServerBusy


def test_a_refusal_says_cause_code_and_status() -> None:
    body = {"code": "not_found", "detail": "There is no such job.", "remedy": "Check the id."}
    error = ApiError(404, body)
    assert str(error) == "There is no such job. (not_found, HTTP 404)"
    assert (error.code, error.remedy, error.field) == ("not_found", "Check the id.", None)


def test_a_refusal_names_the_field_at_fault() -> None:
    assert ApiError(400, {"field": "shots"}).field == "shots"


@pytest.mark.parametrize("value", [None, 5, [], {}, True, 1.5])
def test_a_refusal_with_wrong_types_still_has_a_sentence(value: object) -> None:
    error = ApiError(418, dict.fromkeys(["code", "detail", "remedy", "field"], value))
    assert str(error) == "The server answered 418. (error, HTTP 418)"
    assert (error.code, error.remedy, error.field) == ("error", "", None)


@given(st.text())
def test_what_a_server_says_is_one_printable_line_of_bounded_length(said: str) -> None:
    text = str(ApiError(400, {"detail": said}))
    assert text.isprintable()
    assert len(text) < 600
    text.encode()


def test_every_error_of_the_client_is_a_client_error() -> None:
    errors = [
        value
        for value in vars(native).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(errors) == 8
    assert all(issubclass(error, ClientError) for error in errors)


def test_a_busy_server_is_an_api_error_and_a_wait_that_is_over_a_timeout() -> None:
    assert isinstance(ServerBusy(503, {}, 1.0), ApiError)
    assert issubclass(native.WaitTimeout, TimeoutError)


def test_the_facade_names_what_it_exports() -> None:
    assert native.__all__ == sorted(set(native.__all__))
    assert all(hasattr(native, name) for name in native.__all__)
