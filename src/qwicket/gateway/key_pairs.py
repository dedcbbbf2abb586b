"""Key pairs as AWS's clients have them: a key id, and a secret that signs requests.

The server needs the secret itself to verify a signature, so it cannot store just a digest. Instead
it derives the secret from the key id and a master key, and stores it nowhere. The master key is in
a file outside the database; the database holds only the key's fingerprint.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.accounts import master_key_name
from qwicket.model.errors import InvalidRequest, Unavailable
from qwicket.model.secret_files import mode_for_others

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qwicket.store import Store

PREFIX: Final = "QWAK"
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_RANDOM_CHARS: Final = 15  # 2^75
# Prefix, one digit for the version of the master key, random digits: 20, as AWS's have.
KEY_ID: Final = re.compile(rf"{PREFIX}[{_BASE32}]{{{1 + _RANDOM_CHARS}}}")
TOKEN: Final = re.compile(rf"{KEY_ID.pattern}\.[A-Za-z0-9_-]{{43}}")
"""A key pair as a token: the key id, a dot, the secret."""
_KEY_BYTES: Final = 32
# A line of the file: version and master key.
_LINE: Final = re.compile(r"([1-9][0-9]?) ([0-9a-f]{64})")
_MAX_VERSION: Final = len(_BASE32)
_PURPOSE: Final = b"aws-sigv4-v1:"


class KeyPair(NamedTuple):
    """A key id and its secret, which is shown once and stored nowhere."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(key_id={self.key_id!r}, secret='…')"


class KeyPairs:
    """Makes key pairs, and derives the secret of a key id again.

    Args:
        store: Holds the fingerprints of the master keys.
        path: File of the master keys; None if none is set.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, path: Path | None, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._path = path
        self._now_ms = now_ms
        self._masters: Mapping[int, bytes] = {}

    async def check(self) -> None:
        """Read the master keys, and compare them with those that the database knows.

        Raises:
            InvalidRequest: The file is malformed, or users other than its owner may access it.
            Unavailable: The file cannot be read, or the database knows other keys.
        """
        if self._path is None:
            return
        masters = await asyncio.to_thread(read_masters, self._path)
        for version, key in masters.items():
            known = await self._store.accounts.find_server_key(master_key_name(version))
            if known is not None and not hmac.compare_digest(known, _fingerprint(key)):
                raise Unavailable(
                    f"--aws-master-file: version {version} is not the master key with which this"
                    " database began; every server of a database needs the same file."
                )
        self._masters = masters

    async def create(self) -> KeyPair:
        """Return a new pair under the newest master key, which the first pair creates.

        Raises:
            InvalidRequest: As for `check`; or no file is set, for a database that several servers
                share.
            Unavailable: As for `check`; or the file cannot be written, or is gone although the
                database has used one.
        """
        if self._path is None:
            raise InvalidRequest(
                "Key pairs need a file for the master key: set QWICKET_AWS_MASTER_FILE to the same"
                " file for all servers of the database and for this command.",
                field="aws",
            )
        await self.check()
        if not self._masters:
            if await self._store.accounts.find_server_key(master_key_name()) is not None:
                raise Unavailable(
                    "The file of the master key is not there, and this database has used one: put"
                    " it back. Without it all key pairs are lost."
                )
            await asyncio.to_thread(_create, self._path)
            await self.check()
        version = max(self._masters)
        fingerprint = _fingerprint(self._masters[version])
        await self._store.accounts.get_or_add_server_key(
            master_key_name(version), fingerprint, self._now_ms()
        )
        await self.check()  # another server may have been first, with another key
        random = "".join(secrets.choice(_BASE32) for _ in range(_RANDOM_CHARS))
        key_id = f"{PREFIX}{_BASE32[version - 1]}{random}"
        return KeyPair(key_id, _secret(self._masters[version], key_id))

    async def secret(self, key_id: str) -> str | None:
        """Return the secret of a key id, or None if no master key has its version."""
        version = _BASE32.index(key_id[len(PREFIX)]) + 1
        if version not in self._masters:
            await self.check()  # the version may have been added to the file
        master = self._masters.get(version)
        return None if master is None else _secret(master, key_id)


def _secret(master: bytes, key_id: str) -> str:
    derived = hmac.digest(master, _PURPOSE + key_id.encode(), "sha256")
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def _fingerprint(master: bytes) -> bytes:
    return hashlib.sha256(b"fingerprint:" + master).digest()


def read_masters(path: Path) -> dict[int, bytes]:
    """Return the master keys of a file by version; none if there is no file.

    Raises:
        InvalidRequest: The file is malformed, or users other than its owner may access it.
        Unavailable: It cannot be read.
    """
    try:
        with path.open() as file:
            is_open = mode_for_others(file) != 0
            lines = file.read(1 << 16).splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        raise Unavailable("--aws-master-file: the file cannot be read.") from None
    if is_open:
        raise InvalidRequest("--aws-master-file: other users may read the file; set its mode 0600.")
    found: dict[int, bytes] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line.strip())
        if match is None or not 1 <= int(match[1]) <= _MAX_VERSION or int(match[1]) in found:
            raise InvalidRequest(
                f"--aws-master-file: line {number} must be a new version, 1 to {_MAX_VERSION}, a"
                " space and 64 hexadecimal digits in lower case."
            )
        found[int(match[1])] = bytes.fromhex(match[2])
    return found


def _create(path: Path) -> None:
    """Create the file with a first master key, unless another process has just done so."""
    # Written under another name first, so that no reader sees half a line.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as file:
            file.write(f"1 {secrets.token_hex(_KEY_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        raise Unavailable(f"--aws-master-file: cannot be written: {error.strerror}.") from None
    finally:
        temporary.unlink(missing_ok=True)
