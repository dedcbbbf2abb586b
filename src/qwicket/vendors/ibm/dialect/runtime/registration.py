"""Registrations of the two channels of Qiskit Runtime, which show the same jobs and sessions."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.registration import Registration
from qwicket.vendors.ibm.dialect.names import PLATFORM_PREFIX, RUNTIME_PREFIX
from qwicket.vendors.ibm.dialect.registration import TOKEN, Error

_JOB_FIELDS: Final = ("log_level", "runtime", "calibration_id", "start_session", "session_time")

REGISTRATION: Final = Registration(
    name="runtime",
    mounts={RUNTIME_PREFIX: "qwicket.vendors.ibm.dialect.runtime.routes:dialect"},
    described_at=(f"{RUNTIME_PREFIX}/openapi.json",),
    root=RUNTIME_PREFIX,
    ignores=frozenset(
        {"exclude_params", *(f"/{each}" for each in (*_JOB_FIELDS, "hub", "group", "project"))}
    ),
    title="The classic channel of IBM's Runtime API",
    lead=(
        'qiskit-ibm-runtime up to 0.40 works against this server with `channel="ibm_quantum"`. It'
        " signs in at `/ibm/api`; the access token goes into `X-Access-Token`."
    ),
    security={"token": TOKEN},
    error=Error,
)


class PlatformRefusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong."""

    code: int
    message: str


class PlatformError(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An error; clients read it in several places. The last two fields are those of sign-in."""

    errors: tuple[PlatformRefusal, ...]
    error: PlatformRefusal
    error_code: str | msgspec.UnsetType = msgspec.UNSET
    error_message: str | msgspec.UnsetType = msgspec.UNSET


PLATFORM: Final = Registration(
    name="ibm-platform",
    mounts={
        f"{PLATFORM_PREFIX}/api/v1": "qwicket.vendors.ibm.dialect.runtime.platform.routes:dialect",
        PLATFORM_PREFIX: "qwicket.vendors.ibm.dialect.runtime.platform.routes:account",
    },
    # Clients use a URL unchanged only if it contains the word "experimental".
    aliases={f"{PLATFORM_PREFIX}/experimental/api/v1": f"{PLATFORM_PREFIX}/api/v1"},
    described_at=(f"{PLATFORM_PREFIX}/api/v1/openapi.json",),
    root=PLATFORM_PREFIX,
    ignores=frozenset({"include_mocks", "exclude_params", *(f"/{each}" for each in _JOB_FIELDS)}),
    title="The platform channel of IBM's Runtime API",
    lead=(
        "qiskit-ibm-runtime from 0.49 works against this server with"
        ' `channel="ibm_quantum_platform"`. A token is exchanged for an access token at'
        f" `{PLATFORM_PREFIX}/iam/identity/token`, which goes into `Authorization: Bearer …`."
    ),
    security={"token": {"type": "http", "scheme": "bearer"}},
    error=PlatformError,
)
