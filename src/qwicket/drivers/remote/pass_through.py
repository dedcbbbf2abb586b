"""A device whose own server receives users' requests, with the account's key."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final, Protocol, cast

import msgspec

from qwicket.circuits.outcomes import Outcome
from qwicket.clients.http import HTTPClient, Request, bounds
from qwicket.clients.http.failures import InvalidResponse, NoResponse
from qwicket.clients.http.retries import retry_after_s
from qwicket.devices.remotes import kinds
from qwicket.drivers.remote.clouds import (
    NoProof,
    NotAccepted,
    OutcomeUnknown,
    Refused,
    RemoteStatus,
    TryLater,
)
from qwicket.drivers.remote.failures import UNSURE, key_refusal
from qwicket.model.pass_through import HTTP_REQUEST, VendorRequest, VendorResponse, from_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.clients.http import Response
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import (
        Cloud,
        ListedDevice,
        RemoteDeviceStatus,
        RemoteProgram,
        RequireLease,
        Statuses,
    )
    from qwicket.model.failures import Failure

_VERSION: Final = re.compile(r"/(v0\.[34]|api/v[123])$")
"""Version at the end of an address; it is removed, because each request's path begins with it."""


class Credentials(Protocol):
    """What requests are signed with."""

    @property
    def header_name(self) -> str:
        """Name of the header."""
        ...

    @property
    def secret(self) -> str:
        """What no response may contain."""
        ...

    def header(self) -> str:
        """Return the value of the header, signing in first if necessary."""
        ...

    def renew(self, refused: str, /) -> bool:
        """Return whether a request whose header was refused may be repeated with a new one."""
        ...


class Key:
    """Credentials of a cloud that takes the key itself in each request.

    Args:
        key: The key.
        scheme: What stands before it in the header.
        header_name: Name of the header.
    """

    def __init__(self, key: str, scheme: str, header_name: str = "Authorization") -> None:
        self.secret = key
        self.header_name = header_name
        self._scheme = scheme

    def header(self) -> str:
        return self._scheme + self.secret

    def renew(self, _refused: str) -> bool:
        return False  # after a refusal there is no other key to try


class Sender:
    """Sends requests to a device's own server. Its calls block.

    A request is repeated only after status 401, once, with a new access token.

    Args:
        remote: Where the server is.
        key: Key of the account there.
    """

    def __init__(self, remote: Remote, key: str) -> None:
        url = _VERSION.sub("", remote.url.rstrip("/"))
        credentials = resolve_name(kinds()[remote.kind].credentials)(remote, key)
        self._credentials = cast("Credentials", credentials)
        self._key = key
        self._timeout_s = remote.timeout_s
        self._http = HTTPClient(url, ValueError)

    def send(
        self, request: VendorRequest, require_lease: RequireLease = lambda: None
    ) -> VendorResponse:
        """Return the response, whatever its status, without secrets.

        Args:
            request: The request.
            require_lease: Called before each attempt.

        Raises:
            NotAccepted: No request arrived.
            OutcomeUnknown: No valid response came.
            KeyRefused: The status is 401 or 403.
        """
        header = self._credentials.header()
        require_lease()
        found = self._exchange(request, header)
        # The server refused the request, so a repetition cannot do it twice.
        if found.status == HTTPStatus.UNAUTHORIZED and self._credentials.renew(header):
            header = self._credentials.header()
            require_lease()
            found = self._exchange(request, header)
        text = f"the server does not accept the key: status {found.status}"
        if refusal := key_refusal(found.status, text):
            raise refusal
        body = found.content
        for secret in (self._key, self._credentials.secret):
            body = body.replace(secret.encode(), b"...")
        return VendorResponse(
            status=found.status,
            content_type=found.headers.get("Content-Type", ""),
            retry_after=found.headers.get("Retry-After", ""),
            body=body,
        )

    def _exchange(self, request: VendorRequest, header: str) -> Response:
        theirs = {"Content-Type": request.content_type, "Accept": request.accept}
        headers = {name: value for name, value in theirs.items() if value}
        request = request.with_key(self._key)
        if not request.key_in:
            headers[self._credentials.header_name] = header
        has_body = bool(request.body) or request.method not in ("GET", "HEAD", "DELETE")
        sent = Request(
            request.method,
            request.path,
            headers,
            request.body if has_body else None,
            limit_s=self._timeout_s,
            secrets=[self._key, self._credentials.secret],
            can_repeat=request.method in ("GET", "HEAD"),
            can_be_empty=True,
        )
        try:
            with bounds.within(bounds.PASSED_ON):
                return self._http.exchange(sent)
        except NoResponse as error:
            kind = OutcomeUnknown if error.was_sent else NotAccepted
            raise kind(str(error)) from None
        except InvalidResponse as error:
            raise OutcomeUnknown(str(error)) from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class PassThroughCloud:
    """A cloud whose jobs are requests that are passed on.

    Args:
        cloud: Reads the states of jobs and of the device, and cancels jobs.
        sender: Sends the requests.
        device: Name of the device there.
        responses: Where responses to submissions are put, by marker.
    """

    formats = (HTTP_REQUEST,)
    language = None
    is_simulated = False

    def __init__(
        self, cloud: Cloud, sender: Sender, device: str, responses: dict[str, VendorResponse]
    ) -> None:
        self._cloud = cloud
        self._sender = sender
        self._device = device
        self._responses = responses

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        request, id_field = from_program(program.source)
        response = self._sender.send(request, require_lease)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            after_s = retry_after_s({"Retry-After": response.retry_after}, time.time())
            raise TryLater(f"it responds with status {response.status}", after_s)
        if 400 <= response.status < 500 and response.status not in UNSURE:
            text = response.body.decode("utf-8", "replace")
            raise Refused(f"status {response.status}: {text[:300]}", response)
        try:
            id = msgspec.json.decode(response.body)
            for name in id_field.split("."):
                id = id[name]
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
            id = None
        if response.status >= 300 or not isinstance(id, str) or not id:
            raise OutcomeUnknown(f"status {response.status} without the id of a job")
        self._responses[marker] = response
        return id

    def find(self, marker: str, since_ms: int) -> str | None:
        del marker, since_ms
        raise NoProof("requests are passed on unchanged, without a marker")

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return {
            id: found._replace(marker=None) if isinstance(found, RemoteStatus) else found
            for id, found in self._cloud.statuses(ids).items()
        }

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        """Return an empty result: clients read the true one from the device's server."""
        del id
        return [
            Outcome(
                registers=(),
                arrays={},
                engine=self._device,
                engine_version="",
                seed=program.options.seed,
                seconds=0.0,
            )
        ], 0.0

    def cancel(self, id: str) -> None:
        self._cloud.cancel(id)

    def device_status(self) -> RemoteDeviceStatus:
        return self._cloud.device_status()

    def list_devices(self) -> list[ListedDevice]:
        return self._cloud.list_devices()

    def close(self) -> None:
        self._cloud.close()
        self._sender.close()
