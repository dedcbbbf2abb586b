"""SIGTERM while all slots are busy: each job is finished, or queued again once, in time."""

from __future__ import annotations

import pytest

from support.held import held_job
from support.ledger import ledger
from support.repetitions import databases, runs
from support.server import Serve

pytestmark = pytest.mark.promise

SLOTS = runs(4, long=20)
GRACE_S = runs(3, long=20)


@pytest.mark.timeout(runs(180, long=600))
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_sigterm_ends_or_gives_back_each_running_job_once(
    database_url: str | None, serve: Serve
) -> None:
    server = serve("server", database_url, "--workers", f"{SLOTS}", "--stop-grace-s", f"{GRACE_S}")
    with server.client() as client, ledger(server) as books:
        held = [held_job() for _ in range(SLOTS)]
        for each in held:
            body = {"program": each.program, "device": "simulator", "shots": 10}
            assert client.post("/v1/jobs", json=body).status_code == 201
        for each in held:
            each.wait_until_running()
        server.process.terminate()
        for each in held[::2]:
            each.release()
        assert server.process.wait(40) == 0
        ends = books.rows(
            "select state, attempts, version, (select count(*) from job_event"
            " where job = job.id and reason = 'the server stops') from job"
        )
        # Queued is version 1, claimed 2, completed or given back 3.
        assert set(ends) <= {("completed", 0, 3, 0), ("queued", 0, 3, 1)}
        assert ("queued", 0, 3, 1) in ends
        assert len(ends) == SLOTS
        assert books.rows("select job from lease where runner is not null") == []
        assert books.rows("select id from runner") == []
