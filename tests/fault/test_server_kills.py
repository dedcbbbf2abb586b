"""kill -9 of the server in bursts of submits: what was answered with 2xx lives and ends once."""

from __future__ import annotations

import random
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.processes import children_of, is_alive
from support.programs import BELL, slow
from support.server import LiveServer
from support.waiting import until

CLIENTS = 4
KILLS = 10


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path)
    yield live
    live.stop()


class Submitter(threading.Thread):
    """Submits until told to stop; keeps the ids that were answered with 201."""

    def __init__(self, server: LiveServer, token: str, *, with_keys: bool) -> None:
        super().__init__(daemon=True)
        self._server, self._token, self._with_keys = server, token, with_keys
        self.acknowledged: list[str] = []
        self.keys: dict[str, set[str]] = {}
        self.stopping = threading.Event()

    def run(self) -> None:
        with self._server.client(self._token) as client:
            while not self.stopping.is_set():
                self._submit(client, str(uuid.uuid4()))

    def _submit(self, client: httpx.Client, key: str) -> None:
        headers = {"Idempotency-Key": key} if self._with_keys else {}
        body = {"program": BELL, "device": "simulator", "shots": 10}
        while True:
            try:
                answer = client.post("/v1/jobs", json=body, headers=headers)
            except httpx.TransportError:
                if self.stopping.wait(0.02) or not self._with_keys:
                    return
                continue
            assert answer.status_code == 201, answer.text
            job = answer.json()["id"]
            self.acknowledged.append(job)
            if self._with_keys:
                self.keys.setdefault(key, set()).add(job)
            return


@pytest.mark.timeout(300)
@pytest.mark.parametrize("with_keys", [False, True], ids=["without keys", "with keys"])
def test_every_acknowledged_job_survives_ten_kills_and_ends_once(
    doomed: LiveServer, with_keys: bool
) -> None:
    rng = random.Random(7)
    token = doomed.token()
    submitters = [Submitter(doomed, token, with_keys=with_keys) for _ in range(CLIENTS)]
    for submitter in submitters:
        submitter.start()
    for _ in range(KILLS):
        before = sum(len(each.acknowledged) for each in submitters)
        until(
            lambda: sum(len(each.acknowledged) for each in submitters) > before + 5,  # noqa: B023
            "a burst is under way",
            timeout_s=30,
        )
        threading.Event().wait(rng.uniform(0, 0.3))
        doomed.kill()
        doomed.start()
    for submitter in submitters:
        submitter.stopping.set()
    for submitter in submitters:
        submitter.join(30)
        assert not submitter.is_alive()
    acknowledged = [job for each in submitters for job in each.acknowledged]
    assert len(set(acknowledged)) == len(acknowledged) or with_keys
    check_all_end_once(doomed, set(acknowledged))
    for submitter in submitters:
        assert all(len(jobs) == 1 for jobs in submitter.keys.values())


def check_all_end_once(server: LiveServer, acknowledged: set[str]) -> None:
    """Wait for the queue to run dry, then read the database itself."""
    database = sqlite3.connect(f"file:{server.folder}/data/qwicket.db?mode=ro", uri=True)
    waiting = "select count(*) from job where state not in ('completed', 'failed', 'cancelled')"
    until(
        lambda: database.execute(waiting).fetchone()[0] == 0, "every job has ended", timeout_s=120
    )
    states = dict(database.execute("select id, state from job").fetchall())
    assert acknowledged <= set(states), "an acknowledged job is lost"
    assert Counter(states.values()).keys() == {"completed"}
    outcomes = Counter(job for (job,) in database.execute("select job from outcome"))
    assert outcomes == Counter(dict.fromkeys(states, 1))
    assert database.execute("select count(*) from lease").fetchone() == (0,)
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


def test_a_server_that_comes_back_offers_what_was_running(doomed: LiveServer) -> None:
    with doomed.client() as client:
        body = {"program": slow(22, 150), "device": "simulator", "shots": 10}
        job = client.post("/v1/jobs", json=body).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running", "it runs")
        doomed.kill()
        doomed.start()
        ended = client.get(f"/v1/jobs/{job}", params={"wait": 60}).json()
    assert (ended["state"], ended["attempts"]) == ("completed", 0)


def test_no_process_of_a_killed_server_lives_on(doomed: LiveServer) -> None:
    children = children_of(doomed.process.pid)
    assert children
    doomed.kill()
    until(lambda: not any(is_alive(child) for child in children), "its workers are gone")
    doomed.start()
