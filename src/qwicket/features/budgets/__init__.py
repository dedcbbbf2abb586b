"""Budgets: what the jobs of a project may use in a period."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="budgets",
    has_statements=True,
    columns={
        "budget": "budget.id, budget.project, budget.device, budget.unit, budget.period,"
        " budget.maximum, budget.used, budget.begun_at, budget.created_at"
    },
    admin_routes="qwicket.features.budgets.routes:ADMIN_ROUTES",
    admin_pages="qwicket.features.budgets.admin_pages:PART",
    commands=(
        Command(
            "budget",
            "qwicket.features.budgets.commands",
            heading="Run a server",
            needs_server=True,
        ),
    ),
    hooks={
        "reserve": "qwicket.features.budgets.store:reserve",
        "settle": "qwicket.features.budgets.store:settle",
        "account_budgets": "qwicket.features.budgets.store:account_budgets",
        "project_budgets": "qwicket.features.budgets.store:project_budgets",
        "budget_administration": "qwicket.features.budgets.service:Budgets",
    },
)
