"""The routes of the platform channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.requests import REQUEST_ID
from qwicket.dialects.routing import Body, Dialect, Open, Route, json_body
from qwicket.dialects.validation import SMALL_FORM_BYTES
from qwicket.model.accounts import Scope
from qwicket.vendors.ibm.dialect import wire as ibm
from qwicket.vendors.ibm.dialect.runtime.platform import description as of
from qwicket.vendors.ibm.dialect.runtime.platform import wire
from qwicket.vendors.ibm.dialect.runtime.platform.handlers import AccountHandlers, Handlers
from qwicket.vendors.ibm.dialect.runtime.routes import FILTERS, SHARED_ROUTES

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_READ, _DEVICES = Scope.JOBS_READ, Scope.DEVICES_READ
_OF_ACCOUNT: Final = AccountHandlers

ACCOUNT_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        "/iam/identity/token",
        _OF_ACCOUNT.issue_access_token,
        Open("The form holds the token."),
        Body(wire.grant, inline_bytes=SMALL_FORM_BYTES),
        responses=(of.Granted,),
        on_error=wire.refused_key,
    ),
    Route(
        "GET",
        "/iam/identity/keys",
        _OF_ACCOUNT.list_keys,
        Open("Public keys are not secret; this server has none."),
        responses=(of.KeySet,),
    ),
    Route(
        "POST",
        "/search/v3/resources/search",
        _OF_ACCOUNT.search_instances,
        _DEVICES,
        json_body(wire.SearchBody),
        responses=(of.InstanceList,),
    ),
    Route("GET", "/catalog/{plan}", _OF_ACCOUNT.read_plan, _DEVICES, responses=(of.Plan,)),
)
ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/backends",
        Handlers.list_devices,
        _DEVICES,
        parameters=("include_mocks",),
        responses=(of.DeviceList,),
    ),
    Route("GET", "/jobs", Handlers.list_jobs, _READ, parameters=FILTERS, responses=(of.JobPage,)),
    Route(
        "GET",
        "/jobs/{id}",
        Handlers.read_job,
        _READ,
        parameters=("exclude_params",),
        responses=(of.Job,),
    ),
    *SHARED_ROUTES,
    Route("GET", "/instances/usage", Handlers.read_usage, _READ, responses=(of.Usage,)),
)


class _Traced(Dialect):
    """A dialect whose responses have the request's id in IBM's header too.

    Without this header clients show the whole body of an error, not only its message.
    """

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        trace_id = str(scope.get(REQUEST_ID, "")).encode("latin-1")

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"uber-trace-id", trace_id)]
            await send(message)

        await super().__call__(scope, receive, send_traced)


def account(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the application of sign-in and instances. Clients renew its access tokens."""
    return _Traced(
        AccountHandlers(gateway, settings.access_token_s),
        ACCOUNT_ROUTES,
        wire.problem,
        recast=ibm.recast,
    )


def dialect(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the application of the API for jobs, sessions and devices."""
    return _Traced(Handlers(gateway), ROUTES, wire.problem, recast=ibm.recast)
