"""Filters of the list of jobs, and the parts of a job, against a live server."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from qwicket.model.accounts import DEFAULT_SCOPES
from qwicket.model.ids import new_id, part_id
from support.held import held_job
from support.programs import BELL
from support.server import IDLE, LiveServer, running_server


def submit(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    body = {"program": BELL, "device": "simulator", "shots": 100, **changes}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def data_of(text: str) -> Any:
    """Return the data of a stream's first event."""
    return next(json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: "))


def done(http: httpx.Client, **changes: Any) -> str:
    job: str = submit(http, **changes)["id"]
    assert http.get(f"/v1/jobs/{job}", params={"wait": 60}).json()["state"] == "completed"
    return job


def test_every_response_with_a_job_has_the_address_of_its_page(tmp_path: Path) -> None:
    scopes = (*DEFAULT_SCOPES, "admin")
    with running_server(tmp_path, *IDLE) as server, httpx.Client(base_url=server.url) as http:
        server.admin("user", "add", "root", "--role", "admin")
        token = server.as_admin(lambda admin: admin.create_token("root", scopes=scopes)).secret
        http.headers["Authorization"] = f"Bearer {token}"
        job = submit(http)
        path, everybody = f"/v1/jobs/{job['id']}", "/v1/admin/jobs"
        of_admin = f"{everybody}/{job['id']}"
        with http.stream("GET", "/v1/events", headers={"Last-Event-ID": "0"}) as answer:
            changed = next(line for line in answer.iter_lines() if line.startswith("data: "))
        answers = [
            http.get(path),
            http.get("/v1/jobs"),
            http.patch(path, json={"held": True}),
            http.get(everybody),
            http.get(of_admin),
            http.patch(of_admin, json={"priority": 5}),
            http.post(of_admin + "/cancel"),
            http.post(path + "/cancel"),
        ]
        stream = http.get(path + "/stream").text
        found = [job, *(answer.raise_for_status().json() for answer in answers)]
        found += [data_of(changed), data_of(stream)]
    bodies = [body for each in found for body in each.get("jobs", [each])]
    assert {body["url"] for body in bodies} == {f"{server.url}/ui/jobs/{job['id']}"}
    assert len(bodies) == len(found)


def test_a_submission_that_waits_has_the_address_of_the_page(http: httpx.Client) -> None:
    body = {"program": BELL, "device": "simulator"}
    for query in ("wait=30", "wait=30&include=result"):
        made = http.post(f"/v1/jobs?{query}", json=body).json()
        assert made["url"] == f"{str(http.base_url).rstrip('/')}/ui/jobs/{made['id']}"


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
