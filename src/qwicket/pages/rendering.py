"""Rendering of the pages: templates, and the headers of each response."""

from __future__ import annotations

import re
import zlib
from datetime import UTC
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from starlette.responses import Response

from qwicket.model.errors import NotFound
from qwicket.pages import formats
from qwicket.registrations import features

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HTML: Final = "text/html; charset=utf-8"
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of pages without scripts: nothing from other hosts, in no frame, and in no cache."""
LIVE_HEADERS: Final = {
    **HEADERS,
    "Content-Security-Policy": (
        f"{HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
    ),
}
"""Headers of pages with scripts, which must be this server's own."""
OWN_SCRIPT: Final = ("pages.js",)
SCRIPTS: Final = ("htmx.min.js", "htmx-sse.min.js", *OWN_SCRIPT)
_GZIP: Final = 16 + zlib.MAX_WBITS
"""Makes zlib write the header of a gzip file."""
_COMMENT: Final = re.compile(rb"/\*.*?\*/\n*", re.DOTALL)
_SPACE: Final = re.compile(rb"([{};,])\s*((?:[\w-]+:)?) *")
"""Spaces in a style sheet that mean nothing: around marks, and after the name of a property."""
_FOLDER: Final = Path(__file__).parent


def read_file(name: str) -> bytes:
    """Return a file of the pages; a style sheet has no comments and fewer spaces then."""
    content = (_FOLDER / name).read_bytes()
    if not name.endswith(".css"):
        return content
    return _SPACE.sub(rb"\1\2", _COMMENT.sub(b"", content).replace(b" {", b"{"))


class File:
    """A file that everyone may read, with its compressed form.

    Pages that anyone can make a browser ask for are never compressed: their compressed length would
    reveal what a secret on a page has in common with a text that an attacker put there (BREACH).
    """

    def __init__(self, name: str, media_type: str) -> None:
        self._compressed = zlib.compress(read_file(name), 9, _GZIP)  # nearly all clients take this
        self._media_type = media_type

    def response(self, accept_encoding: str) -> Response:
        """Return the file, compressed where the client accepts this."""
        headers = {
            **HEADERS,
            "Cache-Control": "public, max-age=3600",
            "Vary": "Accept-Encoding",
        }
        if "gzip" in accept_encoding:
            content, headers["Content-Encoding"] = self._compressed, "gzip"
        else:
            content = zlib.decompress(self._compressed, _GZIP)
        return Response(content, headers=headers, media_type=self._media_type)


@cache
def templates() -> jinja2.Environment:
    """Return the templates of all pages, those under `/docs` included."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_template_folders()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        optimized=False,
        auto_reload=False,
        keep_trailing_newline=True,
    )
    environment.filters |= formats.FILTERS
    return environment


def frame_values(root: str) -> dict[str, Any]:
    """Return what the head and the foot of each page need where nobody has signed in.

    Args:
        root: Path above `/ui` and `/docs`: that which a proxy adds, or one relative to the page.
    """
    return {
        "base": f"{root}/ui",
        "files": f"{root}/ui",
        "root": root,
        "docs": f"{root}/docs",
        "version": version("qwicket"),
        "scripts": (),
        "theme": "",
        "zone": UTC,
        "here": "",
        "places": (),
        "person": "",
        "is_admin": False,
    }


def _template_folders() -> list[Path]:
    """Return the folders of the templates: the pages' own, and those of features."""
    of_features = [Path(str(resources.files(each.package))) for each in features()]
    return [each / "templates" for each in (_FOLDER, *of_features)]


def compress(response: Response, accept_encoding: str) -> None:
    """Compress a page where the client accepts this.

    Only for the response to a form with its CSRF token, which no attacker can submit (see `File`).
    """
    response.headers["Vary"] = "Accept-Encoding"
    if "gzip" in accept_encoding:
        response.body = zlib.compress(response.body, wbits=_GZIP)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))


class Renderer:
    """Renders templates.

    Args:
        base: Path of the pages, with the prefix that a proxy may add.
        settings: Returns the server's settings without secrets, for administrators.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        base: str,
        settings: Callable[[], Sequence[tuple[str, str]]],
        now_ms: Callable[[], int],
    ) -> None:
        self.settings = settings
        self._now_ms = now_ms
        self._always = frame_values(base.removesuffix("/ui"))
        self._always["features"] = {each.name for each in features()}
        self._seen: set[str] = set()
        self.style = File("style.css", "text/css; charset=utf-8")
        self.icon = File("templates/icon.svg", "image/svg+xml")
        self._scripts = {
            name: File(f"scripts/{name}", "text/javascript; charset=utf-8") for name in SCRIPTS
        }

    def script(self, name: str) -> File:
        """Return a script.

        Raises:
            NotFound: There is no such script.
        """
        if name not in self._scripts:
            raise NotFound("There is no such script.")
        return self._scripts[name]

    def text(self, template: str, block: str = "", **values: Any) -> bytes:
        """Return a page, or one block of its template; escape values not marked `safe` in it."""
        import gc

        page = templates().get_template(f"{template}.html")
        is_new = template not in self._seen
        if is_new:
            gc.collect()
        values = self._always | {"now": self._now_ms()} | values
        if block:
            text = "".join(page.blocks[block](page.new_context(values))).encode()
        else:
            text = page.render(values).encode()
        if is_new:
            self._seen.add(template)
            gc.collect()  # Compiling leaves cycles, which would take 0.2 MB for good.
        return text

    def page(
        self,
        template: str,
        status: int = 200,
        *,
        is_live: bool = False,
        scripts: Sequence[str] = (),
        **values: Any,
    ) -> Response:
        """Return a response with a page; a live page has all scripts."""
        scripts = SCRIPTS if is_live else scripts
        text = self.text(template, scripts=scripts, **values)
        headers = LIVE_HEADERS if scripts else HEADERS
        return Response(text, status, headers=headers, media_type=HTML)
