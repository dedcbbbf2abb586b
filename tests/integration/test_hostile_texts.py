"""Hostile texts all at once: each is refused or parsed, and other requests are not delayed.

How little others notice is measured by `make bench`; here the bounds only tell a server that
answers from one that hangs.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.hostile import HOSTILE
from support.processes import below, parsers_of, user_ticks
from support.programs import BELL
from support.server import LiveServer
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

EVIL = ("eve", "mallory", "trudy", "wanda")
LONGEST_POLL_S = 5.0
SMALL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\ncreg c[1];\nmeasure q -> c;\n'


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    # with timeouts that suit a busy machine
    live = LiveServer(
        tmp_path_factory.mktemp("hostile"),
        "--limit",
        "parse_time_s=60",
        "--limit",
        "short_parse_s=60",
    )
    yield live
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


def submit(client: httpx.Client, program: object) -> httpx.Response:
    return client.post("/v1/jobs", json={"device": "simulator", "program": program, "shots": 10})


class Poller(threading.Thread):
    """Asks for a job's state without a pause, and keeps how long each answer took."""

    def __init__(self, client: httpx.Client, job: str) -> None:
        super().__init__(daemon=True)
        self._client, self._job = client, job
        self.statuses: set[int] = set()
        self.seconds: list[float] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            began = time.monotonic()
            self.statuses.add(self._client.get(f"/v1/jobs/{self._job}").status_code)
            self.seconds.append(time.monotonic() - began)


def test_twenty_hostile_texts_at_once_are_refused_or_read_without_delays_for_others(
    live: LiveServer,
) -> None:
    tokens = [live.token(name) for name in EVIL]
    with live.client() as ada:
        job = submit(ada, BELL).json()["id"]
        assert ada.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "completed"
        processes = sorted(live.children())
        poller = Poller(ada, job)
        poller.start()
        clients = [live.client(token) for token in tokens]
        with ThreadPoolExecutor(len(HOSTILE)) as senders:
            sent = [
                senders.submit(submit, clients[k % len(clients)], text)
                for k, text in enumerate(HOSTILE.values())
            ]
            answers = dict(zip(HOSTILE, (answer.result() for answer in sent), strict=True))
        poller.stopping.set()
        poller.join()
        for client in clients:
            client.close()
    for name, answer in answers.items():
        assert answer.status_code == 201 or answer.is_client_error, (name, answer.text)
        assert "root:" not in answer.text, "a file was read"
    assert answers["a bomb of 10^4 gates"].status_code == 201
    assert sum(answer.status_code == 400 for answer in answers.values()) > len(HOSTILE) // 2
    assert poller.statuses == {200}
    assert max(poller.seconds) < LONGEST_POLL_S
    assert sorted(below(live.process.pid)) == processes, "a process of the server died"


def test_a_reader_that_is_killed_changes_no_answer(live: LiveServer) -> None:
    with live.client() as ada, live.client(live.token("bob")) as bob:
        assert submit(ada, SMALL).status_code == 201
        until(lambda: len(parsers_of(live.process.pid)) == 3, "all parsers are there")
        before = {reader: user_ticks(reader) for reader in parsers_of(live.process.pid)}

        def busy() -> int | None:
            return next((pid for pid in before if user_ticks(pid) > before[pid] + 5), None)

        with ThreadPoolExecutor(1) as sender:
            reading = sender.submit(submit, ada, HOSTILE["a megabyte of modifiers"])
            victim = until(busy, "a reader is at work")
            os.kill(victim, signal.SIGKILL)
            assert submit(bob, SMALL).status_code == 201
        refused, again = reading.result(), submit(ada, HOSTILE["a megabyte of modifiers"])
        assert refused.status_code == again.status_code == 400, refused.text
        assert refused.json()["detail"] == again.json()["detail"]
        until(lambda: len(parsers_of(live.process.pid)) == 3, "it is replaced", timeout_s=PROMPT_S)
        assert victim not in parsers_of(live.process.pid)
        assert submit(ada, SMALL).status_code == 201
