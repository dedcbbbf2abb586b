"""The IQM dialect over plain HTTP, and programs for it."""

from __future__ import annotations

from math import pi
from typing import Any, Final

import httpx

from qwicket.vendors.iqm.dialect.routes import ROUTES
from support.described import Described
from support.waiting import until

DIALECT: Final = "/iqm/api"
COMPUTER: Final = "simulator"


def prx(qubit: int, angle: float = pi, phase: float = 0.0) -> dict[str, Any]:
    return instruction("prx", qubit, angle=angle, phase=phase)


def cz(first: int, second: int) -> dict[str, Any]:
    return instruction("cz", first, second)


def measure(*qubits: int, key: str = "m", **args: str) -> dict[str, Any]:
    return instruction("measure", *qubits, key=key, **args)


def instruction(name: str, *qubits: int, **args: Any) -> dict[str, Any]:
    """Return an instruction on qubits that count from 0."""
    return {"name": name, "locus": [f"QB{qubit + 1}" for qubit in qubits], "args": args}


BELL: Final = [
    prx(0, pi / 2, pi / 2),
    prx(1, pi / 2, pi / 2),
    cz(0, 1),
    prx(1, -pi / 2, pi / 2),
    measure(0, 1),
]


def body(*circuits: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return a submission of circuits, by default of a Bell pair."""
    found = [{"name": f"c{k}", "instructions": each} for k, each in enumerate(circuits or [BELL])]
    return {"circuits": found, "shots": 10, **fields}


class Caller:
    """One account at the dialect. Each answer is held to the dialect's description."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"}
        self.described = Described(DIALECT, ROUTES)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = f"{DIALECT}/v1{path}"
        answer = self.http.request(method, url, headers=self.headers, **options)
        self.described(answer)
        return answer

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, sent: Any, computer: str = COMPUTER) -> httpx.Response:
        return self.call("POST", f"/jobs/{computer}/circuit", json=sent)

    def submit(self, sent: Any = None, computer: str = COMPUTER) -> str:
        answer = self.post(body() if sent is None else sent, computer)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def done(self, sent: Any = None, computer: str = COMPUTER) -> str:
        """Submit circuits, and return the job when it is completed."""
        job = self.submit(sent, computer)
        until(lambda: self.get(f"/jobs/{job}")["status"] == "completed", "the job completes")
        return job
