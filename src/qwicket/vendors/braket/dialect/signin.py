"""Sign-in by the signature of a request, for Braket, S3 and STS."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from qwicket.gateway import sigv4
from qwicket.model.errors import InvalidRequest
from qwicket.vendors.braket.dialect.errors import (
    IncompleteSignature,
    NoSignature,
    SignatureRefused,
    SkewedSignature,
    WrongSignature,
)

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.gateway.sigv4 import Signature
    from qwicket.model.accounts import Actor
    from qwicket.vendors.braket.dialect.errors import Service

_SKEW_S: Final = 900
_MAX_LIFE_S: Final = 7 * 86_400
_MAX_PARAMETERS: Final = 100
"""Parameters of a query: 30,000 of them, which a request line has room for, take 40 ms to sort and
encode. AWS's clients send at most one for each of 50 tags."""
_INLINE_BYTES: Final = 1 << 20
"""A larger body is hashed in a thread: 16 MB take 10 to 20 ms."""
_REGION: Final = "qwicket.braket.region"
"""Key of the ASGI scope: region in the signature of a request."""


class SignatureSignIn:
    """Signs in by the signature of a request.

    Args:
        gateway: Does the work.
        service: Service that the signature must name, so that no request can be replayed at
            another service.
    """

    def __init__(self, gateway: Gateway, service: Service) -> None:
        self._gateway = gateway
        self._service = service

    async def __call__(self, request: Request[Any]) -> Actor:
        """Return the holder of the key pair that signed a request.

        Raises:
            InvalidRequest: The query has too many parameters.
            Unauthenticated: There is no signature, it does not match the request, or its key pair
                is unknown, revoked or expired.
            TooManyRequests: The signature or its key id is wrong, and so were many others from this
                address.
        """
        if request.scope["query_string"].count(b"&") >= _MAX_PARAMETERS:
            raise InvalidRequest(f"The query has over {_MAX_PARAMETERS} parameters.")
        signature = self._signature(request)
        _check_date(signature)
        actor = await self._gateway.auth.by_key_id(signature.key_id, request.client_address)
        secret = await self._gateway.key_pairs.secret(signature.key_id)
        if secret is None:
            raise SignatureRefused("This server does not have the master key of this key id.")
        payload_hash = await self._payload_hash(signature, request)
        expected = _expected(signature, secret, request, payload_hash)
        if not hmac.compare_digest(expected, signature.value):
            self._gateway.auth.count_wrong(request.client_address)
            raise WrongSignature(
                "The signature does not match the request. Check the secret access key, and that"
                " a proxy in front of the server keeps the path and the header Host.",
            )
        request.scope[_REGION] = signature.region
        return actor

    def _signature(self, request: Request[Any]) -> Signature:
        """Return the signature of a request, after a check of its form and its service."""
        header = request.headers.get("authorization")
        if header is not None:
            signature = sigv4.of_header(header, request.headers.get("x-amz-date", ""))
            requirement = (
                "The header Authorization must be a signature of AWS4-HMAC-SHA256, and X-Amz-Date"
                " its date, as 20261231T235959Z."
            )
        elif self._service == "s3" and "X-Amz-Signature" in request.query_params:
            signature = sigv4.of_query(request.query_params)
            requirement = (
                "A presigned URL must have all parameters of AWS4-HMAC-SHA256: X-Amz-Algorithm,"
                " X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and"
                " X-Amz-Signature."
            )
        else:
            raise NoSignature("The request has no signature.")
        if signature is None:
            raise IncompleteSignature(requirement)
        if signature.service != self._service:
            raise WrongSignature(
                f"The signature is for {signature.service}, not for {self._service}."
            )
        if "host" not in signature.headers:
            raise IncompleteSignature("The header 'host' must be signed.")
        # As at AWS. The value of a header that is named again and again would be hashed each time.
        if list(signature.headers) != sorted(set(signature.headers)):
            raise IncompleteSignature(
                "SignedHeaders must name each header once, in alphabetical order."
            )
        if not sigv4.is_key_id(signature.key_id):
            raise SignatureRefused("There is no such key id.")
        return signature

    async def _payload_hash(self, signature: Signature, request: Request[Any]) -> str:
        """Return the hash of the body as it is signed, or `UNSIGNED-PAYLOAD`.

        Raises:
            SignatureRefused: The stated hash is not that of the body.
        """
        # The signer of a presigned URL does not know the body, so its hash is never signed.
        if signature.life_s is not None:
            return sigv4.UNSIGNED
        body = (
            b""
            if request.method in ("GET", "HEAD")
            else await request.content.read_before_sign_in()
        )
        if len(body) <= _INLINE_BYTES:
            computed = _sha256(body)
        else:
            computed = await asyncio.to_thread(_sha256, body)
        if self._service != "s3":
            return computed
        stated = request.headers.get("x-amz-content-sha256", "")
        if stated not in (computed, sigv4.UNSIGNED):
            raise WrongSignature("x-amz-content-sha256 is not the hash of the body.")
        return stated


def region(request: Request[Any]) -> str:
    """Return the region in the signature of a request that has signed in."""
    name: str = request.scope[_REGION]
    return name


def _check_date(signature: Signature) -> None:
    """Check the date of a signature: at most 15 minutes from now, as at AWS.

    A presigned URL is valid for as long as it states, at most 7 days.

    Raises:
        SignatureRefused: The date is malformed, too far from now, or not on the day of the
            credential scope.
    """
    if signature.date[:8] != signature.day:
        raise WrongSignature("The date of the request is not on the day of the credential scope.")
    try:
        date = datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise IncompleteSignature("X-Amz-Date is not a date.") from None
    life_s = _SKEW_S if signature.life_s is None else min(signature.life_s, _MAX_LIFE_S)
    if not -_SKEW_S <= time.time() - date.timestamp() <= life_s:
        raise SkewedSignature(
            f"The signature is of {signature.date}, too far from the server's time."
        )


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _expected(signature: Signature, secret: str, request: Request[Any], payload_hash: str) -> str:
    headers: dict[str, list[str]] = defaultdict(list)
    for name, value in request.headers.items():
        headers[name].append(value)
    path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return sigv4.sign(
        signature,
        secret,
        method=request.method,
        path=path.decode("latin-1"),
        query=request.scope["query_string"].decode("latin-1"),
        headers=headers,
        payload_hash=payload_hash,
    )
