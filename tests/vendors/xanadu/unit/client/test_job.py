from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from requests.exceptions import HTTPError, RequestException

from qwicket.vendors.xanadu.client import Job
from support.bad_server import BadServer, answer
from vendors.xanadu.unit.client.making import connecting

OPEN: dict[str, Any] = {
    "id": "7", "name": None, "status": "open", "target": "X8_01", "language": "blackbird:1.0",
    "created_at": "2026-01-02T03:04:05.678000+00:00", "started_at": None, "finished_at": None,
    "running_time": None, "meta": {},
}  # fmt: skip
DONE = {
    **OPEN,
    "status": "complete",
    "started_at": "2026-01-02T03:04:06+00:00",
    "finished_at": "2026-01-02T03:04:07.5+00:00",
    "running_time": 1.5,
}


def npz(*arrays: Any, **named: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays, **named)
    return buffer.getvalue()


def test_a_job_is_submitted_with_exactly_four_fields() -> None:
    with BadServer(answer(201, OPEN)) as server, connecting(server.url) as made:
        job = Job.submit(made, None, "X8_01", "text")
        assert (job.id, job.status, job.circuit) == ("7", "open", "text")
        (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/jobs")
    assert request.json == {
        "name": None,
        "target": "X8_01",
        "circuit": "text",
        "language": "blackbird:1.0",
    }


def test_all_of_a_job_is_read_with_one_request() -> None:
    with BadServer(answer(200, DONE)) as server, connecting(server.url) as made:
        job = Job("7", made)
        assert (job.finished, job.name, job.metadata) == (True, None, {})
        assert job.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
        assert job.started_at == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
        assert job.running_time == timedelta(seconds=1.5)
        assert job.overview["finished_at"] == job.finished_at
        assert len(server.requests) == 1
        job.clear()
        assert job.target == "X8_01"
        assert len(server.requests) == 2


def test_a_list_is_asked_for_by_limit_ids_and_status() -> None:
    with BadServer(answer(200, {"data": [DONE]})) as server, connecting(server.url) as made:
        (job,) = Job.list(made)
        assert (job.id, job.status) == ("7", "complete")
        Job.list(made, limit=2, status="failed")
        Job.list(made, ids=["b", "a", "b"])
        paths = [request.path for request in server.requests]
    assert paths == ["/jobs?size=5", "/jobs?size=2&status=failed", "/jobs?size=2&id=a&id=b"]


@pytest.mark.parametrize("body", [[], {}, {"data": {}}, {"data": [5]}, {"data": [{"id": 5}]}])
def test_a_list_that_is_none_is_an_error(body: Any) -> None:
    with (
        BadServer(answer(200, body)) as server,
        connecting(server.url) as made,
        pytest.raises(RequestException, match=r"did not return a (list|JSON object)"),
    ):
        Job.list(made)


def test_a_circuit_is_read_once() -> None:
    with BadServer(answer(200, {"circuit": "text"})) as server, connecting(server.url) as made:
        job = Job("7", made)
        assert job.circuit == job.circuit == "text"
        assert [request.path for request in server.requests] == ["/jobs/7/circuit"]


def test_a_result_is_arrays_with_wide_integers() -> None:
    body = npz(np.array([[1, 2]], np.uint8), np.array([0.5]), modes=np.array([3], np.int32))
    with BadServer(answer(200, body)) as server, connecting(server.url) as made:
        job = Job("7", made)
        first, second = job.result["output"]
        assert (first.dtype, first.tolist()) == (np.int64, [[1, 2]])
        assert (second.dtype, second.tolist()) == (np.float64, [0.5])
        modes = job.result["modes"]
        assert isinstance(modes, np.ndarray)
        assert (modes.dtype, modes.tolist()) == (np.dtype(np.int64), [3])
        assert len(server.requests) == 1
        (narrow, _) = job.get_result(integer_overflow_protection=False)["output"]
        assert narrow.dtype == np.uint8


def test_arrays_with_unusual_names_are_found_by_them() -> None:
    body = npz(np.array([1]), **{"arr_01": np.array([2]), "arr_\xb2": np.array([3])})
    with BadServer(answer(200, body)) as server, connecting(server.url) as made:
        found = Job("7", made).result
    assert sorted(found) == ["arr_01", "arr_\xb2", "output"]


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


def bent() -> bytes:
    whole = npz(np.arange(1000))
    return whole[:200] + b"?" * 200 + whole[400:]


BAD = {
    "empty": b"",
    "JSON": b'{"output": []}',
    "a bare array": npy(),
    "objects": npz(np.array([object()])),
    "half": npz(np.arange(1000))[:500],
    "bent": bent(),
    "no arrays": b"PK\x05\x06" + b"\0" * 17,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_result_that_is_no_archive_of_arrays_is_an_error(body: bytes) -> None:
    with (
        BadServer(answer(200, body)) as server,
        connecting(server.url) as made,
        pytest.raises(RequestException, match="did not return NumPy arrays"),
    ):
        _ = Job("7", made).result


def test_a_result_that_is_not_there_is_an_http_error() -> None:
    with (
        BadServer(answer(404, {"detail": "x"})) as server,
        connecting(server.url) as made,
        pytest.raises(HTTPError, match="404"),
    ):
        Job("7", made).get_result()


def test_a_cancel_is_sent_unless_the_job_has_ended() -> None:
    script = [answer(200, OPEN), answer(204), answer(200, {**OPEN, "status": "cancelled"})]
    with BadServer(*script) as server, connecting(server.url) as made:
        job = Job("7", made)
        job.cancel()
        assert (job.status, job.finished) == ("cancelled", True)
        job.cancel()
        read, cancel, again = server.requests
    assert (read.method, cancel.method, again.method) == ("GET", "PATCH", "GET")
    assert (cancel.path, cancel.json) == ("/jobs/7", {"status": "cancelled"})


def test_waiting_looks_until_the_job_has_ended() -> None:
    script = [answer(200, OPEN), answer(200, {**OPEN, "status": "queued"}), answer(200, DONE)]
    with BadServer(*script) as server, connecting(server.url) as made:
        job = Job("7", made)
        job.wait(delay=0.01)
        assert (job.status, len(server.requests)) == ("complete", 3)


def test_waiting_ends_with_its_limit() -> None:
    with (
        BadServer(answer(200, OPEN)) as server,
        connecting(server.url) as made,
        pytest.raises(TimeoutError, match=r"Job 7 has not ended within 0\.05 s"),
    ):
        Job("7", made).wait(delay=10, timeout=0.05)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"created_at": 5}, "created_at"),
        ({"created_at": "soon"}, "created_at"),
        ({"running_time": "1"}, "running_time"),
        ({"running_time": 1e300}, "running_time"),
    ],
)
def test_a_field_that_makes_no_sense_is_an_error(change: dict[str, Any], name: str) -> None:
    with (
        BadServer(answer(200, {**DONE, **change})) as server,
        connecting(server.url) as made,
        pytest.raises(RequestException, match="job 7"),
    ):
        getattr(Job("7", made), name)


def test_a_missing_field_is_an_error() -> None:
    with (
        BadServer(answer(200, {"id": "7"})) as server,
        connecting(server.url) as made,
        pytest.raises(RequestException, match="has no status"),
    ):
        Job("7", made).wait()


def test_an_id_stays_in_its_place_in_the_path() -> None:
    with BadServer(answer(200, DONE)) as server, connecting(server.url) as made:
        assert Job("../devices?x", made).finished
        assert server.requests[0].path == "/jobs/..%2Fdevices%3Fx"
