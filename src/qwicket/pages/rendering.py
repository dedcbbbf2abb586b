"""Rendering of the pages: templates, and the headers of each response."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""Headers of every page: no scripts, nothing from other hosts, in no frame, and in no cache."""
_FOLDER: Final = Path(__file__).parent


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


class Renderer:
    """Renders templates.

    Args:
        base: Path of the pages, where a proxy may add a prefix.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates.filters["day"] = _day
        self.style = (_FOLDER / "style.css").read_bytes()

    def text(self, template: str, **values: Any) -> bytes:
        """Return a page. All values are escaped."""
        page = self._templates.get_template(f"{template}.html")
        return page.render(base=self._base, **values).encode()

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a response with a page."""
        return Response(self.text(template, **values), status, headers=HEADERS, media_type=HTML)
