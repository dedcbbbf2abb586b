"""What the qBraid dialect says of itself to people and to programs."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.descriptions import About
from qwicket.dialects.qbraid import groups, orders


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, and in which field."""

    message: str
    code: str
    field: str = ""


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal or failure."""

    success: bool
    message: str
    error: Refusal


_DEVICE_FIELDS: Final = ("qbraid_id", "provider", "vendor", "status", "type", "paradigm")

ABOUT: Final = About(
    name="qbraid",
    title="qBraid's API, three generations",
    lead=(
        "Clients of qBraid work against this server when their address is changed. A token goes"
        " into `api-key` or `X-API-Key`. `/qbraid/api` is the registry of `qbraid.api` and the"
        " native API of qbraid up to 0.10; `/qbraid/api/v1` is that of qbraid from 0.11 on."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "api-key"}},
    error=Error,
    public=frozenset({"sdk_version", "search_devices", "/qbraid/api/public list_devices"}),
    bodies={
        "/qbraid/api/v1 submit_job": orders.CurrentBody,
        "/qbraid/api submit_job": orders.NativeBody,
        "open_group": groups.OpenBody,
    },
    queries={
        "/qbraid/api/v1 list_jobs": (
            *("page", "limit", "status", "statusGroup", "search", "tags"),
            *("vendor", "provider"),
        ),
        "/qbraid/api/v1 list_groups": ("page", "limit", "status"),
        "/qbraid/api/v1 estimate_cost": ("deviceQrn!", "shots"),
        "delete_jobs": ("qrns!",),
        "/qbraid/api/public list_devices": _DEVICE_FIELDS,
        "list_own_devices": _DEVICE_FIELDS,
        "/qbraid/api/quantum-jobs list_jobs": (
            *("qbraidJobId", "vendorJobId", "_id", "provider", "vendor", "qbraidDeviceId"),
            *("status", "page", "resultsPerPage", "tags.NAME"),
        ),
        "/qbraid/api/quantum-jobs estimate_cost": ("qbraidDeviceId!",),
    },
    left_out=frozenset({"refuse"}),
)
