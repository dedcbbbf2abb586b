"""The routes of the IBM Quantum Experience API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import compile_path
from starlette.websockets import WebSocketClose

from qwicket.dialects.routing import Body, Dialect, Open, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.vendors.ibm.dialect import description as of
from qwicket.vendors.ibm.dialect import wire
from qwicket.vendors.ibm.dialect.handlers import Handlers
from qwicket.vendors.ibm.dialect.paths import canonical

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
    Route(
        "GET",
        "/version",
        Handlers.version,
        Open("Clients read this before they sign in."),
        responses=(of.Versions,),
    ),
    Route(
        "POST",
        "/users/login",
        Handlers.sign_in_with_password,
        _CREDENTIALS,
        _PASSWORD,
        responses=(of.SignedIn,),
    ),
    Route(
        "POST",
        "/users/loginwithtoken",
        Handlers.sign_in_with_token,
        _CREDENTIALS,
        _TOKEN,
        printed="/users/loginWithToken",
        responses=(of.SignedIn,),
    ),
    Route("GET", "/users/me", Handlers.read_account, _DEVICES, responses=(of.Account,)),
    Route("GET", "/network", Handlers.read_network, _DEVICES, responses=(list[of.Hub],)),
    Route(
        "GET", "/network/bookings/v2", Handlers.list_bookings, _DEVICES, responses=(list[of.Empty],)
    ),
    Route(
        "GET",
        "/network/devices/{device}/bookings/v2",
        Handlers.list_bookings,
        _DEVICES,
        printed="/network/devices/{device_name}/bookings/v2",
        responses=(list[of.Empty],),
    ),
    Route("GET", "/devices", Handlers.list_devices, _DEVICES, responses=(list[of.Configuration],)),
    Route(
        "GET",
        "/devices/{device}/properties",
        Handlers.read_properties,
        _DEVICES,
        parameters=_FILTER,
        printed="/backends/{device_name}/properties",
        responses=(
            of.Properties,
            of.Empty,
        ),
    ),
    Route(
        "GET",
        "/devices/{device}/defaults",
        Handlers.read_defaults,
        _DEVICES,
        printed="/backend/{device_name}/defaults",
        responses=(of.Empty,),
    ),
    Route(
        "GET",
        "/devices/{device}/queue/status",
        Handlers.read_queue,
        Open("Clients read this without a token; if a request has one, it is checked."),
        printed="/backend/{device_name}/queue/status",
        responses=(of.QueueStatus,),
    ),
    Route(
        "GET",
        "/devices/{device}/jobslimit",
        Handlers.read_jobs_limit,
        _DEVICES,
        printed="/backends/{device_name}/jobsLimit",
        responses=(of.JobsLimit,),
    ),
    Route("POST", "/jobs", Handlers.submit_job, _WRITE, _JOB, responses=(of.Job,)),
    Route("GET", "/jobs", Handlers.list_jobs, _READ, parameters=_FILTER, responses=(list[of.Job],)),
    Route(
        "GET",
        "/jobs/status",
        Handlers.list_statuses,
        _READ,
        parameters=_FILTER,
        responses=(list[of.Job],),
    ),
    Route(
        "GET", "/jobs/{id}", Handlers.read_job, _READ, printed="/jobs/{job_id}", responses=(of.Job,)
    ),
    Route(
        "PUT",
        "/jobs/{id}",
        Handlers.change_job,
        _WRITE,
        _CHANGE,
        printed="/jobs/{job_id}",
        responses=(of.Changed,),
    ),
    Route(
        "DELETE", "/jobs/{id}", Handlers.delete_job, _WRITE, status=204, printed="/jobs/{job_id}"
    ),
    Route(
        "GET",
        "/jobs/{id}/status",
        Handlers.read_status,
        _READ,
        printed="/jobs/{job_id}/status",
        responses=(of.JobStatus,),
    ),
    Route(
        "GET",
        "/jobs/{id}/properties",
        Handlers.read_job_properties,
        _READ,
        printed="/jobs/{job_id}/properties",
        responses=(
            of.Properties,
            of.Empty,
        ),
    ),
    Route(
        "POST",
        "/jobs/{id}/cancel",
        Handlers.cancel_job,
        _WRITE,
        printed="/jobs/{job_id}/cancel",
        responses=(of.Cancelled,),
    ),
    Route(
        "GET",
        "/jobs/{id}/jobuploadurl",
        Handlers.upload_url,
        _WRITE,
        printed="/jobs/{job_id}/jobUploadUrl",
        responses=(of.SignedUrl,),
    ),
    Route(
        "GET",
        "/jobs/{id}/jobdownloadurl",
        Handlers.program_url,
        _READ,
        printed="/job/{job_id}s/jobDownloadUrl",
        responses=(of.SignedUrl,),
    ),
    Route(
        "GET",
        "/jobs/{id}/resultdownloadurl",
        Handlers.result_url,
        _READ,
        printed="/jobs/{job_id}/resultDownloadUrl",
        responses=(of.SignedUrl,),
    ),
    Route(
        "POST",
        "/jobs/{id}/jobdatauploaded",
        Handlers.submit_uploaded,
        _WRITE,
        printed="/jobs/{job_id}/jobDataUploaded",
        responses=(of.UploadedJob,),
    ),
    Route(
        "POST",
        "/jobs/{id}/resultdownloaded",
        Handlers.acknowledge,
        _READ,
        printed="/jobs/{job_id}/resultDownloaded",
        responses=(of.Empty,),
    ),
    Route(
        "PUT",
        "/storage/{id}/upload/{signature}",
        Handlers.upload,
        _SIGNED_URL,
        printed="/storage/{job_id}/upload/{signature}",
    ),
    Route(
        "GET",
        "/storage/{id}/program/{signature}",
        Handlers.download_program,
        _SIGNED_URL,
        printed="/storage/{job_id}/program/{signature}",
        responses=(dict[str, Any],),
    ),
    Route(
        "GET",
        "/storage/{id}/result/{signature}",
        Handlers.download_result,
        _SIGNED_URL,
        printed="/storage/{job_id}/result/{signature}",
        responses=(of.Result,),
    ),
)


def dialect(gateway: Gateway, _settings: DialectSettings) -> Dialect:
    """Return the dialect. Its clients never renew their access tokens, so these live longer."""
    return _WithSockets(Handlers(gateway))


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
