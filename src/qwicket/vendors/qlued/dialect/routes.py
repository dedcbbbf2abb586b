"""The routes of qlued's API, versions 2 and 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.pass_through_rules import JobInQuery, ListsDevices, OfDevice, OfJob, Submits
from qwicket.dialects.routing import Body, Dialect, Open, Route
from qwicket.dialects.validation import SMALL_FORM_BYTES
from qwicket.model.accounts import Scope
from qwicket.vendors.qlued.dialect import description, wire
from qwicket.vendors.qlued.dialect.handlers import Handlers, V2Handlers, old_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from qwicket.dialects.pass_through_rules import Submitted
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway
    from qwicket.model.limits import Limits

_V2: Final = "/api/v2"
_V3: Final = "/api/v3"
_OPEN: Final = Open("In qlued's API devices are public.")
_STATUS: Final = (description.StatusMsgDict,)
_DEVICE: Final = OfDevice("backend_name", is_open=True)
_DEVICES: Final = ListsDevices(("display_name", "backend_name"), is_open=True)


def _routes(
    prefix: str,
    submission: Body[wire.Posted],
    query: tuple[str, ...],
    outline: Callable[[Mapping[str, Raw], Limits], Submitted],
    job: str,
    tokens: tuple[str, ...] = (),
) -> tuple[Route, ...]:
    """Return the routes of a version.

    Args:
        prefix: Beginning of its paths.
        submission: Body of a request that submits a job.
        query: Query parameters of requests about a job.
        outline: Reads a submission that is passed on.
        job: Field of it with the job.
        tokens: Fields and query parameters with the token, if no header has it.
    """
    device = f"{prefix}/{{backend_name}}"
    job_query = JobInQuery("job_id", wire.job_id, ("json",), tokens, wire.UnknownJob)
    of_job = OfJob(device="backend_name", query=job_query)
    responses = (description.BackendConfigSchemaOut,)
    listed = (list[description.BackendConfigSchemaOut],)
    return (
        Route(
            "GET",
            f"{prefix}/backends",
            Handlers.list_backends,
            _OPEN,
            responses=listed,
            pass_through=_DEVICES,
        ),
        Route(
            "GET",
            f"{device}/get_config",
            Handlers.get_config,
            _OPEN,
            responses=responses,
            pass_through=_DEVICE,
        ),
        Route(
            "GET",
            f"{device}/get_backend_status",
            Handlers.get_backend_status,
            _OPEN,
            responses=(description.BackendStatusSchemaOut,),
            pass_through=_DEVICE,
        ),
        Route(
            "POST",
            f"{device}/post_job",
            Handlers.post_job,
            Scope.JOBS_WRITE,
            submission,
            responses=_STATUS,
            pass_through=Submits(
                outline, (job,), id="job_id", device="backend_name", tokens=tokens
            ),
        ),
        Route(
            "GET",
            f"{device}/get_job_status",
            Handlers.get_job_status,
            Scope.JOBS_READ,
            parameters=query,
            responses=_STATUS,
            pass_through=of_job,
        ),
        Route(
            "GET",
            f"{device}/get_job_result",
            Handlers.get_job_result,
            Scope.JOBS_READ,
            parameters=query,
            responses=(*_STATUS, description.ResultDict),
            on_error=old_refusal,
            pass_through=of_job,
        ),
    )


ROUTES: Final = (
    *_routes(
        _V2,
        Body(
            wire.read_posted,
            description.JobSchemaWithTokenIn,
            inline_bytes=SMALL_FORM_BYTES,
            holds_token=True,
        ),
        ("job_id!", "token!"),
        wire.outline_v2,
        "job",
        ("token", "password"),
    ),
    *_routes(
        _V3,
        Body(wire.read_posted_object, description.Payload),
        ("job_id!",),
        wire.outline_v3,
        "payload",
    ),
)


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect in both versions."""
    return Dialect(
        Handlers(gateway),
        ROUTES,
        wire.problem,
        recast=wire.recast,
        collapse_slashes=True,
        versions={_V2: V2Handlers(gateway)},
    )
