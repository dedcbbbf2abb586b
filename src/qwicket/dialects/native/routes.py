"""Routes of `/v1`. Pilots are workers on other machines; scalers start them."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from qwicket import schema
from qwicket.circuits.calibrations import Calibration
from qwicket.dialects.native import account_wire, lab_wire, pilot_wire, wire
from qwicket.dialects.native.arrays import NPZ_TYPE
from qwicket.dialects.native.handlers import Handlers
from qwicket.dialects.native.openapi import document
from qwicket.dialects.native.params import SEARCH
from qwicket.dialects.routing import ANY_TOKEN, Body, Dialect, Open, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.registrations import of_features
from qwicket.schema.jobs import SLURM_ACCOUNT, SLURM_JOB

if TYPE_CHECKING:
    from qwicket.dialects.native.lab_devices import NeedsOfDialects
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_TOKENS, _SERVE, _COMPUTE = Scope.TOKENS_WRITE, Scope.DEVICES_SERVE, Scope.COMPUTE_SERVE
_RUNNER: Final = (_COMPUTE, _SERVE)
_PAGE: Final = ("limit", "before")
_SUBMISSION: Final = Body(wire.submission, schema.jobs.SubmitBody)
_CHANGE: Final = json_body(schema.jobs.ChangeJobBody)
_TOKEN: Final = Body(account_wire.token_request, account_wire.TokenRequest)
_ID_TOKEN: Final = json_body(account_wire.SignInRequest)
_SIGN_IN: Final = Open("People sign in here.")
_GROUP: Final = json_body(schema.groups.OpenGroupBody)
_ANNOUNCEMENT: Final = Body(lab_wire.announcement, lab_wire.AnnounceBody)
_CALIBRATION: Final = Body(lab_wire.calibration, Calibration)
_PULL: Final = Body(pilot_wire.pull, schema.pilots.PullBody)
_PILOT_REPORT: Final = Body(pilot_wire.report, schema.pilots.PilotReportBody, limit="outcome_bytes")
_SCALER: Final = json_body(schema.pilots.ScalerBody)
_STREAM: Final = "text/event-stream"


async def describe(_: Handlers, _request: Request[None]) -> Response:
    """Read this description."""
    return Response(await asyncio.to_thread(_encoded_description), media_type="application/json")


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/openapi.json",
        describe,
        Open("It is the same on every server."),
        responses=(dict[str, Any],),
    ),
    Route(
        "GET", "/sign-in", Handlers.read_sign_in, _SIGN_IN, responses=(schema.accounts.SignInBody,)
    ),
    Route(
        "POST",
        "/sign-in",
        Handlers.sign_in_with_id_token,
        _SIGN_IN,
        _ID_TOKEN,
        responses=(schema.accounts.NewTokenBody,),
        status=201,
    ),
    Route(
        "GET",
        "/account",
        Handlers.read_account,
        ANY_TOKEN,
        responses=(schema.accounts.AccountBody,),
    ),
    Route(
        "PATCH",
        "/account",
        Handlers.change_account,
        _WRITE,
        json_body(schema.accounts.OwnAccountChangeBody),
        responses=(schema.accounts.PreferencesBody,),
    ),
    # The password is the credential as well: no token alone changes it.
    Route(
        "PUT",
        "/account/password",
        Handlers.change_password,
        _WRITE,
        json_body(schema.accounts.PasswordChangeBody),
        status=204,
    ),
    Route(
        "GET",
        "/account/sessions",
        Handlers.list_sessions,
        ANY_TOKEN,
        responses=(schema.accounts.SessionList,),
    ),
    Route("DELETE", "/account/sessions/{session}", Handlers.end_session, _TOKENS, status=204),
    Route(
        "GET",
        "/projects",
        Handlers.list_projects,
        ANY_TOKEN,
        responses=(schema.accounts.ProjectList,),
    ),
    Route(
        "GET", "/tokens", Handlers.list_tokens, ANY_TOKEN, responses=(schema.accounts.TokenList,)
    ),
    Route(
        "POST",
        "/tokens",
        Handlers.make_token,
        _TOKENS,
        _TOKEN,
        responses=(schema.accounts.NewTokenBody,),
        status=201,
    ),
    # A token may always revoke itself.
    Route("DELETE", "/tokens/{id}", Handlers.revoke_token, ANY_TOKEN, status=204),
    Route(
        "GET", "/devices", Handlers.list_devices, _DEVICES, responses=(schema.devices.DeviceList,)
    ),
    Route(
        "GET",
        "/devices/{name}",
        Handlers.read_device,
        _DEVICES,
        responses=(schema.devices.DeviceBody,),
    ),
    Route(
        "GET",
        "/devices/{name}/calibration",
        Handlers.read_calibration,
        _DEVICES,
        parameters=("at",),
        responses=(lab_wire.CalibrationBody,),
    ),
    Route(
        "GET",
        "/jobs",
        Handlers.list_jobs,
        _READ,
        parameters=(*_PAGE, *SEARCH),
        responses=(schema.jobs.JobList,),
    ),
    Route(
        "POST",
        "/jobs",
        Handlers.submit_job,
        _WRITE,
        _SUBMISSION,
        parameters=(*("wait", "include", "Prefer", "Idempotency-Key", SLURM_JOB, SLURM_ACCOUNT),),
        responses=(schema.results.SubmittedBody,),
        status=201,
    ),
    Route(
        "GET",
        "/jobs/{id}",
        Handlers.read_job,
        _READ,
        parameters=("wait", "If-None-Match"),
        responses=(schema.jobs.JobBody,),
    ),
    Route(
        "PATCH",
        "/jobs/{id}",
        Handlers.change_job,
        _WRITE,
        _CHANGE,
        responses=(schema.jobs.JobBody,),
    ),
    Route("DELETE", "/jobs/{id}", Handlers.delete_job, _WRITE, status=204),
    Route(
        "POST", "/jobs/{id}/cancel", Handlers.cancel_job, _WRITE, responses=(schema.jobs.JobBody,)
    ),
    Route(
        "GET", "/jobs/{id}/events", Handlers.list_events, _READ, responses=(schema.jobs.EventList,)
    ),
    Route(
        "GET",
        "/jobs/{id}/stream",
        Handlers.stream_job,
        _READ,
        parameters=("Last-Event-ID",),
        media_type=_STREAM,
    ),
    Route(
        "GET",
        "/events",
        Handlers.stream_account,
        _READ,
        parameters=("Last-Event-ID",),
        media_type=_STREAM,
    ),
    Route(
        "GET",
        "/jobs/{id}/result",
        Handlers.read_result,
        _READ,
        parameters=("wait",),
        responses=(schema.results.ResultBody,),
    ),
    Route(
        "GET",
        "/jobs/{id}/parts/{part}",
        Handlers.read_part,
        _READ,
        parameters=("wait", "format", "mitigation"),
        responses=(schema.results.PartResultBody,),
        media_type=NPZ_TYPE,
    ),
    Route(
        "GET",
        "/jobs/{id}/parts/{part}/compiled",
        Handlers.read_compiled,
        _READ,
        media_type="text/plain",
    ),
    Route(
        "GET",
        "/groups",
        Handlers.list_groups,
        _READ,
        parameters=_PAGE,
        responses=(schema.groups.GroupList,),
    ),
    Route(
        "POST",
        "/groups",
        Handlers.open_group,
        _WRITE,
        _GROUP,
        responses=(schema.groups.GroupBody,),
        status=201,
    ),
    Route("GET", "/groups/{id}", Handlers.read_group, _READ, responses=(schema.groups.GroupBody,)),
    Route(
        "POST",
        "/groups/{id}/close",
        Handlers.close_group,
        _WRITE,
        responses=(schema.groups.GroupBody,),
    ),
    Route(
        "POST",
        "/groups/{id}/cancel",
        Handlers.cancel_group,
        _WRITE,
        responses=(schema.groups.CancelledBody,),
    ),
    Route(
        "POST",
        "/estimates",
        Handlers.estimate_job,
        _WRITE,
        _SUBMISSION,
        responses=(schema.jobs.EstimateBody,),
    ),
    Route(
        "PUT",
        "/agent/devices/{name}",
        Handlers.announce_device,
        _SERVE,
        _ANNOUNCEMENT,
        responses=(lab_wire.AnnouncedBody,),
    ),
    Route(
        "PUT",
        "/agent/devices/{name}/calibration",
        Handlers.put_calibration,
        _SERVE,
        _CALIBRATION,
        responses=(lab_wire.CalibratedBody,),
    ),
    Route(
        "POST",
        "/pilots/{name}/pull",
        Handlers.pull_tasks,
        _RUNNER,
        _PULL,
        parameters=("wait",),
        responses=(schema.pilots.PulledBody,),
    ),
    Route(
        "POST",
        "/pilots/{name}/results",
        Handlers.report_results,
        _RUNNER,
        _PILOT_REPORT,
        responses=(schema.pilots.PilotReportedBody,),
    ),
    Route(
        "DELETE",
        "/pilots/{name}",
        Handlers.leave_pilots,
        _RUNNER,
        responses=(schema.base.ResponseBody,),
    ),
    *(
        Route(method, path, Handlers.answer_old_agent, _SERVE, is_listed=False)
        for method, path in (
            ("POST", "/devices/{name}/leases"),
            ("POST", "/leases/{id}/renew"),
            ("POST", "/leases/{id}/finish"),
            ("POST", "/leases/{id}/release"),
            ("DELETE", "/agent/devices/{name}/agents/{agent}"),
        )
    ),
    Route(
        "POST",
        "/scalers/{name}/demand",
        Handlers.read_demand,
        _COMPUTE,
        _SCALER,
        responses=(schema.pilots.DemandBody,),
    ),
    Route(
        "DELETE",
        "/scalers/{name}",
        Handlers.leave_scalers,
        _COMPUTE,
        responses=(schema.base.ResponseBody,),
    ),
    *(route for routes in of_features("routes") for route in routes),
)


@functools.cache
def _encoded_description() -> bytes:
    return msgspec.json.encode(description())


def description() -> dict[str, Any]:
    """Return the description of `/v1` in OpenAPI, including `/v1/admin`."""
    from qwicket.dialects.native.admin.routes import (
        ROUTES as OF_ADMIN,
    )  # late: few processes need them

    below = [dataclasses.replace(each, path=f"/admin{each.path}") for each in OF_ADMIN]
    return document([*ROUTES, *below])


def dialect(gateway: Gateway, needs_of_dialects: NeedsOfDialects, public_url: str = "") -> Dialect:
    """Return the native dialect.

    Args:
        gateway: Does the work.
        needs_of_dialects: Returns what each dialect needs of the devices of a family.
        public_url: The server's public URL, if it differs from that of its sockets.
    """
    return Dialect(
        Handlers(gateway, needs_of_dialects),
        ROUTES,
        functools.partial(wire.problem, public_url=public_url),
        error_type=wire.PROBLEM_TYPE,
    )
