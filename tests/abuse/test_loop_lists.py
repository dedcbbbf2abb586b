"""The longest lists of a job's events, and of results in a bucket, leave the event loop free."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from integration.test_job_pages import add_copies
from support import braket, runtime
from support.event_loop import MEASURED, assert_loop_stays_free
from support.pages import Person
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

EVENTS = 9_700
"""More than a job keeps: it had them before there was a bound, and has ended since."""


@pytest.fixture(scope="module")
def unharmed() -> None:
    """No shared server is in play."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("lists"), "--access-log", **MEASURED)
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture(scope="module")
def ada(live: LiveServer) -> Iterator[Person]:
    with Person(live, "ada") as ada:
        yield ada


def database(live: LiveServer) -> sqlite3.Connection:
    return sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)


def add_events(live: LiveServer, job: str) -> None:
    """Give a job many events with the longest reasons."""
    with closing(database(live)) as file, file:
        file.executemany(
            'insert into job_event (job, version, at, "from", "to", actor, reason)'
            " select id, ?, created_at, 'running', 'queued', 'agent', ? from job where id = ?",
            [(1_000 + k, '"' * 200, job) for k in range(EVENTS)],
        )


@pytest.mark.parametrize("path", ["/v1/jobs/{}/events", "/ui/jobs/{}"])
def test_no_events_keep_the_loop(live: LiveServer, ada: Person, path: str) -> None:
    job = ada.submit()

    def send() -> None:
        headers = {"Authorization": f"Bearer {ada.token}"}
        answer = ada.browser.get(path.format(job.id), headers=headers)
        assert answer.status_code == 200, answer.text[:300]

    send()  # the compilation of a template is no finding
    add_events(live, job.id)
    assert_loop_stays_free(live, send)


def test_no_log_keeps_the_loop(live: LiveServer) -> None:
    with httpx.Client(base_url=live.url, timeout=60) as http:
        client = runtime.Client(http, live.token())
        job = client.submit()
        client.ended(job)
        add_events(live, job)

        def send() -> None:
            answer = client.call("GET", f"/jobs/{job}/logs")
            assert answer.text.count('"' * 200) == EVENTS

        assert_loop_stays_free(live, send)


@pytest.mark.parametrize("query", ["list-type=2&encoding-type=url", "delimiter=x", "prefix=x"])
def test_no_list_of_a_bucket_keeps_the_loop(
    live: LiveServer, ada: Person, bucket: str, query: str
) -> None:
    with httpx.Client(base_url=live.url, timeout=60) as http:

        def send() -> None:
            answer = http.get(f"/s3/{braket.BUCKET}?{query}", auth=braket.Signature(bucket, "s3"))
            assert answer.status_code == 200, answer.text[:300]
            assert answer.text.count("<Key>") == (0 if query == "prefix=x" else 1_000)

        assert_loop_stays_free(live, send)


@pytest.fixture(scope="module")
def bucket(live: LiveServer, ada: Person) -> str:
    """A key pair, whose bucket has over a thousand results with long keys."""
    pair = live.admin("token", "create", "--user", ada.name, "--aws")
    body = braket.body(outputS3KeyPrefix="é&" * 500)
    with httpx.Client(base_url=live.url, timeout=60) as http:
        signed = braket.Signature(pair, "braket")
        answer = http.post("/braket/quantum-task", json=body, auth=signed)
        job = answer.json()["quantumTaskArn"].rpartition("/")[2]

        def is_listed() -> bool:
            signed = braket.Signature(pair, "s3")
            return "<Key>" in http.get(f"/s3/{braket.BUCKET}?list-type=2", auth=signed).text

        until(is_listed, "the task has completed", timeout_s=60)
    add_copies(live, job, 1_200)
    with closing(database(live)) as file, file:
        file.execute(
            "insert into job_vendor_fields (job, body) select job.id, fields.body from job"
            " cross join job_vendor_fields as fields where fields.job = ? and job.id like ?",
            (job, f"{job}-%"),
        )
    return pair
