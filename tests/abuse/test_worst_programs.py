"""The slowest text of every format leaves the event loop free."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from qwicket import programs
from qwicket.model.limits import Limits
from support.agents import serving_token
from support.bombs import BOMBS
from support.event_loop import MEASURED, assert_loop_stays_free
from support.pairwise import by_row
from support.server import LiveServer
from support.worst_programs import WORST, WORST_LAYOUTS
from support.xanadu import Caller

pytestmark = pytest.mark.extended

LIMITS = Limits.from_names(memory_bytes=1 << 30)
DEVICES = {
    "ahs": ("rydberg", "samples"),
    "blackbird": ("simulon_gaussian", "samples"),
    "braket.openqasm3": ("statevector", "counts"),
    "qiskit.primitives": ("qwicket_simulator", "memory"),
    "qlued.singlequdit": ("singlequdit", "samples"),
}
"""Device and output of each format; of the others `simulator` and `counts`."""
MAX_CALLS = 30_000
"""The most are 27,000. A program that is read on the loop after all takes more."""
REFUSALS = ("invalid_program", "limit_exceeded")
"""Codes of what a reader refuses. What is refused before has others."""
CASES = [(name, text) for name, texts in WORST.items() for text in texts]
SENT = [case for case in CASES if case[0] != "qlued.lab"]  # only a lab's device takes that
LAB = "labphotons"
SPEC = {
    "description": "",
    "qubits": 4,
    "formats": ["blackbird"],
    "outputs": ["samples"],
    "shot_s": 0.001,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("worst"), **MEASURED)
    yield live
    assert live.stop() == 0


def test_texts_of_each_format_are_tried() -> None:
    alike = {name for name in programs.FORMATS if name.startswith("qlued.")} - {"qlued.lab"}
    assert set(WORST) | alike == set(programs.FORMATS)


@pytest.mark.parametrize(("name", "texts"), by_row(SENT))
def test_the_worst_programs_leave_the_loop_free(
    live: LiveServer, name: str, texts: list[str]
) -> None:
    device, output = DEVICES.get(name, ("simulator", "counts"))
    body = {"device": device, "outputs": [output], "shots": 1, "format": name}

    def send(text: str) -> None:
        with live.client() as client:
            sent = client.post("/v1/jobs", json={**body, "program": text})
            assert sent.status_code == 201 or sent.json()["code"] in REFUSALS, sent.text
            assert client.get("/livez").status_code == 200
            if sent.status_code == 201:
                client.post(f"/v1/jobs/{sent.json()['id']}/cancel")

    for text in texts:
        assert_loop_stays_free(live, partial(send, text), max_calls=MAX_CALLS)


def test_the_worst_layouts_leave_the_loop_free(live: LiveServer) -> None:
    live.token()
    token = serving_token(live, LAB)

    def send(text: str) -> None:
        photonic = {"modes": 4, "layout": text, "since": "2026-01-01T00:00:00Z"}
        body = {"family": "photonic", "spec": {**SPEC, "photonic": photonic}}
        with live.client(token) as client:
            sent = client.put(f"/v1/agent/devices/{LAB}", json=body)
            assert sent.status_code in (200, 400), sent.text

    for text in WORST_LAYOUTS:
        assert_loop_stays_free(live, partial(send, text), max_calls=MAX_CALLS)


def test_blackbird_at_its_own_dialect_leaves_the_loop_free(live: LiveServer) -> None:
    with httpx.Client(base_url=live.url, timeout=60) as http:
        caller = Caller(http, live.token())
        caller.post("the first pass")

        def send() -> None:
            for text in (*WORST["blackbird"], *BOMBS.values()):
                assert caller.post(text).status_code in (201, 400)

        assert_loop_stays_free(live, send, max_calls=MAX_CALLS)
