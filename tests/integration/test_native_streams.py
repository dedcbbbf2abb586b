"""Server-sent events of the native API, against a live server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from support.held import held_job
from support.programs import BELL
from support.server import LiveServer
from support.waiting import PROMPT_S, until


class Event(NamedTuple):
    """One event: its id, and the job in it."""

    id: int
    job: dict[str, Any]


def submit(http: httpx.Client, program: Any = BELL) -> str:
    body = {"program": program, "device": "simulator", "shots": 10}
    job: str = http.post("/v1/jobs", json=body).json()["id"]
    return job


def events(answer: httpx.Response) -> Iterator[Event]:
    assert answer.status_code == 200, answer.read()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    number = -1
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            number = int(value)
        elif field == "data":
            yield Event(number, json.loads(value))


def test_a_stream_sends_each_version_of_a_job_to_its_end(http: httpx.Client) -> None:
    held = held_job()
    job = submit(http, held.program)
    with http.stream("GET", f"/v1/jobs/{job}/stream") as answer:
        stream = events(answer)
        told = [next(stream)]
        held.release()
        told += stream
    versions = [event.id for event in told]
    assert versions == sorted(set(versions))
    assert [event.job["version"] for event in told] == versions
    assert told[-1].job["state"] == "completed"
    last = {"Last-Event-ID": str(versions[-1])}
    assert http.get(f"/v1/jobs/{job}/stream", headers=last).status_code == 204
    with http.stream("GET", f"/v1/jobs/{job}/stream", headers={"Last-Event-ID": "1"}) as answer:
        assert [event.id for event in events(answer)] == versions[-1:]


def test_the_stream_of_an_account_resumes_with_the_present_state_of_what_changed(
    server: LiveServer,
) -> None:
    with server.client(server.token("streamer")) as http:
        first = submit(http)
        http.get(f"/v1/jobs/{first}", params={"wait": 60})
        with http.stream("GET", "/v1/events") as answer:
            told = events(answer)
            second = submit(http)
            event = next(told)
            assert event.job["id"] == second  # earlier changes are not sent
            while event.job["state"] != "completed":
                event = next(told)
            seen = event.id
        third, fourth = submit(http), submit(http)
        for job in (third, fourth):
            http.get(f"/v1/jobs/{job}", params={"wait": 60})
        resume = {"Last-Event-ID": str(seen)}
        with http.stream("GET", "/v1/events", headers=resume) as answer:
            told = events(answer)
            after = [next(told), next(told)]
    assert {event.job["id"] for event in after} == {third, fourth}
    assert {event.job["state"] for event in after} == {"completed"}
    assert seen < after[0].id < after[1].id


def test_a_stream_contains_nothing_of_another_account(server: LiveServer) -> None:
    with server.client(server.token("grace")) as grace, server.client() as ada:
        with grace.stream("GET", "/v1/events") as answer:
            submit(ada)
            mine = submit(grace)
            assert next(events(answer)).job["id"] == mine
        foreign = submit(ada)
        assert grace.get(f"/v1/jobs/{foreign}/stream").status_code == 404


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/{job}/stream"])
def test_a_revoked_token_ends_its_streams(
    server: LiveServer, http: httpx.Client, path: str
) -> None:
    job = submit(http, held_job().program)
    with server.client(server.managing_token()) as maker:
        token = maker.post("/v1/tokens", json={"scopes": ["jobs:read"]}).json()
    headers = {"Authorization": f"Bearer {token['secret']}"}
    with http.stream("GET", path.format(job=job), headers=headers) as answer:
        assert answer.status_code == 200
        server.admin("token", "revoke", token["id"])
        answer.read()
    http.post(f"/v1/jobs/{job}/cancel")


@pytest.mark.parametrize("last", ["-1", "x", "9" * 30, "1.5", "²"])
@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/{job}/stream"])
def test_a_last_event_id_that_is_none_is_refused(http: httpx.Client, path: str, last: str) -> None:
    headers = {b"Last-Event-ID": last.encode()}
    answer = http.get(path.format(job=submit(http)), headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (400, "Last-Event-ID")


@pytest.mark.parametrize("ahead", [1, 9_223_372_036_854_775_807])
def test_a_last_event_id_in_the_future_hides_no_changes(server: LiveServer, ahead: int) -> None:
    with server.client(server.token(server.unused("time-traveller"))) as http:
        http.get(f"/v1/jobs/{submit(http)}", params={"wait": 60})
        newest = int(time.time() * 1_000_000) + 3_600_000_000
        last = {"Last-Event-ID": str(min(newest + ahead, 9_223_372_036_854_775_807))}
        with http.stream("GET", "/v1/events", headers=last) as answer:
            told = events(answer)
            mine = submit(http)
            assert next(told).job["id"] == mine


def test_all_accounts_together_have_so_many_streams_and_no_more(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, "--limit", "streams=2")
    with server.client() as ada, server.client(server.token("bob")) as bob:
        opened = [ada.send(ada.build_request("GET", "/v1/events"), stream=True) for _ in range(2)]
        assert [answer.status_code for answer in opened] == [200, 200]
        refused = bob.get("/v1/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "limit streams" in refused.json()["detail"]
        opened[0].close()

        def has_room() -> bool:
            with bob.stream("GET", "/v1/events") as answer:
                return answer.status_code == 200

        until(has_room, "room for another stream", timeout_s=PROMPT_S)
        opened[1].close()
    assert server.stop() == 0
    server.assert_calm()


def test_streams_are_bounded_and_end_with_the_server(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    with server.client() as http:
        maximum = 200
        opened = [http.send(http.build_request("GET", "/v1/events"), stream=True)]
        limits = httpx.Limits(max_connections=None)
        with httpx.Client(
            base_url=server.url, headers=http.headers, timeout=60, limits=limits
        ) as many:
            while len(opened) < maximum:
                opened.append(many.send(many.build_request("GET", "/v1/events"), stream=True))
            assert {answer.status_code for answer in opened} == {200}
            refused = many.get("/v1/events")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            assert "limit streams_each" in refused.json()["detail"]
            assert refused.headers["ratelimit-policy"] == '"streams_each";q=200'
            assert refused.headers["ratelimit"] == '"streams_each";r=0;t=5'
            for answer in opened[100:]:
                answer.close()

            def again() -> bool:
                with many.stream("GET", "/v1/events") as answer:
                    return answer.status_code == 200

            until(again, "room for another stream", timeout_s=PROMPT_S)
            assert server.stop() == 0
            for answer in opened[:100]:
                answer.read()  # whole: the server ended it and did not cut it off
    server.assert_calm()
