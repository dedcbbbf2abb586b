"""Handlers of sign-in, of the account's page with its tokens, and of static files.

The functions that handle other pages get the `Handlers`, too, for what all pages share.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from msgspec import structs
from starlette.responses import RedirectResponse, Response

from qwicket.dialects.native.streams import Streams
from qwicket.dialects.requests import REQUEST_ID
from qwicket.gateway.sessions import Browser
from qwicket.model.errors import QwicketError, Unauthenticated
from qwicket.pages.forms import (
    FORM,
    FORM_S,
    NEXT,
    PROVIDER,
    SESSION,
    THEME,
    Cookies,
    Form,
    check_form,
    csrf,
    form_cookie,
    frame,
    next_path,
)
from qwicket.pages.rendering import HEADERS, Renderer
from qwicket.registrations import hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits

_GATHER_S: Final = 0.5
"""Minimum time in seconds between two events of the list of jobs: the page reads the list after
each."""
_MAX_DAYS: Final = 36_600
"""Longest life of a token, as in the gateway."""
_DAY_S: Final = 86_400
_PAGE_TOKENS: Final = 25
_MAX_NAME_CHARS: Final = 254
_BEFORE_SIGN_IN: Final = (404, 405)
"""Statuses of errors that occur before a request has signed in: there is no such path or method."""
_ACTOR: Final = "qwicket.pages.actor"
"""Key of the ASGI scope with who has signed in, so that the page of an error does not read the
session again."""
_MOVED: Final = {"/try": "/jobs/new", "/clients": "/connect"}
"""Addresses of pages by those that they had before."""
_TITLES: Final = {
    401: "You are not signed in",
    403: "This is not allowed",
    404: "There is no such page",
}
"""Titles for people, in place of the error's own, which is for programs."""


class Handlers:
    """Handlers of the pages.

    Args:
        gateway: Does the work.
        renderer: Renders templates.
        cookies: Sets cookies.
        base: Path of the pages.
        offers: Returns whether a dialect is offered.
    """

    def __init__(
        self,
        gateway: Gateway,
        renderer: Renderer,
        cookies: Cookies,
        base: str,
        offers: Callable[[str], bool],
    ) -> None:
        self.offers = offers
        self._gateway = self.gateway = gateway
        self.renderer = renderer
        self.cookies = cookies
        self._base = self.base = base
        self.streams = Streams(gateway, gather_s=_GATHER_S)

    def with_offered_dialects(self, view: DeviceView) -> DeviceView:
        """Return a device without the dialects that this server leaves out."""
        dialects = tuple([name for name in view.device.dialects if self.offers(name)])
        return view._replace(device=structs.replace(view.device, dialects=dialects))

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        actor = await self._gateway.sessions.actor(request.cookies.get(SESSION))
        request.scope[_ACTOR] = actor
        return actor

    # --- pages that need no session ---------------------------------------------------------------

    async def read_style(self, request: Request[None]) -> Response:
        """Read the style sheet."""
        return self.renderer.style.response(request.headers.get("accept-encoding", ""))

    async def read_icon(self, request: Request[None]) -> Response:
        """Read the icon."""
        return self.renderer.icon.response(request.headers.get("accept-encoding", ""))

    async def read_script(self, request: Request[None]) -> Response:
        """Read a script."""
        file = self.renderer.script(request.path_params["name"])
        return file.response(request.headers.get("accept-encoding", ""))

    async def read_sign_in(self, request: Request[None]) -> Response:
        """Read the page where people sign in."""
        return self._sign_in_page(request)

    async def sign_in_with_password(self, request: Request[Form]) -> Response:
        """Sign in with name and password."""
        check_form(request, FORM)
        form = request.payload
        name, password = form.get("name", ""), form.get("password", "")
        try:
            actor = await self._gateway.auth.by_password(name, password, request.client_address)
        except Unauthenticated as error:
            return self._sign_in_page(request, error, name)
        return await self.start_session(request, actor)

    async def sign_in_at_provider(self, request: Request[None]) -> Response:
        """Go to the identity provider."""
        service = await self._gateway.load_single_sign_on()
        url, secret = await service.begin(self._callback(request), request.client_address)
        response = RedirectResponse(url, 303, headers=HEADERS)
        self.cookies.set(request, response, PROVIDER, secret, service.sign_in_s)
        return response

    async def read_callback(self, request: Request[None]) -> Response:
        """Sign in with what the identity provider states."""
        service = await self._gateway.load_single_sign_on()
        actor = await service.finish(
            request.query_params,
            request.cookies.get(PROVIDER),
            self._callback(request),
            request.client_address,
        )
        response = await self.start_session(request, actor)
        self.cookies.delete(request, response, PROVIDER)
        return response

    def _callback(self, request: Request[None]) -> str:
        """Return the address to which the identity provider sends browsers back."""
        return f"{request.dialect_url}/callback"

    async def start_session(
        self, request: Request[Any], actor: Actor, path: str | None = None
    ) -> Response:
        """Start a session with a new id; redirect to a page, or to that which waits for it."""
        sessions = self._gateway.sessions
        browser = Browser(request.headers.get("user-agent", ""), request.client_address)
        secret = await sessions.start(actor, request.cookies.get(SESSION), browser)
        response = self.redirect(next_path(request) if path is None else path)
        self.cookies.set(request, response, SESSION, secret, sessions.session_s)
        self.cookies.delete(request, response, FORM)
        self.cookies.delete(request, response, NEXT)
        theme = (await sessions.actor(secret)).preferences.theme
        self.cookies.set_theme(request, response, theme, sessions.session_s)
        return response

    def _sign_in_page(
        self, request: Request[Any], error: QwicketError | None = None, name: str = ""
    ) -> Response:
        cookie, provider = form_cookie(request), self._gateway.sign_in.provider
        response = self.renderer.page(
            "sign-in",
            200 if error is None else error.status,
            title="Sign in",
            wrong="" if error is None else error.detail,
            name=name[:_MAX_NAME_CHARS],
            passwords=self._gateway.sign_in.are_passwords_on,
            provider=urlsplit(provider.issuer).netloc if provider else "",
            csrf=csrf(cookie),
        )
        self.cookies.set(request, response, FORM, cookie, FORM_S)
        return response

    async def read_moved(self, request: Request[None]) -> Response:
        """Redirect from the former address of a page to its present one."""
        path = quote(request.scope["path"].removeprefix(request.scope["root_path"]))
        old = next(each for each in _MOVED if path.startswith(each))
        query = request.url.query
        address = self._base + _MOVED[old] + path.removeprefix(old) + ("?" if query else "") + query
        return RedirectResponse(address, 308, headers=HEADERS)

    # --- pages of an account ----------------------------------------------------------------------

    async def sign_out(self, actor: Actor, request: Request[Form]) -> Response:
        """End the session."""
        check_form(request, SESSION)
        await self._gateway.sessions.end(request.cookies[SESSION])
        response = self.redirect("/sign-in")
        self.cookies.delete(request, response, SESSION)
        self.cookies.delete(request, response, THEME)
        return response

    async def how_to_install(self, url: str) -> str:
        """Return how users install our package from the server at an address, in one line."""
        from qwicket.snippets import HOW_TO_INSTALL  # late: few requests need it

        install_command = hook("install_command")
        command = await install_command(self.gateway, url) if install_command else None
        return command or HOW_TO_INSTALL

    # --- errors -----------------------------------------------------------------------------------

    async def problem(self, error: QwicketError, request: Request[Any]) -> bytes:
        """Return the page of an error, with the navigation if the browser has a session."""
        if error.status in _BEFORE_SIGN_IN and _ACTOR not in request.scope:
            with contextlib.suppress(QwicketError):
                if SESSION in request.cookies:
                    await self.sign_in(request)
        actor: Actor | None = request.scope.get(_ACTOR)
        return self.renderer.text(
            "problem",
            title=_TITLES.get(error.status, error.title.removesuffix(".")),
            error=error,
            number=request.scope.get(REQUEST_ID, ""),
            **(frame(actor, request) if actor else {}),
        )

    def to_sign_in(self, error: QwicketError, _request: Request[Any]) -> Response | None:
        """Return a redirect to the sign-in page if the request has no session; else None."""
        return self.redirect("/sign-in") if isinstance(error, Unauthenticated) else None

    def redirect(self, path: str) -> Response:
        """Return a redirect to one of the pages, and never to another site."""
        return RedirectResponse(self._base + path, 303, headers=HEADERS)
