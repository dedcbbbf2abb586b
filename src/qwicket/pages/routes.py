"""The routes of the pages, and the application that serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from qwicket.dialects.routing import ANY_TOKEN, Dialect, Open, Route
from qwicket.pages import (
    account,
    admin_routes,
    connect,
    devices,
    guide,
    job,
    jobs,
    links,
    new_job,
    overview,
    projects,
)
from qwicket.pages.forms import FORM_BODY, Cookies
from qwicket.pages.handlers import Handlers
from qwicket.pages.rendering import HEADERS, HTML, Renderer
from qwicket.registrations import of_features

if TYPE_CHECKING:
    from qwicket.dialects import DialectSettings
    from qwicket.gateway import Gateway

PREFIX: Final = "/ui"
_OPEN: Final = Open("People sign in here.")


def application(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the application of the pages.

    Args:
        gateway: Does the work.
        settings: Has the public address, whose path precedes that of the pages.
    """
    public = urlsplit(settings.public_url)
    base = public.path.rstrip("/") + PREFIX
    cookies = Cookies(base, is_secure=public.scheme == "https")
    handlers = Handlers(
        gateway, Renderer(base, settings.in_force, gateway.now_ms), cookies, base, settings.offers
    )
    return Dialect(
        handlers,
        _routes(handlers),
        None,
        error_page=handlers.problem,
        error_type=HTML,
        error_headers=HEADERS,
    )


def _routes(handlers: Handlers) -> tuple[Route, ...]:
    return (
        *overview.routes(handlers),
        *account.routes(handlers),
        Route("GET", "/style.css", Handlers.read_style, _OPEN),
        Route("GET", "/icon.svg", Handlers.read_icon, _OPEN),
        Route("GET", "/scripts/{name}", Handlers.read_script, _OPEN),
        *jobs.routes(handlers),
        *new_job.routes(handlers),  # before those of a job, one of which takes any id
        *job.routes(handlers),
        *devices.routes(handlers),
        *projects.routes(handlers),
        *connect.routes(handlers),
        *guide.routes(handlers),
        *links.routes(handlers),
        # Before those of administrators, one of which takes any name.
        *(route for routes in of_features("page_routes") for route in routes(handlers)),
        *admin_routes.routes(handlers),
        *(
            Route("GET", path, Handlers.read_moved, Open("They only redirect."), is_listed=False)
            for path in ("/try", "/clients", "/clients/{name}")
        ),
        Route("GET", "/sign-in", Handlers.read_sign_in, _OPEN),
        Route("POST", "/sign-in", Handlers.sign_in_with_password, _OPEN, FORM_BODY),
        Route("GET", "/provider", Handlers.sign_in_at_provider, _OPEN),
        Route(
            "GET",
            "/callback",
            Handlers.read_callback,
            _OPEN,
            parameters=("code", "state", "iss", "error"),
        ),
        Route("POST", "/sign-out", Handlers.sign_out, ANY_TOKEN, FORM_BODY),
    )
