"""The routes of Xanadu Cloud's API.

All of their paths except the sign-in's need an access token, even for unknown methods. With a
public `/healthz`, the client's `ping()` would succeed with a wrong token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.pass_through_rules import (
    HANDLED_HERE,
    ListsDevices,
    ListsJobs,
    OfDevice,
    OfJob,
    Submits,
)
from qwicket.dialects.routing import ANY_TOKEN, Body, Dialect, Open, Route
from qwicket.dialects.validation import SMALL_FORM_BYTES
from qwicket.model.accounts import Scope
from qwicket.vendors.xanadu.dialect import description as of
from qwicket.vendors.xanadu.dialect import wire
from qwicket.vendors.xanadu.dialect.handlers import Handlers

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_JOB: Final = OfJob("/jobs/{id}")
_SIGN_IN: Final = "/auth/realms/platform/protocol/openid-connect/token"
# The header of a circuit is read, too, so only shorter bodies than usual are parsed on the event
# loop.
_SUBMISSION: Final = Body(wire.submission, wire.SubmitBody, inline_bytes=4 << 10)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        _SIGN_IN,
        Handlers.issue_access_token,
        Open("The form holds the token."),
        Body(wire.grant, inline_bytes=SMALL_FORM_BYTES),
        responses=(of.Granted,),
        pass_through=HANDLED_HERE,
    ),
    Route(
        "GET",
        "/healthz",
        Handlers.ping,
        ANY_TOKEN,
        responses=(of.Status,),
        pass_through=HANDLED_HERE,
    ),
    Route(
        "GET",
        "/devices",
        Handlers.list_devices,
        _DEVICES,
        responses=(of.DeviceList,),
        pass_through=ListsDevices(("target",), "data"),
    ),
    *(
        Route(
            "GET",
            f"/devices/{{target}}{path}",
            handler,
            _DEVICES,
            responses=(response,),
            pass_through=OfDevice("target"),
        )
        for path, handler, response in (
            ("", Handlers.read_device, of.Device),
            ("/specifications", Handlers.read_specification, of.Specification),
            ("/specification", Handlers.read_specification, of.Specification),
            ("/certificate", Handlers.read_certificate, of.Certificate),
        )
    ),
    Route(
        "GET",
        "/jobs",
        Handlers.list_jobs,
        _READ,
        parameters=("size", "id", "status"),
        responses=(of.JobList,),
        pass_through=ListsJobs(items="data", ids="id", limit="size", max_jobs=50, default=10),
    ),
    Route(
        "POST",
        "/jobs",
        Handlers.submit_job,
        _WRITE,
        _SUBMISSION,
        responses=(of.Job,),
        status=201,
        pass_through=Submits(wire.outline, ("circuit", "target")),
    ),
    Route("GET", "/jobs/{id}", Handlers.read_job, _READ, responses=(of.Job,), pass_through=_JOB),
    Route(
        "PATCH",
        "/jobs/{id}",
        Handlers.cancel_job,
        _WRITE,
        Body(wire.check_cancel, wire.PatchBody),
        status=204,
        pass_through=OfJob("/jobs/{id}", cancels=True),
    ),
    Route(
        "GET",
        "/jobs/{id}/circuit",
        Handlers.read_circuit,
        _READ,
        responses=(of.Circuit,),
        pass_through=_JOB,
    ),
    Route(
        "GET",
        "/jobs/{id}/result",
        Handlers.read_result,
        _READ,
        media_type="application/octet-stream",
        pass_through=_JOB,
    ),
)


def dialect(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the dialect. Its access tokens are short-lived, because its clients renew them."""
    return Dialect(
        Handlers(gateway, settings.access_token_s),
        ROUTES,
        wire.problem,
        recast=wire.recast,
        hides=("/auth/", "/devices/", "/healthz/", "/jobs/"),
    )
