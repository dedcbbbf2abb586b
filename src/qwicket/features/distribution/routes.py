"""Routes of `/dist`: the wheel, and pages of links from which pip finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from qwicket.dialects.native.wire import PROBLEM_TYPE, problem
from qwicket.dialects.requests import RESPONSE_MEMORY
from qwicket.dialects.routing import Dialect, Open, Route
from qwicket.dialects.streaming import ChunkedResponse
from qwicket.features.distribution.service import Dist
from qwicket.model.errors import NotFound, Unauthenticated
from qwicket.model.limits import Limits

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

_HTML: Final = "text/html; charset=utf-8"
_ZIP: Final = "application/zip"
_HEADERS: Final = {
    # Browsers save the file; the usual headers forbid this.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox allow-downloads"
}


class _Handlers:
    """Handlers of `/dist`.

    Args:
        gateway: Has the setting `--dist`.
    """

    limits = Limits()

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def sign_in(self, request: Request[Any]) -> Actor:
        raise Unauthenticated

    async def read_links(self, request: Request[None]) -> Response:
        """Read a page with a link to the server's package, for pip's `--find-links`."""
        wheel = await self._gateway.feature(Dist).wheel(request)
        return _page(wheel.link, wheel.name)

    async def read_index(self, request: Request[None]) -> Response:
        """Read an index of one package, for pip's `--index-url` (PEP 503)."""
        await self._gateway.feature(Dist).wheel(request)
        return _page("qwicket/", "qwicket")

    async def read_project(self, request: Request[None]) -> Response:
        """Read the index's page of the package."""
        wheel = await self._gateway.feature(Dist).wheel(request)
        return _page(f"../../{wheel.link}", wheel.name)

    async def read_wheel(self, request: Request[None]) -> Response:
        """Read the server's own package as a wheel, which pip installs."""
        wheel = await self._gateway.feature(Dist).wheel(request)
        if request.path_params["file"] != wheel.name:
            raise NotFound(f"There is only {wheel.name} here.")
        return _SharedBody(wheel.content, len(wheel.content), headers=_HEADERS, media_type=_ZIP)


class _SharedBody(ChunkedResponse):
    """Bytes that all responses share, so that sending them takes no memory of their own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__({**scope, RESPONSE_MEMORY: None}, receive, send)


def _page(link: str, text: str) -> Response:
    content = f'<!DOCTYPE html>\n<title>Qwicket</title>\n<a href="{link}">{text}</a>\n'
    return Response(content, headers=_HEADERS, media_type=_HTML)


_OPEN: Final = Open("It is the package that the server runs, which is no secret.")
_ROUTES: Final = (
    Route("GET", "/", _Handlers.read_links, _OPEN, media_type=_HTML),
    Route("GET", "/simple/", _Handlers.read_index, _OPEN, media_type=_HTML),
    Route("GET", "/simple/qwicket/", _Handlers.read_project, _OPEN, media_type=_HTML),
    Route("GET", "/{file}", _Handlers.read_wheel, _OPEN, media_type=_ZIP),
)


def mounts(gateway: Gateway) -> dict[str, ASGIApp]:
    """Return the application at `/dist`."""
    return {"/dist": Dialect(_Handlers(gateway), _ROUTES, problem, error_type=PROBLEM_TYPE)}
