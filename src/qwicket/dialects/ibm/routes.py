"""The routes of the IBM Quantum Experience API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.routing import compile_path
from starlette.websockets import WebSocketClose

from qwicket.dialects.ibm import wire
from qwicket.dialects.ibm.handlers import Handlers
from qwicket.dialects.ibm.paths import canonical
from qwicket.dialects.routing import Body, Dialect, Open, Route, json_body
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_SIGNED_URL: Final = Open("The path holds a signed URL.")
_CREDENTIALS: Final = Open("The body holds the credentials.")
_TOKEN: Final = json_body(wire.TokenBody)
_PASSWORD: Final = json_body(wire.PasswordBody)
_JOB: Final = Body(wire.read_job, wire.JobBody)
_CHANGE: Final = json_body(wire.ChangeBody)
_FILTER: Final = ("filter",)
_SOCKET_PATH: Final = compile_path("/jobs/{id}/status")[0]

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/version", Handlers.version, Open("Clients read this before they sign in.")),
    Route("POST", "/users/login", Handlers.sign_in_with_password, _CREDENTIALS, _PASSWORD),
    Route("POST", "/users/loginwithtoken", Handlers.sign_in_with_token, _CREDENTIALS, _TOKEN),
    Route("GET", "/users/me", Handlers.read_account, _DEVICES),
    Route("GET", "/network", Handlers.read_network, _DEVICES),
    Route("GET", "/network/bookings/v2", Handlers.list_bookings, _DEVICES),
    Route("GET", "/network/devices/{device}/bookings/v2", Handlers.list_bookings, _DEVICES),
    Route("GET", "/devices", Handlers.list_devices, _DEVICES),
    Route(
        "GET",
        "/devices/{device}/properties",
        Handlers.read_properties,
        _DEVICES,
        parameters=_FILTER,
    ),
    Route("GET", "/devices/{device}/defaults", Handlers.read_defaults, _DEVICES),
    Route(
        "GET",
        "/devices/{device}/queue/status",
        Handlers.read_queue,
        Open("Clients read this without a token; if a request has one, it is checked."),
    ),
    Route("GET", "/devices/{device}/jobslimit", Handlers.read_jobs_limit, _DEVICES),
    Route("POST", "/jobs", Handlers.submit_job, _WRITE, _JOB),
    Route("GET", "/jobs", Handlers.list_jobs, _READ, parameters=_FILTER),
    Route("GET", "/jobs/status", Handlers.list_statuses, _READ, parameters=_FILTER),
    Route("GET", "/jobs/{id}", Handlers.read_job, _READ),
    Route("PUT", "/jobs/{id}", Handlers.change_job, _WRITE, _CHANGE),
    Route("DELETE", "/jobs/{id}", Handlers.delete_job, _WRITE, status=204),
    Route("GET", "/jobs/{id}/status", Handlers.read_status, _READ),
    Route("GET", "/jobs/{id}/properties", Handlers.read_job_properties, _READ),
    Route("POST", "/jobs/{id}/cancel", Handlers.cancel_job, _WRITE),
    Route("GET", "/jobs/{id}/jobuploadurl", Handlers.upload_url, _WRITE),
    Route("GET", "/jobs/{id}/jobdownloadurl", Handlers.program_url, _READ),
    Route("GET", "/jobs/{id}/resultdownloadurl", Handlers.result_url, _READ),
    Route("POST", "/jobs/{id}/jobdatauploaded", Handlers.submit_uploaded, _WRITE),
    Route("POST", "/jobs/{id}/resultdownloaded", Handlers.acknowledge, _READ),
    Route("PUT", "/storage/{id}/upload/{signature}", Handlers.upload, _SIGNED_URL),
    Route("GET", "/storage/{id}/program/{signature}", Handlers.download_program, _SIGNED_URL),
    Route("GET", "/storage/{id}/result/{signature}", Handlers.download_result, _SIGNED_URL),
)


def dialect(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the dialect. Its clients never renew their access tokens, so these live longer."""
    return _WithSockets(Handlers(gateway, settings.ibm_access_token_s))


class _WithSockets(Dialect):
    """The dialect with its websocket."""

    def __init__(self, handlers: Handlers) -> None:
        super().__init__(
            handlers,
            ROUTES,
            wire.problem,
            recast=wire.recast,
            challenge="X-Access-Token",
            canonical=lambda path: canonical(path)[0],
        )
        self._watch_job = handlers.watch_job

    async def _respond(self, scope: ASGIScope, receive: Receive) -> ASGIApp:
        if scope["type"] != "websocket":
            return await super()._respond(scope, receive)
        path, spelling = canonical(scope["path"].removeprefix(scope["root_path"]))
        if found := _SOCKET_PATH.match(path):
            return partial(self._watch_job, found["id"], spelling)
        return WebSocketClose()
