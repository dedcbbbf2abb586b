"""Confirmations: the answers of people to tokens that ask first, at a page or by another token."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="confirmations",
    routes="qwicket.features.confirmations.routes:ROUTES",
    page_routes="qwicket.features.confirmations.pages:routes",
    commands=(Command("confirm", "qwicket.features.confirmations.commands"),),
)
