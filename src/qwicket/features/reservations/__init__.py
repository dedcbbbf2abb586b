"""Reservations of devices for projects, exams, and maintenance windows."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="reservations",
    has_statements=True,
    columns={
        "reservation": "reservation.id, reservation.kind, reservation.device,"
        " reservation.agent_device, reservation.from_at, reservation.until_at,"
        " reservation.drain_ms, reservation.slots, reservation.is_exclusive,"
        " reservation.waiting_limit, reservation.withholds_results, reservation.reason,"
        " reservation.series, reservation.created_at"
    },
    admin_routes="qwicket.features.reservations.routes:ADMIN_ROUTES",
    admin_pages="qwicket.features.reservations.admin_pages:PART",
    commands=(
        Command(
            "reservation",
            "qwicket.features.reservations.commands",
            heading="Run a server",
            needs_server=True,
        ),
    ),
    maintenance="qwicket.features.reservations.store:delete_ended",
    hooks={
        "statements": "qwicket.features.reservations.claims:may_start",
        "windows": "qwicket.features.reservations.store:windows",
        "shown_windows": "qwicket.features.reservations.service:visible",
        "why_in_windows": "qwicket.features.reservations.service:waiting_reasons",
        "starts_in_windows": "qwicket.features.reservations.reserved_queue:simulate",
        "exam": "qwicket.features.reservations.service:check_exam",
    },
)
