"""Names of AWS: accounts and ARNs."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from qwicket.dialects.bodies import invalid
from qwicket.model.errors import NotFound
from qwicket.model.ids import parse_id

DIALECT: Final = "braket"
QPU_REGION: Final = "us-east-1"
"""Region of all machines; simulators are in every region."""
_TASK: Final = re.compile(r"arn:aws:braket:([a-z0-9-]{1,32}):([0-9]{12}):quantum-task/([0-9a-f-]+)")
_SIMULATORS: Final = "arn:aws:braket:::device/quantum-simulator/qwicket/"
_AMAZONS_SIMULATORS: Final = "arn:aws:braket:::device/quantum-simulator/amazon/"
_DEVICE: Final = re.compile(
    r"arn:aws:braket:([a-z0-9-]{0,32})::device/(quantum-simulator|qpu)/qwicket/([\w.-]{1,64})"
)


def account_number(project: str) -> str:
    """Return the account number, of 12 digits, under which AWS's clients see a project."""
    digest = hashlib.sha256(f"account of {project}".encode()).digest()
    return f"{10**11 + int.from_bytes(digest[:8], 'big') % (9 * 10**11)}"


def task_arn(region: str, project: str, job: str) -> str:
    return f"arn:aws:braket:{region}:{account_number(project)}:quantum-task/{job}"


def job_of(arn: str) -> str:
    """Return the id of a task's job from the task's ARN.

    Raises:
        NotFound: The text is not the ARN of a task.
    """
    match = _TASK.fullmatch(arn)
    if match is None or parse_id(match[3]) is None:
        raise NotFound("There is no such quantum task.")
    return match[3]


def device_arn(name: str, *, is_simulator: bool) -> str:
    if is_simulator:
        return _SIMULATORS + name
    return f"arn:aws:braket:{QPU_REGION}::device/qpu/qwicket/{name}"


def own_arn(arn: str) -> str:
    """Return the ARN that a simulator has here from the one that it has at Amazon.

    The SDK's enumeration `Devices` has the latter. Any other text is returned unchanged.
    """
    if arn.startswith(_AMAZONS_SIMULATORS):
        return _SIMULATORS + arn.removeprefix(_AMAZONS_SIMULATORS)
    return arn


def device_of(arn: str) -> str | None:
    """Return the name of a device from its ARN; None if the text is not such an ARN."""
    match = _DEVICE.fullmatch(arn)
    return match[3] if match else None


def check_arn(arn: str, field: str) -> str:
    """Return a text unchanged if it begins as an ARN does.

    Raises:
        InvalidRequest: The text begins otherwise, or is too long.
    """
    if not arn.startswith("arn:") or len(arn) > 256:
        raise invalid(f"{field} must be an ARN of at most 256 characters", arn, field)
    return arn
