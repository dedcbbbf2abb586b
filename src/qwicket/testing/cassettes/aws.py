"""Requests that AWS's clients sign: read a signature, and sign again with other keys."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.sigv4 import ALGORITHM, UNSIGNED, Signature, sign
from qwicket.testing.cassettes.scrubbing import KEY_MARK
from qwicket.testing.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.testing.values import AwsKeys

_SCOPE: Final = re.compile(
    rf"{ALGORITHM} +Credential=([^/,\s]+)/(?:\d{{8}}/)?([a-z0-9-]{{1,32}})/([a-z0-9-]{{1,32}})"
    r"/aws4_request(?:, *SignedHeaders=([a-z0-9;_-]+), *Signature=[0-9a-f]{64})?"
)
_DATE: Final = "x-amz-date"
_HASH: Final = "x-amz-content-sha256"
_SESSION: Final = "x-amz-security-token"


class Credential(NamedTuple):
    """Credential scope and signed headers in a request's `Authorization` header.

    Attributes:
        key_id: Id of the key.
        region: Region of the request.
        service: Service, such as `s3`.
        names: Names of the signed headers; only `host` if the header lists none.
    """

    key_id: str
    region: str
    service: str
    names: tuple[str, ...]

    @property
    def recorded(self) -> str:
        """The header `Authorization` as it stands in a cassette, without key and signature."""
        return f"{ALGORITHM} Credential={KEY_MARK}/{self.region}/{self.service}/aws4_request"


def credential_of(headers: Mapping[str, str]) -> Credential | None:
    """Return the credential scope of a signed request; None if its header has none."""
    match = _SCOPE.fullmatch(headers.get("authorization", "").strip())
    if match is None:
        return None
    return Credential(match[1], match[2], match[3], tuple((match[4] or "host").split(";")))


def sign_headers(
    credential: Credential,
    keys: AwsKeys,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    """Return the headers of a request with a new signature, dated now.

    Args:
        credential: Region, service, and names of headers to sign; absent headers are not signed.
        keys: Keys to sign with.
        method: HTTP method.
        target: Path and query as on the request line.
        headers: Headers with lower-case names, including `host`.
        body: Body of the request.

    Raises:
        CassetteError: A request to S3 names another hash than its body's, as chunked uploads do.
    """
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    signing = {**headers, _DATE: now}
    if keys.session_token:
        signing[_SESSION] = keys.session_token
    payload = hashlib.sha256(body).hexdigest()
    if credential.service == "s3":
        sent = headers.get(_HASH, payload)
        if sent not in (payload, UNSIGNED):
            raise CassetteError(f"{_HASH}: {sent!r} is not the body's hash; it is not recorded.")
        payload = signing[_HASH] = sent
    names = tuple(sorted({*credential.names, _DATE, _HASH, _SESSION} & signing.keys()))
    signature = Signature(
        keys.key_id, now[:8], credential.region, credential.service, now, names, ""
    )
    path, _, query = target.partition("?")
    values = {name: [value] for name, value in signing.items()}
    value = sign(signature, keys.secret, method, path, query, values, payload)
    signing["authorization"] = (
        f"{ALGORITHM} Credential={keys.key_id}/{signature.credential_scope},"
        f" SignedHeaders={';'.join(names)}, Signature={value}"
    )
    return signing
