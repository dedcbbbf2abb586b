"""Archives: a job with its program and result in one file, and exports of a project's jobs."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="archives",
    routes="qwicket.features.archives.routes:ROUTES",
    admin_routes="qwicket.features.archives.routes:ADMIN_ROUTES",
    admin_pages="qwicket.features.archives.admin_pages:PART",
    page_routes="qwicket.features.archives.pages:routes",
    commands=(Command("archive", "qwicket.features.archives.commands"),),
)
