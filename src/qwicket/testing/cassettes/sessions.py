"""Recordings and replays as context managers, each with a server on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from qwicket.extras import require
from qwicket.testing.cassettes.tape import read
from qwicket.testing.environment import set_variables, variables_of
from qwicket.testing.errors import CassetteError
from qwicket.testing.values import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from qwicket.testing.cassettes.listening import Listener
    from qwicket.testing.cassettes.player import Player
    from qwicket.testing.cassettes.recorder import Recorder
    from qwicket.testing.values import AwsKeys

_ANY_TOKEN = "cassette-replay"  # noqa: S105 - a replay accepts any token


class _Session:
    """Server on this machine, and the token of its clients."""

    _listener: Listener | None = None
    token = _ANY_TOKEN

    @property
    def url(self) -> str:
        """Address for clients.

        Raises:
            CassetteError: The cassette is not open.
        """
        if self._listener is None:
            raise CassetteError("The cassette is not open; use it as a context manager.")
        return self._listener.url

    def env(self, client: str, *, monkeypatch: pytest.MonkeyPatch | None = None) -> dict[str, str]:
        """Return the variables by which a client reaches this server; with `monkeypatch`, set them.

        Args:
            client: A name that `qwicket env` knows, or `qwicket`.
            monkeypatch: Sets the variables, and removes those that would point elsewhere.

        Raises:
            CassetteError: The cassette is not open.
            TestBedError: There is no such client.
        """
        return set_variables(self.variables(client), monkeypatch)

    def variables(self, client: str) -> dict[str, str | None]:
        """Return the environment variables of a client; None for those that must not be set."""
        credentials = Credentials("cassette", self.token, self.token, self.token)
        return variables_of(client, self.url, credentials)

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener = None


class Recording(_Session):
    """Proxy to a vendor, which writes a cassette when the block ends, also after an error.

    Args:
        path: The file to write.
        targets: Address of the vendor by the path at which clients reach it here, such as
            `{"/v1": "https://cloud.example/v1"}`.
        key: The vendor's key. Clients never get it: they sign in with `token`.
        aws: Keys of AWS in place of `key`, for a vendor whose requests are signed. Clients sign
            with `token` as key id, and the recorder signs again.
        port: Port on 127.0.0.1; 0 takes a free one.

    Attributes:
        token: Token with which clients sign in.

    Raises:
        CassetteError: A target or a key is invalid; at the start of the block, the port is taken;
            at its end, the cassette cannot be written.
        NotInstalled: The extra `server` is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        targets: Mapping[str, str],
        *,
        key: str | None = None,
        aws: AwsKeys | None = None,
        port: int = 0,
    ) -> None:
        require("qwicket.testing", "server")
        from qwicket.testing.cassettes.recorder import Recorder

        self._path = Path(path)
        self._port = port
        self._recorder: Recorder = Recorder(targets, key, aws)
        self.token = self._recorder.placeholder

    def __enter__(self) -> Self:
        from qwicket.testing.cassettes.listening import Listener

        self._listener = Listener(self._recorder, self._port)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        # Only at the end, because a later request can show that an earlier value was a secret.
        self._recorder.write(self._path)


class Replay(_Session):
    """Server that answers from a cassette.

    Args:
        path: The file of the cassette.
        strict: Whether all recorded requests must come, in the recorded order and with the recorded
            queries and bodies.
        port: Port on 127.0.0.1; 0 takes a free one.

    Attributes:
        token: Token with which clients sign in; any other works too.

    Raises:
        CassetteError: The file cannot be read; at the start of the block, the port is taken; at its
            end, requests did not match or are missing.
        NotInstalled: The extra `server` is not installed.
    """

    def __init__(self, path: str | Path, *, strict: bool = True, port: int = 0) -> None:
        require("qwicket.testing", "server")
        from qwicket.testing.cassettes.player import Player

        self._port = port
        self._player: Player = Player(read(Path(path)), strict=strict)

    @property
    def problems(self) -> list[str]:
        """A text for each request that did not match so far."""
        return [*self._player.problems]

    def __enter__(self) -> Self:
        from qwicket.testing.cassettes.listening import Listener

        self._listener = Listener(self._player, self._port)
        return self

    def __exit__(self, kind: object, error: object, _: object) -> None:
        """Stop; if the block raised an error, add the problems to the error as notes.

        Raises:
            CassetteError: A request did not match, or one is missing.
        """
        self._stop()
        problems = [*self._player.problems]
        if kind is None:
            problems += self._player.missing()
            if problems:
                raise CassetteError("\n".join(problems))
        elif isinstance(error, BaseException):
            for each in problems:  # they are most likely its cause
                error.add_note(each)


record = Recording
replay = Replay
