"""The routes of the classic Runtime API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.ibm import wire as ibm
from qwicket.dialects.ibm.runtime import wire
from qwicket.dialects.ibm.runtime.handlers import Handlers
from qwicket.dialects.routing import Body, Dialect, Route, json_body
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_R, _W, _D = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_RUN: Final = Body(wire.read_run, wire.RunBody)
_TAGS: Final = json_body(wire.TagsBody)
_SESSION: Final = json_body(wire.SessionBody)
_SESSION_CHANGE: Final = json_body(wire.SessionChange)
_DO: Final = Handlers

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/backends", _DO.list_devices, _D, query=("provider",)),
    Route("GET", "/backends/{device}/configuration", _DO.read_configuration, _D),
    Route(
        *("GET", "/backends/{device}/properties", _DO.read_properties, _D),
        query=("updated_before",),
    ),
    Route("GET", "/backends/{device}/defaults", _DO.read_defaults, _D),
    Route("GET", "/backends/{device}/status", _DO.read_status, _D),
    Route("POST", "/jobs", _DO.submit_job, _W, _RUN),
    Route(
        *("GET", "/jobs", _DO.list_jobs, _R),
        query=(
            *("limit", "offset", "pending", "sort", "backend", "program", "session_id"),
            *("created_after", "created_before", "provider"),
        ),
    ),
    Route("GET", "/jobs/{id}", _DO.read_job, _R, query=("exclude_params",)),
    Route("DELETE", "/jobs/{id}", _DO.delete_job, _W, status=204),
    Route("GET", "/jobs/{id}/results", _DO.read_results, _R),
    Route("POST", "/jobs/{id}/cancel", _DO.cancel_job, _W, status=204),
    Route("GET", "/jobs/{id}/logs", _DO.read_logs, _R, media_type="text/plain"),
    Route("GET", "/jobs/{id}/metrics", _DO.read_metrics, _R),
    Route("PUT", "/jobs/{id}/tags", _DO.change_tags, _W, _TAGS, status=204),
    Route("POST", "/sessions", _DO.open_session, _W, _SESSION),
    Route("GET", "/sessions/{id}", _DO.read_session, _R),
    Route("PATCH", "/sessions/{id}", _DO.change_session, _W, _SESSION_CHANGE, status=204),
    Route("DELETE", "/sessions/{id}/close", _DO.end_session, _W, status=204),
    Route("GET", "/usage", _DO.read_usage, _R),
)


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect. Its clients sign in at `/ibm/api`, whose access tokens it takes."""
    return Dialect(
        Handlers(gateway),
        ROUTES,
        wire.problem,
        recast=ibm.recast,
        challenge="X-Access-Token",
    )
