"""Budgets: what the jobs of a project may use in a period."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="budgets",
    has_statements=True,
    columns={
        "budget": "budget.id, budget.project, budget.device, budget.unit, budget.period,"
        " budget.maximum, budget.used, budget.begun_at, budget.created_at, ''",
        "member_budget": "limits.id, limits.project, limits.device, limits.unit, limits.period,"
        " limits.maximum, coalesce(used.used, 0), coalesce(used.begun_at, 0), limits.created_at,"
        " coalesce(account.name, 'each')",
        "of_account": "select project from member where member.account = :account"
        " union select project_above.above from member"
        " inner join project_above on project_above.project = member.project"
        " where member.account = :account",
        "is_own_budget": "(limits.account <> '' or not exists (select 1 from member_budget as own"
        " where own.project = limits.project and own.account = :account"
        " and own.device = limits.device and own.unit = limits.unit"
        " and own.period = limits.period))",
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
        "budgets_in": "qwicket.features.budgets.store:budgets_in",
        "put_budget": "qwicket.features.budgets.store:put_budget",
        "budget_administration": "qwicket.features.budgets.service:Budgets",
    },
)
