"""The limits of a token apply on every route of every dialect, within the documented time."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import httpx
import pytest

from abuse.dialects import MOUNTS, harmless
from abuse.every_route import (
    ADMIN,
    ASKS,
    GROUPS,
    MCP,
    PREFIXES,
    SUBMISSIONS,
    Ask,
    SignedIn,
    signed_in,
)
from qwicket.dialects.native.admin.access import LEAD
from qwicket.model.accounts import Scope
from qwicket.model.ids import new_id
from support import braket
from support.for_each import for_each
from support.server import LiveServer

OWNER = "owner"
OF_A_JOB = [ask for ask in ASKS if ask.names_a_job and not ask.has_secret_in_path]
OF_ANY_DEVICE = "/jobs/group/{group}"
"""qBraid's groups are for any device."""
LISTS = [ask for ask in ASKS if ask.method == "GET" and not ask.names_a_job and not ask.is_public]
MUTATING = [
    ask
    for ask in ASKS
    if ask.method != "GET"
    and not ask.is_public
    and not ask.has_secret_in_path
    and not ask.is_an_agents
]
READ_BY_POST = {
    "/get-user-jobs": "a search",
    "/search/v3/resources/search": "a search",
    "/devices": "a search",
    "/quantum-tasks": "a search",
    "/": "a question who signed",
    "/{bucket}": "a note of a bucket, of which there are none",
    "/jobs/{id}/resultdownloaded": "an acknowledgement that changes nothing",
}
CLOSED_TO_ALL = {"/lab/update-device": "an administrator's, who has the command line"}
MAY_COME_TOO_LATE = {("POST", "/jobs/{id}/cancel"), ("PATCH", "/jobs/{id}")}
"""Cancelling a job that has just ended is refused."""
OF_SOME_DEVICES = {
    ("GET", "/jobs"),
    ("POST", "/bulk/jobs"),
    ("GET", "/projects/{project}/export"),
    ("GET", "/devices"),
}
"""What an administrator's token for some devices may ask, besides that about one job or device."""
SIGNED = [
    ask for ask in ASKS if not ask.is_public and not ask.has_secret_in_path and not ask.is_an_agents
]


class World(NamedTuple):
    """Jobs and groups of one account, and two of its tokens.

    Attributes:
        http: A client that signs in nowhere.
        full: May do everything, on all devices.
        restricted: May do the same on the device `clifford` alone.
        jobs: Of other devices, by dialect; all have ended.
        groups: For other devices (qBraid's for any), by dialect.
        webhook: For all devices.
    """

    http: httpx.Client
    full: SignedIn
    restricted: SignedIn
    jobs: dict[str, str]
    groups: dict[str, str]
    webhook: str

    def send_afresh(self, ask: Ask) -> httpx.Response:
        """Send what changes a job or group to new ones; what deletes a job, once that has ended."""
        prefix, job, group = ask.prefix, self.jobs[ask.prefix], self.groups.get(ask.prefix, "")
        if ask.names_a_webhook:
            webhook = self.full.webhook(self.http)
            answer = self.full.send(self.http, ask, webhook, "")
            if ask.method != "DELETE":  # a project has only some
                self.full.send(self.http, Ask("/v1", "DELETE", "/webhooks/{id}"), webhook, "")
            return answer
        if ask.names_a_share:
            share = self.full.share(self.http, self.full.submit(self.http, prefix))
            return self.full.send(self.http, ask, share, "")
        if ask.method != "GET" and ask.names_a_job:
            job = self.full.submit(self.http, prefix)
            group = self.full.group(self.http, prefix) if group else ""
        if ask.method == "DELETE":
            headers = {"Authorization": f"Bearer {self.full.secret}"}
            self.http.get(f"/v1/jobs/{job}", params={"wait": 60}, headers=headers)
        return self.full.send(self.http, ask, job, group)

    def send(self, who: SignedIn, ask: Ask, *, absent: bool = False) -> httpx.Response:
        nobody = new_id(time.time_ns() // 1_000_000)
        group = self.groups.get(ask.prefix.replace("v0.3", "v0.4"), nobody)
        if absent:
            return who.send(self.http, ask, nobody, nobody)
        job = self.webhook if ask.names_a_webhook else self.jobs[ask.prefix]
        return who.send(self.http, ask, job, group)


@pytest.fixture(scope="module")
def world(server: LiveServer, client: httpx.Client) -> World:
    scopes = [f"--scope={scope}" for scope in ("jobs:read", "jobs:write", "devices:read")]
    full = signed_in(server, client, OWNER, *scopes)
    restricted = signed_in(server, client, OWNER, "--device", "clifford", *scopes)
    jobs = {prefix: full.submit(client, prefix) for prefix in SUBMISSIONS}
    jobs |= {"/s3": jobs["/braket"]}
    jobs |= {prefix: jobs["/v1"] for prefix in PREFIXES if prefix not in jobs}
    groups = {prefix: full.group(client, prefix) for prefix in GROUPS}
    headers = {"Authorization": f"Bearer {full.secret}"}
    for job in jobs.values():
        ended = client.get(f"/v1/jobs/{job}", params={"wait": 60}, headers=headers)
        assert ended.json()["state"] == "completed"
    return World(client, full, restricted, jobs, groups, full.webhook(client))


def masked(answer: httpx.Response) -> str:
    """Return an answer without ids and times, which differ from request to request."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}", "(id)", answer.text)
    return f"{answer.status_code} {text}"


def of_dialect(asks: Sequence[Ask], prefix: str) -> list[Ask]:
    return [ask for ask in asks if ask.prefix == prefix]


by_dialect = for_each("prefix", PREFIXES)


@by_dialect
def test_jobs_and_groups_of_another_device_look_absent(world: World, prefix: str) -> None:
    """No route reveals to a token for one device whether a job of another device exists."""
    for ask in of_dialect(OF_A_JOB, prefix):
        if OF_ANY_DEVICE in ask.path or ask.is_an_agents:
            continue
        there, absent = (
            world.send(world.restricted, ask),
            world.send(world.restricted, ask, absent=True),
        )
        harmless(there)
        assert masked(there) == masked(absent), ask
        assert not there.is_success or ask.prefix == "/qbraid/api", (ask, there.text[:200])


def test_the_jobs_are_there_for_a_token_of_all_devices(world: World) -> None:
    """What the test above compares would be equal if its requests were nonsense."""
    shown = {
        ask
        for ask in OF_A_JOB
        if ask.method == "GET"
        and masked(world.send(world.full, ask)) != masked(world.send(world.full, ask, absent=True))
    }
    assert {ask.prefix for ask in shown} == {*SUBMISSIONS, "/s3"}
    assert len(shown) > 50


@by_dialect
def test_no_list_shows_jobs_or_groups_of_another_device(world: World, prefix: str) -> None:
    groups = [id_ for dialect, id_ in world.groups.items() if dialect != "/qbraid/api/v1"]
    for ask in of_dialect(LISTS, prefix):
        if ask.path == "/events" or ask.is_an_agents:
            continue  # streams have tests of their own
        answer = world.send(world.restricted, ask)
        harmless(answer)
        for id_ in (*world.jobs.values(), *groups):
            assert id_ not in answer.text, ask


def test_a_token_for_one_device_lists_and_counts_its_jobs_alone(
    server: LiveServer, world: World
) -> None:
    http, headers = world.http, {"Authorization": f"Bearer {world.restricted.secret}"}
    body = {"device": "clifford", "program": world_program(), "shots": 5}
    own = http.post("/v1/jobs", json=body, headers=headers).json()["id"]
    http.get(f"/v1/jobs/{own}", params={"wait": 60}, headers=headers)
    listed = http.get("/v1/jobs", params={"limit": 1000}, headers=headers).json()["jobs"]
    assert {job["device"] for job in listed} == {"clifford"}
    assert own in (shown := {job["id"] for job in listed})
    assert not shown & {*world.jobs.values()}
    counted = http.get("/qbraid/api/v1/jobs", headers={"X-API-Key": world.restricted.secret}).json()
    assert (counted["data"], counted["pagination"]["total"]) == ([], 0)
    with server.client(world.restricted.secret) as limited:
        refused = limited.post("/v1/jobs", json={**body, "device": "simulator"})
    assert refused.status_code == 403
    assert refused.json()["field"] == "device"


def world_program() -> str:
    return "OPENQASM 3.0; qubit q; bit c; c = measure q;"


def test_a_group_for_any_device_shows_a_token_the_jobs_of_its_device(world: World) -> None:
    http = world.http
    full = {"Authorization": f"Bearer {world.full.secret}"}
    restricted = {"Authorization": f"Bearer {world.restricted.secret}"}
    group = http.post("/v1/groups", json={"name": "shared"}, headers=full).json()["id"]
    bodies = [
        {"device": device, "program": world_program(), "group": group}
        for device in ("simulator", "clifford")
    ]
    other, own = (http.post("/v1/jobs", json=body, headers=full).json()["id"] for body in bodies)
    for job in (other, own):
        http.get(f"/v1/jobs/{job}", params={"wait": 60}, headers=full)
    assert http.get(f"/v1/groups/{group}", headers=full).json()["jobs"] == 2
    assert http.get(f"/v1/groups/{group}", headers=restricted).json()["jobs"] == 1
    listed = http.get("/v1/jobs", params={"group": group}, headers=restricted).json()["jobs"]
    assert [job["id"] for job in listed] == [own]


def test_a_job_of_another_device_is_not_told_by_its_idempotency_key_or_its_group(
    world: World,
) -> None:
    http = world.http
    full = {"Authorization": f"Bearer {world.full.secret}", "Idempotency-Key": "of-another"}
    body = {"device": "simulator", "program": world_program()}
    assert http.post("/v1/jobs", json=body, headers=full).status_code == 201
    restricted = {**full, "Authorization": f"Bearer {world.restricted.secret}"}
    assert http.post("/v1/jobs", json=body, headers=restricted).status_code == 403
    del restricted["Idempotency-Key"]
    own = {**body, "device": "clifford"}
    groups = (world.groups["/v1"], new_id(0))
    there, absent = (
        http.post("/v1/jobs", json={**own, "group": group}, headers=restricted) for group in groups
    )
    assert there.status_code == absent.status_code == 404
    assert there.text.replace(groups[0], "ID") == absent.text.replace(groups[1], "ID")


def test_streams_of_a_token_for_one_device_tell_nothing_of_others(world: World) -> None:
    http, full = world.http, {"Authorization": f"Bearer {world.full.secret}"}
    headers = {"Authorization": f"Bearer {world.restricted.secret}", "Last-Event-ID": "0"}
    own = {"device": "clifford", "program": world_program()}
    last = http.post("/v1/jobs", json=own, headers=full).json()["id"]
    other = http.post("/v1/jobs", json={**own, "device": "simulator"}, headers=full).json()["id"]
    http.get(f"/v1/jobs/{other}", params={"wait": 60}, headers=full)
    seen = ""
    with http.stream("GET", "/v1/events", headers=headers) as answer:
        for text in answer.iter_text():
            seen += text
            if last in seen and "completed" in seen.rpartition(last)[2]:
                break
    assert '"simulator"' not in seen
    assert other not in seen


@pytest.fixture(scope="module")
def administrators(server: LiveServer, client: httpx.Client) -> dict[str, SignedIn]:
    """Two tokens with all scopes of administrators: for all devices, and for `clifford` alone."""
    server.token("warden")
    server.admin("user", "role", "warden", "admin")
    alone = (Scope.DEVICES_SERVE, Scope.COMPUTE_SERVE)  # cannot be combined with others
    scopes = [f"--scope={scope}" for scope in Scope if scope not in alone]
    limits = {"all": (), "clifford": ("--device", "clifford")}
    return {
        name: signed_in(server, client, "warden", *scopes, *options)
        for name, options in limits.items()
    }


def test_an_administrators_token_for_one_device_does_nothing_to_others(
    world: World, administrators: dict[str, SignedIn]
) -> None:
    """Every route is walked: a new one is refused unless it is about the token's devices alone."""
    n_jobs = 0
    for ask in of_dialect(ASKS, ADMIN):
        there = world.send(administrators["clifford"], ask)
        harmless(there)
        if ask.path.startswith("/jobs/{id}"):
            n_jobs += 1
            full = world.send(administrators["all"], ask)
            assert full.status_code in (200, 409), (ask, full.text)  # it has ended
            assert masked(there) == masked(
                world.send(administrators["clifford"], ask, absent=True)
            ), ask
            assert there.status_code == 404, ask
        elif (ask.method, ask.path) in OF_SOME_DEVICES:
            assert not any(job in there.text for job in world.jobs.values()), ask
        else:
            assert there.status_code == 403, (ask, there.text[:200])
            assert "for the device" in there.json()["detail"], ask
    assert n_jobs >= 6
    read = world.send(administrators["all"], Ask(ADMIN, "GET", "/projects"))
    assert read.status_code == 200


def test_an_administrators_token_for_one_device_has_the_jobs_of_its_device(
    world: World, administrators: dict[str, SignedIn]
) -> None:
    http = world.http
    full = {"Authorization": f"Bearer {world.full.secret}"}
    own = {"device": "clifford", "program": world_program()}
    job = http.post("/v1/jobs", json=own, params={"wait": 60}, headers=full).json()["id"]
    asked = {
        name: {"Authorization": f"Bearer {who.secret}"} for name, who in administrators.items()
    }
    limited = asked["clifford"]
    listed = http.get("/v1/admin/jobs", params={"limit": 1000}, headers=limited).json()["jobs"]
    assert {each["device"] for each in listed} == {"clifford"}
    assert job in {each["id"] for each in listed}
    assert http.get(f"/v1/admin/jobs/{job}", headers=limited).status_code == 200
    assert http.post(f"/v1/admin/jobs/{job}/cancel", headers=limited).status_code == 200
    exported = {}
    for name, headers in asked.items():
        page = http.get(f"/v1/admin/projects/{OWNER}/export", headers=headers).content
        with zipfile.ZipFile(io.BytesIO(page)) as archives:
            jobs = json.loads(archives.read("page.json"))["jobs"]
        exported[name] = {each["device"] for each in jobs}
    assert exported["clifford"] == {"clifford"}
    assert len(exported["all"]) > 1
    body = {"message": "A test."}
    changed = http.patch("/v1/admin/devices/clifford", json=body, headers=limited)
    assert changed.status_code == 204
    http.patch("/v1/admin/devices/clifford", json={"message": ""}, headers=limited)
    refused = http.patch("/v1/admin/devices/simulator", json=body, headers=limited)
    assert refused.json()["field"] == "device"


@by_dialect
def test_a_success_has_the_status_and_content_that_its_route_declares(
    world: World, prefix: str
) -> None:
    declared = {(each.method, each.path): each for each in MOUNTS[prefix].routes}
    unseen = {way for way, route in declared.items() if route.status != 200}
    for ask in of_dialect(ASKS, prefix):
        if ask.path == "/events":
            continue  # it never ends
        answer = world.send_afresh(ask)
        route = declared[ask.method, ask.path]
        if not answer.is_success:
            continue
        unseen.discard((ask.method, ask.path))
        assert answer.status_code == route.status, ask
        if route.status == 204:
            assert answer.content == b""
            continue
        kinds = {route.media_type or "application/json"}
        kinds |= {"application/json"} if route.responses else set()
        assert answer.headers["content-type"].partition(";")[0] in kinds, ask
    # For which the token lacks the scope; integration/test_administration.py has the latter. And
    # what needs an invitation: features/invitations/integration/test_invitations.py.
    own = {("POST", "/tokens"), ("DELETE", "/tokens/{id}"), ("POST", "/accounts")}
    # What needs a password or a session: integration/test_native_account.py.
    own |= {("PUT", "/account/password"), ("DELETE", "/account/sessions/{session}")}
    own.add(("POST", "/sign-in"))  # needs an identity provider: integration/test_single_sign_on.py
    own |= {way for way, route in declared.items() if route.access == Scope.ADMIN}
    # What needs a lead of the project: integration/test_administration.py.
    own |= {way for way, route in declared.items() if route.access == LEAD}
    assert unseen <= MAY_COME_TOO_LATE | own


@pytest.fixture(scope="module")
def revoked(server: LiveServer, client: httpx.Client) -> SignedIn:
    """A token that signed in everywhere, and was revoked less than a second ago, once for all."""
    options = [f"--scope={scope}" for scope in ("jobs:read", "jobs:write", "devices:read")]
    who = signed_in(server, client, OWNER, *options, "--scope=tokens:write")
    listed = server.admin("token", "list", "--user", OWNER)
    managing = [line for line in listed.splitlines() if "tokens:write" in line]
    own = [line.split()[0] for line in managing if "revoked" not in line]  # earlier ones are
    assert len(own) == 2  # a token and a key pair
    for each in own:
        server.admin("token", "revoke", each)
    time.sleep(0.1)  # what SECURITY.md promises
    return who


@by_dialect
def test_a_revoked_token_is_refused_on_every_route(
    world: World, revoked: SignedIn, prefix: str
) -> None:
    for ask in of_dialect(SIGNED, prefix):
        answer = world.send(revoked, ask)
        harmless(answer)
        status = 403 if prefix in braket.SERVICES else 401  # as AWS
        assert answer.status_code == status, (ask, answer.text[:200])


@pytest.fixture(scope="module")
def reader(server: LiveServer, client: httpx.Client) -> SignedIn:
    return signed_in(server, client, OWNER, "--scope", "jobs:read")


@by_dialect
def test_a_token_that_only_reads_changes_nothing(
    world: World, reader: SignedIn, prefix: str
) -> None:
    for ask in of_dialect(MUTATING, prefix):
        if ask.path in READ_BY_POST:
            continue
        answer = world.send(reader, ask)
        harmless(answer)
        status = 200 if prefix == MCP else 403  # where a tool's refusal is an answer
        assert answer.status_code == status, (ask, answer.text[:200])
        if ask.path not in CLOSED_TO_ALL:
            assert "lacks the scope" in answer.text, ask
    headers = {"Authorization": f"Bearer {world.full.secret}"}
    read = world.http.get(f"/v1/jobs/{world.jobs[prefix]}", headers=headers)
    assert read.status_code == 200, read.text
    left = read.json()
    assert (left["state"], left["tags"]) == ("completed", [])
    assert left["name"] != "changed"
