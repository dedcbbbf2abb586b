"""AWS Signature Version 4: reads the signature of a request and computes the expected one.

No I/O, no clock and no stored keys: `signin.py` has them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

from qwicket.gateway.key_pairs import KEY_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_CREDENTIAL_FORM: Final = (
    r"([A-Za-z0-9_]{1,128})/([0-9]{8})/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/aws4_request"
)
_HEADER: Final = re.compile(
    rf"{ALGORITHM} +Credential={_CREDENTIAL_FORM}, *"
    r"SignedHeaders=([a-z0-9;_-]{1,2048}), *Signature=([0-9a-f]{64})"
)
_CREDENTIAL: Final = re.compile(_CREDENTIAL_FORM)
_DATE: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SIGNED_NAMES: Final = re.compile(r"[a-z0-9;_-]{1,2048}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")


class Signature(NamedTuple):
    """A signature as a request carries it.

    Attributes:
        key_id: Id of the key pair.
        day: Day in the credential scope, `yyyymmdd`.
        region: Region in the credential scope, and so of the request: nothing else names it.
        service: Service in the credential scope.
        date: When the request was signed, `yyyymmddThhmmssZ`.
        headers: Names of the signed headers.
        value: The signature in hexadecimal digits.
        life_s: Seconds for which a presigned URL is valid; None for a signature in a header.
    """

    key_id: str
    day: str
    region: str
    service: str
    date: str
    headers: tuple[str, ...]
    value: str
    life_s: int | None = None

    @property
    def credential_scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def of_header(authorization: str, date: str) -> Signature | None:
    """Return the signature in a header, or None if it is malformed."""
    match = _HEADER.fullmatch(authorization.strip())
    if match is None or not _DATE.fullmatch(date):
        return None
    key_id, day, region, service, names, value = match.groups()
    return Signature(key_id, day, region, service, date, tuple(names.split(";")), value)


def of_query(query: Mapping[str, str]) -> Signature | None:
    """Return the signature of a presigned URL, or None if it is malformed."""
    match = _CREDENTIAL.fullmatch(query.get("X-Amz-Credential", ""))
    date, names = query.get("X-Amz-Date", ""), query.get("X-Amz-SignedHeaders", "")
    value, life = query.get("X-Amz-Signature", ""), query.get("X-Amz-Expires", "")
    is_complete = (
        match is not None
        and query.get("X-Amz-Algorithm") == ALGORITHM
        and _DATE.fullmatch(date)
        and _SIGNED_NAMES.fullmatch(names)
        and _SIGNATURE.fullmatch(value)
        and re.fullmatch("[0-9]{1,6}", life)
    )
    if match is None or not is_complete:
        return None
    key_id, day, region, service = match.groups()
    return Signature(key_id, day, region, service, date, tuple(names.split(";")), value, int(life))


def is_key_id(text: str) -> bool:
    """Return whether a text has the form of this server's key ids."""
    return KEY_ID.fullmatch(text) is not None


def sign(
    signature: Signature,
    secret: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, Sequence[str]],
    payload_hash: str,
) -> str:
    """Return the signature that a request must have, in hexadecimal digits.

    Args:
        signature: Credential scope, date and names of signed headers, as the request states them.
        secret: Secret of the key pair.
        method: HTTP method.
        path: Path as it is on the request line, still percent-encoded.
        query: Query as it is on the request line, without `?`.
        headers: Values of each header, by its name in lower case.
        payload_hash: SHA-256 of the body in hexadecimal digits, or `UNSIGNED-PAYLOAD`.
    """
    # For S3 the path is signed as it is; for the other services it is encoded once more.
    encoded = path if signature.service == "s3" else quote(path, safe="/~")
    lines = [f"{name}:{_value(headers.get(name, ()))}" for name in signature.headers]
    canonical = "\n".join(
        [
            method,
            encoded or "/",
            _canonical_query(query),
            *lines,
            "",
            ";".join(signature.headers),
            payload_hash,
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, signature.date, signature.credential_scope, digest))
    key = f"AWS4{secret}".encode()
    for part in (signature.day, signature.region, signature.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _value(values: Sequence[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def _canonical_query(query: str) -> str:
    pairs = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name != "X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")
