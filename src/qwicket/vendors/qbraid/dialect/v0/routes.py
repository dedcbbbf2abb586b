"""The routes of `/qbraid/api`: those of the registry, and those of v0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.routing import Body, Dialect, Open, Route
from qwicket.dialects.validation import SMALL_FORM_BYTES
from qwicket.model.accounts import Scope
from qwicket.vendors.qbraid.dialect import description as of
from qwicket.vendors.qbraid.dialect import query, registry, submissions, wire
from qwicket.vendors.qbraid.dialect.handlers import refusal_routes, with_one_leading_slash
from qwicket.vendors.qbraid.dialect.v0.handlers import Handlers

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_PUBLIC: Final = Open("Clients of qBraid's registry generation read this without a token.")
_FORM: Final = Body(registry.form, inline_bytes=SMALL_FORM_BYTES)
_QUERY: Final = Body(query.fields)
_SUBMISSION: Final = Body(submissions.parse_v0, submissions.V0Body)
_DEVICE_FIELDS: Final = ("qbraid_id", "provider", "vendor", "status", "type", "paradigm")

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/identity", Handlers.identity, _READ, responses=(of.V0User,)),
    Route("POST", "/init-job", Handlers.register_job, _WRITE, _FORM, responses=(str,)),
    Route(
        "PUT",
        "/update-job",
        Handlers.update_record,
        _READ,
        _FORM,
        responses=(list[of.RegisteredJob],),
    ),
    Route(
        "POST",
        "/get-user-jobs",
        Handlers.search_records,
        _READ,
        _QUERY,
        responses=(list[of.RegisteredJob],),
    ),
    Route(
        "GET",
        "/public/lab/get-devices",
        Handlers.list_devices,
        _PUBLIC,
        parameters=_DEVICE_FIELDS,
        responses=(list[of.V0Device],),
    ),
    Route(
        "POST",
        "/public/lab/get-devices",
        Handlers.search_devices,
        _PUBLIC,
        _QUERY,
        responses=(list[of.V0Device],),
    ),
    Route("GET", "/public/lab/get-sdk-version", Handlers.sdk_version, _PUBLIC, responses=(str,)),
    Route("PUT", "/lab/update-device", Handlers.update_device, _DEVICES, is_listed=False),
    Route(
        "GET",
        "/billing/credits/get-user-credits",
        Handlers.credits,
        _READ,
        responses=(of.V0Credits,),
    ),
    Route(
        "GET",
        "/quantum-devices",
        Handlers.list_own_devices,
        _DEVICES,
        parameters=_DEVICE_FIELDS,
        responses=(list[of.V0Device],),
    ),
    Route(
        "GET",
        "/quantum-jobs",
        Handlers.list_jobs,
        _READ,
        parameters=(
            "qbraidJobId",
            "vendorJobId",
            "_id",
            "provider",
            "vendor",
            "qbraidDeviceId",
            "status",
            "page",
            "resultsPerPage",
            "tags.NAME",
        ),
        responses=(list[of.V0Job],),
    ),
    Route(
        "POST",
        "/quantum-jobs",
        Handlers.submit_job,
        _WRITE,
        _SUBMISSION,
        responses=(of.V0Job,),
        status=201,
    ),
    Route(
        "GET",
        "/quantum-jobs/cost-estimate",
        Handlers.estimate_cost,
        _READ,
        parameters=("qbraidDeviceId!", "shots", "minutes"),
        responses=(of.V0Estimate,),
    ),
    Route(
        "PUT",
        "/quantum-jobs/cancel/{id}",
        Handlers.cancel_job,
        _WRITE,
        responses=(of.V0CancelRequest,),
    ),
    Route(
        "GET", "/quantum-jobs/result/{id}", Handlers.read_result, _READ, responses=(of.V0Result,)
    ),
    Route("DELETE", "/quantum-jobs/{id}", Handlers.delete_job, _WRITE, responses=(of.Message,)),
    *refusal_routes("lab", "environments", "chat", "billing", "storage", "user"),
)


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect of the two generations before v1."""
    return Dialect(
        Handlers(gateway),
        ROUTES,
        wire.problem,
        recast=wire.recast,
        challenge="api-key",
        canonical=with_one_leading_slash,
    )
