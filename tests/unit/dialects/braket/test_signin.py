"""Refusals of malformed signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

import pytest

from qwicket.dialects.braket.errors import IncompleteSignature
from qwicket.dialects.braket.signin import SignatureSignIn
from qwicket.dialects.requests import Request

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
    sign_in = SignatureSignIn(cast("Gateway", None), "s3")
    request: Request[None] = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": urlencode(query).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    with pytest.raises(IncompleteSignature, match=why):
        await sign_in(request)
