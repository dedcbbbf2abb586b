"""Temporary key pairs of a role, which the Security Token Service (STS) gives for a lasting one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from qwicket.clients.http import InvalidResponse
from qwicket.clients.http.errors import APIError
from qwicket.drivers.remote.clouds import KeyRefused, NotAccepted, TryLater
from qwicket.vendors.braket.credentials import Credentials
from qwicket.vendors.braket.remote_errors import BraketError
from qwicket.vendors.braket.remote_server import XML, SignedHost

if TYPE_CHECKING:
    from qwicket.clients.http import Response

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}")
_NAMES: Final = ("AccessKeyId", "SecretAccessKey", "SessionToken")
_FIELD: Final = re.compile(rf"<({'|'.join(_NAMES)}|Expiration)>([!-%'-;=-~]{{1,8192}})</\1>")
"""Fields of the response, none of which has characters that XML would escape."""
_MIN_LIFE_S: Final = 1.0
"""Life of a pair that has ended by this server's clock, so that not each request asks for one."""
_FORM: Final = "application/x-www-form-urlencoded"


class Role:
    """A role that an account assumes. It sends no request when it is created.

    Args:
        arn: The role.
        sts: Address of STS, which alone gets signatures of the lasting key pair.

    Raises:
        ValueError: The ARN is not one of a role.
    """

    def __init__(self, arn: str, sts: SignedHost) -> None:
        if not _ROLE.fullmatch(arn):
            raise ValueError(
                "role_arn must be the ARN of a role, such as arn:aws:iam::123456789012:role/gate"
            )
        form = {"Action": "AssumeRole", "Version": "2011-06-15"}
        form |= {"RoleArn": arn, "RoleSessionName": "qwicket"}
        self._body = urlencode(form).encode()
        self._sts = sts

    def assume(self) -> tuple[Credentials, object]:
        """Return a key pair of the role, and its life in seconds if STS states one.

        Raises:
            NotAccepted: There is none; `KeyRefused` if STS refuses the lasting key or the role.
        """
        try:
            return self._sts.send("POST", "/", _credentials, self._body, form=_FORM, accept=XML)
        except BraketError as error:
            raise _refusal(error) from None

    def close(self) -> None:
        """Close the connections."""
        self._sts.close()


def _credentials(response: Response) -> tuple[Credentials, object]:
    found = dict(_FIELD.findall(response.text))
    try:
        pair = Credentials(*[found[name] for name in _NAMES])
    except KeyError:
        raise InvalidResponse("it gives no key pair", response.status) from None
    return pair, _life_s(found.get("Expiration", ""))


def _life_s(expiration: str) -> float | None:
    try:
        left = datetime.fromisoformat(expiration) - datetime.now(UTC)
    except (ValueError, TypeError):  # no time, or one without a zone
        return None
    return max(_MIN_LIFE_S, left.total_seconds())


def _refusal(error: BraketError) -> NotAccepted:
    """Return what a refusal means: no request to Braket was sent."""
    status = error.status_code if isinstance(error, APIError) else None
    text = f"the role could not be assumed: {error}"
    if status == 429:
        return TryLater(text)
    return KeyRefused(text) if status is not None and 400 <= status < 500 else NotAccepted(text)
