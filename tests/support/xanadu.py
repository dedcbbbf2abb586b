"""The Xanadu dialect over plain HTTP, and programs for it."""

from __future__ import annotations

import io
import time
from typing import Any

import httpx
import numpy as np

from qwicket.vendors.xanadu.dialect.routes import ROUTES
from support.described import Described
from support.held import HeldJob
from support.waiting import until

_RENEW_S = 60.0  # of 300
TOKEN_PATH = "/auth/realms/platform/protocol/openid-connect/token"
ENDED = ("complete", "failed", "cancelled")

PAIR = """name pair
version 1.0
target simulon_gaussian (shots={shots})

S2gate(1.0) | [0, 1]
MeasureFock() | [0, 1]
"""
"""Two-mode squeezed vacuum: both counts are equal in every shot."""

HELD = """name held
version 1.0
target simulon_gaussian (shots=10000)

for int i in 0:12
    Rgate({angle!r}) | i
MeasureFock() | [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
"""


def pair(shots: int = 10) -> str:
    return PAIR.format(shots=shots)


def held_circuit(job: HeldJob) -> str:
    """Return a held job, which finds no photon and is estimated to take 18 s."""
    return HELD.format(angle=job.angle)


def fetch_access_token(http: httpx.Client, token: str) -> str:
    """Exchange a token for an access token, as the clients do."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "public"}
    answer = http.post(TOKEN_PATH, data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


class Caller:
    """A client of the dialect, which renews its access token before it expires.

    Each answer is held to the dialect's description.

    Attributes:
        described: Knows which routes have answered.
        renew_s: Seconds for which an access token is used.
    """

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.described = Described("", ROUTES)
        http.event_hooks = {"response": [self.described]}
        self.renew_s = _RENEW_S
        self._token = token
        self._renew_at = 0.0
        self._auth: dict[str, str] = {}

    @property
    def auth(self) -> dict[str, str]:
        if time.monotonic() >= self._renew_at:
            self._auth = {"Authorization": f"Bearer {fetch_access_token(self.http, self._token)}"}
            self._renew_at = time.monotonic() + self.renew_s
        return self._auth

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.auth, **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    def post(self, circuit: str, **fields: Any) -> httpx.Response:
        body = {"name": None, "target": "simulon_gaussian", "circuit": circuit, **fields}
        return self.call("POST", "/jobs", json={"language": "blackbird:1.0", **body})

    def submit(self, circuit: str, **fields: Any) -> str:
        answer = self.post(circuit, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def read(self, job: str) -> dict[str, Any]:
        answer = self.call("GET", f"/jobs/{job}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, job: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found = self.read(job)
            return found if found["status"] in ENDED else None

        return until(end, f"job {job} ends", timeout_s=60)

    def done(self, circuit: str, **fields: Any) -> str:
        """Submit a job; return its id when it is complete."""
        job = self.submit(circuit, **fields)
        assert self.ended(job)["status"] == "complete", self.read(job)
        return job

    def samples(self, job: str) -> np.ndarray:
        answer = self.call("GET", f"/jobs/{job}/result")
        assert answer.status_code == 200, answer.text
        with np.load(io.BytesIO(answer.content), allow_pickle=False) as archive:
            assert archive.files == ["arr_0"]
            found: np.ndarray = archive["arr_0"]
            return found
