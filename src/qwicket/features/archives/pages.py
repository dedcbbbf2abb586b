"""Routes of the pages for archives: of one job, and of a project's ended jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.routing import Late, Route
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers

_EXPORT_PAGES: Final = "qwicket.features.archives.export_pages"
_OF_EXPORT: Final = ("project", "before")


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of archives."""
    read, admin, back = Scope.JOBS_READ, Scope.ADMIN, handlers.to_sign_in
    export = Late(_EXPORT_PAGES, "read_export")
    archives = Late(_EXPORT_PAGES, "read_archives")
    return (
        Route("GET", "/jobs/{id}/archive.zip", read_archive, read, on_error=back),
        Route("GET", "/admin/export", export, admin, parameters=_OF_EXPORT, on_error=back),
        Route("GET", "/admin/export.zip", archives, admin, parameters=_OF_EXPORT, on_error=back),
    )


async def read_archive(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read an ended job with its program, options, calibration and result in one ZIP file."""
    from qwicket.features.archives.handlers import archive_response  # late: few requests need it

    return await archive_response(pages.gateway, actor, request)
