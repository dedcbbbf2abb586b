"""The page of administrators with budgets."""

from __future__ import annotations

from typing import Final

from qwicket.pages.admin_types import Action, Field, Section

SECTIONS: Final = {
    "budgets": Section(
        "Budgets",
        "list_budgets",
        "budgets",
        (
            ("project", "Project"),
            ("device", "Device"),
            ("unit", "Unit"),
            ("period", "Period"),
            ("maximum", "Maximum"),
            ("used", "Used"),
            ("left", "Left"),
        ),
        row_actions=(Action("delete_budget", "Remove", (("budget", "id"),)),),
        page_actions=(
            Action(
                "set_budget",
                "Set a budget",
                fields=(
                    Field("project", "Project"),
                    Field("device", "Device; empty for all"),
                    Field("unit", "Unit", "choice", choices=("jobs", "shots", "seconds", "cost")),
                    Field(
                        "period",
                        "Period",
                        "choice",
                        choices=("total", "day", "week", "month"),
                    ),
                    Field("maximum", "Maximum", "number"),
                ),
            ),
        ),
    ),
}
