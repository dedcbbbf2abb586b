"""The page of administrators with reservations and maintenance windows."""

from __future__ import annotations

from typing import Final

from qwicket.pages.admin_sections import NO_OR_YES
from qwicket.pages.admin_types import Action, Field, Section

SECTIONS: Final = {
    "reservations": Section(
        "Reservations and maintenance",
        "list_reservations",
        "reservations",
        (
            ("kind", "Kind"),
            ("device", "Device"),
            ("projects", "Projects"),
            ("from", "Begin"),
            ("until", "Until"),
            ("slots", "Slots"),
            ("exam_waiting", "Exam"),
            ("withhold_results", "Withholds results"),
            ("reason", "Reason"),
        ),
        row_actions=(
            Action("remove_reservation", "Remove", (("reservation", "id"),)),
            Action(
                "remove_reservation",
                "Remove all weeks",
                (("reservation", "id"),),
                query=(("series", "true"),),
                if_column="series",
            ),
        ),
        page_actions=(
            Action(
                "create_reservation",
                "Reserve a device",
                fields=(
                    Field("device", "Device"),
                    Field("projects", "Projects", "list"),
                    Field("from", "Begin (UTC)", "time"),
                    Field("until", "End (UTC)", "time"),
                    Field("slots", "Slots; empty for all", "number"),
                    Field(
                        "exclusive",
                        "With all devices of the same workers",
                        "choice",
                        choices=NO_OR_YES,
                    ),
                    Field("drain_s", "Seconds before, in which no other job starts", "number"),
                    Field("exam_waiting", "An exam: waiting jobs of each account", "number"),
                    Field(
                        "withhold_results",
                        "Withhold the exam's results",
                        "choice",
                        choices=NO_OR_YES,
                    ),
                    Field("reason", "Reason"),
                ),
            ),
            Action(
                "create_maintenance",
                "Plan maintenance",
                fields=(
                    Field("device", "Device"),
                    Field("from", "Begin (UTC)", "time"),
                    Field("until", "End (UTC)", "time"),
                    Field("weeks", "Weeks", "number"),
                    Field("timezone", "Time zone of the weeks, such as Europe/Vienna"),
                    Field("reason", "Reason"),
                ),
            ),
        ),
    ),
}
