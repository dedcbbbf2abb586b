from __future__ import annotations

import pytest

from qwicket.vendors.ionq.client import Circuit, IonQAPIError, IonQClient, Job, Session
from support.bad_server import BadServer, answer

SESSION = {"id": "s1", "status": "created", "usage_time": 7, "settings": {}}


def client(server: BadServer, version: str = "v0.4") -> IonQClient:
    return IonQClient("the-key-of-ada", f"{server.url}/{version}")


def asked(server: BadServer) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


def test_a_session_is_started_with_the_limits_that_are_given() -> None:
    with BadServer(answer(201, SESSION)) as server:
        session = Session(client(server), "ionq_qpu.aria-1", max_time=5, max_cost=1.5, max_jobs=3)
        assert server.requests[0].json == {
            "backend": "qpu.aria-1",
            "settings": {
                "job_count_limit": 3,
                "duration_limit_min": 5,
                "cost_limit": {"unit": "usd", "value": 1.5},
            },
        }
    assert repr(session) == "<Session s1 on qpu.aria-1>"


def test_a_session_without_limits_names_none() -> None:
    with BadServer(answer(201, SESSION)) as server:
        Session(client(server), "simulator")
        assert server.requests[0].json == {"backend": "simulator", "settings": {}}


def test_a_session_is_found_again_by_its_id() -> None:
    with BadServer(answer(200, SESSION)) as server:
        session = Session.from_id("s1", client=client(server), backend="simulator")
        assert (session.session_id, session.status(), session.usage()) == ("s1", "created", 7)
        assert set(asked(server)) == {"GET /v0.4/sessions/s1"}


def test_a_missing_session_is_reported_at_once() -> None:
    with BadServer(answer(404, {})) as server, pytest.raises(IonQAPIError):
        Session.from_id("s1", client=client(server), backend="simulator")


@pytest.mark.parametrize(("version", "where"), [("v0.4", "backend"), ("v0.3", "target")])
def test_what_a_session_runs_bears_its_id_and_backend(version: str, where: str) -> None:
    job = Job(circuit=Circuit(1).h(0), backend="simulator", shots=5)
    steps = answer(201, SESSION), answer(200, {"id": "7", "status": "ready"})
    with BadServer(*steps) as server:
        Session(client(server, version), "qpu.aria-1").run(job)
        body = server.requests[1].json
    assert (body["session_id"], body[where], body["shots"]) == ("s1", "qpu.aria-1", 5)


def test_a_session_ends_with_its_block() -> None:
    with BadServer(answer(201, SESSION)) as server:
        with Session(client(server), "simulator"):
            pass
        assert asked(server) == ["POST /v0.4/sessions", "POST /v0.4/sessions/s1/end"]


def test_a_block_that_fails_cancels_the_jobs_that_wait() -> None:
    jobs = [{"id": state, "status": state} for state in ("ready", "started", "submitted")]
    steps = [answer(201, SESSION), answer(200, {"jobs": jobs}), answer(200, {})]
    with BadServer(*steps) as server:
        with pytest.raises(KeyError), Session(client(server), "simulator"):
            raise KeyError
        assert asked(server)[1:] == [
            "GET /v0.4/jobs?session_id=s1",
            "PUT /v0.4/jobs/ready/status/cancel",
            "PUT /v0.4/jobs/submitted/status/cancel",
            "POST /v0.4/sessions/s1/end",
        ]


def test_a_session_ends_even_when_its_jobs_cannot_be_cancelled() -> None:
    steps = [answer(201, SESSION), answer(400, {}), answer(200, SESSION)]
    with BadServer(*steps) as server:
        with pytest.raises(IonQAPIError), Session(client(server), "simulator"):
            raise KeyError
        assert asked(server)[-1] == "POST /v0.4/sessions/s1/end"
