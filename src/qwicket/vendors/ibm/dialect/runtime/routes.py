"""The routes of the classic channel, and those that both channels have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.routing import Body, Dialect, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.vendors.ibm.dialect import description as of_ibm
from qwicket.vendors.ibm.dialect import wire as ibm
from qwicket.vendors.ibm.dialect.runtime import description as of
from qwicket.vendors.ibm.dialect.runtime import wire
from qwicket.vendors.ibm.dialect.runtime.handlers import Handlers
from qwicket.vendors.ibm.dialect.runtime.shared import RuntimeHandlers as Shared

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_RUN: Final = Body(wire.read_run, wire.RunBody)
_TAGS: Final = json_body(wire.TagsBody)
_SESSION: Final = json_body(wire.SessionBody)
_SESSION_CHANGE: Final = json_body(wire.SessionChange)
FILTERS: Final = (
    "limit",
    "offset",
    "pending",
    "sort",
    "backend",
    "program",
    "tags",
    "session_id",
    "created_after",
    "created_before",
)

SHARED_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/backends/{device}/configuration",
        Shared.read_configuration,
        _DEVICES,
        responses=(of.Configuration,),
    ),
    Route(
        "GET",
        "/backends/{device}/properties",
        Shared.read_properties,
        _DEVICES,
        parameters=("updated_before",),
        responses=(of_ibm.Properties, of_ibm.Empty),
    ),
    Route(
        "GET",
        "/backends/{device}/defaults",
        Shared.read_defaults,
        _DEVICES,
        responses=(of_ibm.Empty,),
    ),
    Route(
        "GET",
        "/backends/{device}/status",
        Shared.read_status,
        _DEVICES,
        responses=(of.QueueStatus,),
    ),
    Route("POST", "/jobs", Shared.submit_job, _WRITE, _RUN, responses=(of.Submitted,)),
    Route("DELETE", "/jobs/{id}", Shared.delete_job, _WRITE, status=204),
    Route("GET", "/jobs/{id}/results", Shared.read_results, _READ, media_type="text/plain"),
    Route("POST", "/jobs/{id}/cancel", Shared.cancel_job, _WRITE, status=204),
    Route("GET", "/jobs/{id}/logs", Shared.read_logs, _READ, media_type="text/plain"),
    Route("GET", "/jobs/{id}/metrics", Shared.read_metrics, _READ, responses=(of.Metrics,)),
    Route("PUT", "/jobs/{id}/tags", Shared.change_tags, _WRITE, _TAGS, status=204),
    Route("POST", "/sessions", Shared.open_session, _WRITE, _SESSION, responses=(of.Session,)),
    Route("GET", "/sessions/{id}", Shared.read_session, _READ, responses=(of.Session,)),
    Route("PATCH", "/sessions/{id}", Shared.change_session, _WRITE, _SESSION_CHANGE, status=204),
    Route("DELETE", "/sessions/{id}/close", Shared.end_session, _WRITE, status=204),
)
"""Routes of both channels."""

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/backends",
        Handlers.list_devices,
        _DEVICES,
        parameters=("provider",),
        responses=(of.DeviceNames,),
    ),
    Route(
        "GET",
        "/jobs",
        Shared.list_jobs,
        _READ,
        parameters=(*FILTERS, "provider"),
        responses=(of.JobPage,),
    ),
    Route(
        "GET",
        "/jobs/{id}",
        Shared.read_job,
        _READ,
        parameters=("exclude_params",),
        responses=(of.Job,),
    ),
    *SHARED_ROUTES,
    Route("GET", "/usage", Handlers.read_usage, _READ, responses=(of.Usage,)),
)


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect. Its clients sign in at `/ibm/api`; it accepts those access tokens."""
    return Dialect(
        Handlers(gateway),
        ROUTES,
        wire.problem,
        recast=ibm.recast,
        challenge="X-Access-Token",
    )
