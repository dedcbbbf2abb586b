"""xanadu-cloud-client 0.3.2, unmodified, as a library and as the command `xcc`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
import xcc

from support.vendors import until, within

AT = urlsplit(os.environ["QWICKET_URL"])
TOKEN = os.environ["QWICKET_TOKEN"]
PAIR = """name pair
version 1.0
target simulon_gaussian (shots=50)

S2gate(1.0) | [0, 1]
MeasureFock() | [0, 1]
"""
LONG = """target simulon_gaussian (shots=100000)
for int i in 0:12
    Sgate(0.5) | i
for int i in 0:11
    BSgate(0.6, 0.3) | [i, i+1]
MeasureFock() | [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
"""
BRIGHT = "for int i in 0:2\n  Squeezed(2.5) | i\nBSgate() | [0, 1]\nMeasureFock() | [0, 1]"


def connect(token: str | None = TOKEN, access_token: str | None = None) -> xcc.Connection:
    return xcc.Connection(token, access_token, host=AT.hostname, port=AT.port, tls=False)


@pytest.fixture(scope="module")
def connection() -> xcc.Connection:
    return connect()


def submit(connection: xcc.Connection, circuit: str = PAIR, name: str | None = None) -> xcc.Job:
    return xcc.Job.submit(connection, name, "simulon_gaussian", circuit, "blackbird:1.0")


def ended(job: xcc.Job) -> xcc.Job:
    with within(60):
        job.wait()
    return job


# --- the connection -------------------------------------------------------------------------------


def test_a_ping_fetches_a_pass_first(connection: xcc.Connection) -> None:
    fresh = connect()
    assert fresh.access_token is None
    assert fresh.ping().status_code == 200
    assert fresh.access_token not in (None, TOKEN)


def test_an_access_token_that_is_none_is_renewed() -> None:
    mine = connect(access_token="no.such.pass")
    assert mine.ping().ok
    assert mine.access_token != "no.such.pass"


def test_a_pass_that_has_expired_is_renewed_and_the_request_repeated() -> None:
    mine = connect()
    mine.ping()
    before = mine.access_token
    url, headers = mine.url("/jobs"), mine.headers
    until(lambda: requests.get(url, headers=headers, timeout=10).status_code == 401, 30)
    assert mine.request("GET", "/jobs").status_code == 200
    assert mine.access_token != before


@pytest.mark.parametrize("name", ["QWICKET_REVOKED_TOKEN", "QWICKET_EXPIRED_TOKEN", ""])
def test_a_wrong_token_is_called_invalid(name: str) -> None:
    mine = connect(os.environ[name] if name else "qw_" + "a" * 43)
    with pytest.raises(requests.exceptions.HTTPError, match=r"API key.* is invalid"):
        mine.ping()


def test_an_error_shows_its_detail(connection: xcc.Connection) -> None:
    with pytest.raises(requests.exceptions.HTTPError, match=r"^There is no device X9"):
        connection.request("GET", "/devices/X9")


# --- devices --------------------------------------------------------------------------------------


def test_devices_are_listed(connection: xcc.Connection) -> None:
    targets = [device.target for device in xcc.Device.list(connection)]
    assert targets == ["X8_01", "simulon_gaussian", "tdm_small"]
    assert len(xcc.Device.list(connection, status="online")) == 3
    assert xcc.Device.list(connection, status="offline") == []


def test_a_device_shows_all_its_fields(connection: xcc.Connection) -> None:
    device = xcc.Device("X8_01", connection)
    assert (device.status, device.up) == ("online", True)
    assert {*device.overview} == {"status", "target"}
    assert len(device.expected_uptime) == 7
    assert device.specification["modes"] == 8
    assert device.certificate["laser_wavelength_meters"] == 1.55270048e-06


# --- jobs -----------------------------------------------------------------------------------------


def test_a_job_is_run_and_its_result_is_arrays(connection: xcc.Connection) -> None:
    job = submit(connection, name="example")
    assert (job.status, job.finished) == ("open", False)
    ended(job)
    assert job.overview.keys() == {
        "id", "name", "status", "target", "language", "created_at", "finished_at",
        "running_time", "metadata",
    }  # fmt: skip
    assert (job.status, job.name, job.metadata) == ("complete", "example", {})
    assert job.created_at <= job.started_at <= job.finished_at
    assert isinstance(job.running_time, timedelta)
    (samples,) = job.result["output"]
    assert [*job.result] == ["output"]
    assert (samples.shape, samples.dtype) == ((50, 2), np.int64)
    assert (samples[:, 0] == samples[:, 1]).all()
    assert samples.any()
    assert xcc.Job(job.id, connection).circuit == PAIR


@pytest.mark.parametrize(
    ("measure", "dtype"), [("MeasureX | 0", np.float64), ("MeasureHD | 0", np.complex128)]
)
def test_quadratures_are_reals_or_complex_numbers(
    connection: xcc.Connection, measure: str, dtype: type
) -> None:
    job = ended(
        submit(connection, f"target simulon_gaussian (shots=2000)\nSgate(0.6) | 0\n{measure}")
    )
    (samples,) = job.get_result(integer_overflow_protection=False)["output"]
    assert (samples.shape, samples.dtype) == ((2000, 1), dtype)
    # x narrowed by e^-0.6; heterodyne of (x + ip)/2 adds a vacuum: (e^-1.2 + 1) / 4. 6 sigma.
    variance = np.exp(-1.2) if dtype is np.float64 else (np.exp(-1.2) + 1) / 4
    assert samples.real.var() == pytest.approx(variance, rel=6 * np.sqrt(2 / 2000))


def test_jobs_are_listed_by_limit_id_and_status(connection: xcc.Connection) -> None:
    submitted = [submit(connection) for _ in range(6)]
    jobs = [ended(job).id for job in submitted][::-1]
    assert [job.id for job in xcc.Job.list(connection)] == jobs[:5]
    assert [job.id for job in xcc.Job.list(connection, limit=2)] == jobs[:2]
    assert [job.id for job in xcc.Job.list(connection, ids=jobs[3:5])] == jobs[3:5]
    found = xcc.Job.list(connection, limit=3, status="complete")
    assert [(job.id, job.status) for job in found] == [(id_, "complete") for id_ in jobs[:3]]
    assert jobs[0] not in {job.id for job in xcc.Job.list(connection, status="failed")}


def test_a_running_job_is_cancelled(connection: xcc.Connection) -> None:
    job = submit(connection, LONG)
    until(lambda: xcc.Job(job.id, connection).started_at is not None, 60)
    job.cancel()
    assert job.status in ("cancel_pending", "cancelled")
    assert ended(job).status == "cancelled"
    job.cancel()
    with pytest.raises(requests.exceptions.HTTPError, match="404"):
        job.get_result()


def test_a_failed_job_says_why(connection: xcc.Connection) -> None:
    job = ended(submit(connection, BRIGHT))
    assert job.status == "failed"
    assert "mean photons" in job.metadata["error-detail"]
    with pytest.raises(requests.exceptions.HTTPError, match="404"):
        job.get_result()


def test_a_refused_job_says_why_at_once(connection: xcc.Connection) -> None:
    with pytest.raises(requests.exceptions.HTTPError, match=r"^line 2: .*'Nogate' is not known"):
        submit(connection, "name x\nNogate() | 0")
    with pytest.raises(requests.exceptions.HTTPError, match="There is no device X9"):
        xcc.Job.submit(
            connection, None, "X9", PAIR.replace("target simulon_gaussian", "#"), "blackbird:1.0"
        )


def test_another_accounts_job_is_not_there(connection: xcc.Connection) -> None:
    job = submit(connection)
    stranger = connect(os.environ["QWICKET_OTHER_TOKEN"])
    with pytest.raises(requests.exceptions.HTTPError, match="There is no such job"):
        _ = xcc.Job(job.id, stranger).status
    assert xcc.Job.list(stranger, ids=[job.id]) == []


# --- the command ----------------------------------------------------------------------------------


class Shell:
    """Runs `xcc` as at a terminal, with settings of its own."""

    def __init__(self, home: Path) -> None:
        self._env = {"HOME": str(home), "PATH": os.environ["PATH"], "PAGER": "cat"}

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "xcc"), *arguments],
            env={**self._env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    xcc_ = Shell(tmp_path_factory.mktemp("home"))
    for key, value in {"HOST": AT.hostname, "PORT": str(AT.port), "TLS": "False"}.items():
        assert "Successfully updated" in xcc_("config", "set", key, str(value))
    assert "Successfully updated" in xcc_("config", "set", "REFRESH_TOKEN", TOKEN)
    return xcc_


def test_the_command_pings(shell: Shell) -> None:
    assert "Successfully connected" in shell("ping")
    wrong = shell("ping", env={"XANADU_CLOUD_REFRESH_TOKEN": "qw_wrong"})
    assert "ERROR" in wrong
    assert "is invalid" in wrong


def test_the_command_shows_devices(shell: Shell) -> None:
    assert "simulon_gaussian" in shell("device", "list")
    assert "tdm_small" in shell("device", "list", "--status", "online")
    assert '"modes": 8' in shell("device", "get", "X8_01", "--specification")
    assert "laser_wavelength_meters" in shell("device", "get", "X8_01", "--certificate")
    assert "online" in shell("device", "get", "X8_01", "--status")
    assert "monday" in shell("device", "get", "X8_01", "--availability")
    assert "There is no device X9" in shell("device", "get", "X9")


def test_the_command_runs_a_job(shell: Shell) -> None:
    circuit = r"target simulon_gaussian (shots=3)\nCoherent(1) | 0\nMeasureFock() | 0"
    shown = shell("job", "submit", "--target", "simulon_gaussian", "--circuit", circuit)
    (job,) = re.findall(r'"id": "([^"]+)"', shown)
    until(lambda: "complete" in shell("job", "get", job, "--status"), 60)
    assert "Coherent(1)" in shell("job", "get", job, "--circuit")
    assert "output" in shell("job", "get", job, "--result")
    assert job in shell("job", "list", "--limit", "3")
    assert job in shell("job", "list", "--ids", f'["{job}"]', "--status", "complete")


def test_the_command_cancels_a_job(shell: Shell) -> None:
    circuit = LONG.replace("\n", r"\n")
    shown = shell(
        "job", "submit", "--target", "simulon_gaussian", "--circuit", circuit, "--name", "l"
    )
    (job,) = re.findall(r'"id": "([^"]+)"', shown)
    shell("job", "cancel", job)
    until(lambda: "cancelled" in shell("job", "get", job, "--status"), 60)
