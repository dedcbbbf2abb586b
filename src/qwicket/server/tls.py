"""TLS of the listening socket, from the operator's files."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from pathlib import Path


_OPTIONS: Final = ("--tls-cert", "--tls-key")


def context(
    cert: Path | None, key: Path | None, options: tuple[str, str] = _OPTIONS
) -> ssl.SSLContext | None:
    """Return the TLS context, or None unless both files are given.

    Args:
        cert: Certificate chain in PEM.
        key: Its private key, without a password.
        options: The options that name the two files, for errors.

    Raises:
        InvalidRequest: A file cannot be read or is invalid; the text names it.
    """
    if cert is None or key is None:
        return None
    for option, path in zip(options, (cert, key), strict=True):
        _check_readable(option, path)
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # Without a password here, an encrypted key would ask for one at the terminal.
        made.load_cert_chain(cert, key, password="")
    except OSError as error:  # of OpenSSL too: its errors are OSErrors
        names = ", ".join(dict.fromkeys(options))
        raise InvalidRequest(f"{names}: {_reason(error, cert, key)}.") from None
    made.options |= ssl.OP_NO_RENEGOTIATION  # one small record would cost the server much CPU
    made.set_alpn_protocols(["http/1.1"])
    return made


def _check_readable(option: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise InvalidRequest(f"{option}: {path} cannot be read: {error.strerror}.") from None


def _reason(error: OSError, cert: Path, key: Path) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key} does not match the certificate in {cert}"
    return (
        f"{cert} must be a certificate chain and {key} its private key without a password, both in"
        f" PEM ({error.strerror or error})"
    )
