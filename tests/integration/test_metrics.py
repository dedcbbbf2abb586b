"""What `/metrics` says of a live server after things whose number is known."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from qwicket.gateway.signin import new_secret
from support import ibm
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer
from support.waiting import PROMPT_S, until

TABLE = Path(__file__).parents[2] / "docs" / "_site" / "metrics.toml"


class Seen(NamedTuple):
    """One look at a server's metrics."""

    families: list[Metric]

    def value(self, name: str, **labels: str) -> float:
        """Return a sample's value, 0 where it has none yet."""
        for family in self.families:
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return 0.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose numbers are this module's alone."""
    live = LiveServer(tmp_path_factory.mktemp("metrics"))
    yield live
    assert live.stop() == 0


@pytest.fixture
def http(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def look(live: LiveServer) -> Seen:
    answer = httpx.get(f"{live.url}/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Seen(list(text_string_to_metric_families(answer.text)))


def submit(http: httpx.Client, program: dict[str, object] = BELL, device: str = "simulator") -> str:
    body = {"program": program, "device": device, "shots": 10}
    made = http.post("/v1/jobs", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def end(http: httpx.Client, job: str) -> str:
    return str(http.get(f"/v1/jobs/{job}", params={"wait": 60}).json()["state"])


def full_name(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def test_every_metric_is_documented_with_its_type_labels_and_text(
    live: LiveServer, http: httpx.Client
) -> None:
    assert end(http, submit(http)) == "completed"
    families = {full_name(family): family for family in look(live).families}
    documented = tomllib.loads(TABLE.read_text("utf-8"))
    assert families.keys() == documented.keys()
    for name, family in families.items():
        told = documented[name]
        assert (family.type, family.documentation) == (told["kind"], told["meaning"])
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        assert labels, f"{name} has no value after one job"
        assert labels == {frozenset(told["labels"])}, name


def test_ended_jobs_are_counted_and_timed_by_device_and_state(
    live: LiveServer, http: httpx.Client
) -> None:
    before = look(live)
    done = [submit(http) for _ in range(5)] + [submit(http, device="statevector")]
    assert {end(http, job) for job in done} == {"completed"}
    stopped = submit(http, held_job().program)
    until(lambda: http.get(f"/v1/jobs/{stopped}").json()["state"] == "running", "it runs")
    # A slot is free a moment after its job has ended.
    until(lambda: look(live).value("qwicket_worker_slots_busy") == 1, "the others' slots are free")
    during = look(live)
    assert during.value("qwicket_jobs_running", device="simulator") == 1
    http.post(f"/v1/jobs/{stopped}/cancel")
    assert end(http, stopped) == "cancelled"
    http.patch(f"/v1/jobs/{done[0]}", json={"name": "renamed"})
    after = look(live)

    def rise(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    ended = "qwicket_jobs_ended_total"
    assert rise(ended, device="simulator", state="completed") == 5
    assert rise(ended, device="simulator", state="cancelled") == 1
    assert rise(ended, device="statevector", state="completed") == 1
    assert rise("qwicket_job_run_seconds_count", device="simulator") == 6
    assert rise("qwicket_job_queue_seconds_count", device="simulator") == 6
    assert rise("qwicket_worker_deaths_total", pool="jobs") == 0, "a cancelled job's is no death"
    assert rise("qwicket_store_errors_total") == 0
    assert rise("qwicket_commit_operations_sum") >= rise("qwicket_commit_seconds_count") > 0
    assert after.value("qwicket_jobs_running", device="simulator") == 0


def test_waiting_jobs_are_counted_with_the_wait_that_is_expected(
    live: LiveServer, http: httpx.Client
) -> None:
    jobs = [submit(http, held_job().program) for _ in range(5)]
    # A job is claimed a moment before its slot is busy.
    until(lambda: look(live).value("qwicket_worker_slots_busy") == 2, "two run")
    seen = look(live)
    assert seen.value("qwicket_jobs_running", device="simulator") == 2
    assert seen.value("qwicket_jobs_waiting", device="simulator") == 3
    until(
        lambda: look(live).value("qwicket_expected_wait_seconds", device="simulator") > 1,
        "a wait is expected",
        timeout_s=PROMPT_S,
    )
    assert seen.value("qwicket_worker_slots") == 2
    for job in jobs:
        http.post(f"/v1/jobs/{job}/cancel")
    assert {end(http, job) for job in jobs} == {"cancelled"}


def test_a_worker_that_is_killed_is_counted(live: LiveServer, http: httpx.Client) -> None:
    before = look(live).value("qwicket_worker_deaths_total", pool="jobs")
    held = held_job()
    job = submit(http, held.program)
    os.kill(held.wait_until_running(), signal.SIGKILL)
    until(
        lambda: look(live).value("qwicket_worker_deaths_total", pool="jobs") == before + 1,
        "its death is counted",
        timeout_s=PROMPT_S,
    )
    http.post(f"/v1/jobs/{job}/cancel")
    assert end(http, job) == "cancelled"


def test_requests_are_counted_by_dialect_and_class_of_status(
    live: LiveServer, http: httpx.Client
) -> None:
    before = look(live)
    for path in ("/v1/jobs", "/v1/jobs", "/v1/absent", "/ionq/v0.4/backends", "/nothing/here"):
        http.get(path)
    after = look(live)

    def rise(prefix: str, status: str) -> float:
        name = "qwicket_request_seconds_count"
        return after.value(name, dialect=prefix, status=status) - before.value(
            name, dialect=prefix, status=status
        )

    assert rise("/v1", "2xx") == 2
    assert rise("/v1", "4xx") == 1
    assert rise("/ionq/v0.4", "2xx") == 1
    assert rise("/", "4xx") == 1
    assert rise("/metrics", "2xx") == 1, "the look before; this one has no end yet"


def test_long_polls_and_websockets_are_counted_while_they_are_open(
    live: LiveServer, http: httpx.Client
) -> None:
    client = ibm.Client(http, live.token())
    job = client.running()
    url = live.url.replace("http", "ws") + f"{ibm.DIALECT}/jobs/{job}/status/v/1"
    with connect(url) as socket:
        socket.send(f'{{"type": "authentication", "data": "{client.token}"}}')
        socket.recv(timeout=10)
        until(lambda: look(live).value("qwicket_websockets_open") == 1, "it is counted")
        until(lambda: look(live).value("qwicket_long_polls_open") == 1, "it waits")
        assert client.call("POST", f"/jobs/{job}/cancel").status_code == 200
    until(
        lambda: look(live).value("qwicket_websockets_open") == 0, "it is closed", timeout_s=PROMPT_S
    )
    until(
        lambda: look(live).value("qwicket_long_polls_open") == 0, "nobody waits", timeout_s=PROMPT_S
    )


def test_streams_are_counted_while_they_are_open(live: LiveServer) -> None:
    with live.client() as http:
        for _ in range(2):
            with http.stream("GET", "/v1/events"):
                until(lambda: look(live).value("qwicket_long_polls_open") == 1, "it waits")
            until(
                lambda: look(live).value("qwicket_long_polls_open") == 0,
                "nobody waits",
                timeout_s=PROMPT_S,
            )


def test_invented_tokens_and_wrong_passwords_are_counted(live: LiveServer) -> None:
    live.admin("user", "add", "eve", "--password-stdin", stdin="correct horse battery")
    before = look(live)
    for _ in range(3):
        headers = {"Authorization": f"Bearer {new_secret()}"}
        assert httpx.get(f"{live.url}/v1/jobs", headers=headers).status_code == 401
    login = {"email": "eve", "password": "a wrong one"}
    assert httpx.post(f"{live.url}{ibm.DIALECT}/users/login", json=login).status_code == 401
    after = look(live)
    name = "qwicket_wrong_credentials_total"
    assert after.value(name, kind="token") - before.value(name, kind="token") == 3
    assert after.value(name, kind="password") - before.value(name, kind="password") == 1
