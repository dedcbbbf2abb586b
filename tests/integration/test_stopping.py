"""How a server stops: soon, cleanly, and with nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.held import held_job
from support.processes import is_alive
from support.programs import BELL
from support.server import LiveServer, run_cli
from support.waiting import PROMPT_S, until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

GRACE_S = 2.0


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    # Jobs behind long ones wait, so these are short.
    made = LiveServer(tmp_path, "--express-slots", "0", "--stop-grace-s", f"{GRACE_S}")
    yield made
    if made.process.poll() is None:
        made.stop()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[LiveServer]:
    # In an express slot it might overrun, and be queued again.
    made = LiveServer(tmp_path, "--express-slots", "0", "--stop-grace-s", "60")
    yield made
    if made.process.poll() is None:
        made.stop()


def submit(http: httpx.Client, program: dict[str, Any]) -> str:
    answer = http.post("/v1/jobs", json={"program": program, "device": "simulator", "shots": 10})
    return str(answer.json()["id"])


def test_sigterm_ends_an_idle_server_with_status_0_and_no_process_left(live: LiveServer) -> None:
    children = live.children()
    assert live.stop() == 0
    until(
        lambda: not any(is_alive(child) for child in children),
        "its workers are gone",
        timeout_s=PROMPT_S,
    )
    assert "Traceback" not in live.log.read_text()


def test_a_short_job_finishes_before_the_server_stops(patient: LiveServer) -> None:
    with patient.client() as http:
        held = held_job()
        job = submit(http, held.program)
        # A job that was claimed and not yet begun would be given back at once.
        held.wait_until_running()
        patient.process.terminate()
        until(lambda: not accepts(patient), "it takes no more requests", timeout_s=PROMPT_S)
        held.release()
    assert patient.process.wait(PROMPT_S) == 0
    patient.start()
    with patient.client() as http:
        after = http.get(f"/v1/jobs/{job}").json()
    assert (after["state"], after["attempts"]) == ("completed", 0)


@pytest.mark.timeout(120)
def test_a_long_job_is_released_and_runs_again(live: LiveServer) -> None:
    with live.client() as http:
        held = held_job()
        job = submit(http, held.program)
        # A job that was claimed and not yet begun would be given back at once.
        held.wait_until_running()
        began = time.monotonic()
        assert live.stop() == 0
        assert time.monotonic() - began > GRACE_S, live.log.read_text()[-2000:]
    live.start()
    with live.client() as http:
        until(lambda: http.get(f"/v1/jobs/{job}").json()["state"] == "running", "it runs again")
        after = http.post(f"/v1/jobs/{job}/cancel").json()
        assert after["attempts"] == 0


@pytest.mark.timeout(120)
def test_a_second_signal_gives_running_jobs_back_at_once(patient: LiveServer) -> None:
    with patient.client() as http:
        job = submit(http, held_job().program)
        until(lambda: http.get(f"/v1/jobs/{job}").json()["state"] == "running", "it runs")
    patient.process.send_signal(signal.SIGINT)
    until(lambda: not accepts(patient), "it takes no more requests", timeout_s=PROMPT_S)
    patient.process.send_signal(signal.SIGINT)
    assert patient.process.wait(30) == 0  # half of its grace time


def test_nothing_is_claimed_after_the_signal(live: LiveServer) -> None:
    with live.client() as http:
        blockers = [submit(http, held_job().program) for _ in range(2)]
        waiting = [submit(http, BELL) for _ in range(5)]
        until(lambda: "running" in http.get(f"/v1/jobs/{blockers[0]}").text, "workers are busy")
        assert live.stop() == 0
    stopped_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    live.start()
    with live.client() as http:
        for blocker in blockers:  # they would run for long once more
            http.post(f"/v1/jobs/{blocker}/cancel").raise_for_status()
        ended = [http.get(f"/v1/jobs/{job}", params={"wait": 60}).json() for job in waiting]
    assert {job["state"] for job in ended} == {"completed"}
    assert min(job["started_at"] for job in ended) > stopped_at


def accepts(live: LiveServer) -> bool:
    try:
        httpx.get(f"{live.url}/livez", verify=False)
    except httpx.TransportError:
        return False
    return True


def test_long_polls_are_answered_when_the_server_stops(live: LiveServer) -> None:
    answers: list[httpx.Response] = []
    with live.client() as http:
        blockers = [submit(http, held_job().program) for _ in range(2)]
        job = submit(http, BELL)

        def poll() -> None:
            answers.append(http.get(f"/v1/jobs/{job}", params={"wait": 60}))

        polling = threading.Thread(target=poll)
        polling.start()
        # A request that arrives after the signal would find its connection closed.
        threading.Event().wait(1.0)
        until(lambda: "running" in http.get(f"/v1/jobs/{blockers[0]}").text, "workers are busy")
        live.process.send_signal(signal.SIGTERM)
        polling.join(10)
    assert [answer.status_code for answer in answers] == [200]
    assert live.process.wait(GRACE_S + 10) == 0


def test_one_folder_has_one_server(live: LiveServer) -> None:
    folder = str(live.folder / "data")
    second = run_cli("serve", "--port", "0", "--data-dir", folder)
    assert second.returncode == 1
    assert "Another server or a restore uses" in second.stderr
    assert "Traceback" not in second.stderr
    with live.client() as http:
        assert http.get("/readyz").status_code == 200


HANGING = """
import asyncio
from importlib import import_module
from qwicket.cli import main
from qwicket.server.app import App

async def stop(self):
    await asyncio.sleep(600)

App.stop = stop
import_module("qwicket.server.run")._CLOSE_S = 1.0
main()
"""


def test_a_stop_that_hangs_ends_and_says_where(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING, "serve", "--port", "0", "--stop-grace-s", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "listens" in line:
                break
        process.terminate()
        said = process.stderr.read()
        assert process.wait(20) == 1
    assert "Timeout (0:00:01)!" in said
    assert "most recent call first" in said
