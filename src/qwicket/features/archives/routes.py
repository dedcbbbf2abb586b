"""Routes of `/v1` and `/v1/admin` for archives of jobs."""

from __future__ import annotations

from typing import Final

from qwicket.dialects.routing import Late, Route
from qwicket.model.accounts import Scope

_HANDLERS: Final = "qwicket.features.archives.handlers"

ROUTES: Final = (
    Route(
        "GET",
        "/jobs/{id}/archive",
        Late(_HANDLERS, "read_archive"),
        Scope.JOBS_READ,
        media_type="application/zip",
    ),
)
ADMIN_ROUTES: Final = (
    Route(
        "GET",
        "/projects/{project}/export",
        Late(_HANDLERS, "export_jobs"),
        Scope.ADMIN,
        parameters=("limit", "before"),
        media_type="application/zip",
        is_recorded=True,
    ),
)
