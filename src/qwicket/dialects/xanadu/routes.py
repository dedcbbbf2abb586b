"""The routes of Xanadu Cloud's API.

Every path but that of the sign-in needs an access token, also for unknown methods. With a public
`/healthz` the client's `ping()` would succeed with a wrong token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.routing import ANY_TOKEN, Body, Dialect, Open, Route
from qwicket.dialects.xanadu import wire
from qwicket.dialects.xanadu.handlers import Handlers
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_R, _W, _D = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_SIGN_IN: Final = "/auth/realms/platform/protocol/openid-connect/token"
# Reading the header of a circuit is slow, so only short ones are read on the event loop.
_SUBMISSION: Final = Body(wire.submission, wire.SubmitBody, inline_bytes=4 << 10)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        _SIGN_IN,
        Handlers.issue_access_token,
        Open("The form holds the token."),
        Body(wire.grant),
    ),
    Route("GET", "/healthz", Handlers.ping, ANY_TOKEN),
    Route("GET", "/devices", Handlers.list_devices, _D),
    Route("GET", "/devices/{target}", Handlers.read_device, _D),
    Route("GET", "/devices/{target}/specifications", Handlers.read_specification, _D),
    Route("GET", "/devices/{target}/specification", Handlers.read_specification, _D),
    Route("GET", "/devices/{target}/certificate", Handlers.read_certificate, _D),
    Route("GET", "/jobs", Handlers.list_jobs, _R, query=("size", "id", "status")),
    Route("POST", "/jobs", Handlers.submit_job, _W, _SUBMISSION, status=201),
    Route("GET", "/jobs/{id}", Handlers.read_job, _R),
    Route(
        "PATCH",
        "/jobs/{id}",
        Handlers.cancel_job,
        _W,
        Body(wire.check_cancel, wire.PatchBody),
        status=204,
    ),
    Route("GET", "/jobs/{id}/circuit", Handlers.read_circuit, _R),
    Route(
        "GET", "/jobs/{id}/result", Handlers.read_result, _R, media_type="application/octet-stream"
    ),
)


def dialect(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the dialect. Its clients renew their access tokens."""
    return Dialect(
        Handlers(gateway, settings.access_token_s),
        ROUTES,
        wire.problem,
        recast=wire.recast,
        hides=("/auth/", "/devices/", "/healthz/", "/jobs/"),
    )
