"""The link to a project's export on administrators' pages."""

from __future__ import annotations

from typing import Final

from qwicket.pages.admin_parts import Part

PART: Final = Part(
    links={"project": ("Export ended jobs", "/admin/export?project={name}")},
    sentences={"export_jobs": "exported jobs of {0}"},
)
