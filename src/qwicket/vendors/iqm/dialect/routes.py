"""The routes of IQM Server's API, version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.pass_through_rules import ListsDevices, OfDevice, OfJob, Submits
from qwicket.dialects.routing import Body, Dialect, Route
from qwicket.model.accounts import Scope
from qwicket.vendors.iqm.dialect import description as of
from qwicket.vendors.iqm.dialect import wire
from qwicket.vendors.iqm.dialect.handlers import Handlers

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_COMPUTER: Final = "/v1/quantum-computers/{alias}"
_CALIBRATION: Final = "/v1/calibration-sets/{alias}/{calibration}"
_SUBMISSION: Final = Body(wire.submission, wire.SubmitBody)
_OF_COMPUTER: Final = OfDevice("alias")
_OF_JOB: Final = OfJob()

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/v1/about",
        Handlers.read_about,
        _DEVICES,
        responses=(of.About,),
        pass_through=OfDevice(""),
    ),
    Route(
        "GET",
        "/v1/quantum-computers",
        Handlers.list_computers,
        _DEVICES,
        responses=(of.ComputerList,),
        pass_through=ListsDevices(("alias",), "quantum_computers"),
    ),
    Route(
        "GET",
        f"{_COMPUTER}/health",
        Handlers.read_health,
        _DEVICES,
        responses=(of.Health,),
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "GET",
        f"{_COMPUTER}/artifacts/about",
        Handlers.read_about_computer,
        _DEVICES,
        responses=(of.About,),
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "GET",
        f"{_COMPUTER}/artifacts/static-quantum-architectures",
        Handlers.read_static_architecture,
        _DEVICES,
        responses=(list[of.StaticArchitecture],),
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "GET",
        f"{_COMPUTER}/artifacts/{{rest}}",
        Handlers.refuse,
        _DEVICES,
        is_listed=False,
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "GET",
        _CALIBRATION,
        Handlers.read_calibration_set,
        _DEVICES,
        responses=(of.ObservationSet,),
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "GET",
        f"{_CALIBRATION}/dynamic-quantum-architecture",
        Handlers.read_dynamic_architecture,
        _DEVICES,
        responses=(of.DynamicArchitecture,),
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "GET",
        f"{_CALIBRATION}/metrics",
        Handlers.read_metrics,
        _DEVICES,
        responses=(of.ObservationSet,),
        pass_through=_OF_COMPUTER,
    ),
    Route(
        "POST",
        "/v1/jobs/{alias}/circuit",
        Handlers.submit_job,
        _WRITE,
        _SUBMISSION,
        parameters=("use_timeslot",),
        responses=(of.Job,),
        pass_through=Submits(
            wire.outline, ("circuits", "shots"), device="alias", check_query=wire.check_query
        ),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}",
        Handlers.read_job,
        _READ,
        responses=(of.Job,),
        pass_through=_OF_JOB,
    ),
    Route(
        "DELETE",
        "/v1/jobs/{id}",
        Handlers.delete_job,
        _WRITE,
        status=204,
        pass_through=_OF_JOB,
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/payload",
        Handlers.read_payload,
        _READ,
        responses=(dict,),
        pass_through=_OF_JOB,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/cancel",
        Handlers.cancel_job,
        _WRITE,
        status=204,
        pass_through=OfJob(cancels=True),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/artifacts/measurements",
        Handlers.read_measurements,
        _READ,
        responses=(list[dict[str, list[list[int]]]],),
        pass_through=_OF_JOB,
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/artifacts/measurement_counts",
        Handlers.read_counts,
        _READ,
        responses=(list[of.Counts],),
        pass_through=_OF_JOB,
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/artifacts/{rest}",
        Handlers.refuse,
        _READ,
        is_listed=False,
        pass_through=_OF_JOB,
    ),
)


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect."""
    return Dialect(Handlers(gateway), ROUTES, wire.problem, recast=wire.recast)
