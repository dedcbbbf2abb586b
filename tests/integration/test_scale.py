"""`qwicket worker scale`: workers come with the work, as jobs of a cluster, and go after it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from qwicket.cli import main
from qwicket.gateway.admin import Admin
from support.held import HeldJob, held_job
from support.kubernetes import Kubernetes
from support.pilots import RawPilot, compute_token, pilot
from support.programs import BELL
from support.scalers import LiveScaler, scaler
from support.server import LiveServer, running_server
from support.slurm import Slurm, needs_root
from support.waiting import until

pytestmark = pytest.mark.extended

IDLE = ("--idle-s", "2")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with running_server(tmp_path / "server", "--workers", "0", "--lease-s", "4") as live:
        yield live


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    made = Slurm()
    yield made
    made.stop()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubernetes]:
    (tmp_path / "pods").mkdir()
    made = Kubernetes(tmp_path / "pods")
    yield made
    made.stop()


def submit(http: httpx.Client, program: dict[str, Any] = BELL) -> str:
    body = {"program": program, "device": "simulator", "shots": 10}
    return str(http.post("/v1/jobs", json=body).raise_for_status().json()["id"])


def state(http: httpx.Client, job: str, wait_s: float = 0) -> str:
    return str(http.get(f"/v1/jobs/{job}", params={"wait": wait_s}).json()["state"])


def submit_held(http: httpx.Client, number: int) -> dict[str, HeldJob]:
    """Submit held jobs; return them by their ids."""
    held = [held_job() for _ in range(number)]
    return {submit(http, each.program): each for each in held}


def two_workers_complete_theirs(http: httpx.Client, jobs: dict[str, HeldJob]) -> None:
    """Wait until two workers run a job each; these complete, and the others are cancelled."""

    def run_by_two() -> dict[str, str] | None:
        read = [http.get(f"/v1/jobs/{job}").json() for job in jobs]
        found = {each["id"]: each["runner"] for each in read if each["state"] == "running"}
        return found if len({*found.values()}) == 2 else None

    found = until(run_by_two, "both compute", timeout_s=60)
    for job in {*jobs} - {*found}:
        http.post(f"/v1/jobs/{job}/cancel")
    for job in found:
        jobs[job].release()
    assert [state(http, job, wait_s=100) for job in found] == ["completed"] * len(found)


# --- a worker that ends by itself -----------------------------------------------------------------


def test_a_worker_ends_when_it_has_had_no_job_for_its_idle_time(
    server: LiveServer, tmp_path: Path
) -> None:
    with server.client() as http, pilot(server, tmp_path, *IDLE) as live:
        held = held_job()
        job = submit(http, held.program)
        held.wait_until_running()
        held.release()
        assert state(http, job, wait_s=60) == "completed"
        assert live.process.wait(30) == 0
        assert "there was no job for 2 s" in live.log_text()


# --- Slurm ----------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
@needs_root
def test_workers_are_jobs_of_slurm_that_come_with_the_work_and_go_without_it(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    options = ("--slurm", "partition=main", "--max", "2", *IDLE)
    with server.client() as http, scaler(server, tmp_path, *options, **slurm.env) as live:
        until(lambda: "Scaler of scaled" in live.log_text(), "it has started")
        assert slurm.jobs() == []
        jobs = submit_held(http, 6)
        until(lambda: len(slurm.jobs()) == 2, "as many workers run as allowed", timeout_s=60)
        two_workers_complete_theirs(http, jobs)
        until(lambda: slurm.run("squeue", "-h") == "", "all have ended", timeout_s=60)
        assert "--token" not in slurm.run("squeue", "-h", "-o", "%o")
        job = submit(http)
        assert state(http, job, wait_s=60) == "completed", "and they come again"


@needs_root
def test_some_workers_stay_when_they_are_asked_to(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    options = ("--slurm", "partition=main", "--min", "1", "--idle-s", "1")
    with server.client() as http, scaler(server, tmp_path, *options, **slurm.env):
        (kept,) = until(slurm.jobs, "one worker runs although nothing waits")
        assert state(http, submit(http), wait_s=60) == "completed"
        until(lambda: len(slurm.run("squeue", "-h").split("\n")) == 1, "others have ended")
        assert slurm.jobs() == [kept]
        slurm.run("scancel", kept)
        until(lambda: slurm.jobs() not in ([], [kept]), "it is replaced", timeout_s=60)


@needs_root
def test_workers_that_wait_for_a_node_are_cancelled_when_no_job_waits(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    options = ("--slurm", "partition=main begin=now+1hour", *IDLE)
    with server.client() as http, scaler(server, tmp_path, *options, **slurm.env):
        job = submit(http)
        until(lambda: slurm.run("squeue", "-h", "-o", "%T") == "PENDING", "a worker is asked for")
        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        until(lambda: slurm.run("squeue", "-h") == "", "and no longer", timeout_s=30)


@pytest.mark.timeout(240)
@needs_root
def test_projects_have_workers_under_their_own_account_of_slurm(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    server.token("bob")
    options = ("--slurm", "partition=main", "--idle-s", "60", "--profile", "rest=")
    more = ("--profile", "of-ada=projects=ada account=physics")
    with (
        server.client() as ada,
        server.client(server.token("bob")) as bob,
        scaler(server, tmp_path, *options, *more, **slurm.env),
    ):
        for http, account, comment, group in (
            (ada, "physics", "Qwicket: ada", "scaled-of-ada"),
            (bob, "(null)", "(null)", "scaled-rest"),
        ):
            job = submit(http)
            assert state(http, job, wait_s=60) == "completed"
            assert http.get(f"/v1/jobs/{job}").json()["runner"].startswith(f"{group}-")
            listed = slurm.run("squeue", "-h", "-n", f"qwicket-{group}", "-o", "%a|%k|%j")
            assert set(listed.splitlines()) == {f"{account}|{comment}|qwicket-{group}"}


@pytest.mark.timeout(240)
@needs_root
def test_a_job_gets_the_smallest_workers_in_which_it_fits(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    options = ("--slurm", "partition=main", "--idle-s", "60", "--profile", "small=mem-per-cpu=100M")
    with (
        server.client() as http,
        scaler(server, tmp_path, *options, "--profile", "large=mem-per-cpu=2G", **slurm.env),
    ):
        for qubits, group in ((3, "small"), (24, "large")):
            held = held_job(qubits, 100)
            job = submit(http, held.program)
            held.wait_until_running()
            assert http.get(f"/v1/jobs/{job}").json()["runner"].startswith(f"scaled-{group}-")
            held.release()
            assert state(http, job, wait_s=60) == "completed"
        names = slurm.run("squeue", "-h", "-o", "%j").split()
        assert sorted(names) == ["qwicket-scaled-large", "qwicket-scaled-small"]


@needs_root
def test_workers_that_cannot_start_are_not_started_again_and_again(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    options = ("--slurm", "partition=main", "--command", "/no/such/program")
    with server.client() as http, scaler(server, tmp_path, *options, **slurm.env) as live:
        submit(http)
        until(lambda: "none is connected; their output says why" in live.log_text(), "it pauses")
        last = int(slurm.run("scontrol", "show", "jobs", "-o").count("JobId="))
        assert last <= 3


# --- Kubernetes -----------------------------------------------------------------------------------


def manifest(server: LiveServer, folder: Path) -> Path:
    """Write a Job whose container is this installation."""
    command = [sys.executable, "-m", "qwicket", "worker", "--connect", server.url]
    container = {
        "name": "worker",
        "image": "qwicket",
        "command": command,
        "env": [{"name": "QWICKET_TOKEN", "value": compute_token(server)}],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "worker", "namespace": "lab"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    return file


@pytest.mark.timeout(240)
def test_workers_are_jobs_of_kubernetes_that_come_with_the_work_and_go_without_it(
    server: LiveServer, cluster: Kubernetes, tmp_path: Path
) -> None:
    options = ("--kubernetes", str(manifest(server, tmp_path)), "--kubernetes-url", cluster.url)
    more = ("--max", "2", *IDLE)
    with server.client() as http, scaler(server, tmp_path, *options, *more):
        jobs = submit_held(http, 6)
        until(lambda: len(cluster.running()) == 2, "as many pods run as allowed", timeout_s=60)
        two_workers_complete_theirs(http, jobs)
        until(lambda: not cluster.running(), "all have ended", timeout_s=60)
    made = next(iter(cluster.jobs.values()))
    assert made["metadata"]["labels"] == {
        "qwicket.org/group": "scaled",
        "qwicket.org/kind": "spare",
    }
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_pods_that_wait_for_a_node_are_deleted_when_no_job_waits(
    server: LiveServer, cluster: Kubernetes, tmp_path: Path
) -> None:
    cluster.is_full = True
    options = ("--kubernetes", str(manifest(server, tmp_path)), "--kubernetes-url", cluster.url)
    with server.client() as http, scaler(server, tmp_path, *options, *IDLE):
        job = submit(http)
        until(lambda: cluster.jobs, "a worker is asked for")
        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        until(lambda: not cluster.jobs, "and no longer", timeout_s=30)


def test_what_kubernetes_refuses_is_reported(
    server: LiveServer, cluster: Kubernetes, tmp_path: Path
) -> None:
    cluster.refusal = (403, 'jobs.batch is forbidden: User "x" cannot list resource "jobs"')
    options = ("--kubernetes", str(manifest(server, tmp_path)), "--kubernetes-url", cluster.url)
    with server.client() as http, scaler(server, tmp_path, *options) as live:
        submit(http)
        until(
            lambda: "Kubernetes refuses GET: 403 jobs.batch is forbidden" in live.log_text(), "said"
        )


def test_each_line_of_a_log_in_json_is_a_record(
    server: LiveServer, cluster: Kubernetes, tmp_path: Path
) -> None:
    cluster.refusal = (403, "jobs.batch is forbidden")
    options = ("--kubernetes", str(manifest(server, tmp_path)), "--kubernetes-url", cluster.url)
    live = LiveScaler(server, tmp_path, *options, "--log-format", "json")
    with server.client() as http:
        submit(http)
        until(lambda: "jobs.batch is forbidden" in live.log_text(), "it is refused")
        server.as_admin(_revoke_all)
        assert live.process.wait(20) == 1
    lines = [json.loads(line) for line in live.log_text().splitlines()]
    assert lines[0]["event"].startswith("Scaler of scaled: 0 to 4 workers")
    assert (lines[-1]["level"], "HTTP 401" in lines[-1]["event"]) == ("error", True)


# --- several scalers ------------------------------------------------------------------------------


def demand(http: httpx.Client, name: str, **body: Any) -> httpx.Response:
    return http.post(f"/v1/scalers/{name}/demand", json={"group": "g", **body})


def test_one_scaler_of_a_group_is_active_until_it_leaves_or_dies(server: LiveServer) -> None:
    with server.client(compute_token(server)) as http:
        assert demand(http, "first").json()["is_active"]
        assert not demand(http, "second").json()["is_active"]
        assert demand(http, "third", group="another").json()["is_active"]
        assert http.delete("/v1/scalers/first").status_code == 200
        assert demand(http, "second").json()["is_active"]

        def is_active() -> bool:
            return bool(demand(http, "first").json()["is_active"])

        assert not is_active()
        until(is_active, "the second, which is silent, is dead after the lease time", timeout_s=30)


def test_the_demand_counts_what_fits_and_what_is_on(server: LiveServer) -> None:
    with server.client() as client, server.client(compute_token(server)) as http:
        jobs = [submit(client, held_job(20, 100).program) for _ in range(3)]
        found = demand(http, "one").json()
        assert (found["jobs"], found["workers"]) == (3, 0)
        assert 1 <= found["slots"] <= 3
        assert demand(http, "one", memory_bytes=1 << 20).json()["jobs"] == 0
        assert demand(http, "one", above_bytes=1 << 20).json()["jobs"] == 3
        assert demand(http, "one", above_bytes=1 << 40).json()["jobs"] == 0
        assert demand(http, "one", projects=["ada"]).json()["jobs"] == 3
        assert demand(http, "one", except_projects=["ada"]).json()["jobs"] == 0
        server.admin("device", "off", "simulator", "--reason", "service")
        assert demand(http, "one").json()["jobs"] == 0
        server.admin("device", "on", "simulator")
        for job in jobs:
            client.post(f"/v1/jobs/{job}/cancel").raise_for_status()


def test_the_demand_counts_the_workers_of_its_own_group_alone(server: LiveServer) -> None:
    token = compute_token(server)
    with (
        server.client(token) as http,
        RawPilot(server, "night-gpu-0123abcd", token) as other,
        RawPilot(server, "night-0123abcd", token) as own,
    ):
        other.pull().raise_for_status()
        assert demand(http, "one", group="night").json()["workers"] == 0
        own.pull().raise_for_status()
        assert demand(http, "one", group="night").json()["workers"] == 1
        assert demand(http, "two", group="night-gpu").json()["workers"] == 1


def test_the_demand_counts_workers_that_connected_and_left(server: LiveServer) -> None:
    token = compute_token(server)
    with server.client(token) as http:
        before = demand(http, "one", group="night").json()["connections"]
        for name in ("night-0123abcd", "night-89abcdef", "night-gpu-0123abcd"):
            with RawPilot(server, name, token) as own:
                own.pull().raise_for_status()
                own.pull().raise_for_status()
                own.http.delete(own.path).raise_for_status()
        after = demand(http, "one", group="night").json()
        assert (after["workers"], after["connections"]) == (0, before + 2)


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("a b", {}, "name"),
        ("n" * 41, {}, "name"),
        ("one", {"group": "a/b"}, "group"),
        ("one", {"group": 1}, "group"),
        ("one", {"memory_bytes": 0}, "memory_bytes"),
        ("one", {"above_bytes": -1}, "above_bytes"),
        ("one", {"projects": ["none"]}, "projects"),
        ("one", {"except_projects": ["no\0ne"]}, "except_projects[0]"),
        ("one", {"projects": ["a"], "except_projects": ["b"]}, "except_projects"),
        ("one", {"more": 1}, "more"),
    ],
)
def test_a_wrong_request_is_refused_by_field(
    server: LiveServer, name: str, body: dict[str, Any], field: str
) -> None:
    with server.client(compute_token(server)) as http:
        refused = demand(http, name, **body)
        assert (refused.status_code, refused.json()["field"]) == (400, field)


def test_only_tokens_with_the_scope_may_ask(server: LiveServer) -> None:
    with server.client() as http:
        assert demand(http, "one").status_code == 403
        assert http.delete("/v1/scalers/one").status_code == 403


@needs_root
def test_a_scaler_with_a_token_that_is_refused_ends_with_the_reason(
    server: LiveServer, slurm: Slurm, tmp_path: Path
) -> None:
    live = LiveScaler(server, tmp_path, "--slurm", "", **slurm.env)
    until(lambda: "Scaler of scaled" in live.log_text(), "it has started")
    server.as_admin(_revoke_all)
    assert live.process.wait(20) == 1
    assert "HTTP 401" in live.log_text()


async def _revoke_all(admin: Admin) -> None:
    for token in await admin.tokens("root"):
        await admin.revoke_token(token.id)


def test_a_scaler_survives_a_restart_of_the_server(
    server: LiveServer, cluster: Kubernetes, tmp_path: Path
) -> None:
    options = ("--kubernetes", str(manifest(server, tmp_path)), "--kubernetes-url", cluster.url)
    with scaler(server, tmp_path, *options, *IDLE) as live:
        until(lambda: "Scaler of scaled" in live.log_text(), "it has started")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        until(lambda: "the demand could not be read" in live.log_text(), "it says so")
        server.start()
        with server.client() as http:
            assert state(http, submit(http), wait_s=60) == "completed"


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give --slurm or --kubernetes"),
        (("--slurm", "", "--kubernetes", "x"), "Give --slurm or --kubernetes"),
        (("--slurm", "signal=USR1"), "'signal' is set by Qwicket itself"),
        (("--slurm", "", "--min", "5", "--max", "4"), "4 is less than --min, 5"),
        (("--kubernetes", "/no/such/file"), "No such file"),
        (("--connect", "http://example.org", "--slurm", ""), "is not encrypted"),
        (("--connect", "http://127.example.org", "--slurm", ""), "is not encrypted"),
        (("--slurm", "", "--command", "run 'it"), "No closing quotation"),
        (("--slurm", "", "--group", "a,b"), "has a comma"),
        (("--kubernetes", "x", "--profile", "a="), "Give --slurm or --kubernetes"),
        (("--profile", "a b=mem=1G"), "'a b=mem=1G' is not a profile"),
        (("--profile", "a=mem=1G", "--profile", "a=mem=2G"), "two profiles 'a'"),
        (("--profile", "a=mem=1G", "--profile", "b=mem=1G"), "'a' and 'b' are for the same jobs"),
        (("--profile", "a=mem=1X"), "mem must be a size such as 4G, not '1X'"),
    ],
)
def test_what_cannot_be_is_refused(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("qw_x")
    base = ["worker", "scale", "--connect", "http://127.0.0.1:9", "--token-file", str(token)]
    done = CliRunner().invoke(main, [*base, *options])
    assert done.exit_code != 0
    assert said in done.output


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "Pod"}', '{"kind": "Job"}'])
def test_a_file_that_is_no_job_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(text)
    command = ["worker", "scale", "--connect", "http://127.0.0.1:9", "--token", "qw_x"]
    done = CliRunner().invoke(main, [*command, "--kubernetes", str(file)])
    assert done.exit_code == 1
    assert str(file) in done.output
