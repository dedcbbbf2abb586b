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
_DO: Final = Handlers

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        _SIGN_IN,
        _DO.issue_access_token,
        Open("The form holds the token."),
        Body(wire.grant),
    ),
    Route("GET", "/healthz", _DO.ping, ANY_TOKEN),
    Route("GET", "/devices", _DO.list_devices, _D),
    Route("GET", "/devices/{target}", _DO.read_device, _D),
    Route("GET", "/devices/{target}/specifications", _DO.read_specification, _D),
    Route("GET", "/devices/{target}/specification", _DO.read_specification, _D),
    Route("GET", "/devices/{target}/certificate", _DO.read_certificate, _D),
    Route("GET", "/jobs", _DO.list_jobs, _R, query=("size", "id", "status")),
    Route("POST", "/jobs", _DO.submit_job, _W, _SUBMISSION, status=201),
    Route("GET", "/jobs/{id}", _DO.read_job, _R),
    Route(
        "PATCH",
        "/jobs/{id}",
        _DO.cancel_job,
        _W,
        Body(wire.check_cancel, wire.PatchBody),
        status=204,
    ),
    Route("GET", "/jobs/{id}/circuit", _DO.read_circuit, _R),
    Route("GET", "/jobs/{id}/result", _DO.read_result, _R, media_type="application/octet-stream"),
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
