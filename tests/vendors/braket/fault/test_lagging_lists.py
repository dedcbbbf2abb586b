"""A task is created once, though Braket's lists lag, its tokens expire and tags are lost."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

import qwicket
from support import braket
from support.cutting_proxy import Cut, CuttingProxy, message
from support.remotes import BELL, write_device
from support.server import LiveServer
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.timeout(300)]

NOTHING = b'{"quantumTasks":[]}'


class LaggingCloud(CuttingProxy):
    """A cloud that lists no tasks while it lags.

    Attributes:
        lags: Whether it lags.
        submissions: Bodies of the requests for new tasks.
    """

    lags = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.submissions: list[bytes] = []

    def __enter__(self) -> LaggingCloud:
        super().__enter__()
        return self

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        request = message(client)
        if request.startswith(b"POST /braket/quantum-tasks ") and self.lags:
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            )
            client.sendall(head % len(NOTHING) + NOTHING)
            return True
        if request.startswith(b"POST /braket/quantum-task "):
            self.submissions.append(request.partition(b"\r\n\r\n")[2])
        cut = self._cut(request)
        server.sendall(request)
        answer = message(server)
        if cut is None:
            client.sendall(answer)
        return cut is None


class Clouds(NamedTuple):
    behind: LiveServer
    cloud: LaggingCloud
    front: LiveServer
    key: str

    def tasks(self) -> list[str]:
        with qwicket.connect(self.behind.url, self.key) as there:
            return [job.id for job in there.jobs()]


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    behind = LiveServer(tmp_path / "behind")
    key = behind.token("gate")
    with LaggingCloud(behind.url) as cloud:
        folder = write_device(
            *(tmp_path / "devices", behind, key),
            kind="braket",
            device=braket.SV1,
            url=cloud.url,
            settle_s=1.0,
        )
        front = LiveServer(tmp_path / "front", "--device-dir", str(folder), "--workers", "0")
        with qwicket.connect(front.url, front.token()) as client:
            until(lambda: client.device("far").status == "on", "the cloud is seen")
        yield Clouds(behind, cloud, front, key)
        front.stop()
    behind.stop()


def test_a_lost_answer_is_sought_by_the_same_request_at_once(clouds: Clouds) -> None:
    clouds.cloud.plan(Cut("answer", 0.0, path="/quantum-task "))
    with qwicket.connect(clouds.front.url, clouds.front.token()) as client:
        job = client.submit(BELL, "far", shots=10)
        assert sum(job.result(60).counts.values()) == 10
    first, second = clouds.cloud.submissions
    assert first == second
    assert len(clouds.tasks()) == 1


def test_once_the_token_may_have_expired_a_person_decides(clouds: Clouds) -> None:
    """The server is down for five minutes; meanwhile somebody fills the tags of the task."""
    clouds.cloud.plan(Cut("answer", 0.0, path="/quantum-task ", is_lasting=True))
    with qwicket.connect(clouds.front.url, clouds.front.token()) as client:
        id = client.submit(BELL, "far", shots=10).id
    until(lambda: clouds.cloud.submissions, "it is sent, and the answer is lost")
    clouds.front.kill()
    clouds.cloud.plan(None)
    n_sent = len(clouds.cloud.submissions)
    with closing(sqlite3.connect(clouds.front.folder / "data" / "qwicket.db")) as db, db:
        db.execute("update forward set intent_at = intent_at - 300000")
    (task,) = until(clouds.tasks, "it is there")
    with httpx.Client(base_url=clouds.behind.url) as http:
        pair = clouds.behind.key_pair(clouds.key)
        arn = braket.task_arn(braket.account_number(http, pair), task)
        path, signed = f"/braket/tags/{arn.replace('/', '%2F')}", braket.Signature(pair, "braket")
        http.delete(f"{path}?tagKeys=qwicket_job", auth=signed).raise_for_status()
        tags = {f"key{number}": "full" for number in range(32)}
        filled = http.post(path, json={"tags": tags}, auth=signed)
        assert filled.status_code == 200, filled.text
    clouds.cloud.lags = False
    clouds.front.start()
    with clouds.front.client() as http:

        def last_reason() -> str:
            events = http.get(f"/v1/jobs/{id}/events").json()["events"]
            return str(events[-1]["reason"])

        until(lambda: "relied on for 300 s" in last_reason(), "a person is asked")
        assert f"Look there for qwicket-{id}; then `qwicket job resolve`" in last_reason()
        assert http.get(f"/v1/jobs/{id}").json()["state"] == "uncertain"
    clouds.front.admin("job", "resolve", id, "--sent-as", arn)
    with qwicket.connect(clouds.front.url, clouds.front.token()) as client:
        assert sum(client.job(id).result(60).counts.values()) == 10
    assert len(clouds.cloud.submissions) == n_sent
    assert clouds.tasks() == [task]
