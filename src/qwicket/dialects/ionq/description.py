"""What the IonQ dialect says of itself to people and to programs."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.descriptions import About
from qwicket.dialects.ionq import sessions, wire


class Error(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A refusal or failure."""

    status_code: int
    error: str
    message: str


_LIST: Final = ("limit", "next", "status", "target")

ABOUT: Final = About(
    name="ionq",
    title="IonQ's API, versions 0.3 and 0.4",
    lead=(
        "Clients of IonQ work against this server when their address is changed. A token goes into"
        " `Authorization: apiKey …`. Every path below `/ionq/v0.4` and `/ionq/v0.3` is there below"
        " `/v0.4` and `/v0.3` as well."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "Authorization"}},
    error=Error,
    public=frozenset({"list_backends", "read_backend", "list_characterizations"}),
    bodies={
        "/ionq/v0.3 submit_job": wire.OldBody,
        "/ionq/v0.4 submit_job": wire.SubmitBody,
        "clone_job": wire.CloneBody,
        "cancel_jobs": wire.IdsBody,
        "delete_jobs": wire.IdsBody,
        "open_session": sessions.OpenBody,
    },
    queries={
        "list_jobs": (*_LIST, "ids", "parent_job_id", "session_id", "submitter_id"),
        "list_session_jobs": _LIST,
        "list_characterizations": ("page", "limit", "start", "end"),
        "list_calibrations": ("next", "start", "end"),
        "estimate_job": (
            *("backend!", "type", "qubits", "shots", "1q_gates", "2q_gates"),
            *("error_mitigation", "session"),
        ),
        "read_probabilities": ("sharpen", "aggregation"),
    },
)
