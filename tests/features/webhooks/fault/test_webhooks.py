"""Webhooks while servers are killed: each end is told at least once, in order, and no other."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict

import httpx
import pytest

from support.held import held_job
from support.ledger import ledger
from support.programs import BELL
from support.receiver import Delivery, Receiver, receiving
from support.repetitions import runs
from support.server import LiveServer, Serve
from support.submitters import Submitter, crowd
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

KILLS = runs(2, long=30)
CLIENTS = runs(2, long=4)
MAX_JOBS = runs(60, long=1_000_000)
"""Of each client. The receiver takes 20 ms for a job on average."""
LEASE_S = 2.0
OPTIONS = ("--allow-private-webhooks", "--lease-s", str(LEASE_S))
EVENTS = ["job.running", "job.completed"]


def add(server: LiveServer, receiver: Receiver, path: str, events: list[str]) -> None:
    with server.client() as http:
        body = {"url": receiver.url(path), "events": events}
        assert http.post("/v1/webhooks", json=body).status_code == 201


def ends(deliveries: list[Delivery]) -> set[str]:
    return {
        each.event["data"]["id"] for each in deliveries if each.event["type"] == "job.completed"
    }


def assert_in_order(deliveries: list[Delivery]) -> None:
    """Per job, no message comes after one of a later change, unless it came before as well."""
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for each in deliveries:
        version = each.event["data"]["version"]
        if version not in versions[each.event["data"]["id"]]:
            versions[each.event["data"]["id"]].append(version)
    assert all(seen == sorted(seen) for seen in versions.values())


@pytest.mark.timeout(runs(300, long=1800))
def test_every_end_is_told_at_least_once_although_the_server_is_killed(
    database_url: str | None, serve: Serve
) -> None:
    rng = random.Random(11)
    server = serve("server", database_url, *OPTIONS)
    token = server.token()
    with receiving() as receiver:
        # A slow receiver, so that kills fall between a commit and its deliveries.
        receiver.answer = lambda _: threading.Event().wait(rng.uniform(0, 0.02)) or 204
        add(server, receiver, "/hook", EVENTS)
        members = [
            Submitter(server, token, with_keys=True, maximum=MAX_JOBS) for _ in range(CLIENTS)
        ]
        with crowd(*members) as clients:
            for _ in range(KILLS):
                receiver.await_deliveries(len(receiver.deliveries) + 10)
                threading.Event().wait(rng.uniform(0, 0.3))
                server.kill()
                server.start()
        acknowledged = set(clients.acknowledged)
        with ledger(server) as books:
            books.await_end(timeout_s=runs(120, long=600))
            until(
                lambda: acknowledged <= ends(receiver.deliveries),
                "every end is told",
                timeout_s=runs(120, long=600),
            )
            until(lambda: books.rows("select 1 from webhook_event") == [], "the outbox is empty")
            jobs = dict(books.rows("select id, version from job"))
        assert_in_order(receiver.deliveries)
        for each in receiver.deliveries:
            data = each.event["data"]
            assert data["version"] <= jobs[data["id"]], "told of a change that is not there"
            assert each.event["type"] == f"job.{data['state']}"
        assert receiver.most_at_once == 1


@pytest.mark.timeout(180)
def test_of_two_servers_one_sends_and_the_other_takes_over(shared_url: str, serve: Serve) -> None:
    first = serve("first", shared_url, *OPTIONS)
    second = serve("second", shared_url, *OPTIONS)
    token = first.token()
    with receiving() as receiver:
        add(first, receiver, "/hook", EVENTS)
        members = [
            Submitter(server, token, with_keys=True, maximum=20) for server in (first, second)
        ]
        with crowd(*members) as clients:
            clients.join()
        until(lambda: set(clients.acknowledged) <= ends(receiver.deliveries), "all are told")
        messages = Counter(each.message for each in receiver.deliveries)
        assert set(messages.values()) == {1}, "both servers sent the same event"
        with ledger(first) as books:
            rows = books.rows("select holder from duty where name = 'webhooks'")
            order = books.rows("select id from runner where kind = 'server' order by started_at")
        sender, other = (first, second) if rows[0] == order[0] else (second, first)
        sender.kill()
        told = len(receiver.deliveries)
        with other.client(token) as http:
            submit(http)
        receiver.await_deliveries(told + 2, timeout_s=60)
        assert_in_order(receiver.deliveries)
        sender.start()


def submit(http: httpx.Client) -> str:
    body = {"program": BELL, "device": "simulator", "shots": 10}
    return str(http.post("/v1/jobs", json=body).raise_for_status().json()["id"])


@pytest.mark.timeout(120)
def test_what_a_stopped_server_did_not_send_is_sent_by_the_next_one(
    database_url: str | None, serve: Serve
) -> None:
    server = serve("server", database_url, *OPTIONS, "--workers", "1")
    with receiving() as receiver, server.client() as http:
        receiver.answer = lambda _: Receiver.HANG
        add(server, receiver, "/hook", ["job.queued", "job.cancelled"])
        body = {"program": held_job().program, "device": "simulator", "shots": 10}
        job = http.post("/v1/jobs", json=body).json()["id"]
        receiver.await_deliveries(1)
        http.post(f"/v1/jobs/{job}/cancel")
        assert server.stop() == 0
        receiver.answer = lambda _: 204
        server.start()
        receiver.await_deliveries(3)
        types = [each.event["type"] for each in receiver.deliveries]
        assert types == ["job.queued", "job.queued", "job.cancelled"]
        assert receiver.deliveries[0].message == receiver.deliveries[1].message
