"""Invitations, with which people create their accounts or join a project."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="invitations",
    has_statements=True,
    routes="qwicket.features.invitations.routes:ROUTES",
    admin_routes="qwicket.features.invitations.routes:ADMIN_ROUTES",
    page_routes="qwicket.features.invitations.pages:routes",
    admin_pages="qwicket.features.invitations.admin_pages:PART",
    commands=(
        Command(
            "invitation",
            "qwicket.features.invitations.commands",
            heading="Run a server",
            needs_server=True,
        ),
    ),
)
