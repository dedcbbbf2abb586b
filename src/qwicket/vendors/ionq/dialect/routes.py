"""The routes of IonQ's API, versions 0.3 and 0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from qwicket.dialects.bodies import (
    decode_field,
    decode_or_none,
    lists,
    refuse_lookalikes,
    texts,
    unique_fields,
)
from qwicket.dialects.pass_through_rules import (
    HANDLED_HERE,
    ListsDevices,
    ListsJobs,
    OfDevice,
    OfJob,
    Submits,
    Submitted,
)
from qwicket.dialects.routing import Body, Dialect, Open, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.vendors.ionq.dialect import description as of
from qwicket.vendors.ionq.dialect import sessions, wire
from qwicket.vendors.ionq.dialect.handlers import Handlers, V03Handlers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway
    from qwicket.model.jobs import Submission
    from qwicket.model.limits import Limits

_numbers: Final = msgspec.json.Decoder(int)
_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_OPEN: Final = Open("Clients read backends without a token.")
_CLONE: Final = json_body(wire.CloneBody)
_IDS: Final = Body(wire.parse_ids, wire.IdsBody)
_SESSION: Final = Body(sessions.opening, sessions.OpenBody)
_PAGE: Final = ("limit", "next")
_LIST: Final = (*_PAGE, "status", "target")
_SEARCH: Final = (*_LIST, "id", "ids", "parent_job_id", "session_id", "submitter_id")
_PERIOD: Final = ("start", "end")
_ESTIMATE: Final = (
    "backend!",  # required, see `Route.parameters`
    "type",
    "qubits",
    "shots",
    "1q_gates",
    "2q_gates",
    "error_mitigation",
    "session",
)
_SHARPEN: Final = ("sharpen", "aggregation")
_ARTIFACT: Final = (
    of.Probabilities,
    of.Shots,
    of.ProbabilitiesV2,
    of.HistogramV2,
    of.ShotsV2,
    of.NativeCircuit,
)


def outline(fields: Mapping[str, msgspec.Raw], _: Limits) -> Submitted:
    """Read what is checked before a submission is passed on to the device's own server.

    This is every name given for the device, by field, and the shots of all its circuits.

    Raises:
        InvalidRequest: `shots` is not an integer, or a field of `input` is there twice or resembles
            `circuits`.
    """
    named = {
        each: decode_or_none(texts, fields[each])
        for each in ("backend", "target")
        if each in fields
    }
    shots = decode_field(fields["shots"], _numbers, "shots") if "shots" in fields else 100
    program = bytes(fields.get("input", b""))
    # If it is no object, it has no list of circuits, and the machine says what is wrong.
    inner = unique_fields(program) if program.startswith(b"{") else {}
    refuse_lookalikes(inner, ("circuits",))
    circuits = decode_or_none(lists, inner.get("circuits")) or ()
    return Submitted(named or {"backend": None}, shots * max(1, len(circuits)))


_SUBMITS: Final = Submits(
    outline, ("backend", "target", "shots", "input"), must_be_absent=("session_id", "parent_job_id")
)
_LISTS: Final = ListsJobs(
    items="jobs",
    ids="ids",
    limit="limit",
    max_jobs=100,
    default=100,
    next="next",
    no_null=("cirq/",),
    separator=",",
    is_strict=True,
)
_JOB: Final = OfJob("/jobs/{id}", "parent_job_id")
_CANCELS: Final = OfJob("/jobs/{id}", "parent_job_id", cancels=True)
_DEVICE: Final = OfDevice("backend")


class _Responses(NamedTuple):
    """Types of responses that differ between versions."""

    submitted: Any
    job: Any
    job_page: Any


def _routes(submission: Body[Submission], status: int, responses: _Responses) -> tuple[Route, ...]:
    """Return the routes of a version.

    Args:
        submission: Body of a request that submits a job.
        status: Status of the response to it.
        responses: Types of the version's own responses.
    """
    return (
        Route(
            "GET",
            "/backends",
            Handlers.list_backends,
            _OPEN,
            responses=(list[of.Backend],),
            pass_through=ListsDevices(("backend",)),
        ),
        Route(
            "GET",
            "/backends/{backend}",
            Handlers.read_backend,
            _OPEN,
            responses=(of.Backend,),
            pass_through=_DEVICE,
        ),
        Route(
            "GET",
            "/backends/{backend}/characterizations",
            Handlers.list_characterizations,
            _OPEN,
            parameters=("page", "limit", *_PERIOD),
            responses=(of.CharacterizationPage,),
            pass_through=_DEVICE,
        ),
        Route(
            "GET",
            "/backends/{backend}/characterizations/{uuid}",
            Handlers.read_characterization,
            _DEVICES,
            responses=(of.Characterization,),
            pass_through=_DEVICE,
        ),
        Route(
            "GET",
            "/characterizations/backends/{backend}/current",
            Handlers.current_characterization,
            _DEVICES,
            responses=(of.Characterization,),
            pass_through=_DEVICE,
        ),
        Route(
            "GET",
            "/calibrations",
            Handlers.list_calibrations,
            _DEVICES,
            parameters=("next", *_PERIOD),
            responses=(of.CalibrationPage,),
        ),
        Route(
            "GET",
            "/calibrations/current",
            Handlers.current_calibration,
            _DEVICES,
            responses=(of.Characterization,),
        ),
        Route(
            "POST",
            "/jobs",
            Handlers.submit_job,
            _WRITE,
            submission,
            responses=(responses.submitted,),
            status=status,
            pass_through=_SUBMITS,
        ),
        Route(
            "GET",
            "/jobs",
            Handlers.list_jobs,
            _READ,
            parameters=_SEARCH,
            responses=(responses.job_page,),
            pass_through=_LISTS,
        ),
        Route("DELETE", "/jobs", Handlers.delete_jobs, _WRITE, _IDS, responses=(of.ChangedJobs,)),
        Route(
            "GET",
            "/jobs/estimate",
            Handlers.estimate_job,
            _READ,
            parameters=_ESTIMATE,
            responses=(of.Estimate,),
        ),
        Route(
            "PUT",
            "/jobs/status/cancel",
            Handlers.cancel_jobs,
            _WRITE,
            _IDS,
            responses=(of.ChangedJobs,),
        ),
        Route(
            "GET",
            "/jobs/{id}",
            Handlers.read_job,
            _READ,
            responses=(responses.job,),
            pass_through=_JOB,
        ),
        Route(
            "DELETE",
            "/jobs/{id}",
            Handlers.delete_job,
            _WRITE,
            responses=(of.ShortJob,),
            pass_through=_JOB,
        ),
        Route(
            "PUT",
            "/jobs/{id}/status/cancel",
            Handlers.cancel_job,
            _WRITE,
            responses=(of.ShortJob,),
            pass_through=_CANCELS,
        ),
        Route(
            "POST",
            "/jobs/{id}/clone",
            Handlers.clone_job,
            _WRITE,
            _CLONE,
            responses=(responses.submitted,),
            status=status,
        ),
        Route(
            "GET",
            "/jobs/{id}/cost",
            Handlers.read_cost,
            _READ,
            responses=(of.Cost,),
            pass_through=_JOB,
        ),
        *(
            Route(
                "GET",
                f"/jobs/{{id}}/results{path}",
                Handlers.read_probabilities,
                _READ,
                parameters=_SHARPEN,
                responses=(of.Probabilities,),
                pass_through=_JOB,
            )
            for path in ("", "/probabilities", "/probabilities/aggregated")
        ),
        Route(
            "GET",
            "/jobs/{id}/results/histogram",
            Handlers.read_histogram,
            _READ,
            responses=(of.Histogram,),
            pass_through=_JOB,
        ),
        Route(
            "GET",
            "/jobs/{id}/results/shots",
            Handlers.read_shots,
            _READ,
            responses=(of.Shots,),
            pass_through=_JOB,
        ),
        Route(
            "GET",
            "/jobs/{id}/artifacts/{uuid}",
            Handlers.read_artifact,
            _READ,
            responses=_ARTIFACT,
            pass_through=_JOB,
        ),
        Route(
            "POST",
            "/sessions",
            Handlers.open_session,
            _WRITE,
            _SESSION,
            responses=(of.Session,),
            status=201,
        ),
        Route(
            "GET",
            "/sessions",
            Handlers.list_sessions,
            _READ,
            parameters=_PAGE,
            responses=(of.SessionPage,),
        ),
        Route("GET", "/sessions/{id}", Handlers.read_session, _READ, responses=(of.Session,)),
        Route("POST", "/sessions/{id}/end", Handlers.end_session, _WRITE, responses=(of.Session,)),
        Route(
            "GET",
            "/sessions/{id}/jobs",
            Handlers.list_session_jobs,
            _READ,
            parameters=_LIST,
            responses=(responses.job_page,),
        ),
        Route(
            "GET",
            "/whoami",
            Handlers.whoami,
            _READ,
            responses=(of.Identity,),
            pass_through=HANDLED_HERE,
        ),
    )


V03_ROUTES: Final = (
    *_routes(
        Body(wire.parse_v03, wire.V03Body),
        200,
        _Responses(of.SubmittedV03, of.JobV03, of.JobPageV03),
    ),
    Route(
        "GET",
        "/report/organizations/{organization}",
        V03Handlers.read_report,
        _READ,
        responses=(of.Report,),
    ),
)
V04_ROUTES: Final = _routes(
    Body(wire.parse_v04, wire.V04Body),
    201,
    _Responses(of.SubmittedV04, of.JobV04, of.JobPageV04),
)


def v03(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return version 0.3."""
    return _dialect(V03Handlers(gateway), V03_ROUTES)


def v04(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return version 0.4."""
    return _dialect(Handlers(gateway), V04_ROUTES)


def unknown_version(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect of unknown versions: all its responses are errors in IonQ's JSON."""
    return _dialect(Handlers(gateway), ())


def _dialect(handlers: Handlers, routes: tuple[Route, ...]) -> Dialect:
    return Dialect(handlers, routes, wire.problem, recast=wire.recast, challenge="apiKey")
