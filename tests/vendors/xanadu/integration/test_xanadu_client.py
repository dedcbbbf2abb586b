"""The client of Xanadu Cloud's API against a live server's dialect."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from requests.exceptions import HTTPError

from qwicket.clients.xanadu import Connection, Device, Job
from support.held import held_job
from support.server import LiveServer
from support.waiting import until
from support.xanadu import held_circuit, pair


def connect(server: LiveServer, token: str | None = None, **options: Any) -> Connection:
    at = urlsplit(server.url)
    assert at.hostname is not None
    assert at.port is not None
    return Connection(token or server.token(), host=at.hostname, port=at.port, tls=False, **options)


@pytest.fixture
def connection(server: LiveServer) -> Connection:
    return connect(server)


def submit(connection: Connection, circuit: str) -> Job:
    return Job.submit(connection, "example", "simulon_gaussian", circuit)


def test_a_job_there_and_back(connection: Connection) -> None:
    job = submit(connection, pair(20))
    assert job.status == "open"
    job.wait(delay=0.02, timeout=60)
    assert (job.status, job.name, job.target) == ("complete", "example", "simulon_gaussian")
    assert Job(job.id, connection).circuit == pair(20)
    (samples,) = job.result["output"]
    assert (samples.shape, samples.dtype) == ((20, 2), np.int64)
    assert (samples[:, 0] == samples[:, 1]).all()
    assert job.id in [each.id for each in Job.list(connection, status="complete")]
    assert [each.id for each in Job.list(connection, ids=[job.id])] == [job.id]


def test_a_pass_that_expires_is_renewed(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, "--access-token-s", "2")
    try:
        made = connect(server)
        assert made.ping().status_code == 200
        before, headers = made.access_token, made.headers
        until(
            lambda: requests.get(made.url("/jobs"), headers=headers, timeout=9).status_code > 400,
            "the pass expires",
        )
        assert made.request("GET", "/jobs").json() == {"data": []}
        assert made.access_token != before
    finally:
        server.stop()


def test_devices_show_their_specification(connection: Connection) -> None:
    device, *_ = Device.list(connection)
    assert (device.target, device.up, len(device.expected_uptime)) == ("X8_01", True, 7)
    assert device.specification["modes"] == 8
    assert device.certificate["target"] == "X8_01"


def test_a_running_job_is_cancelled(connection: Connection) -> None:
    job = submit(connection, held_circuit(held_job()))
    until(lambda: Job(job.id, connection).started_at is not None, "the job runs", timeout_s=60)
    with pytest.raises(TimeoutError):
        job.wait(delay=0.01, timeout=0.1)
    job.cancel()
    job.wait(delay=0.02, timeout=30)
    assert job.status == "cancelled"
    with pytest.raises(HTTPError, match="404"):
        job.get_result()


def test_what_is_wrong_is_said(connection: Connection, server: LiveServer) -> None:
    with pytest.raises(HTTPError, match=r"^line 1: .*'Nogate' is not known"):
        submit(connection, "Nogate() | 0")
    with pytest.raises(HTTPError, match="There is no device X9"):
        _ = Device("X9", connection).status
    with pytest.raises(HTTPError, match=r"API key.* is invalid"):
        connect(server, "qw_" + "a" * 43).ping()
