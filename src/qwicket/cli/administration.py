"""Requests of administrators' commands to `/v1/admin`, with or without a running server.

Without one the same routes run in this process, on the database, so a command works alike.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, unquote_to_bytes, urlencode

import click

from qwicket.cli.config import setting_of_file
from qwicket.cli.options import ServerLocation, with_store
from qwicket.clients.http import Response, RetryPolicy
from qwicket.clients.native import ApiError
from qwicket.clients.native.protocol import Api, Download, OperationRunner, Pause
from qwicket.extras import require
from qwicket.folders import AWS_MASTER_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.cli.options import DataLocation, Location
    from qwicket.clients.native.protocol import Operation, Send, StepResult
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.store import Store

T = TypeVar("T")

_PATH: Final = "/v1/admin"
_TIMEOUT_S: Final = 600.0
"""Required by `Api`, and unused: requests in this process have no deadline."""


class Administration:
    """Sends requests to `/v1/admin`.

    Args:
        location: A running server, or the data without one.

    Raises:
        ClientError: There is no token, or the address or profile is invalid.
        NotInstalled: Only a server's routes can read the data, and its extra is missing.
    """

    def __init__(self, location: Location) -> None:
        self.is_remote = isinstance(location, ServerLocation)
        self._transport: OperationRunner
        if isinstance(location, ServerLocation):
            # Late: the database needs neither the client's settings nor HTTP.
            from qwicket.clients.native.config import settings
            from qwicket.clients.native.transport import Transport

            found = settings(location.url, profile=location.profile)
            self._transport = Transport(found.url, found.token, found.timeout_s)
        else:
            self._where = (
                "the database" if location.database_url else f"the data in {location.data_dir}"
            )
            # Other commands of the group `job` need only the client, so the group does not check.
            require(click.get_current_context().command_path, "server")
            self._transport = _DatabaseRunner(location)

    def get(self, *path: str, of: type[T], query: Mapping[str, str] | None = None) -> T:
        """Read a path; `path` has its parts, which may contain any characters."""
        return self._run(self._transport.api.get(_path(path, query), of))

    def download(
        self, *path: str, query: Mapping[str, str] | None = None, accept: str, file: IO[bytes]
    ) -> None:
        """Write a response of the media type `accept` to a file."""
        self._run(self._transport.api.download(_path(path, query), accept, file))

    def post(self, *path: str, body: Any = None, of: type[T]) -> T:
        """Send a POST request once, because a repetition could take effect twice."""
        return self._run(self._transport.api.post_once(_path(path), body, of))

    def patch(self, *path: str, body: Any, of: type[T]) -> T:
        return self._run(self._transport.api.send("PATCH", _path(path), body, of))

    def put(self, *path: str, body: Any, of: type[T]) -> T:
        return self._run(self._transport.api.send("PUT", _path(path), body, of))

    def delete(self, *path: str, of: type[T]) -> T:
        return self._run(self._transport.api.send("DELETE", _path(path), None, of))

    def change(
        self, method: str, *path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> None:
        """Send an idempotent request whose response has no body."""
        self._run(self._transport.api.change(method, _path(path, query), body))

    def _run(self, operation: Operation[T]) -> T:
        try:
            return self._transport.run(operation)
        except ApiError as error:
            if self.is_remote:
                raise
            # Without a server, an HTTP status would only confuse.
            raise click.ClickException(error.detail + self._hint(error)) from None

    def _hint(self, error: ApiError) -> str:
        """Return where was looked in vain, if the settings of a server were expected to count."""
        is_for_server = any(map(os.environ.get, ("QWICKET_URL", "QWICKET_TOKEN")))
        if error.status != 404 or not is_for_server:
            return ""
        return f" The command used {self._where}; with --url it asks a running server."


def _path(parts: tuple[str, ...], query: Mapping[str, str] | None = None) -> str:
    if parts[0] == "projects":
        parts = tuple(part.replace("/", ":") for part in parts)  # a slash begins another part
    path = "/".join((_PATH, *(quote(part, safe=":") for part in parts)))
    return f"{path}?{urlencode(query)}" if query else path


class _DatabaseRunner(OperationRunner):
    """Runs the routes in this process, as an administrator, with the database of a location."""

    def __init__(self, location: DataLocation) -> None:
        super().__init__(Api("-", _TIMEOUT_S, RetryPolicy(max_attempts=1)))
        self._location = location

    def _do(self, step: Send | Pause) -> StepResult:
        assert not isinstance(step, Pause), "a request to the database is not repeated"
        master_file = _aws_master_file(self._location)
        return with_store(self._location, lambda store: _respond(store, step, master_file))


def _aws_master_file(location: DataLocation) -> Path | None:
    """Return the file of the master keys of AWS's key pairs, as `qwicket serve` finds it."""
    given = os.environ.get("QWICKET_AWS_MASTER_FILE") or setting_of_file("aws_master_file")
    if given:
        return Path(given)
    return location.data_dir / AWS_MASTER_FILE if location.database_url is None else None


def _user() -> str:
    """Return the name of the user who runs the command; in a container, a user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


async def _respond(store: Store, request: Send, aws_master_file: Path | None) -> Response:
    """Return the response of `/v1/admin` to one request."""
    import time

    from qwicket.dialects.native.admin.routes import application
    from qwicket.gateway.admin import Admin
    from qwicket.model.accounts import Actor, Scope
    from qwicket.model.limits import Limits
    from qwicket.server.router import Router

    class DatabaseAccess:
        """Gives all rights: a user who can open the database can change everything anyway."""

        admin = Admin(store, lambda: time.time_ns() // 1_000_000, aws_master_file)
        limits = Limits()
        cluster = None

        async def sign_in(self, request: Request[Any]) -> Actor:
            return Actor(
                account="",
                account_name=_user(),
                role="admin",
                project="",
                token="",
                scopes=frozenset({Scope.ADMIN}),
                devices=frozenset(),
            )

        async def position(self, job: Job) -> None:
            pass

    router = Router({_PATH: application(DatabaseAccess())}, DatabaseAccess.limits)
    return await _exchange(router, request)


async def _exchange(app: Any, request: Send) -> Response:
    """Send a request to an ASGI application; return its response."""
    from qwicket.dialects.requests import CONTENT  # late: most commands ask a server

    path, _, query = request.path.partition("?")
    raw = unquote_to_bytes(path)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": raw.decode(),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in request.headers.items()
        ],
        "client": None,
        "server": ("localhost", None),
        CONTENT: request.body or b"",
    }
    status, headers, content = 500, dict[str, str](), bytearray()
    file = request.file if isinstance(request, Download) else None

    async def receive() -> Any:
        await asyncio.Event().wait()  # the client never disconnects

    async def send(message: Any) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            body = message.get("body", b"")
            if file is not None and status == 200:
                file.write(body)
            else:
                content.extend(body)

    await app(scope, receive, send)
    return Response(status, headers, bytes(content))
