"""Environment variables by which a client reaches a test bed or a cassette."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from qwicket.testing.errors import TestBedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from qwicket.testing.values import Credentials

_NATIVE: Final = "qwicket"


def variables_of(client: str, url: str, credentials: Credentials) -> dict[str, str | None]:
    """Return the environment variables of a client; None for those that must not be set.

    They keep the client from asking a proxy for the server.

    Args:
        client: A name that `qwicket env` knows, or `qwicket`.
        url: Address of the server.
        credentials: Credentials of the client.

    Raises:
        TestBedError: There is no such client.
    """
    from qwicket.snippets.environments import CLIENTS, no_proxy, variables

    secrets = {
        "QWICKET_TOKEN": credentials.token,
        "QWICKET_AWS_KEY_ID": credentials.aws_key_id,
        "QWICKET_AWS_SECRET": credentials.aws_secret,
    }
    direct = no_proxy(url, os.environ)
    if client == _NATIVE:
        return {"QWICKET_URL": url, "QWICKET_TOKEN": credentials.token, **direct}
    if client not in CLIENTS:
        known = ", ".join([_NATIVE, *CLIENTS])
        raise TestBedError(f"client: there is no {client!r}; there are {known}.")
    return variables(client, url, secrets) | direct


def set_variables(
    variables: Mapping[str, str | None], monkeypatch: pytest.MonkeyPatch | None
) -> dict[str, str]:
    """Return the variables with a value; with `monkeypatch`, set these and remove the others."""
    if monkeypatch is not None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
    return {name: value for name, value in variables.items() if value is not None}
