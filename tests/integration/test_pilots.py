"""Workers on other machines: `qwicket worker` runs the jobs of a server that has none."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click import ClickException

from qwicket import engines
from qwicket.gateway.admin import Admin
from support import xanadu
from support.agents import Lab
from support.held import held_job
from support.pilots import RawPilot, compute_token, pilot
from support.processes import is_alive
from support.programs import BELL
from support.server import LiveServer, run_cli, server_on, used_s
from support.waiting import PROMPT_S, until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

QASM = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; c = measure q;'
SAMPLES = {"outputs": ["samples"], "shots": 10}
RYDBERG = {
    "experiment_0": {
        "instructions": [["rlx", [0], [1.0]], ["measure", [0], []]],
        "num_wires": 1,
        "shots": 10,
        "wire_order": "interleaved",
    }
}


@pytest.fixture(scope="module")
def lone(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A server without workers of its own, for this module alone."""
    folder = tmp_path_factory.mktemp(f"lone_{database_kind}")
    with server_on(database_kind, request, folder, "--workers", "0", "--lease-s", "4") as live:
        yield live


@pytest.fixture
def http(lone: LiveServer) -> Iterator[httpx.Client]:
    """A client of the server, whose jobs are all ended at the end."""
    with lone.client() as client:
        yield client
        states = {"state": "queued,running,cancelling"}
        for job in client.get("/v1/jobs", params=states).json()["jobs"]:
            client.post(f"/v1/jobs/{job['id']}/cancel")


def submit(http: httpx.Client, program: Any = BELL, **changes: Any) -> str:
    body = {"device": "simulator", "program": program, "shots": 100, **changes}
    sent = http.post("/v1/jobs", json=body)
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def read(http: httpx.Client, job: str, wait: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": wait}).json()
    return found


def events(http: httpx.Client, job: str) -> list[str]:
    return [each["reason"] for each in http.get(f"/v1/jobs/{job}/events").json()["events"]]


# --- a server without workers ---------------------------------------------------------------------


def test_a_server_without_workers_is_ready_and_its_jobs_wait(
    lone: LiveServer, http: httpx.Client
) -> None:
    assert http.get("/readyz").status_code == 200
    assert http.get("/v1/devices/simulator").json()["status"] == "on"
    job = submit(http)
    assert read(http, job, wait=0.5)["state"] == "queued"
    assert read(http, job)["runner"] is None


def test_a_job_says_that_workers_take_others_or_end_too_soon(
    lone: LiveServer, http: httpx.Client
) -> None:
    job, others = submit(http), lone.unused("others")
    lone.token(others)
    with RawPilot(lone, "limited") as raw:

        def says(text: str, **takes: Any) -> bool:
            assert raw.pull(**takes).json()["tasks"] == []
            return text in ((read(http, job)["queue"] or {}).get("reason") or "")

        taken = "no connected worker takes this project's jobs"
        until(lambda: says(taken, projects=[others]), taken)
        left = "it runs for about 1 s, and no connected worker has more than 0 s left"
        until(lambda: says(left, seconds_left=0), left)


@pytest.mark.both_databases
def test_jobs_of_all_families_run_on_another_machine_and_name_it(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path, "--slots", "2") as live:
        jobs = {
            submit(http),
            submit(http, QASM, device="qpu.aria-1", outputs=["counts", "memory"]),
            submit(http, QASM, noise="aria-1"),
            submit(http, QASM, device="statevector", outputs=["probabilities"]),
            submit(http, xanadu.pair(), device="simulon_gaussian", **SAMPLES),
            submit(http, RYDBERG, device="singlequdit", format="qlued.singlequdit", **SAMPLES),
        }
        for job in jobs:
            found = read(http, job, wait=60)
            assert (found["state"], found["error"]) == ("completed", None)
            assert found["runner"] == live.name
            assert http.get(f"/v1/jobs/{job}/result").status_code == 200
        assert live.stop() == 0


def test_the_results_are_those_of_a_worker_of_the_server(
    lone: LiveServer, http: httpx.Client, server: LiveServer, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path):
        there = http.get(f"/v1/jobs/{submit(http, QASM, seed=7)}/result", params={"wait": 60})
    with server.client() as client:
        here = client.get(f"/v1/jobs/{submit(client, QASM, seed=7)}/result", params={"wait": 60})
    parts = [[part["counts"] for part in each.json()["parts"]] for each in (there, here)]
    assert parts[0] == parts[1]


def test_many_tiny_jobs_run_in_batches(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    jobs = [submit(http, seed=n) for n in range(60)]
    with pilot(lone, tmp_path, "--slots", "2"):
        for job in jobs:
            assert read(http, job, wait=60)["state"] == "completed"


# --- cancellation and stopping --------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_cancelled_job_ends_at_once_with_its_process(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path):
        held = held_job()
        job = submit(http, held.program)
        worker = held.wait_until_running()
        http.post(f"/v1/jobs/{job}/cancel")
        assert read(http, job, wait=PROMPT_S)["state"] == "cancelled"
        until(lambda: not is_alive(worker), "its process is gone")
        again = submit(http)
        assert read(http, again, wait=60)["state"] == "completed"


@pytest.mark.both_databases
def test_a_pilot_that_stops_ends_its_jobs_and_gives_the_rest_back(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path, "--slots", "2", "--grace", "5") as live:
        held = [held_job(), held_job()]
        long, short = (submit(http, each.program) for each in held)
        for each in held:
            each.wait_until_running()
        live.process.terminate()
        held[1].release()
        assert live.process.wait(60) == 0
        assert read(http, short)["state"] == "completed"
        assert read(http, long)["state"] == "queued"
        assert read(http, long)["attempts"] == 0
        assert "its worker stops" in events(http, long)


def test_a_second_signal_gives_running_jobs_back_at_once(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path, "--grace", "600") as live:
        held = held_job()
        job = submit(http, held.program)
        held.wait_until_running()
        live.process.terminate()
        time.sleep(1)
        assert live.process.poll() is None, (events(http, job), live.log_text())
        assert live.stop() == 0
        assert read(http, job)["state"] == "queued"


def test_before_the_walltime_ends_running_jobs_may_end(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path, "--grace", "0", "--walltime-s", "3600") as live:
        held = held_job()
        job = submit(http, held.program)
        held.wait_until_running()
        live.process.send_signal(signal.SIGUSR1)
        held.release()
        assert live.process.wait(60) == 0, live.log_text()
        assert read(http, job)["state"] == "completed", (events(http, job), live.log_text())


def test_without_a_grace_time_a_pilot_gives_its_jobs_back_at_once(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path, "--grace", "0") as live:
        held = held_job()
        job = submit(http, held.program)
        held.wait_until_running()
        assert live.stop() == 0
        assert (read(http, job)["state"], read(http, job)["attempts"]) == ("queued", 0)


def test_a_pilot_of_the_same_name_does_not_take_over_the_jobs_of_a_killed_one(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path, "--name", "node1") as first:
        held = held_job()
        job = submit(http, held.program)
        held.wait_until_running()
        first.kill()
        held.release()
        with pilot(lone, tmp_path, "--name", "node1") as second:
            found = read(http, job, wait=60)
            assert (found["state"], found["runner"]) == ("completed", second.name)
            assert events(http, job) == ["its runner is dead"]


# --- what fits where ------------------------------------------------------------------------------


def test_a_job_runs_where_its_memory_is(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    held = held_job()
    held.release()  # only its estimate is large
    large = submit(http, held.program)
    small = submit(http)
    with pilot(lone, tmp_path, "--memory-bytes", str(128 << 20)):
        assert read(http, small, wait=60)["state"] == "completed"
        assert read(http, large, wait=1)["state"] == "queued"
        with pilot(lone, tmp_path, "--memory-bytes", str(2 << 30)) as roomy:
            found = read(http, large, wait=60)
            assert (found["state"], found["runner"]) == ("completed", roomy.name)


def test_a_device_takes_what_the_largest_present_pilot_takes(tmp_path: Path) -> None:
    options = ("--workers", "0", "--lease-s", "2", "--limit", "qubits=40")
    live_server = LiveServer(tmp_path / "server", *options)
    with live_server.client() as client:

        def qubits() -> int:
            return int(client.get("/v1/devices/simulator").json()["qubits"])

        before = qubits()
        with pilot(live_server, tmp_path, "--memory-bytes", str(1 << 40)) as live:
            until(lambda: qubits() > before, "the device shows more", timeout_s=60)
            job = submit(client, held_job(before + 1, 40).program)
            assert client.post(f"/v1/jobs/{job}/cancel").status_code == 200
            with RawPilot(live_server, "partial") as partial:
                assert partial.pull(memory_bytes=1 << 60, devices=["clifford"]).is_success
                assert qubits() < 40
            assert live.stop() == 0
        until(lambda: qubits() == before, "it shows less again", timeout_s=60)
        body = {"device": "simulator", "program": held_job(before + 1, 40).program, "shots": 100}
        refused = client.post("/v1/jobs", json=body)
        assert (refused.status_code, refused.json()["field"]) == (400, "program")
    assert live_server.stop() == 0


def test_a_job_that_is_longer_than_what_is_left_of_the_walltime_is_not_taken(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    long, short = submit(http, held_job(gates=4_000).program), submit(http)
    with pilot(lone, tmp_path, "--walltime-s", "60"):
        assert read(http, short, wait=60)["state"] == "completed"
        assert read(http, long, wait=1)["state"] == "queued"


def test_a_pilot_serves_the_devices_that_it_names(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    other, own = submit(http), submit(http, QASM, device="statevector")
    with pilot(lone, tmp_path, "--devices", "statevector,clifford"):
        assert read(http, own, wait=60)["state"] == "completed"
        assert read(http, other, wait=1)["state"] == "queued"


# --- the protocol ---------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_claim_whose_response_was_lost_is_found_by_the_next_pull(
    lone: LiveServer, http: httpx.Client
) -> None:
    job = submit(http)
    with RawPilot(lone, "forgetful") as raw:
        first = raw.job()
        assert read(http, job)["state"] == "running"
        again = raw.job()  # it holds nothing, and awaits no response
        assert (again["lease"]["id"], first["lease"]["id"]) == (job, job)
        assert again["lease"]["fence"] == first["lease"]["fence"] + 1
        assert events(http, job) == ["its claim was made, but its worker did not receive it"]
        assert read(http, job)["attempts"] == 0


def test_a_claim_whose_response_is_on_its_way_is_left_alone(
    lone: LiveServer, http: httpx.Client
) -> None:
    job = submit(http)
    with RawPilot(lone, "busy") as raw:
        raw.job()
        assert raw.pull(settled=0, tasks=0).json()["directives"] == []
        assert read(http, job)["state"] == "running"


def test_a_pull_without_a_free_slot_receives_a_cancellation(
    lone: LiveServer, http: httpx.Client
) -> None:
    job = submit(http)
    with RawPilot(lone, "listener") as raw:
        lease = raw.job()["lease"]
        http.post(f"/v1/jobs/{job}/cancel")
        told = raw.pull([lease], tasks=0, wait=PROMPT_S).json()["directives"]
        assert told == [{"id": job, "fence": lease["fence"], "directive": "stop"}]
        silent = raw.pull([{**lease, "is_stopping": True}], tasks=0).json()["directives"]
        assert silent == [], "it was told already"
        release = {**lease, "reason": "stopped"}
        assert raw.report(releases=[release]).json()["states"] == {job: "cancelled"}


def test_a_lease_that_is_void_is_said_to_be_lost(lone: LiveServer, http: httpx.Client) -> None:
    job = submit(http)
    with RawPilot(lone, "slow") as raw:
        lease = raw.job()["lease"]
        raw.report(releases=[{**lease, "reason": "tired"}])
        told = raw.pull([lease], tasks=0).json()["directives"]
        assert told == [{"id": job, "fence": lease["fence"], "directive": "lost"}]
        assert raw.report(results=[_result(lease, raw.job())]).json()["states"] == {job: None}


def _run(job: dict[str, Any]) -> list[dict[str, str]]:
    """Run a job as a pilot does; return its parts."""
    circuits, options = (base64.b64decode(job[each]) for each in ("circuits", "options"))
    parts: list[Any] = list(engines.run(job["family"], circuits, options))
    return [_part(part.body) for part in parts]


def _part(body: bytes) -> dict[str, str]:
    text = base64.b64encode(body).decode()
    return {"outcome": text, "sha256": hashlib.sha256(body).hexdigest()}


def _result(lease: dict[str, Any], job: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**lease, "seconds": 0.1, "parts": _run(job), **changes}


@pytest.mark.both_databases
def test_a_result_is_stored_and_its_response_brings_the_next_job(
    lone: LiveServer, http: httpx.Client
) -> None:
    first = submit(http)
    with RawPilot(lone, "exchange") as raw:
        job = raw.job()
        second = submit(http)
        reported = raw.report(results=[_result(job["lease"], job)], tasks=1).json()
        assert reported["states"] == {first: "completed"}
        assert [[each["lease"]["id"] for each in task] for task in reported["tasks"]] == [[second]]
        assert (
            sum(http.get(f"/v1/jobs/{first}/result").json()["parts"][0]["counts"].values()) == 100
        )


def test_a_pilot_cannot_charge_more_time_than_it_held_the_job(
    lone: LiveServer, http: httpx.Client
) -> None:
    first = submit(http)
    with RawPilot(lone, "clock") as raw:
        job = raw.job()
        result = _result(job["lease"], job, seconds=1e7)
        assert raw.report(results=[result]).json()["states"] == {first: "completed"}
        second = submit(http)
        job = raw.job()
        failure = {"code": "failed", "message": "so it says"}
        result = {**job["lease"], "seconds": 1e7, "error": failure}
        assert raw.report(results=[result]).json()["states"] == {second: "failed"}
    assert used_s(lone) < 1e6


def test_a_result_that_was_not_asked_for_counts_as_a_death_of_its_worker(
    lone: LiveServer, http: httpx.Client
) -> None:
    job = submit(http)
    outcome = {"registers": [], "arrays": {}, "engine": "x", "engine_version": "1", "seed": 0}
    forged = _part(msgspec.msgpack.encode({**outcome, "seconds": 0.0}))
    with RawPilot(lone, "liar") as raw:
        wrong: list[dict[str, Any]] = [
            {"parts": [forged]},
            {"parts": []},
            {"parts": [{**forged, "sha256": "0" * 64}]},
        ]
        for attempt, changes in enumerate(wrong, start=1):
            given = raw.job()
            states = raw.report(results=[{**given["lease"], **changes}]).json()["states"]
            assert states == {job: "queued" if attempt < 3 else "failed"}
            assert read(http, job)["attempts"] == attempt
        assert read(http, job)["error"]["code"] == "worker_died"


def test_a_result_for_a_job_of_a_lab_is_refused(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with Lab(lone, tmp_path / "lab", device=lone.unused("lab")) as lab:
        job = lab.submit(http)
        lease = {"id": job, "fence": 1, "nonce": "0" * 32}
        with RawPilot(lone, "stranger") as raw:
            reported = raw.report(results=[{**lease, "parts": []}])
            assert (reported.status_code, reported.json()["states"]) == (200, {job: None})
        assert read(http, job)["state"] == "queued"


def test_another_version_of_packed_circuits_is_refused_with_what_to_do(lone: LiveServer) -> None:
    with RawPilot(lone, "old") as raw:
        refused = raw.pull(packing=0, version="0.1.0")
        assert (refused.status_code, refused.json()["field"]) == (409, "packing")
        assert "Install the server's version" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tasks": -1}, "offer.tasks"),
        ({"tasks": 2_000}, "offer.tasks"),
        ({"slots": 0}, "offer.slots"),
        ({"memory_bytes": "much"}, "offer.memory_bytes"),
        ({"seconds_left": -1}, "offer.seconds_left"),
        ({"request": 0}, "offer.request"),
        ({"packing": 10**400}, "offer.packing"),
        ({"devices": [1]}, "offer.devices[0]"),
        ({"more": 1}, "offer.more"),
    ],
)
def test_a_wrong_offer_is_refused_by_field(
    lone: LiveServer, changes: dict[str, Any], field: str
) -> None:
    with RawPilot(lone, "wrong") as raw:
        refused = raw.pull(**changes)
        assert (refused.status_code, refused.json()["field"]) == (400, field)


def test_a_wrong_name_is_refused(lone: LiveServer) -> None:
    with RawPilot(lone, "a b") as raw:
        refused = raw.pull()
        assert (refused.status_code, refused.json()["field"]) == (400, "name")


# --- who may --------------------------------------------------------------------------------------


def test_only_tokens_with_the_scope_may_pull_and_only_admins_may_have_it(
    lone: LiveServer, http: httpx.Client
) -> None:
    with RawPilot(lone, "member", lone.token()) as raw:
        assert [raw.pull().status_code, raw.report().status_code] == [403, 403]
        assert raw.http.delete(raw.path).status_code == 403
    with pytest.raises(ClickException, match="ada is not an admin"):
        lone.as_admin(lambda admin: admin.create_token("ada", scopes=["compute:serve"]))
    with lone.client(lone.managing_token()) as maker:
        made = maker.post("/v1/tokens", json={"scopes": ["compute:serve"]})
        assert made.status_code == 403


def test_a_pilot_reads_no_jobs_and_submits_none(lone: LiveServer) -> None:
    with lone.client(compute_token(lone)) as client:
        assert client.get("/v1/jobs").status_code == 403
        assert client.post("/v1/jobs", json={}).status_code == 403


def test_a_pilot_with_a_revoked_token_ends_with_the_reason(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path) as live:
        job = submit(http)
        assert read(http, job, wait=60)["state"] == "completed"
        lone.as_admin(_revoke_all)
        assert live.process.wait(30) == 1
        assert "HTTP 401" in live.log_text()


async def _revoke_all(admin: Admin) -> None:
    for token in await admin.tokens("root"):
        await admin.revoke_token(token.id)


def test_a_pilot_that_is_stopped_before_it_is_warm_ends_at_once(
    lone: LiveServer, tmp_path: Path
) -> None:
    with pilot(lone, tmp_path) as live:
        assert live.name  # it has begun, and warms up
        assert live.stop(timeout_s=PROMPT_S) == 0
        assert "Traceback" not in live.log_text()


def test_each_line_of_a_log_in_json_is_a_record(lone: LiveServer, tmp_path: Path) -> None:
    with pilot(lone, tmp_path, "--log-format", "json") as live:
        until(lambda: "slots of" in live.log_text(), "it has started", timeout_s=60)
        live.process.terminate()
        assert live.process.wait(60) == 0
        lines = [json.loads(line) for line in live.log_text().splitlines()]
    assert lines[0]["event"].startswith("Worker ")
    done = run_cli(
        *("worker", "--connect", lone.url, "--token", "qw_wrong", "--log-format", "json")
    )
    assert done.returncode == 1
    assert [json.loads(line)["level"] for line in done.stderr.splitlines()][-1] == "error"


def test_an_address_without_tls_needs_insecure(tmp_path: Path) -> None:
    done = run_cli("worker", "--connect", "http://lab.example.org", "--token", "x")
    assert done.returncode == 2
    assert "--insecure" in done.stderr


def test_a_pilot_goes_on_after_a_restart_of_its_server(tmp_path: Path) -> None:
    live_server = LiveServer(tmp_path / "server", "--workers", "0", "--lease-s", "8")
    with pilot(live_server, tmp_path) as live, live_server.client() as client:
        held = held_job()
        running = submit(client, held.program)
        held.wait_until_running()
        live_server.kill()
        live_server.start()
        held.release()
        assert read(client, running, wait=60)["state"] == "completed"
        assert events(client, running) == [], "its lease held on"
        assert read(client, submit(client), wait=60)["state"] == "completed"
        assert live.stop() == 0
    assert live_server.stop() == 0


def test_signals_that_never_end_do_not_spoil_the_exit_status(
    server: LiveServer, tmp_path: Path
) -> None:
    """Slurm and people send a second one, which may come when the worker has just left."""
    with pilot(server, tmp_path) as live:
        assert live.name
        while live.process.poll() is None:
            live.process.terminate()
            time.sleep(0.0002)
        assert live.process.returncode == 0, live.log_text()
