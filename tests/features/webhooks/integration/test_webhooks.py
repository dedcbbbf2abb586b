"""Webhooks against a real receiver: what is sent, when it is sent again, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

import qwicket
from qwicket.clients.native import ApiError
from qwicket.gateway.admin import Admin
from support.held import held_job
from support.programs import BELL
from support.receiver import Receiver, receiving
from support.server import LiveServer, cli, run_cli, server_on
from support.waiting import until

pytestmark = pytest.mark.extended

OPTIONS = ("--allow-private-webhooks", "--limit", "webhooks=3")
ENDED = ["job.completed", "job.failed", "job.cancelled"]


@pytest.fixture(scope="module")
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(database_kind, request, tmp_path_factory.mktemp("webhooks"), *OPTIONS) as live:
        yield live


@pytest.fixture
def http(live: LiveServer) -> Iterator[httpx.Client]:
    """A client of an account that no other test uses, because its webhooks stay."""
    with live.client(live.token(live.unused("hook"))) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def add(http: httpx.Client, url: str, **fields: Any) -> dict[str, Any]:
    answer = http.post("/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


def run(http: httpx.Client, device: str = "simulator", **fields: Any) -> str:
    body = {"program": BELL, "device": device, "shots": 10, **fields}
    answer = http.post("/v1/jobs", params={"wait": 30}, json=body)
    assert answer.json()["state"] == "completed", answer.text
    return str(answer.json()["id"])


def listed(http: httpx.Client) -> dict[str, Any]:
    (found,) = http.get("/v1/webhooks").raise_for_status().json()["webhooks"]
    assert isinstance(found, dict)
    return found


@pytest.mark.both_databases
def test_the_end_of_a_job_is_sent_signed_as_the_standard_has_it(
    http: httpx.Client, receiver: Receiver
) -> None:
    added = add(http, receiver.url())
    assert added["events"] == ENDED
    job = run(http, name="bell")
    (delivery,) = receiver.await_deliveries(1)
    payload = Webhook(added["secret"]).verify(delivery.body, delivery.headers)
    assert payload["type"] == "job.completed"
    assert (payload["data"]["id"], payload["data"]["name"]) == (job, "bell")
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.message == f"msg_{job}_{payload['data']['version']}"
    with pytest.raises(WebhookVerificationError):
        Webhook(added["secret"]).verify(delivery.body + b" ", delivery.headers)
    until(lambda: listed(http)["delivered_at"], "the delivery is recorded")


def test_the_secret_is_shown_once(http: httpx.Client, receiver: Receiver) -> None:
    added = add(http, receiver.url())
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", added["secret"])
    assert "secret" not in listed(http)
    assert added["secret"] not in http.get("/v1/webhooks").text


@pytest.mark.both_databases
def test_events_of_a_job_come_in_order(http: httpx.Client, receiver: Receiver) -> None:
    events = ["job.queued", "job.running", "job.completed"]
    add(http, receiver.url(), events=events)
    jobs = [run(http) for _ in range(5)]
    deliveries = receiver.await_deliveries(15)
    for job in jobs:
        of_job = [each.event for each in deliveries if each.event["data"]["id"] == job]
        assert [each["type"] for each in of_job] == events
    assert receiver.most_at_once == 1


def test_only_jobs_of_the_device_are_sent(http: httpx.Client, receiver: Receiver) -> None:
    add(http, receiver.url(), device="clifford")
    run(http)
    job = run(http, device="clifford")
    (delivery,) = receiver.await_deliveries(1)
    assert delivery.event["data"]["id"] == job


def test_a_failed_delivery_is_sent_again_under_the_same_id(
    http: httpx.Client, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500 if len(receiver.deliveries) == 1 else 200
    added = add(http, receiver.url())
    run(http)
    until(lambda: listed(http)["last_error"], "the failure is recorded")
    assert "status 500" in listed(http)["last_error"]
    first, second = receiver.await_deliveries(2)
    assert (first.message, first.body) == (second.message, second.body)
    assert 5 <= second.at - first.at < 15
    Webhook(added["secret"]).verify(second.body, second.headers)
    until(lambda: listed(http)["delivered_at"], "the delivery is recorded")
    assert listed(http)["last_error"] is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Receiver.RESET, "The connection to the receiver broke"),
        (302, "redirects are not followed"),
        (404, "status 404"),
    ],
)
def test_what_a_receiver_does_instead_is_a_failure(
    http: httpx.Client, receiver: Receiver, answer: int | str, error: str
) -> None:
    receiver.answer = lambda _: answer
    added = add(http, receiver.url())
    tested = http.post(f"/v1/webhooks/{added['id']}/test").raise_for_status().json()
    assert not tested["delivered"]
    assert error in tested["error"]
    assert [each.path for each in receiver.deliveries] == ["/hook"]


def test_a_receiver_that_hangs_delays_no_other(
    http: httpx.Client, receiver: Receiver, live: LiveServer
) -> None:
    add(http, receiver.url())
    receiver.answer = lambda _: Receiver.HANG
    with receiving() as other:
        add(http, other.url())
        for number in range(1, 4):
            run(http)
            other.await_deliveries(number, timeout_s=5)
    assert len(receiver.deliveries) == 1
    assert receiver.most_at_once == 1
    until(
        lambda: any("within 10 s" in (each["last_error"] or "") for each in hooks(http)),
        "it is given up after its time",
    )


def hooks(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/v1/webhooks").raise_for_status().json()["webhooks"]
    return found


@pytest.mark.both_databases
def test_a_receiver_that_is_gone_is_disabled_until_a_test_succeeds(
    http: httpx.Client, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 410
    added = add(http, receiver.url())
    run(http)
    until(lambda: listed(http)["disabled_at"], "it is disabled")
    assert "410" in listed(http)["disabled_reason"]
    run(http)
    receiver.answer = lambda _: 200
    assert http.post(f"/v1/webhooks/{added['id']}/test").json()["delivered"]
    assert listed(http)["disabled_at"] is None
    job = run(http)
    receiver.await_deliveries(3)
    assert [each.event["data"] and each.event["type"] for each in receiver.deliveries] == [
        "job.completed",
        None,
        "job.completed",
    ]
    assert receiver.deliveries[-1].event["data"]["id"] == job


def test_a_test_returns_the_beginning_of_the_response(
    http: httpx.Client, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 201
    receiver.body = b"x" * 5000
    added = add(http, receiver.url())
    tested = http.post(f"/v1/webhooks/{added['id']}/test").raise_for_status().json()
    assert (tested["delivered"], tested["status"], tested["error"]) == (True, 201, "")
    assert tested["body"] == "x" * 1024
    (delivery,) = receiver.deliveries
    assert Webhook(added["secret"]).verify(delivery.body, delivery.headers)["data"] is None


@pytest.mark.both_databases
def test_both_secrets_sign_after_a_rotation(http: httpx.Client, receiver: Receiver) -> None:
    added = add(http, receiver.url())
    rotated = http.post(f"/v1/webhooks/{added['id']}/rotate").raise_for_status().json()
    assert rotated["secret"] != added["secret"]
    run(http)
    (delivery,) = receiver.await_deliveries(1)
    for secret in (added["secret"], rotated["secret"]):
        Webhook(secret).verify(delivery.body, delivery.headers)
    assert len(delivery.headers["webhook-signature"].split(" ")) == 2


def test_a_removed_webhook_gets_nothing(http: httpx.Client, receiver: Receiver) -> None:
    added = add(http, receiver.url("/removed"))
    assert http.delete(f"/v1/webhooks/{added['id']}").status_code == 204
    assert http.delete(f"/v1/webhooks/{added['id']}").status_code == 404
    add(http, receiver.url("/stays"))
    run(http)
    receiver.await_deliveries(1)
    assert [each.path for each in receiver.deliveries] == ["/stays"]


def test_a_cancelled_job_is_told(http: httpx.Client, receiver: Receiver) -> None:
    add(http, receiver.url())
    body = {"program": held_job().program, "device": "simulator", "shots": 10}
    job = http.post("/v1/jobs", json=body).json()["id"]
    http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    (delivery,) = receiver.await_deliveries(1)
    assert (delivery.event["type"], delivery.event["data"]["id"]) == ("job.cancelled", job)


# --- clients and commands -------------------------------------------------------------------------


def test_the_clients_methods_do_what_the_routes_do(live: LiveServer, receiver: Receiver) -> None:
    token = live.token(live.unused("client"))
    with qwicket.connect(live.url, token) as client:
        added = client.add_webhook(receiver.url(), ["job.failed"], "simulator")
        (found,) = client.webhooks()
        assert (found["id"], found["events"], found["device"]) == (
            *(added["id"], ["job.failed"], "simulator"),
        )
        assert client.rotate_webhook(added["id"])["secret"] != added["secret"]
        assert client.test_webhook(added["id"])["delivered"]
        client.remove_webhook(added["id"])
        assert client.webhooks() == []
        with pytest.raises(ApiError, match="no such webhook"):
            client.remove_webhook(added["id"])


@pytest.mark.anyio
async def test_the_asynchronous_clients_methods_do_the_same(
    live: LiveServer, receiver: Receiver
) -> None:
    token = live.token(live.unused("async"))
    async with qwicket.aconnect(live.url, token) as client:
        added = await client.add_webhook(receiver.url())
        assert [each["id"] for each in await client.webhooks()] == [added["id"]]
        assert (await client.rotate_webhook(added["id"]))["secret"] != added["secret"]
        assert (await client.test_webhook(added["id"]))["status"] == 204
        await client.remove_webhook(added["id"])
        assert await client.webhooks() == []


def test_the_commands_do_what_the_routes_do(live: LiveServer, receiver: Receiver) -> None:
    env = {"QWICKET_URL": live.url, "QWICKET_TOKEN": live.token(live.unused("command"))}
    added = json.loads(
        cli("webhook", "add", receiver.url(), "--event", "job.failed", "--json", env=env)
    )
    assert cli("webhook", "list", env=env).split("  ") == [
        *(added["id"], receiver.url(), "failed", "active"),
    ]
    printed = cli("webhook", "test", added["id"], env=env)
    assert re.search(r"^delivered  yes\nstatus     204$", printed, re.MULTILINE)
    rotated = cli("webhook", "rotate", added["id"], env=env)
    assert re.fullmatch(rf"webhook  {added['id']}\nsecret   whsec_\S+", rotated)
    receiver.answer = lambda _: 500
    failed = run_cli("webhook", "test", added["id"], env=env)
    assert failed.returncode == 1
    assert "The receiver responded with the status 500." in failed.stdout
    assert cli("webhook", "remove", added["id"], env=env) == ""
    assert cli("webhook", "list", "--json", env=env) == "[]"
    refused = run_cli("webhook", "remove", added["id"], env=env)
    assert refused.returncode == 1
    assert "There is no such webhook." in refused.stderr


# --- limits and rights ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "field", "text"),
    [
        ({"url": "ftp://example.org/"}, 400, "url", "must begin with https:// or http://"),
        ({"url": "https://"}, 400, "url", "must be an address"),
        ({"url": "https://example.org:99999/"}, 400, "url", "must be an address"),
        ({"url": "https://me:pw@example.org/"}, 400, "url", "user name"),
        ({"url": "https://example.org/#there"}, 400, "url", "fragment"),
        ({"url": "https://exämple.org/"}, 400, "url", "Punycode"),
        ({"url": "https://example.org/ x"}, 400, "url", "without spaces"),
        ({"url": "https://example.org/" + "x" * 2000}, 400, "url", "webhook_url_chars"),
        ({"url": "https://example.org/", "events": []}, 400, "events", ""),
        ({"url": "https://example.org/", "events": ["job.draft"]}, 400, "events", ""),
        ({"url": "https://example.org/", "device": "nowhere"}, 404, "device", "no device"),
        ({"url": "https://example.org/", "other": 1}, 400, "other", ""),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    http: httpx.Client, fields: dict[str, Any], status: int, field: str, text: str
) -> None:
    answer = http.post("/v1/webhooks", json=fields)
    assert answer.status_code == status, answer.text
    assert answer.json()["field"].startswith(field)
    assert text in answer.json()["detail"]
    assert hooks(http) == []


@pytest.mark.both_databases
def test_a_project_has_as_many_webhooks_as_the_limit_says(http: httpx.Client) -> None:
    for _ in range(3):
        add(http, "https://example.org/hook")
    answer = http.post("/v1/webhooks", json={"url": "https://example.org/hook"})
    assert answer.status_code == 400
    assert "limit webhooks" in answer.json()["detail"]


def test_webhooks_of_another_account_are_unknown(http: httpx.Client, live: LiveServer) -> None:
    added = add(http, "https://example.org/hook")
    with live.client(live.token(live.unused("stranger"))) as stranger:
        assert hooks(stranger) == []
        for method, path in (("DELETE", ""), ("POST", "/rotate"), ("POST", "/test")):
            answer = stranger.request(method, f"/v1/webhooks/{added['id']}{path}")
            assert answer.status_code == 404, (method, path)
    assert len(hooks(http)) == 1


def test_a_token_for_some_devices_sees_and_makes_only_their_webhooks(
    live: LiveServer,
) -> None:
    name = live.unused("limited")
    live.token(name)

    async def limited(admin: Admin) -> str:
        return (await admin.create_token(name, devices=("clifford",))).secret

    with live.client(live.token(name)) as free, live.client(live.as_admin(limited)) as bound:
        everything = add(free, "https://example.org/hook")
        answer = bound.post("/v1/webhooks", json={"url": "https://example.org/hook"})
        assert (answer.status_code, answer.json()["field"]) == (403, "device")
        own = add(bound, "https://example.org/hook", device="clifford")
        assert [each["id"] for each in hooks(bound)] == [own["id"]]
        assert bound.delete(f"/v1/webhooks/{everything['id']}").status_code == 404
        assert len(hooks(free)) == 2


def test_a_token_that_may_not_read_jobs_makes_no_webhook(live: LiveServer) -> None:
    name = live.unused("writer")
    live.token(name)

    async def writer(admin: Admin) -> str:
        return (await admin.create_token(name, scopes=("jobs:write",))).secret

    with live.client(live.as_admin(writer)) as http:
        answer = http.post("/v1/webhooks", json={"url": "https://example.org/hook"})
        assert answer.status_code == 403
        assert "jobs:read" in answer.json()["detail"]


def test_metrics_count_deliveries_by_outcome(
    http: httpx.Client, receiver: Receiver, live: LiveServer
) -> None:
    def count() -> float:
        text = httpx.get(f"{live.url}/metrics").text
        found = re.search(r'webhook_deliveries_total\{outcome="delivered"\} (\S+)', text)
        assert found is not None
        assert "qwicket_webhook_outbox " in text
        return float(found[1])

    before = count()
    add(http, receiver.url())
    run(http)
    receiver.await_deliveries(1)
    until(lambda: count() > before, "it is counted")


def test_no_secret_is_in_the_log(http: httpx.Client, receiver: Receiver, live: LiveServer) -> None:
    receiver.answer = lambda _: 500
    added = add(http, receiver.url())
    run(http)
    receiver.await_deliveries(1)
    log = live.log.read_text()
    assert "whsec_" not in log
    assert added["secret"].removeprefix("whsec_") not in log


# --- addresses ------------------------------------------------------------------------------------


def test_a_server_without_the_setting_reaches_no_private_address(tmp_path: Path) -> None:
    live = LiveServer(tmp_path)
    with receiving() as receiver, live.client() as http:
        for url in (
            *(receiver.url(), "https://127.0.0.1/", "https://[::1]/", "https://2130706433/"),
            *("https://127.1/", "https://0x7f.1/", "https://[::ffff:10.0.0.1]/"),
        ):
            answer = http.post("/v1/webhooks", json={"url": url})
            assert answer.status_code == 400, url
            assert answer.json()["field"] == "url"
        # A name that means this machine is noticed when it is resolved.
        added = add(http, f"https://localhost:{receiver.port}/")
        tested = http.post(f"/v1/webhooks/{added['id']}/test").json()
        assert not tested["delivered"]
        assert "not public" in tested["error"]
        assert receiver.deliveries == []
    assert live.stop() == 0
    live.assert_calm()
