"""Our own client against a live server."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest

import qwicket
from qwicket.clients.native import ApiError, Client, JobFailed, WaitTimeout
from qwicket.clients.native.transport import Transport
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from support import pubs
from support.given_clock import GivenClock
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

PAIR = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1];'
    " c = measure q;"
)


@pytest.fixture
def client(server: LiveServer) -> Iterator[Client]:
    with qwicket.connect(server.url, server.token()) as client:
        yield client


def test_a_bell_pair_there_and_back(client: Client) -> None:
    job = client.submit(BELL, "simulator", shots=1000, seed=7, name="Bell", tags=["a"])
    result = job.result(timeout=60)
    assert (job.state, job.info["name"], job.info["tags"]) == ("completed", "Bell", ["a"])
    assert job.url == f"{client.url}/ui/jobs/{job.id}"
    assert sum(result.counts.values()) == 1000
    assert set(result.counts) == {"00", "11"}
    assert result.parts[0].seed == 7
    assert result.parts[0].engine


def test_all_outputs_of_one_run_agree(client: Client) -> None:
    outputs = ("counts", "memory", "probabilities")
    result = client.submit(BELL, "simulator", shots=100, outputs=outputs).result(timeout=60)
    assert result.probabilities == pytest.approx({"00": 0.5, "11": 0.5})
    assert {key: result.memory.count(key) for key in result.counts} == result.counts


def test_the_same_seed_gives_the_same_memory(client: Client) -> None:
    runs = [
        client.submit(BELL, "simulator", shots=50, seed=5, outputs=["memory"]) for _ in range(2)
    ]
    first, second = (job.result(timeout=60).memory for job in runs)
    assert first == second


def test_a_job_is_found_again_by_its_id(client: Client, server: LiveServer) -> None:
    job = client.submit(BELL, "simulator")
    with qwicket.connect(server.url, server.token()) as other:
        found = other.job(job.id)
        assert found.result(timeout=60).counts == job.result(timeout=60).counts


def test_a_job_that_has_ended_can_be_deleted_and_is_gone(client: Client) -> None:
    job = client.submit(held_job().program, "simulator")
    with pytest.raises(ApiError, match="conflict"):
        job.delete()
    job.cancel().wait(timeout=30)
    job.delete()
    job.delete()  # as after an answer that was lost
    with pytest.raises(ApiError, match="not_found"):
        client.job(job.id)


def test_an_account_receives_all_its_changes_and_can_resume(server: LiveServer) -> None:
    with qwicket.connect(server.url, server.token(server.unused("follower"))) as client:
        since = client.account()["change"]
        first = client.submit(BELL, "simulator").wait(timeout=60)
        changes = client.events(since)
        change = next(changes)
        assert (change.job, change.info["id"]) == (first.id, first.id)
        second = client.submit(BELL, "simulator")
        seen = {change.job: change}
        while second.id not in seen or seen[second.id].state != "completed":
            change = next(changes)
            assert change.number > max(each.number for each in seen.values())
            seen[change.job] = change
        third = client.submit(BELL, "simulator").wait(timeout=60)
        assert next(client.events(change.number)).job == third.id


def test_expectation_values_are_results(client: Client) -> None:
    # cos θ and -sin θ, as RX(θ) turns Z and Y.
    values = [[0.3], [1.2]]
    observables = [[{"Z": 1.0}], [{"Y": 1.0}]]
    pub = [pubs.circuit(pubs.turned()), observables, pubs.array(values), 0.0]
    program = json.loads(pubs.source("estimator", pub))
    result = client.submit(program, "qwicket_simulator", format="qiskit.primitives").result(60)
    evs = [ev for part in result for ev in part.evs]
    assert evs == pytest.approx(
        [math.cos(0.3), -math.sin(0.3), math.cos(1.2), -math.sin(1.2)], abs=0.1
    )
    assert len(result[0].stds) == len(result[0].evs)
    assert result[0].arrays["evs"].tolist() == result[0].evs
    assert "evs=[" in repr(result)


def test_the_same_key_is_the_same_job(client: Client, server: LiveServer) -> None:
    first = client.submit(BELL, "simulator", key="run-1")
    with qwicket.connect(server.url, server.token()) as other:
        assert other.submit(BELL, "simulator", key="run-1").id == first.id
        with pytest.raises(ApiError, match="idempotency_key_reused"):
            other.submit(BELL, "simulator", shots=5, key="run-1")


def test_a_device_runs_programs_and_shows_its_queue(client: Client) -> None:
    device = client.device("simulator")
    assert (device.name, device.family, device.status) == ("simulator", "qubit", "on")
    assert device["queue"]["length"] >= 0
    assert device.run(BELL, shots=20, name="of a device").result(timeout=60).counts
    assert client.device("qwicket_line5").calibration()["connectivity"][0] == [0, 1]
    with pytest.raises(ApiError, match="not_found"):
        client.device("nowhere")


def test_a_list_of_programs_is_one_job_with_a_result_each(client: Client, tmp_path: Path) -> None:
    flipped = tmp_path / "x.qasm"
    flipped.write_text(
        'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; x q; measure q->c;'
    )
    programs = [BELL, str(flipped), "OPENQASM 3.0; qubit q; bit c; c = measure q;"]
    job = client.device("simulator").run(programs, shots=10)
    assert job.info["circuits"] == 3
    result = job.result(timeout=60)
    assert [len(result), result[1].counts, result[2].counts] == [3, {"1": 10}, {"0": 10}]
    with pytest.raises(ApiError, match="program 1"):
        client.device("simulator").run([BELL, "OPENQASM 3.0; foo;"])


@pytest.mark.parametrize("device", ["simulator", "clifford", "qwicket_line5", "statevector"])
def test_arrays_agree_with_what_the_result_says(client: Client, device: str) -> None:
    outputs = ("counts", "memory")
    for is_eager in (False, True):
        job = client.device(device).run(PAIR, shots=50, outputs=outputs)
        result = job.result(timeout=60, arrays=is_eager)
        arrays = result.arrays
        texts = ["".join(map(str, row[::-1])) for row in arrays["keys"]]
        assert dict(zip(texts, arrays["counts"].tolist(), strict=True)) == result.counts
        assert ["".join(map(str, row[::-1])) for row in arrays["memory"]] == result.memory


def test_cold_atoms_and_photons_give_arrays(client: Client) -> None:
    measured = [["load", [0], [7]], ["rlx", [0], [math.pi]], ["measure", [0], []]]
    experiment = {"instructions": measured, "num_wires": 1, "shots": 5}
    atoms = client.device("singlequdit").run({"experiment_0": experiment}).result(timeout=60)
    assert atoms.samples == [[7]] * 5
    assert atoms.arrays["samples"].tolist() == [[7]] * 5
    text = "name x\nversion 1.0\n\nRgate(0.5) | 0\nRgate(0.5) | 1\nMeasureFock() | [0, 1]\n"
    photons = client.device("simulon_gaussian").run(text, shots=4).result(timeout=60)
    assert photons.arrays["samples"].tolist() == [[0, 0]] * 4
    measured_x = text.replace("MeasureFock() | [0, 1]", "MeasureX | 0\nMeasureX | 1")
    reals = client.device("simulon_gaussian").run(measured_x, shots=400).result(timeout=60)
    # hbar = 2: the vacuum's quadratures have variance 1; of 400 it is within a third of it.
    assert abs(reals.arrays["samples"].var(axis=0) - 1).max() < 0.34


def test_events_arrive_from_the_queue_to_the_end(client: Client) -> None:
    held = held_job()
    job = client.submit(held.program, "simulator")
    stream = job.events()
    events = [next(stream)]
    held.release()
    events += stream
    assert [event.version for event in events] == sorted({event.version for event in events})
    assert (events[-1].state, job.state) == ("completed", "completed")
    assert [event.state for event in job.events()] == ["completed"]


def test_jobs_are_listed_newest_first_and_by_name(client: Client) -> None:
    ids = [client.submit(BELL, "simulator", name="listed", shots=5).id for _ in range(3)]
    assert [job.id for job in client.jobs(name="listed")] == ids[::-1]
    assert [job.id for job in client.jobs(limit=2, name="listed")] == ids[:0:-1]
    assert client.jobs(name="listed", state="cancelled") == []


def test_a_fresh_process_resumes_a_job_in_one_line(client: Client, server: LiveServer) -> None:
    job = client.submit(BELL, "simulator", seed=3)
    line = f"import qwicket; print(qwicket.connect().job({job.id!r}).result().counts)"
    env = {**os.environ, "QWICKET_URL": server.url, "QWICKET_TOKEN": server.token()}
    command = [sys.executable, "-W", "error", "-c", line]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(job.result(timeout=60).counts)


def test_status_and_position_are_asked_for_and_state_is_not(client: Client) -> None:
    first = client.submit(held_job().program, "simulator")
    jobs = [client.submit(held_job().program, "simulator") for _ in range(4)]
    try:
        until(lambda: jobs[-1].position is not None, "it stands in line", timeout_s=30)
        assert jobs[-1].queue_position is not None
        assert jobs[-1].status == "queued"
        assert jobs[-1].cancel().state == "cancelled"
        assert jobs[-1].position is None
    finally:
        for job in (first, *jobs):
            job.cancel()


def test_a_wait_with_progress_shows_the_queue_and_then_the_run(client: Client) -> None:
    held = [held_job() for _ in range(3)]
    for each in held:
        client.submit(each.program, "simulator")
    job = client.submit(BELL, "simulator")
    shown = io.StringIO()

    def release() -> None:
        until(lambda: "queued, position" in shown.getvalue(), "its position is shown")
        for each in held:
            each.release()

    with ThreadPoolExecutor(1) as thread, redirect_stderr(shown):
        released = thread.submit(release)
        assert job.wait(timeout=120, progress=True).state == "completed"
        released.result()
    assert shown.getvalue().splitlines()[-1] == f"job {job.id}: completed"


def test_devices_are_listed(client: Client) -> None:
    assert "simulator" in [device["name"] for device in client.devices()]


@pytest.mark.parametrize(
    ("program", "device", "code"),
    [
        ("no JSON", "simulator", "invalid_program"),
        (BELL, "nowhere", "not_found"),
        ({**BELL, "qubits": 3000}, "simulator", "limit_exceeded"),
    ],
)
def test_a_refusal_says_what_and_why(client: Client, program: Any, device: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        client.submit(program, device)
    assert caught.value.code == code
    assert caught.value.detail
    assert caught.value.remedy


@pytest.mark.parametrize("id_text", ["", "nothing", "../devices", "0198f3a0-0000-7000-8000-0000"])
def test_a_text_that_is_no_id_is_an_unknown_job(client: Client, id_text: str) -> None:
    with pytest.raises(ApiError) as caught:
        client.job(id_text)
    assert caught.value.status == 404


def test_the_job_of_another_is_an_unknown_job(client: Client, server: LiveServer) -> None:
    job = client.submit(BELL, "simulator")
    with (
        qwicket.connect(server.url, server.token("eve")) as other,
        pytest.raises(ApiError) as caught,
    ):
        other.job(job.id)
    assert caught.value.status == 404


def test_wait_returns_soon_after_the_end(client: Client) -> None:
    # A long poll: the answer comes with the end, and not with the next look at the job.
    clock = GivenClock()
    transport = Transport(client.url, client._transport.api.secret, 30.0, clock=clock)
    with Client(transport) as watched:
        assert watched.submit(BELL, "simulator").wait(timeout=60).state == "completed"
    assert clock.pauses_s == []


def test_a_wait_that_is_over_leaves_the_job_running(client: Client) -> None:
    job = client.submit(held_job().program, "simulator")
    with pytest.raises(WaitTimeout, match=job.id):
        job.wait(timeout=0.2)
    assert not job.refresh().is_final
    assert job.cancel().wait(timeout=30).state == "cancelled"
    with pytest.raises(JobFailed, match=job.id):
        job.result()


def test_a_revoked_token_is_refused_and_not_quoted(server: LiveServer) -> None:
    server.admin("user", "add", "carol")
    token = server.admin("token", "create", "--user", "carol")
    with qwicket.connect(server.url, token) as client:
        client.devices()
        token_id = server.admin("token", "list", "--user", "carol").split()[0]
        server.admin("token", "revoke", token_id)
        time.sleep(CACHE_TTL_S)
        with pytest.raises(ApiError, match="unauthenticated") as caught:
            client.devices()
    assert token not in str(caught.value)


def test_several_threads_share_a_client(client: Client) -> None:
    counts: list[int] = []

    def work() -> None:
        result = client.submit(BELL, "simulator", shots=10).result(timeout=60)
        counts.append(sum(result.counts.values()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [10] * 8


def test_a_wait_outlasts_a_killed_server(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    with qwicket.connect(server.url, server.token()) as client:
        held = held_job()
        job = client.submit(held.program, "simulator")
        steps = (server.kill, server.start, held.release)
        restart = threading.Thread(target=lambda: [step() for step in steps])
        restart.start()
        assert job.wait(timeout=120).state == "completed"
        restart.join()
    assert server.stop() == 0
