"""Registration of the Amazon Braket dialect."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.registration import Registration


class ProgramFailure(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An error of one program of a program set; with `inputs_index`, of one run of it."""

    program_index: int
    errors: tuple[str, ...]
    inputs_index: int | None = None


class Error(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An error of Braket. Errors of S3 and STS are XML."""

    type: str = msgspec.field(name="__type")
    message: str
    reason: str | None = None
    program_set_validation_failures: tuple[ProgramFailure, ...] = ()


REGISTRATION: Final = Registration(
    name="braket",
    mounts={
        "/braket": "qwicket.vendors.braket.dialect.routes:braket",
        "/s3": "qwicket.vendors.braket.dialect.routes:s3",
        "/sts": "qwicket.vendors.braket.dialect.routes:sts",
    },
    described_at=("/braket/openapi.json",),
    device_name="qwicket.vendors.braket.dialect.catalogue:arn_of",
    root="/braket",
    title="Amazon Braket's API",
    lead=(
        "AWS's clients work against this server when the addresses of Braket, S3 and STS are set to"
        " `/braket`, `/s3` and `/sts`. They sign requests with a key pair, which"
        " `qwicket token create --aws` makes."
    ),
    security={"signature": {"type": "apiKey", "in": "header", "name": "Authorization"}},
    error=Error,
)
