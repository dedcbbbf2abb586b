"""What IBM's two dialects say of themselves to people and to programs."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.descriptions import About
from qwicket.dialects.ibm import wire
from qwicket.dialects.ibm.runtime import wire as runtime


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong."""

    status: int
    message: str
    code: int
    name: str


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal or failure."""

    error: Refusal


_TOKEN: Final = {"type": "apiKey", "in": "header", "name": "X-Access-Token"}

ABOUT: Final = About(
    name="ibm",
    title="The IBM Quantum Experience API of 2020",
    lead=(
        "Clients of that API work against this server when their address is changed. They sign in"
        " at `/users/loginWithToken`; the `id` in its answer goes into `X-Access-Token`, into the"
        " query as `access_token`, or into a JSON body. Paths are taken in any case, `/jobs` and"
        " `/devices` in the singular too, `/backends` for `/devices`, `/v/1` at their end, and"
        " below `/Network/{hub}/Groups/{group}/Projects/{project}`. `/jobs/{id}/status` is a"
        " websocket as well."
    ),
    security={"token": _TOKEN, "query": {**_TOKEN, "in": "query", "name": "access_token"}},
    error=Error,
    public=frozenset(
        {
            *("version", "sign_in_with_password", "sign_in_with_token", "read_queue"),
            *("upload", "download_program", "download_result"),
        }
    ),
    bodies={
        "submit_job": wire.JobBody,
        "change_job": wire.ChangeBody,
        "sign_in_with_token": wire.TokenBody,
        "sign_in_with_password": wire.PasswordBody,
    },
    queries={
        "list_jobs": ("filter",),
        "list_statuses": ("filter",),
        "read_properties": ("filter",),
    },
)

RUNTIME: Final = About(
    name="runtime",
    title="The classic channel of IBM's Runtime API",
    lead=(
        'qiskit-ibm-runtime up to 0.40 works against this server with `channel="ibm_quantum"`. It'
        " signs in at `/ibm/api`; the access token goes into `X-Access-Token`."
    ),
    security={"token": _TOKEN},
    error=Error,
    bodies={
        "submit_job": runtime.RunBody,
        "change_tags": runtime.TagsBody,
        "open_session": runtime.SessionBody,
        "change_session": runtime.SessionChange,
    },
    queries={
        "list_devices": ("provider",),
        "list_jobs": (
            *("limit", "offset", "pending", "sort", "backend", "program", "session_id"),
            *("created_after", "created_before", "provider"),
        ),
        "read_job": ("exclude_params",),
        "read_properties": ("updated_before",),
    },
)
