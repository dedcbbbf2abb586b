"""Routes of `/v1/admin` for budgets."""

from __future__ import annotations

from functools import partial
from typing import Final

from qwicket.dialects.native.admin.access import LEAD
from qwicket.dialects.routing import Late, Route, json_body
from qwicket.schema import accounts
from qwicket.schema import budgets as schema

_late = partial(Late, "qwicket.features.budgets.handlers")

ADMIN_ROUTES: Final = (
    Route(
        "GET",
        "/budgets",
        _late("list_budgets"),
        LEAD,
        parameters=("project",),
        responses=(schema.BudgetList,),
        is_of_all_devices=True,
    ),
    Route(
        "PUT",
        "/budgets",
        _late("set_budget"),
        LEAD,
        json_body(schema.NewBudgetBody),
        responses=(accounts.BudgetBody,),
        is_of_all_devices=True,
    ),
    Route(
        "DELETE",
        "/budgets/{budget}",
        _late("delete_budget"),
        LEAD,
        parameters=("project",),
        status=204,
        is_of_all_devices=True,
    ),
)
