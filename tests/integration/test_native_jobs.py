"""Filters of the list of jobs, and the parts of a job, against a live server."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest

from qwicket.model.ids import new_id, part_id
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer


def submit(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    body = {"program": BELL, "device": "simulator", "shots": 100, **changes}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def done(http: httpx.Client, **changes: Any) -> str:
    job: str = submit(http, **changes)["id"]
    assert http.get(f"/v1/jobs/{job}", params={"wait": 60}).json()["state"] == "completed"
    return job


def test_a_list_is_filtered_by_all_that_is_asked(server: LiveServer) -> None:
    with server.client(server.token("filters")) as http:
        group = http.post("/v1/groups", json={"name": "g"}).json()["id"]
        one = submit(http, name="one", tags=["x", "y"])
        two = submit(http, name="two", tags=["x"], group=group)
        three = submit(http, name="two", device="clifford")
        both = [two["id"], one["id"]]
        for query, found in [
            ("tag=x", both),
            ("tag=x&tag=y", [one["id"]]),
            ("name=two", [three["id"], two["id"]]),
            ("name=two&device=clifford", [three["id"]]),
            (f"group={group}", [two["id"]]),
            (f"group={new_id(0)}", []),
            ("dialect=native&tag=x", both),
            ("dialect=ionq", []),
            (f"created_to={two['created_at']}".replace("+", "%2B"), both),
            (f"created_from={three['created_at']}".replace("+", "%2B"), [three["id"]]),
        ]:
            answer = http.get(f"/v1/jobs?{query}")
            assert [job["id"] for job in answer.json()["jobs"]] == found, query


def test_the_jobs_of_another_accounts_group_are_not_listed(server: LiveServer) -> None:
    with server.client() as ada, server.client(server.token("grace")) as grace:
        group = ada.post("/v1/groups", json={}).json()["id"]
        submit(ada, group=group)
        assert len(ada.get(f"/v1/jobs?group={group}").json()["jobs"]) == 1
        assert grace.get(f"/v1/jobs?group={group}").json()["jobs"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=done", "state"),
        ("limit=0", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("before=-1", "before"),
        ("created_from=yesterday", "created_from"),
        ("created_to=2026-01-01T00:00:00", "created_to"),
        ("tag=%00", "tag"),
        ("name=a%00", "name"),
        ("colour=red", "colour"),
        ("&".join(f"tag={k}" for k in range(33)), "tag"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(http: httpx.Client, query: str, field: str) -> None:
    answer = http.get(f"/v1/jobs?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_part_is_read_alone_as_json_or_as_arrays(http: httpx.Client) -> None:
    circuits = [{"circuit": [{"gate": "x", "target": k}]} for k in range(2)]
    program = {"gateset": "qis", "qubits": 2, "circuits": circuits}
    job = done(http, program=program, outputs=["counts", "memory"])
    part = http.get(f"/v1/jobs/{job}/parts/1").json()
    assert (part["id"], part["job"], part["part"]) == (part_id(job, 1), job, 1)
    assert part["counts"] == {"10": 100}
    assert part["memory"] == ["10"] * 100
    by_header = http.get(f"/v1/jobs/{job}/parts/1", headers={"Accept": "application/x-npz"})
    by_query = http.get(f"/v1/jobs/{job}/parts/1?format=npz")
    for answer in (by_header, by_query):
        assert answer.headers["content-type"] == "application/x-npz"
        arrays = np.load(io.BytesIO(answer.content), allow_pickle=False)
        assert arrays["keys"].tolist() == [[0b10]]
        assert arrays["counts"].tolist() == [100]
        assert arrays["memory"].tolist() == [[0b10]] * 100


@pytest.mark.parametrize("part", ["1", "-1", "99999999999999999999", "x", "%00", "²", "0x0"])
def test_a_part_that_is_none_is_not_found(http: httpx.Client, part: str) -> None:
    job = done(http)
    answer = http.get(f"/v1/jobs/{job}/parts/{part}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_unknown_format_is_refused(http: httpx.Client) -> None:
    answer = http.get(f"/v1/jobs/{done(http)}/parts/0?format=xml")
    assert (answer.status_code, answer.json()["field"]) == (400, "format")


def test_a_job_that_is_as_it_was_is_not_sent_again(http: httpx.Client) -> None:
    job = done(http)
    first = http.get(f"/v1/jobs/{job}")
    tag = first.headers["etag"]
    assert "retry-after" not in first.headers
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = http.get(f"/v1/jobs/{job}", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = http.get(f"/v1/jobs/{job}", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.json()) == (200, first.json())


def test_a_job_that_has_not_ended_says_when_to_ask_again_and_changes_its_tag(
    http: httpx.Client,
) -> None:
    job = submit(http, program=held_job().program)["id"]
    before = http.get(f"/v1/jobs/{job}")
    assert 1 <= int(before.headers["retry-after"]) <= 30
    http.post(f"/v1/jobs/{job}/cancel")
    known = {"If-None-Match": before.headers["etag"]}
    after = http.get(f"/v1/jobs/{job}", params={"wait": 30}, headers=known)
    assert (after.status_code, after.json()["state"]) == (200, "cancelled")
