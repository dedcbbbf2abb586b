"""`connect` and the client that it returns."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from qwicket.clients.native.errors import ClientError
from qwicket.clients.native.jobs import Job
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
        timeout: Seconds within which the server must begin to answer.

    Raises:
        ClientError: There is no token.
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
        """Return what the server says of each device."""
        return list(self._transport.get("/v1/devices")["devices"])

    def submit(
        self,
        program: Program,
        device: str,
        *,
        shots: int = 1000,
        format: str | None = None,  # noqa: A002 - the field's own word
        seed: int | None = None,
        outputs: Sequence[str] = ("counts",),
        name: str = "",
        tags: Sequence[str] = (),
    ) -> Job:
        """Submit a program. When this returns, the job is on the server's disk.

        It carries an idempotency key, so that a lost answer never makes a second job.

        Args:
            program: Text, a path to a file, or the object of a JSON format.
            device: Name of the device.
            shots: Shots per circuit.
            format: The program's format; by default the device's first.
            seed: 0 ≤ seed < 2^63; by default the server draws one.
            outputs: Of `counts`, `memory`, `probabilities`.
            name: A name for people.
            tags: Words to find it by.

        Raises:
            ApiError: It was refused; nothing is stored.
            Unreachable: No answer came; submitting again is a new job.
        """
        body = {
            "program": program.read_text("utf-8") if isinstance(program, Path) else program,
            "device": device,
            "shots": shots,
            "format": format,
            "seed": seed,
            "outputs": list(outputs),
            "name": name,
            "tags": list(tags),
        }
        key = {"Idempotency-Key": str(uuid.uuid4())}
        return Job(
            self._transport,
            self._transport.post("/v1/jobs", body, repeatable=True, headers=key),
        )

    def job(self, id: str) -> Job:  # noqa: A002 - the field's own word
        """Return a job by its id, from any process at any time.

        Raises:
            ApiError: There is no such job for this token.
        """
        return Job(self._transport, self._transport.get(f"/v1/jobs/{id}"))
