"""The routes of `/qbraid/api/v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.pass_through_rules import (
    HANDLED_HERE,
    ListsDevices,
    OfDevice,
    OfJob,
    ReadsJobs,
    Submits,
)
from qwicket.dialects.routing import Body, Dialect, Route
from qwicket.model.accounts import Scope
from qwicket.vendors.qbraid.dialect import description as of
from qwicket.vendors.qbraid.dialect import groups, params, submissions, wire
from qwicket.vendors.qbraid.dialect.handlers import refusal_routes, with_one_leading_slash
from qwicket.vendors.qbraid.dialect.v1.handlers import Handlers, page_of

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_PAGE: Final = ("page", "limit")
_COSTS: Final = ("deviceQrn!", "shots")
_CALIBRATIONS: Final = "/devices/{device}/calibrations"
_SUBMISSION: Final = Body(submissions.parse_v1, submissions.V1Body)
_GROUP: Final = Body(groups.opening, groups.OpenBody)
_SUBMITS: Final = Submits(
    submissions.outline,
    ("deviceQrn", "shots", "program"),
    must_be_absent=("groupJobQrn",),
    id="data.jobQrn",
)
_LISTS: Final = ReadsJobs("/jobs/{id}", "data", "jobQrn", params.unfiltered_page, page_of)
_DEVICE_LIST: Final = ListsDevices(("qrn",), "data", {"success": True})
_DEVICE: Final = OfDevice("device")
_JOB: Final = OfJob("/jobs/{id}")
_CANCELS: Final = OfJob("/jobs/{id}", cancels=True)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/users/verify",
        Handlers.verify_user,
        _READ,
        responses=(of.UserResponse,),
        pass_through=HANDLED_HERE,
    ),
    Route(
        "GET",
        "/users/context",
        Handlers.user_context,
        _READ,
        responses=(of.UserContextResponse,),
        pass_through=HANDLED_HERE,
    ),
    Route(
        "GET",
        "/billing/credits/balance",
        Handlers.credits,
        _READ,
        responses=(of.CreditsResponse,),
        pass_through=HANDLED_HERE,
    ),
    Route(
        "GET",
        "/devices",
        Handlers.list_devices,
        _DEVICES,
        responses=(of.DeviceListResponse,),
        pass_through=_DEVICE_LIST,
    ),
    Route(
        "GET",
        "/devices/{device}",
        Handlers.read_device,
        _DEVICES,
        responses=(of.DeviceResponse,),
        pass_through=_DEVICE,
    ),
    Route(
        "GET",
        _CALIBRATIONS,
        Handlers.read_calibration,
        _DEVICES,
        responses=(of.CalibrationResponse,),
        pass_through=_DEVICE,
    ),
    Route(
        "GET",
        "/providers",
        Handlers.list_providers,
        _DEVICES,
        responses=(of.ProvidersResponse,),
    ),
    Route(
        "POST",
        "/jobs",
        Handlers.submit_job,
        _WRITE,
        _SUBMISSION,
        responses=(of.JobResponse,),
        status=201,
        pass_through=_SUBMITS,
    ),
    Route(
        "GET",
        "/jobs",
        Handlers.list_jobs,
        _READ,
        parameters=(*_PAGE, "status", "statusGroup", "search", "tags", "vendor", "provider"),
        responses=(of.JobPage,),
        pass_through=_LISTS,
    ),
    Route(
        "DELETE",
        "/jobs",
        Handlers.delete_jobs,
        _WRITE,
        parameters=("qrns!",),
        responses=(of.MessageResponse,),
    ),
    Route("GET", "/jobs/statuses", Handlers.count_jobs, _READ, responses=(of.CountsResponse,)),
    Route(
        "GET",
        "/jobs/cost-estimate",
        Handlers.estimate_cost,
        _READ,
        parameters=_COSTS,
        responses=(of.EstimateResponse,),
    ),
    Route(
        "POST",
        "/jobs/group",
        Handlers.open_group,
        _WRITE,
        _GROUP,
        responses=(of.GroupResponse,),
        status=201,
    ),
    Route(
        "GET",
        "/jobs/group",
        Handlers.list_groups,
        _READ,
        parameters=(*_PAGE, "status"),
        responses=(of.GroupPage,),
    ),
    Route("GET", "/jobs/group/{group}", Handlers.read_group, _READ, responses=(of.GroupResponse,)),
    Route(
        "DELETE",
        "/jobs/group/{group}",
        Handlers.delete_group,
        _WRITE,
        responses=(of.MessageResponse,),
    ),
    Route(
        "POST",
        "/jobs/group/{group}/close",
        Handlers.close_group,
        _WRITE,
        responses=(of.GroupResponse,),
    ),
    Route(
        "POST",
        "/jobs/group/{group}/cancel",
        Handlers.cancel_group,
        _WRITE,
        responses=(of.GroupResponse,),
    ),
    Route(
        "GET",
        "/jobs/group/{group}/jobs",
        Handlers.list_group_jobs,
        _READ,
        responses=(of.JobListResponse,),
    ),
    Route(
        "GET",
        "/jobs/{id}",
        Handlers.read_job,
        _READ,
        responses=(of.JobResponse,),
        pass_through=_JOB,
    ),
    Route(
        "DELETE",
        "/jobs/{id}",
        Handlers.delete_job,
        _WRITE,
        responses=(of.MessageResponse,),
        pass_through=_JOB,
    ),
    Route(
        "POST",
        "/jobs/{id}/cancel",
        Handlers.cancel_job,
        _WRITE,
        responses=(of.CancelResponse,),
        status=202,
        pass_through=_CANCELS,
    ),
    Route(
        "GET",
        "/jobs/{id}/result",
        Handlers.read_result,
        _READ,
        responses=(of.ResultResponse,),
        pass_through=_JOB,
    ),
    Route(
        "GET",
        "/jobs/{id}/program",
        Handlers.read_program,
        _READ,
        responses=(of.ProgramResponse,),
        pass_through=_JOB,
    ),
    Route(
        "GET",
        "/jobs/{id}/compiled-program",
        Handlers.read_compiled,
        _READ,
        responses=(of.ProgramResponse,),
        pass_through=_JOB,
    ),
    *refusal_routes("projects", "environments", "compute", "storage", "files", "organizations"),
    *refusal_routes("billing", "users", "access-tokens"),
)


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect of v1."""
    return Dialect(
        Handlers(gateway),
        ROUTES,
        wire.problem,
        recast=wire.recast,
        challenge="X-API-Key",
        canonical=with_one_leading_slash,
    )
