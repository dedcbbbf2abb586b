"""Documentation pages under `/docs`: the native API, the vendors' dialects, and every error code.

The first request renders all pages from OpenAPI documents and the table of codes; later requests
are served from memory. Pages contain nothing from clients, and no request names a file to open.
Examples show the server's own address.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from html import escape
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
from starlette.responses import PlainTextResponse, Response

from qwicket.dialects import descriptions, native, offered
from qwicket.dialects.routing import Dialect, Open, Route
from qwicket.model.accounts import Theme
from qwicket.model.errors import Unauthenticated
from qwicket.model.limits import Limits
from qwicket.server.docs import api, errors
from qwicket.server.docs.html import ADDRESS, page, prose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.dialects.on_demand import DialectOnDemand
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError

__all__ = ["HEADERS", "docs", "files", "with_browser_redirect"]

_HTML: Final = "text/html; charset=utf-8"
_CSS: Final = "text/css; charset=utf-8"
_STYLE: Final = "/docs/style.css"
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "public, no-cache",
    "Vary": "Accept-Encoding, Cookie",
}
"""Headers of every page: no scripts, nothing from other hosts, and caches revalidate."""

_MAX_SHOWN: Final = 200
"""Files that are kept compressed, or with an address: some for each of a server's addresses."""


class File:
    """A file at a path, as it is sent.

    All may be compressed, unlike pages under `/ui`: they have no secret that the length could
    reveal.
    """

    def __init__(self, content: bytes, media_type: str = _HTML) -> None:
        self.content = content
        self.media_type = media_type
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'

    def at(self, url: str) -> File:
        """Return the file with the server's address in examples."""
        address = escape(url).encode()
        return File(self.content.replace(ADDRESS.encode(), address), self.media_type)

    def compressed(self) -> File:
        """Return the file as gzip."""
        return File(gzip.compress(self.content, 6, mtime=0), self.media_type)


def files(
    description: Mapping[str, Any], dialects: Mapping[str, Mapping[str, Any]]
) -> dict[str, File]:
    """Return all files under `/docs` by path.

    Args:
        description: The OpenAPI document of `/v1`.
        dialects: OpenAPI documents of the vendors' dialects by name.
    """
    from qwicket.pages.rendering import read_file

    style = read_file("style.css") + resources.files(__name__).joinpath("style.css").read_bytes()
    table = errors.table()
    titles = {name: str(of["info"]["title"]) for name, of in dialects.items()}
    return {
        "/docs": File(api.render(description, docs_path="docs/", dialects=titles)),
        "/docs/": File(api.render(description, docs_path="", dialects=titles)),
        "/docs/errors": File(errors.index(table)),
        _STYLE: File(style, _CSS),
        **{
            _style_of(theme): File(style + b":root { color-scheme: %b; }\n" % theme.encode(), _CSS)
            for theme in get_args(Theme)
        },
        "/docs/icon.svg": File(read_file("templates/icon.svg"), "image/svg+xml"),
        **{f"/docs/errors/{name}": File(errors.detail(code)) for name, code in table.items()},
        **{f"/docs/{name}": _dialect_page(name, of, docs_path="") for name, of in dialects.items()},
        **{f"/docs/{name}/openapi.json": _document(of) for name, of in dialects.items()},
    }


def _style_of(theme: str) -> str:
    """Return the path of the style sheet with a theme, which is sent in place of the other."""
    return f"/docs/{theme}/style.css"


def _beside_dialects(
    dialects: Mapping[str, Mapping[str, Any]], only: frozenset[str] | None
) -> dict[str, File]:
    """Return the files below the vendors' own addresses by path."""
    found = {}
    for registration in offered(only):
        for path in registration.described_at:
            if path.endswith("/docs"):
                docs_path = "../" * (path.count("/") - 1) + "docs/"
                found[path] = _dialect_page(
                    registration.name, dialects[registration.name], docs_path
                )
            else:
                found[path] = _document(dialects[registration.name])
    return found


def _dialect_page(name: str, document: Mapping[str, Any], docs_path: str) -> File:
    return File(api.render_dialect(name, document, docs_path=docs_path))


def _document(description: Mapping[str, Any]) -> File:
    return File(msgspec.json.encode(description), "application/json")


def docs(
    dialects: Mapping[str, Dialect | DialectOnDemand], only: frozenset[str] | None = None
) -> dict[str, ASGIApp]:
    """Return the mounts of `/docs`, and of descriptions below the vendors' own addresses.

    Args:
        dialects: Dialects by their prefixes; they serve all other paths below these.
        only: Names of the vendors' dialects that are offered; None for all.
    """
    made: dict[str, Dialect] = {}
    making = asyncio.Lock()  # the pages are made once, however many requests come first

    def make() -> Dialect:
        found = descriptions(dialects, only)
        shown = files(native.description(), found) | _beside_dialects(found, only)
        return Dialect(_Handlers(shown), ROUTES, _problem, error_type=_HTML)

    async def at_root(scope: Scope, receive: Receive, send: Send) -> None:
        if not made:
            async with making:
                if not made:
                    made[""] = await asyncio.to_thread(make)
        await made[""]({**scope, "root_path": ""}, receive, send)

    paths = [path for each in offered(only) for path in each.described_at]
    return {"/docs": at_root, **{path: _exactly(path, at_root, dialects) for path in paths}}


def _exactly(path: str, app: ASGIApp, dialects: Mapping[str, Dialect | DialectOnDemand]) -> ASGIApp:
    """Return an app that serves one path, and leaves the paths below it to their dialect."""
    mount = max((each for each in dialects if path.startswith(f"{each}/")), key=len)

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == path and scope["type"] == "http":
            await app(scope, receive, send)
            return
        root = scope["root_path"].removesuffix(path) + mount
        await dialects[mount]({**scope, "root_path": root}, receive, send)

    return choose


def with_browser_redirect(app: ASGIApp | None) -> ASGIApp:
    """Return the app of the root, with a redirect to the pages for browsers that request `/`.

    Args:
        app: The dialect at the root; None without one: then there is nothing else.
    """
    serve = app or PlainTextResponse("There is nothing at this path.\n", HTTPStatus.NOT_FOUND)

    async def serve_or_redirect(scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        is_root = is_read and scope["path"] == "/"
        accepted = dict(scope["headers"]).get(b"accept", b"") if is_root else b""
        if b"text/html" in accepted:
            headers = {"Location": "ui", "Vary": "Accept", "Cache-Control": "no-cache"}
            await Response(status_code=303, headers=headers)(scope, receive, send)
            return
        await serve(scope, receive, send)

    return serve_or_redirect


class _Handlers:
    """Handlers of the pages.

    Args:
        files: Files by path.
    """

    limits = Limits()

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files
        self._with_address = {
            path for path, file in files.items() if ADDRESS.encode() in file.content
        }
        self._shown: dict[tuple[str, str, bool], File] = {}  # by path, address and compression

    async def sign_in(self, request: Request[Any]) -> Actor:
        raise Unauthenticated

    async def read(self, request: Request[None]) -> Response:
        """Read a page."""
        from qwicket.pages.forms import THEME

        path = request.scope["path"]
        if path == _STYLE:
            themed = _style_of(request.cookies.get(THEME, ""))
            path = themed if themed in self._files else path
        file = self._files.get(path)
        if file is None:
            return _missing(path)
        is_compressed = "gzip" in request.headers.get("accept-encoding", "")
        shown = self._as_sent(path, request.server_url, is_compressed)
        headers = {**HEADERS, "ETag": shown.etag}
        known = {each.removeprefix("W/") for each in request.list_header("If-None-Match")}
        if shown.etag in known:
            return Response(status_code=304, headers=headers)
        if is_compressed:
            headers["Content-Encoding"] = "gzip"
        return Response(shown.content, headers=headers, media_type=file.media_type)

    def _as_sent(self, path: str, url: str, is_compressed: bool) -> File:
        """Return a file with the address by which its reader reached the server."""
        key = path, url if path in self._with_address else "", is_compressed
        found = self._shown.get(key)
        if found is None:
            if len(self._shown) >= _MAX_SHOWN:
                self._shown.clear()
            file = self._files[path]
            found = file.at(url) if path in self._with_address else file
            found = self._shown[key] = found.compressed() if is_compressed else found
        return found


_OPEN: Final = Open("They describe every server alike.")
ROUTES: Final = (
    Route("GET", "/docs", _Handlers.read, _OPEN),
    Route("GET", "/docs/{page:path}", _Handlers.read, _OPEN),
    Route("GET", "/{dialect:path}/docs", _Handlers.read, _OPEN),
    Route("GET", "/{dialect:path}/openapi.json", _Handlers.read, _OPEN),
)


def _missing(path: str) -> Response:
    docs_path = "../" * min(path.removeprefix("/docs/").count("/"), 16)
    text = "The address is wrong, or the page is of another version."
    content = page("There is no such page", prose(text), section="", docs_path=docs_path)
    return Response(content, 404, headers=HEADERS, media_type=_HTML)


def _problem(error: QwicketError) -> bytes:
    return page(error.title, prose(error.detail), section="", docs_path="")
