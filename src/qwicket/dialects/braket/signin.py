"""Sign-in by the signature of a request, for Braket, S3 and STS."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from qwicket.dialects.braket import sigv4
from qwicket.dialects.braket.errors import (
    IncompleteSignature,
    LateSignature,
    NoSignature,
    SignatureRefused,
    WrongSignature,
)

if TYPE_CHECKING:
    from qwicket.dialects.braket.sigv4 import Service, Signature
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

_SKEW_S: Final = 900
_MAX_LIFE_S: Final = 7 * 86_400
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_REGION: Final = "qwicket.braket.region"


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
            Unauthenticated: There is no signature, or it does not match the request.
            TooManyRequests: The signature is wrong, and so were many others from this address.
        """
        found = self._signature(request)
        _check_date(found)
        actor = await self._gateway.auth.by_key_id(found.key_id, request.client_address)
        secret = await self._gateway.key_pairs.secret(found.key_id)
        if secret is None:
            raise SignatureRefused("This server does not have the master key of this key id.")
        payload_hash = await self._payload_hash(found, request)
        if not hmac.compare_digest(_expected(found, secret, request, payload_hash), found.value):
            self._gateway.auth.count_wrong(request.client_address)
            raise WrongSignature(
                "The signature does not match the request. Check the secret access key, and that"
                " a proxy in front of the server keeps the path and the header Host.",
            )
        request.scope[_REGION] = found.region
        return actor

    def _signature(self, request: Request[Any]) -> Signature:
        """Return the signature of a request, whose form and service are checked."""
        header = request.headers.get("authorization")
        if header is not None:
            found = sigv4.of_header(header, request.headers.get("x-amz-date", ""))
        elif self._service == "s3" and "X-Amz-Signature" in request.query_params:
            found = sigv4.of_query(request.query_params)
        else:
            raise NoSignature("The request has no signature.")
        if found is None:
            raise IncompleteSignature("Authorization is not a signature of AWS4-HMAC-SHA256.")
        if found.service != self._service:
            raise WrongSignature(f"The signature is for {found.service}, not for {self._service}.")
        if "host" not in found.headers:
            raise IncompleteSignature("The header 'host' must be signed.")
        if not sigv4.is_key_id(found.key_id):
            raise SignatureRefused("There is no such key id.")
        return found

    async def _payload_hash(self, found: Signature, request: Request[Any]) -> str:
        """Return the hash of the body as it is signed, or `UNSIGNED-PAYLOAD`.

        Raises:
            SignatureRefused: The stated hash is not that of the body.
        """
        if found.life_s is not None:
            return sigv4.UNSIGNED
        body = b"" if request.method in ("GET", "HEAD") else await request.unsigned_body()
        own = hashlib.sha256(body).hexdigest() if body else _EMPTY
        if self._service != "s3":
            return own
        given = request.headers.get("x-amz-content-sha256", "")
        if given not in (own, sigv4.UNSIGNED):
            raise WrongSignature("x-amz-content-sha256 is not the hash of the body.")
        return given


def region(request: Request[Any]) -> str:
    """Return the region of a request that has signed in."""
    found: str = request.scope[_REGION]
    return found


def _check_date(found: Signature) -> None:
    """Check the date of a signature: at most 15 minutes from now, as at AWS.

    A presigned URL is valid for as long as it states, at most 7 days.

    Raises:
        SignatureRefused: The date is malformed, too far from now, or not on the day of the scope.
    """
    if found.date[:8] != found.day:
        raise WrongSignature("The date of the request is not on the day of the scope.")
    try:
        signed_at = datetime.strptime(found.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise IncompleteSignature("X-Amz-Date is not a date.") from None
    life_s = _SKEW_S if found.life_s is None else min(found.life_s, _MAX_LIFE_S)
    if not -_SKEW_S <= time.time() - signed_at <= life_s:
        raise LateSignature(f"The signature is of {found.date}, too far from the server's time.")


def _expected(found: Signature, secret: str, request: Request[Any], payload_hash: str) -> str:
    headers: dict[str, list[str]] = defaultdict(list)
    for name, value in request.headers.items():
        headers[name].append(value)
    path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return sigv4.sign(
        *(found, secret, request.method, path.decode("latin-1")),
        *(request.scope["query_string"].decode("latin-1"), headers, payload_hash),
    )
