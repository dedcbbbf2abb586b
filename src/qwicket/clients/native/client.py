"""`connect` and the client that it returns."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from qwicket.clients.native import wire
from qwicket.clients.native.errors import ClientError
from qwicket.clients.native.jobs import Job, path_of
from qwicket.clients.native.transport import Transport

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_TIMEOUT_S: Final = 30.0

Program = str | Path | Mapping[str, Any]


def connect(
    url: str | None = None, token: str | None = None, *, timeout: float = _TIMEOUT_S
) -> Client:
    """Return a client of a Qwicket server. Nothing is sent yet.

    Args:
        url: Address of the server; by default `QWICKET_URL`, else this machine's port 8000.
        token: A token; by default `QWICKET_TOKEN`.
        timeout: Seconds for one answer of the server; one with much to say may take longer.

    Raises:
        ClientError: There is no token, or the address is none.
    """
    url = url or os.environ.get("QWICKET_URL") or DEFAULT_URL
    token = token or os.environ.get("QWICKET_TOKEN")
    if not token:
        raise ClientError("No token: pass token=… or set QWICKET_TOKEN.")
    return Client(Transport(url, token, timeout))


class Client:
    """A connection to one server with one token; made by `connect`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<Client of {self._transport.url}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def devices(self) -> list[dict[str, Any]]:
        """Return what the server says of each device.

        Raises:
            ClientError: The server could not be asked.
        """
        return self._transport.get("/v1/devices", wire.DevicesBody).devices

    def submit(
        self,
        program: Program,
        device: str,
        *,
        shots: int = 1000,
        format: str | None = None,  # noqa: A002 - the field's own word
        seed: int | None = None,
        noise: str | None = None,
        engine: str = "",
        inputs: Mapping[str, float] | None = None,
        outputs: Sequence[str] = ("counts",),
        name: str = "",
        tags: Sequence[str] = (),
        key: str | None = None,
    ) -> Job:
        """Submit a program. When this returns, the job is on the server's disk.

        Every try bears the same idempotency key, so that a lost answer makes no second job.

        Args:
            program: Text, a path to a file, or the object of a JSON format.
            device: Name of the device.
            shots: Shots per circuit.
            format: The program's format; by default it is told from the text.
            seed: 0 ≤ seed < 2^63; by default the server draws one.
            noise: Name of one of the device's noise models; by default none.
            engine: Name of one of the device's engines; by default the one that suits each circuit.
            inputs: Values of the program's declared inputs, angles in radians.
            outputs: Of `counts`, `memory`, `probabilities`.
            name: A name for people.
            tags: Words to find it by.
            key: The idempotency key, by default a fresh one. With one of your own, submitting the
                same again within 24 hours returns the same job, also from another process.

        Raises:
            ApiError: It was refused; nothing is stored.
            Unreachable: No answer came: it may be stored. Only the same `key` finds it again.
        """
        body = {
            "program": program.read_text("utf-8") if isinstance(program, Path) else program,
            "device": device,
            "shots": shots,
            "format": format,
            "seed": seed,
            "noise": noise,
            "engine": engine,
            "inputs": dict(inputs or {}),
            "outputs": list(outputs),
            "name": name,
            "tags": list(tags),
        }
        key = key or secrets.token_hex(16)
        return Job(self._transport, self._transport.post("/v1/jobs", body, dict[str, Any], key=key))

    def job(self, id: str) -> Job:  # noqa: A002 - the field's own word
        """Return a job by its id, from any process at any time.

        Raises:
            ApiError: There is no such job for this token.
        """
        return Job(self._transport, self._transport.get(path_of(id), dict[str, Any]))
