"""A server of the Model Context Protocol (MCP), by which assistants use this server's devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.registrations import Command, Feature

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.gateway import Gateway

FEATURE: Final = Feature(
    name="mcp",
    mounts="qwicket.features.mcp:mounts",
    api="/mcp",
    clients="qwicket.features.mcp.known_clients:CLIENTS",
    commands=(Command("mcp", "qwicket.features.mcp.commands"),),
)


def mounts(gateway: Gateway) -> dict[str, ASGIApp]:
    """Return the application at `/mcp`, which is made at its first request."""
    from qwicket.dialects.on_demand import DialectOnDemand
    from qwicket.dialects.registration import DialectSettings

    made_by = "qwicket.features.mcp.routes:dialect"
    return {"/mcp": DialectOnDemand(made_by, gateway, DialectSettings())}
