"""Budgets of a server, as its administrator sets them."""

from __future__ import annotations

from qwicket.features.budgets.service import Budgets
from qwicket.gateway.admin import Admin


def budgets(admin: Admin) -> Budgets:
    return Budgets(admin.store, admin.now_ms)
