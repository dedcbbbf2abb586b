"""The routes of Braket, S3 and STS that Braket's clients use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.routing import ANY_TOKEN, Body, Dialect, Route, json_body
from qwicket.dialects.validation import SMALL_FORM_BYTES
from qwicket.model.accounts import Scope
from qwicket.vendors.braket.dialect import description as of
from qwicket.vendors.braket.dialect import errors, identity, listings, storage, wire
from qwicket.vendors.braket.dialect.handlers import Handlers

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _WRITE, _DEVICES = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ
_S3: Final = storage.Handlers
_XML: Final = "application/xml"
_CREATE: Final = Body(wire.create_body, wire.CreateBody)
_SEARCH: Final = json_body(wire.SearchBody)

BRAKET: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        "/devices",
        Handlers.search_devices,
        _DEVICES,
        _SEARCH,
        responses=(of.DeviceList,),
    ),
    Route("GET", "/device/{arn:path}", Handlers.read_device, _DEVICES, responses=(of.Device,)),
    Route(
        "POST",
        "/quantum-task",
        Handlers.create_task,
        _WRITE,
        _CREATE,
        responses=(of.Created,),
        status=201,
    ),
    Route(
        "PUT",
        "/quantum-task/{arn:path}/cancel",
        Handlers.cancel_task,
        _WRITE,
        json_body(wire.CancelBody),
        responses=(of.Cancelled,),
    ),
    Route(
        "GET",
        "/quantum-task/{arn:path}",
        Handlers.read_task,
        _READ,
        parameters=("additionalAttributeNames",),
        responses=(of.Task,),
    ),
    Route(
        "POST",
        "/quantum-tasks",
        Handlers.search_tasks,
        _READ,
        _SEARCH,
        responses=(of.TaskPage,),
    ),
    Route("GET", "/tags/{arn:path}", Handlers.list_tags, _READ, responses=(of.Tags,)),
    Route(
        "POST",
        "/tags/{arn:path}",
        Handlers.add_tags,
        _WRITE,
        json_body(wire.TagsBody),
        responses=(of.Empty,),
    ),
    Route(
        "DELETE",
        "/tags/{arn:path}",
        Handlers.remove_tags,
        _WRITE,
        parameters=("tagKeys!",),
        responses=(of.Empty,),
    ),
    *(
        Route(method, path, Handlers.refuse, _READ if method == "GET" else _WRITE, is_listed=False)
        for path in (
            "/job",
            "/jobs",
            "/job/{rest:path}",
            "/spending-limit{rest:path}",
            "/spending-limits",
        )
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    ),
)
S3: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/{bucket}",
        _S3.list_objects,
        _READ,
        parameters=listings.PARAMETERS,
        media_type=_XML,
    ),
    # Creates nothing, so it needs no right to write.
    Route("PUT", "/{bucket}", _S3.create_bucket, _READ, media_type=_XML),
    Route(
        "GET",
        "/{bucket}/{key:path}",
        _S3.read_object,
        _READ,
        parameters=("Range",),
        responses=(of.GateResult, of.AnalogResult, of.ProgramSetResult),
    ),
    *(
        Route(method, "/{bucket}/{key:path}", _S3.refuse, _WRITE, is_listed=False)
        for method in ("PUT", "POST", "DELETE")
    ),
)
STS: Final = (
    Route(
        "POST",
        "/",
        identity.Handlers.act,
        ANY_TOKEN,
        Body(identity.action, inline_bytes=SMALL_FORM_BYTES),
        media_type="text/xml",
    ),
)


def braket(gateway: Gateway, _settings: DialectSettings) -> Dialect:
    """Return the application of Braket."""
    return Dialect(Handlers(gateway), BRAKET, errors.braket_body, recast=errors.recast)


def s3(gateway: Gateway, _settings: DialectSettings) -> Dialect:
    """Return the application of S3: a view of results."""
    return Dialect(
        storage.Handlers(gateway),
        S3,
        errors.s3_body,
        error_type=_XML,
        recast=errors.recast,
        hides=("/",),
    )


def sts(gateway: Gateway, _settings: DialectSettings) -> Dialect:
    """Return the application of STS."""
    return Dialect(
        identity.Handlers(gateway),
        STS,
        errors.sts_body,
        error_type="text/xml",
        recast=errors.recast,
        canonical=lambda path: path or "/",  # clients leave out the slash below a prefix
    )
