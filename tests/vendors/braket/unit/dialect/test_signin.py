"""Refusals of malformed signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

import pytest

from qwicket.dialects.requests import Request
from qwicket.model.errors import InvalidRequest
from qwicket.vendors.braket.dialect.errors import IncompleteSignature, NoSignature
from qwicket.vendors.braket.dialect.signin import SignatureSignIn

if TYPE_CHECKING:
    from qwicket.gateway import Gateway

pytestmark = pytest.mark.anyio

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=QWKEY/20261231/us-east-1/s3/aws4_request, SignedHeaders=host,"
    f" Signature={'0' * 64}"
)


@pytest.mark.parametrize(
    ("headers", "query", "why"),
    [
        ({"authorization": "Bearer secret"}, {}, "header Authorization must be a signature"),
        ({"authorization": SIGNATURE}, {}, "X-Amz-Date its date"),
        ({"authorization": SIGNATURE, "x-amz-date": "today"}, {}, "X-Amz-Date its date"),
        ({}, {"X-Amz-Signature": "0" * 64}, "presigned URL must have all parameters"),
    ],
    ids=["header", "no date", "malformed date", "presigned URL"],
)
async def test_a_malformed_signature_is_refused_by_what_is_required(
    headers: dict[str, str], query: dict[str, str], why: str
) -> None:
    with pytest.raises(IncompleteSignature, match=why):
        await sign_in(headers, urlencode(query))


async def sign_in(headers: dict[str, str], query: str = "") -> None:
    request: Request[None] = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await SignatureSignIn(cast("Gateway", None), "s3")(request)


@pytest.mark.parametrize("names", ["a;a;host", "a;host;host", "host;a"])
async def test_signed_headers_are_named_once_and_in_order(names: str) -> None:
    headers = {
        "authorization": SIGNATURE.replace("=host", f"={names}"),
        "x-amz-date": "20261231T000000Z",
    }
    with pytest.raises(IncompleteSignature, match="once, in alphabetical order"):
        await sign_in(headers)
    stated = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "QWKEY/20261231/us-east-1/s3/aws4_request",
        "X-Amz-Date": "20261231T000000Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": names,
        "X-Amz-Signature": "0" * 64,
    }
    with pytest.raises(IncompleteSignature, match="once, in alphabetical order"):
        await sign_in({}, urlencode(stated))


async def test_a_query_has_a_hundred_parameters_at_most() -> None:
    with pytest.raises(NoSignature):
        await sign_in({}, "&".join("a" * 100))
    with pytest.raises(InvalidRequest, match="over 100 parameters"):
        await sign_in({}, "&".join("a" * 101))
