"""The shapes of the native API's JSON.

The server encodes these structs, OpenAPI describes them, and our client, the commands, labs'
agents and pilots decode them. This package holds no logic and imports msgspec alone. Few processes
need the modules that are not imported here, such as `admin`, so they are imported where they are
used. Bodies of values that the model defines and only the server reads (announced devices,
calibrations, requested tokens) stay with the native dialect.
"""

from qwicket.schema import (
    accounts,
    base,
    devices,
    groups,
    jobs,
    pilots,
    problems,
    results,
    webhooks,
)

__all__ = [
    "accounts",
    "base",
    "devices",
    "groups",
    "jobs",
    "pilots",
    "problems",
    "results",
    "webhooks",
]
