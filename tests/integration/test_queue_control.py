"""Hold, release, reorder and requeue jobs: over HTTP, with the client and the commands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwicket.clients.native import ApiError, Client, ClientError, connect
from support.held import held_job
from support.pilots import pilot
from support.programs import BELL
from support.server import LiveServer, run_here, server_on
from support.waiting import until

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def idle(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A server without workers, on which jobs wait."""
    folder = tmp_path_factory.mktemp(f"idle_{database_kind}")
    with server_on(database_kind, request, folder, "--workers", "0") as live:
        yield live


@pytest.fixture
def name() -> str:
    return f"holder-{os.urandom(3).hex()}"


@pytest.fixture
def token(idle: LiveServer, name: str) -> str:
    return idle.token(name)


@pytest.fixture
def client(idle: LiveServer, token: str) -> Iterator[Client]:
    with connect(idle.url, token) as client:
        yield client


@pytest.fixture
def admin_token(idle: LiveServer) -> str:
    name = f"chief-{os.urandom(3).hex()}"
    idle.admin("user", "add", name, "--role", "admin")
    return idle.admin("token", "create", "--user", name, "--scope", "admin")


@pytest.fixture
def admin(idle: LiveServer, admin_token: str) -> Iterator[Client]:
    with connect(idle.url, admin_token) as client:
        yield client


def call(server: LiveServer, token: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run_here("job", *words, "--url", server.url, env={"QWICKET_TOKEN": token})


def test_owner_lead_and_administrator_read_why_a_job_waits(
    idle: LiveServer, client: Client, name: str, admin_token: str
) -> None:
    lead = f"lead-{name}"
    lead_token = idle.token(lead)
    idle.admin("project", "member", "add", name, lead)
    idle.admin("project", "member", "role", name, lead, "lead")
    _, job = client.submit(BELL, "clifford"), client.submit(BELL, "clifford")

    def reasons() -> list[str]:
        found = []
        for path, token in (("/v1/jobs", lead_token), ("/v1/admin/jobs", admin_token)):
            with idle.client(token) as http:
                found.append(http.get(f"{path}/{job.id}").json()["queue"])
        own = client.job(job.id).body.queue
        if own is None or None in found:
            return []
        if not [*own.reasons] == found[0]["reasons"] == found[1]["reasons"]:
            return []  # the forecast was renewed between two reads
        assert own.reason == own.reasons[0]
        return [*own.reasons]

    turn = "1 job starts before it by turns: 1 of its account"
    until(lambda: reasons() == ["no worker is connected", turn], "the forecast is new")
    shown = call(idle, admin_token, "show", job.id, "--all").stdout
    assert f"no worker is connected, {turn}" in shown
    idle.admin("device", "pause", "clifford", "--reason", "a visit")
    until(lambda: reasons() == ["the device is paused: a visit", turn], "the forecast is new")
    idle.admin("device", "on", "clifford")


@pytest.mark.both_databases
def test_a_job_is_held_released_and_reordered(client: Client) -> None:
    job = client.submit(BELL, "simulator")
    until(lambda: job.position is not None, "it has a position")
    assert job.hold().body.held_by == "owner"
    assert job.state == "queued"
    assert job.queue_position is None
    assert client.jobs(1)[0].body.held_by == "owner"
    assert job.release().body.held_by is None
    until(lambda: job.position is not None, "the forecast has the job again")
    assert job.prioritize(-7).body.priority == -7
    job.cancel()
    with pytest.raises(ApiError, match="Only a waiting job") as refused:
        job.hold()
    assert refused.value.status == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [({"held": "yes"}, "held"), ({"priority": 101}, "priority"), ({"colour": 1}, "colour")],
)
def test_a_change_that_makes_no_sense_is_refused(
    idle: LiveServer, token: str, body: dict[str, Any], field: str
) -> None:
    with idle.client(token) as http:
        job = http.post("/v1/jobs", json={"program": BELL, "device": "simulator"}).json()["id"]
        refused = http.patch(f"/v1/jobs/{job}", json=body)
        assert refused.status_code == 400
        assert field in refused.text
        assert http.patch(f"/v1/jobs/{job}", json={}).json()["version"] == 1


def test_the_jobs_of_others_are_not_found(idle: LiveServer, client: Client, name: str) -> None:
    job = client.submit(BELL, "simulator")
    with idle.client(idle.token(f"{name}-2")) as other:
        assert other.patch(f"/v1/jobs/{job.id}", json={"held": True}).status_code == 404
        for method, path, body in (
            ("PATCH", f"jobs/{job.id}", {"held": True}),
            ("POST", f"jobs/{job.id}/requeue", None),
            ("POST", "bulk/jobs", {"action": "hold"}),
        ):
            assert other.request(method, f"/v1/admin/{path}", json=body).status_code == 403
    assert job.refresh().body.held_by is None


def test_an_administrator_holds_what_the_owner_cannot_release(
    client: Client, admin: Client, name: str
) -> None:
    job = client.submit(BELL, "simulator")
    found = admin.job(job.id, everybody=True)
    assert (found.info["account"], found.hold().body.held_by) == (name, "admin")
    with pytest.raises(ApiError, match="administrator"):
        job.release()
    (same,) = admin.jobs(everybody=True, account=name)
    assert same.prioritize(9).body.priority == 9
    assert same.release().body.held_by is None
    assert same.refresh().state == "queued"
    assert job.refresh().body.priority == 9


@pytest.mark.both_databases
def test_many_jobs_are_held_and_released_at_once(client: Client, admin: Client, name: str) -> None:
    jobs = [client.submit(BELL, "simulator").id for _ in range(3)][::-1]
    assert admin.change_jobs("hold", account=name, dry_run=True) == {"number": 3, "ids": jobs}
    assert all(job.body.held_by is None for job in client.jobs())
    assert admin.change_jobs("hold", account=name)["number"] == 3
    assert admin.change_jobs("hold", account=name)["number"] == 0
    assert all(job.body.held_by == "admin" for job in client.jobs())
    assert admin.change_jobs("priority", priority=3, account=name)["number"] == 3
    assert admin.change_jobs("release", account=name, created_to="2020-01-01T00:00:00Z") == {
        "number": 0,
        "ids": [],
    }
    assert admin.change_jobs("release", account=name, state="queued")["number"] == 3
    assert admin.change_jobs("cancel", account=name, device="simulator")["number"] == 3


@pytest.mark.both_databases
def test_ended_jobs_are_deleted_by_filter_and_no_others(
    client: Client, admin: Client, name: str
) -> None:
    ended, waiting = (client.submit(BELL, "simulator") for _ in range(2))
    ended.cancel()
    assert admin.change_jobs("delete", account=name, state="queued")["number"] == 0
    assert admin.change_jobs("delete", account=name, dry_run=True)["ids"] == [ended.id]
    assert admin.change_jobs("delete", account=name) == {"number": 1, "ids": [ended.id]}
    assert [job.id for job in client.jobs()] == [waiting.id]
    with pytest.raises(ClientError, match="that has ended"):
        admin.job(waiting.id, everybody=True).delete()
    waiting.cancel()
    admin.job(waiting.id, everybody=True).delete()
    assert client.jobs() == []


def test_a_change_of_many_jobs_is_answered_before_its_end(
    idle: LiveServer, admin_token: str, token: str, name: str
) -> None:
    program = {"program": BELL, "device": "simulator", "shots": 1}
    with idle.client(token) as http:
        for _ in range(201):  # one more than one write changes
            http.post("/v1/jobs", json=program).raise_for_status()
    with idle.client(admin_token) as http:

        def change(action: str, prefer: str, **more: Any) -> tuple[int, int, int | None]:
            body = {"action": action, "account": name, **more}
            done = http.post("/v1/admin/bulk/jobs", json=body, headers={"Prefer": prefer})
            found = done.raise_for_status().json()
            return done.status_code, found["number"], found["next"]

        status, number, rest = change("hold", "respond-async, wait=0")
        assert (status, number) == (202, 200)
        assert rest is not None
        assert change("hold", "respond-async, wait=0", before=rest) == (200, 1, None)
        assert change("release", "wait=0") == (200, 201, None), "as clients of 1.0.0 expect it"
        assert change("cancel", "respond-async") == (200, 201, None)
        assert change("delete", "respond-async,wait=30") == (200, 201, None)
        refused = http.post(
            "/v1/admin/bulk/jobs", json={"action": "hold", "ids": ["x"], "before": 1}
        )
        assert refused.status_code == 400
    acts = json.loads(idle.admin("audit", "list", "--json"))
    changed = [each["details"] for each in acts if each["action"] == "change_jobs"]
    assert [each.get("changed_in_all") for each in changed[:2]] == [201, None]
    assert changed[1]["changed"] == 200


def test_a_token_for_some_devices_changes_many_jobs_of_these_alone(
    idle: LiveServer, client: Client, name: str
) -> None:
    other, own = (client.submit(BELL, device).id for device in ("simulator", "clifford"))
    chief = f"chief-{os.urandom(3).hex()}"
    idle.admin("user", "add", chief, "--role", "admin")
    options = ("--scope", "admin", "--device", "clifford")
    token = idle.admin("token", "create", "--user", chief, *options)
    with idle.client(token) as http:
        body = {"action": "hold", "ids": [other, own], "dry_run": True}
        found = http.post("/v1/admin/bulk/jobs", json=body).json()
        assert found == {"number": 1, "ids": [own], "next": None}
    with connect(idle.url, token) as limited:
        assert limited.change_jobs("hold", account=name) == {"number": 1, "ids": [own]}
        assert limited.change_jobs("hold", account=name, device="simulator")["number"] == 0
        assert limited.change_jobs("cancel", account=name)["ids"] == [own]
        with pytest.raises(ApiError, match="no such job"):
            limited.job(other, everybody=True)
    held = {job.id: job.body.held_by for job in client.jobs()}
    assert held[other] is None
    client.job(other).cancel()


@pytest.mark.both_databases
def test_a_requeued_job_leaves_its_worker_and_runs_again(
    idle: LiveServer, client: Client, admin: Client, tmp_path: Path
) -> None:
    job = client.submit(held_job().program, "simulator")
    with pytest.raises(ApiError, match="Only a running job"):
        admin.job(job.id, everybody=True).requeue()
    with pilot(idle, tmp_path):
        until(lambda: job.status == "running", "it runs", timeout_s=60)
        short = client.submit(BELL, "simulator")
        short.prioritize(100)  # before: the worker takes the next job at once
        admin.job(job.id, everybody=True).requeue()
        assert short.wait(60).state == "completed", "the worker has let go of the first one"
        until(lambda: job.status == "running", "it runs again", timeout_s=60)
        job.cancel()
        assert job.wait(60).state == "cancelled"


def test_the_local_worker_lets_go_of_a_requeued_job(server: LiveServer) -> None:
    chief = f"chief-{os.urandom(3).hex()}"
    server.admin("user", "add", chief, "--role", "admin")
    create = ("token", "create", "--user", chief)
    admin_token, token = server.admin(*create, "--scope", "admin"), server.admin(*create)
    with connect(server.url, token) as client:
        job = client.submit(held_job().program, "simulator")
        until(lambda: job.status == "running", "it runs", timeout_s=60)
        with connect(server.url, admin_token) as admin:
            admin.job(job.id, everybody=True).requeue()
        with server.client(token) as http:
            found = http.get(f"/v1/jobs/{job.id}/events").json()["events"]
        assert "queued again by an administrator" in [each["reason"] for each in found]
        assert job.cancel().wait(60).state == "cancelled"


def test_the_commands_change_jobs_by_id(idle: LiveServer, client: Client, token: str) -> None:
    jobs = [client.submit(BELL, "simulator").id for _ in range(2)]
    held = call(idle, token, "hold", *jobs)
    assert held.stdout == "".join(f"{job}  held\n" for job in jobs)
    assert "queued, held" in call(idle, token, "show", jobs[0]).stdout
    assert call(idle, token, "release", jobs[0], "--json").stdout == (
        f'{{"id": "{jobs[0]}", "state": "queued"}}\n'
    )
    assert call(idle, token, "priority", jobs[0], "--to", "5").returncode == 0
    assert client.job(jobs[0]).body.priority == 5
    refused = call(idle, token, "requeue", jobs[0])
    assert (refused.returncode, "admin" in refused.stderr) == (1, True)
    assert call(idle, token, "cancel", *jobs).stdout.count("cancelled") == 2
    refused = call(idle, token, "hold", jobs[0])
    assert (refused.returncode, "Only a waiting job" in refused.stderr) == (1, True)


@pytest.mark.parametrize("is_admin", [False, True])
def test_the_commands_change_all_jobs_that_fit(
    idle: LiveServer, client: Client, token: str, admin_token: str, name: str, is_admin: bool
) -> None:
    for _ in range(3):
        client.submit(BELL, "simulator", tags=[name])
    who = admin_token if is_admin else token
    everybody = ("--all", "--account", name) if is_admin else ()
    fitting = ("--tag", name, "--state", "queued", *everybody)
    tried = call(idle, who, "hold", *fitting, "--dry-run", "--json")
    assert json.loads(tried.stdout)["number"] == 3
    asked = call(idle, who, "hold", *fitting)
    assert (asked.returncode, "3 jobs fit. Give --yes" in asked.stderr) == (2, True)
    assert all(job.body.held_by is None for job in client.jobs())
    assert call(idle, who, "hold", *fitting, "--yes").stdout == "3 jobs held\n"
    assert all(job.body.held_by for job in client.jobs())
    assert call(idle, who, "hold", *fitting, "--yes").stdout == "0 jobs to be held\n"
    assert call(idle, who, "release", *fitting, "--yes").stdout == "3 jobs released\n"
    assert call(idle, who, "cancel", *fitting, "--yes").stdout == "3 jobs cancelled\n"
    ended = ("--tag", name, *everybody)
    assert call(idle, who, "delete", *ended, "--dry-run").stdout == "3 jobs to be deleted\n"
    assert call(idle, who, "delete", *ended, "--yes").stdout == "3 jobs deleted\n"
    assert client.jobs() == []


def test_without_an_administrators_token_all_finds_ones_own(
    idle: LiveServer, client: Client, token: str, name: str
) -> None:
    client.submit(BELL, "simulator")
    done = call(idle, token, "hold", "--all", "--device", "simulator", "--yes")
    assert done.stdout == "1 job held\n", done.stderr
    refused = call(idle, token, "release", "--all", "--account", name, "--yes")
    assert (refused.returncode, "needs an administrator's token" in refused.stderr) == (2, True)
    assert client.jobs()[0].body.held_by == "owner"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hold",), "Give the ids of jobs, or a filter"),
        (("hold", "x", "--device", "simulator"), "not both"),
        (("hold", "x", "--dry-run"), "--dry-run needs a filter"),
        (("hold", "--account", "x"), "need --all"),
        (("priority", "x"), "--to"),
        (("priority", "x", "--to", "101"), "-100<=x<=100"),
    ],
)
def test_wrong_usage_is_refused(
    idle: LiveServer, token: str, words: tuple[str, ...], said: str
) -> None:
    refused = call(idle, token, *words)
    assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
