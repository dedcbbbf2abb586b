"""Proxy to a vendor that records requests and responses.

The client signs in with a placeholder, which the recorder replaces by the user's key. So the client
does not have the key and cannot send it elsewhere. Redirects to addresses that are not targets are
refused, because a client may follow one with tokens that the vendor has issued to it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlsplit

import httpcore
import msgspec

from qwicket.registrations import clients
from qwicket.testing.cassettes.listening import body_of, cut, drop
from qwicket.testing.cassettes.scrubbing import UNKNOWN_MARK, Scrubber
from qwicket.testing.cassettes.tape import (
    ORIGIN,
    Body,
    Cassette,
    RecordedExchange,
    RecordedRequest,
    RecordedResponse,
    render,
)
from qwicket.testing.errors import CassetteError
from qwicket.testing.guard import is_local
from qwicket.testing.values import MIN_SECRET_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from qwicket.testing.cassettes.aws import Credential
    from qwicket.testing.values import AwsKeys

_NOT_FORWARDED: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "host", "content-length"),
        *("accept-encoding", "content-encoding", "expect"),
    }
)
"""Headers that are not forwarded: those of one connection, and those of encodings."""
_KEPT: Final = frozenset(
    {
        *[name for _, each in clients() for name in each.headers],
        *("accept", "allow", "content-type", "etag", "idempotency-key", "if-none-match"),
        *("content-range", "last-modified", "link", "location", "range"),
        *("ratelimit", "ratelimit-policy", "retry-after"),
        *("user-agent", "x-amz-target", "x-amzn-errortype", "x-ratelimit-limit"),
        *("x-ratelimit-remaining", "x-ratelimit-reset"),
        *("authorization", "cookie", "set-cookie", "www-authenticate"),
        *("x-api-key", "api-key", "x-access-token", "x-auth-token"),
    }
)
"""Headers that are recorded, without secrets. Of others only short values of responses are."""
_LONG_CHARS: Final = 16
"""Characters from which the value of another header of a response is replaced by a mark."""
_REGION: Final = "{region}"
"""Placeholder in an address: the region for which a request is signed."""
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
"""Value of `wbits` that accepts headers of gzip and of zlib."""
_TIMEOUTS: Final = {"connect": 30.0, "read": 600.0, "write": 60.0, "pool": 60.0}


class _Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    is_cut: bool


class _Raw(NamedTuple):
    """Request and response with their secrets, which are never written to a file."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    response: _Response


class Recorder:
    """ASGI application that forwards requests and records them in memory.

    Args:
        targets: Address of the vendor by the path at which clients reach it here.
        key: Key that replaces the placeholder in requests; None leaves requests unchanged.
        aws: Keys that sign each request again; clients then sign with the placeholder as key id.

    Attributes:
        placeholder: Token with which clients sign in.

    Raises:
        CassetteError: A target or the key is invalid, or both kinds of keys are given.
    """

    def __init__(
        self, targets: Mapping[str, str], key: str | None = None, aws: AwsKeys | None = None
    ) -> None:
        if not targets:
            raise CassetteError("targets: give at least one, such as /v1=https://….")
        if key is not None and aws is not None:
            raise CassetteError("key, aws: give only one of them; a request has one kind of key.")
        self._targets = {_path(at): _address(url) for at, url in targets.items()}
        if key is not None and (len(key) < MIN_SECRET_CHARS or not key.isprintable() or " " in key):
            text = (
                f"key: at least {MIN_SECRET_CHARS} printable characters without spaces are needed"
            )
            raise CassetteError(f"{text}, because shorter ones cannot be found in responses.")
        self._key = key
        self._aws = aws
        self.placeholder = f"cassette-{secrets.token_hex(16)}"
        self._paths = {url: at for at, url in self._targets.items() if _REGION not in url}
        self._raw: list[_Raw | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        number = len(self._raw)
        self._raw.append(None)  # keeps its place: the order is that of the requests' beginnings
        try:
            found = self._target(scope["path"])
            body = _plain(await body_of(receive), _headers(scope["headers"]))
            response = await self._forward(scope, found, body)
        except CassetteError as error:
            await _refuse(send, str(error))
            return
        query = scope["query_string"].decode("latin-1")
        headers = _headers(scope["headers"])
        self._raw[number] = _Raw(scope["method"], scope["path"], query, headers, body, response)
        await self._send(scope, response, send)

    def cassette(self) -> Cassette:
        """Return the recording without secrets."""
        raw = [each for each in self._raw if each is not None]
        scrubber = Scrubber(self._secrets())
        for each in raw:
            self._learn(scrubber, each)
        return Cassette(
            recorded_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            targets={at: scrubber.scrub_text(url) for at, url in self._targets.items()},
            exchanges=tuple(self._recorded(each, scrubber) for each in raw),
        )

    def write(self, path: Path) -> Cassette:
        """Write the recording without secrets; return it.

        Raises:
            CassetteError: A key or the placeholder is left in it, so nothing was written; or the
                file cannot be written.
        """
        cassette = self.cassette()
        text = render(cassette)
        scrubber = Scrubber(self._secrets())
        if scrubber.contains_secret(text.encode()):
            raise CassetteError(f"{path}: not written, because the key is still in the recording.")
        try:
            path.write_text(text)
        except OSError as error:
            raise CassetteError(f"{path}: {error.strerror}.") from None
        return cassette

    def _secrets(self) -> list[str]:
        aws = self._aws
        own = [] if aws is None else [aws.key_id, aws.secret, aws.session_token]
        return [each for each in (self._key, self.placeholder, *own) if each]

    # --- forwarding -------------------------------------------------------------------------------

    def _target(self, path: str) -> tuple[str, str]:
        """Return the path and address of the target for a path: the longest prefix counts."""
        fitting = [at for at in self._targets if f"{path}/".startswith(f"{at}/")]
        if not fitting:
            known = ", ".join(self._targets)
            raise CassetteError(f"There is no target for {path}; there are {known}.")
        at = max(fitting, key=len)
        return at, self._targets[at]

    async def _forward(self, scope: Scope, target: tuple[str, str], body: bytes) -> _Response:
        at, base = target
        given = _headers(scope["headers"])
        credential = None if self._aws is None else self._credential(given, scope["query_string"])
        if credential is not None:
            base = base.replace(_REGION, credential.region)
            self._paths[base] = at
        parts = urlsplit(base)
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        path = parts.path.encode() + raw[len(quote(at)) :]
        query = scope["query_string"]
        url = httpcore.URL(
            scheme=parts.scheme.encode(),
            host=(parts.hostname or "").encode(),
            port=parts.port,
            target=self._with_key(path + (b"?" + query if query else b""), "url") or b"/",
        )
        headers = [
            (name, self._header_with_key(value))
            for name, value in scope["headers"]
            if name.decode("latin-1").lower() not in _NOT_FORWARDED
        ]
        headers += [(b"host", parts.netloc.encode()), (b"accept-encoding", b"identity")]
        is_form = "form" in given.get("content-type", "")
        content = self._with_key(body, "form" if is_form else "json")
        if self._aws is not None and credential is not None:
            from qwicket.testing.cassettes.aws import sign_headers

            joined, line = _headers(headers), url.target.decode("latin-1")
            anew = sign_headers(credential, self._aws, scope["method"], line, joined, content)
            headers = [(name.encode(), value.encode("latin-1")) for name, value in anew.items()]
        if content or scope["method"] not in ("GET", "HEAD", "DELETE"):
            headers.append((b"content-length", str(len(content)).encode()))
        try:
            # A new connection for each request: if the vendor has closed an idle one, that would be
            # recorded as a failure of the vendor.
            async with (
                httpcore.AsyncConnectionPool() as pool,
                pool.stream(
                    scope["method"],
                    url,
                    headers=headers,
                    content=content,
                    extensions={"timeout": _TIMEOUTS},
                ) as response,
            ):
                return await self._received(response)
        except httpcore.ConnectError as error:
            raise CassetteError(f"{base} cannot be reached: {error}.") from None
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            return _Response(0, [], b"", is_cut=True)
        except httpcore.TimeoutException:
            raise CassetteError(f"{base} did not answer in time.") from None

    def _credential(self, headers: Mapping[str, str], query: bytes) -> Credential:
        """Return the credential scope of a request that is signed with the placeholder.

        Raises:
            CassetteError: The request is not signed, or with another key.
        """
        from qwicket.testing.cassettes.aws import credential_of

        found = credential_of(headers)
        if found is None:
            kind = "presigned URLs are" if b"X-Amz-Signature" in query else "this request is"
            raise CassetteError(f"{kind} not signed by a header, so it cannot be signed anew.")
        if found.key_id != self.placeholder:
            raise CassetteError("The client signs with another key than that of this recording.")
        return found

    async def _received(self, response: httpcore.Response) -> _Response:
        headers = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in response.headers]
        self._check_redirect(response.status, dict(headers).get("location", ""))
        content, is_cut = bytearray(), False
        try:
            async for chunk in response.aiter_stream():
                content += chunk
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            is_cut = True
        body = bytes(content) if is_cut else _plain(bytes(content), dict(headers))
        return _Response(response.status, headers, body, is_cut)

    def _check_redirect(self, status: int, location: str) -> None:
        if not 300 <= status < 400 or not urlsplit(location).netloc:
            return
        if not any(f"{location}/".startswith(f"{base}/") for base in self._paths):
            host = urlsplit(location).hostname
            raise CassetteError(
                f"The vendor redirects to {host}, which is not a target. Keys follow no redirect;"
                " if it is the vendor's too, give it as a target."
            )

    def _header_with_key(self, value: bytes) -> bytes:
        scheme, _, rest = value.partition(b" ")
        if scheme.lower() == b"basic":
            with contextlib.suppress(ValueError):
                pair = self._with_key(base64.b64decode(rest), "plain")
                return scheme + b" " + base64.b64encode(pair)
        return self._with_key(value, "plain")

    def _with_key(self, content: bytes, where: str) -> bytes:
        """Replace the placeholder in a part of a request by the key, quoted as `where` requires."""
        if self._key is None:
            return content
        key = self._key
        if where in ("url", "form"):
            key = quote(key, safe="")
        elif where == "json":
            key = json.dumps(key, ensure_ascii=False)[1:-1]
        return content.replace(self.placeholder.encode(), key.encode())

    async def _send(self, scope: Scope, response: _Response, send: Send) -> None:
        """Send a response to the client, with the recorder's addresses in place of the vendor's."""
        if response.status == 0:
            await drop(send)
            return
        server = scope["server"]
        url = f"http://{server[0]}:{server[1]}"
        body = self._localised(response.body.decode("latin-1"), url).encode("latin-1")
        headers = [
            (name.encode(), self._localised(value, url).encode("latin-1"))
            for name, value in response.headers
            if name not in _NOT_FORWARDED
        ]
        length = len(body) + response.is_cut  # more than is sent: the client notices the cut
        if response.status not in (204, 304):
            headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": response.is_cut})
        if response.is_cut:
            await cut(send)

    def _localised(self, text: str, url: str) -> str:
        for base, at in sorted(self._paths.items(), key=lambda item: -len(item[0])):
            text = text.replace(base, f"{url}{at}")
        return text

    # --- the recording ----------------------------------------------------------------------------

    def _learn(self, scrubber: Scrubber, raw: _Raw) -> None:
        # The client made a signature with the placeholder, so it contains no secret.
        scrubber.collect_headers(
            {n: v for n, v in raw.headers.items() if not self._is_signature(n)}
        )
        scrubber.collect_text(raw.path)
        scrubber.collect_query(raw.query)
        scrubber.collect_headers(_joined(raw.response.headers))
        for content, kind in (
            (raw.body, raw.headers.get("content-type", "")),
            (raw.response.body, ""),
        ):
            if "form" in kind:
                scrubber.collect_query(content.decode("utf-8", "replace"))
            scrubber.collect_text(content.decode("utf-8", "replace").strip())

    def _is_signature(self, name: str) -> bool:
        return self._aws is not None and name == "authorization"

    def _kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of a request that are recorded."""
        kept = {name: value for name, value in headers.items() if name in _KEPT}
        if self._aws is not None:
            from qwicket.testing.cassettes.aws import credential_of

            credential = credential_of(headers)
            kept["authorization"] = "" if credential is None else credential.recorded
        return kept

    def _recorded(self, raw: _Raw, scrubber: Scrubber) -> RecordedExchange:
        is_form = "form" in raw.headers.get("content-type", "")
        request = RecordedRequest(
            method=raw.method,
            path=scrubber.scrub_text(raw.path),
            query=scrubber.scrub_query(raw.query),
            headers=scrubber.scrub_headers(self._kept(raw.headers)),
            body=_body(raw.body, scrubber, is_form=is_form),
        )
        response = raw.response
        localised = self._localised(response.body.decode("latin-1"), ORIGIN).encode("latin-1")
        headers = {
            name: self._localised(value, ORIGIN)
            for name, value in _joined(response.headers).items()
        }
        return RecordedExchange(
            request,
            RecordedResponse(
                status=response.status,
                headers=scrubber.scrub_headers(_shortened(headers)),
                body=_body(localised, scrubber),
                is_cut=response.is_cut,
            ),
        )


def _body(content: bytes, scrubber: Scrubber, *, is_form: bool = False) -> Body:
    body = Body.of(content)
    if body.json is not msgspec.UNSET:
        return Body(json=scrubber.scrub_json(body.json))
    if body.text is not None:
        return Body(
            text=scrubber.scrub_query(body.text) if is_form else scrubber.scrub_text(body.text)
        )
    return Body.of(scrubber.scrub_content(content))


def _plain(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a body without its encoding.

    Raises:
        CassetteError: The encoding is unknown or wrong, so secrets inside would not be found.
    """
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding == "identity" or not content:
        return content
    if encoding not in ("gzip", "deflate"):
        raise CassetteError(f"content-encoding: {encoding!r} cannot be recorded; use gzip.")
    try:
        return zlib.decompress(content, wbits=_GZIP_OR_ZLIB)
    except zlib.error:
        raise CassetteError(f"content-encoding: the body is not {encoding}.") from None


def _headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return _joined([(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in headers])


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _shortened(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value if name in _KEPT or len(value) < _LONG_CHARS else UNKNOWN_MARK
        for name, value in headers.items()
        if name not in _NOT_FORWARDED and name not in ("date", "server")
    }


def _path(at: str) -> str:
    if not at.startswith("/"):
        raise CassetteError(f"targets: the path {at!r} must begin with a slash.")
    return at.rstrip("/")


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise CassetteError(f"targets: {url!r} is not an address such as https://cloud.example/v1.")
    if parts.username or parts.password:
        raise CassetteError("targets: an address must not contain a user or a password.")
    if parts.scheme == "http" and not is_local(parts.hostname):
        raise CassetteError(f"targets: {url!r} would carry the key unencrypted; use https.")
    return url.rstrip("/")


async def _refuse(send: Send, text: str) -> None:
    body = msgspec.json.encode(dict.fromkeys(("error", "message", "detail", "title"), text))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 502, "headers": headers})
    await send({"type": "http.response.body", "body": body})
