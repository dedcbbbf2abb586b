"""How often the execution of one request moves between files and between packages.

    python -m benchmarks.walk

The application runs in this process on a database file, and each call of a function of ours is
noted in order, in the event loop's thread. A move is a call in another file, or another package,
than the call before it. Returns are not calls, so a function that a caller uses for a moment makes
two moves: there, and with the caller's next call back.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, Final

import httpx

import qwicket
from qwicket.cli.options import DataLocation, as_admin
from qwicket.gateway.admin import Admin
from qwicket.gateway.tokens import NewToken
from qwicket.server.app import App
from qwicket.server.settings import Settings

_ROOT: Final = str(Path(qwicket.__file__).parent) + os.sep
_BELL: Final = (
    'OPENQASM 2.0;include "qelib1.inc";qreg q[2];creg c[2];h q[0];cx q[0],q[1];measure q->c;'
)
_NATIVE: Final = {"device": "simulator", "program": _BELL, "shots": 100}
_CIRCUIT: Final = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]
_IONQ: Final = {
    "type": "ionq.circuit.v1",
    "backend": "simulator",
    "shots": 100,
    "input": {"qubits": 2, "circuit": _CIRCUIT},
}
_QUIET_S: Final = 1.0
"""Time after which the periodic work of a start, and that of the request before, is done."""


class Calls:
    """Calls of our functions, in order."""

    def __init__(self) -> None:
        self._frames: list[FrameType] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the calls of a block."""
        self._frames.clear()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_ROOT):
            self._frames.append(frame)  # the frame itself, so that no later one has its identity

    def moves(self, part: Callable[[str], str], *, resumed: bool) -> int:
        """Return the number of moves between parts of the source.

        Args:
            part: Returns the part of a file.
            resumed: Whether a coroutine that goes on after waiting counts as called again.
        """
        seen: set[int] = set()
        parts: list[str] = []
        for frame in self._frames:
            if resumed or id(frame) not in seen:
                parts.append(part(frame.f_code.co_filename.removeprefix(_ROOT)))
            seen.add(id(frame))
        return sum(a != b for a, b in pairwise(parts))


def _package(file: str) -> str:
    return Path(file).parts[0]


def _file(file: str) -> str:
    return file


def _row(name: str, figures: Sequence[object]) -> str:
    return f"{name:26}" + "".join(f"{figure:>12}" for figure in figures)


async def _walk(http: httpx.AsyncClient, token: str) -> None:
    calls = Calls()
    bearer, key = {"Authorization": f"Bearer {token}"}, {"Authorization": f"apiKey {token}"}

    async def go(name: str, method: str, path: str, **options: Any) -> httpx.Response:
        await asyncio.sleep(_QUIET_S)
        with calls.noted():
            answer = await http.request(method, path, **options)
        answer.raise_for_status()
        parts = (_package, _file)
        figures = [calls.moves(part, resumed=way) for way in (True, False) for part in parts]
        print(_row(name, figures))
        return answer

    print(_row("", ("packages", "files", "packages", "files")))
    print(_row("", ("resumed", "resumed", "first", "first")))
    for suffix in (" (first)", ""):  # a first request imports what is imported late
        made = await go("submit" + suffix, "POST", "/v1/jobs", headers=bearer, json=_NATIVE)
        path = f"/v1/jobs/{made.json()['id']}"
        await http.get(f"{path}?wait=60", headers=bearer)
        await go("job" + suffix, "GET", path, headers=bearer)
        await go("result" + suffix, "GET", f"{path}/result", headers=bearer)
        await go("IonQ submit" + suffix, "POST", "/ionq/v0.4/jobs", headers=key, json=_IONQ)


async def main(folder: Path) -> None:
    """Walk through some requests and print a row of figures for each."""
    place = DataLocation(folder, None)

    async def add_account(admin: Admin) -> NewToken:
        await admin.add_account("ada", email=None, password=None)
        return await admin.create_token("ada", scopes=("jobs:read", "jobs:write"))

    made = await asyncio.to_thread(as_admin, place, add_account)
    app = App(Settings(data_dir=folder, workers=1))
    await app.start()
    transport = httpx.ASGITransport(app=app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            await _walk(http, made.secret)
    finally:
        app.begin_stop()
        await app.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(main(Path(name)))
