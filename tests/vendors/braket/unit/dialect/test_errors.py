"""Errors in the form of AWS's services: the codes that their clients decide by."""

from __future__ import annotations

import pytest

from qwicket.model.errors import BodyTooLarge, QwicketError, TooManyRequests, Unavailable
from qwicket.vendors.braket.dialect.errors import braket_body, s3_body, sts_body


@pytest.mark.parametrize("error", [TooManyRequests("Wait."), Unavailable("Wait.")])
def test_s3_asks_clients_to_slow_down(error: QwicketError) -> None:
    """S3's list of error codes has SlowDown for both; Throttling is a code of other services."""
    assert b"<Code>SlowDown</Code>" in s3_body(error)


@pytest.mark.parametrize(
    ("error", "code"),
    [(TooManyRequests("Wait."), b"Throttling"), (Unavailable("Wait."), b"ServiceUnavailable")],
)
def test_sts_has_a_code_for_each(error: QwicketError, code: bytes) -> None:
    assert b"<Code>" + code + b"</Code>" in sts_body(error)


def test_a_body_that_is_too_large_is_invalid_at_braket() -> None:
    assert b'"__type":"ValidationException"' in braket_body(BodyTooLarge("It is too large."))
