"""Virtual devices, worlds and differences of states, on one test bed."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket import testing
from qwicket.testing import Cloud, TestBedError
from qwicket.testing.worlds import names
from support import iqm
from support.braket import Signature
from support.processes import parsers_of, workers_of
from support.waiting import until

pytestmark = pytest.mark.extended

SHOTS = 20_000
SIGMAS = 5
HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\n'
BELL = HEAD + "h q[0];\ncx q[0], q[1];\nc = measure q;\n"
RESTING = HEAD + "c = measure q;\n"
FLIPPED = HEAD + "x q[0];\nx q[1];\nc = measure q;\n"


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    server = testing.server()
    with server as cloud:
        yield cloud
    for sign in ("Traceback", "ERROR", "never retrieved"):
        assert sign not in server.log, server.log


@pytest.fixture
def cloud(bed: Cloud) -> Cloud:
    bed.reset()
    return bed


@pytest.fixture
def http(cloud: Cloud) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {cloud.token}", "api-key": cloud.token}
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as client:
        yield client


def counts(cloud: Cloud, program: str, device: str) -> dict[str, int]:
    with cloud.client() as client:
        found = client.submit(program, device, shots=SHOTS, seed=7).result(timeout=60).counts
    assert found is not None
    return dict(found)


def assert_share(found: dict[str, int], outcomes: str, expected: float) -> None:
    """Check the share of the outcomes that match, within five standard deviations."""
    share = sum(n for each, n in found.items() if re.fullmatch(outcomes, each)) / SHOTS
    assert abs(share - expected) <= SIGMAS * (expected * (1 - expected) / SHOTS) ** 0.5, share


# --- virtual devices ------------------------------------------------------------------------------


def test_a_virtual_device_is_in_every_dialect_of_qubits(cloud: Cloud, http: httpx.Client) -> None:
    cloud.device("ring6", qubits=6, topology="ring", noise=0.01)
    ionq = http.get("/ionq/v0.4/backends/ring6").json()
    assert (ionq["qubits"], ionq["status"]) == (6, "available")
    shown = http.get("/ionq/v0.4/backends/ring6/characterizations").json()["characterizations"][0]
    assert shown["connectivity"] == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [0, 5]]
    assert shown["fidelity"]["2q"]["mean"] == pytest.approx(0.99)
    assert shown["fidelity"]["1q"]["mean"] == pytest.approx(0.999)
    qrns = [each["qrn"] for each in http.get("/qbraid/api/v1/devices").json()["data"]]
    assert any(each.endswith(":ring6") for each in qrns)
    static = "/api/v1/quantum-computers/ring6/artifacts/static-quantum-architectures"
    (architecture,) = http.get(static).json()
    assert ["QB1", "QB6"] in architecture["connectivity"]
    session = http.post("/ibm/api/users/loginWithToken", json={"apiToken": cloud.token}).json()
    signed_in = {"X-Access-Token": session["id"]}
    base = "/ibm/api/Network/qwicket/Groups/open/Projects/tester"
    devices = http.get(f"{base}/devices/v/1", headers=signed_in).json()
    (ring,) = [each for each in devices if each["backend_name"] == "ring6"]
    assert [0, 5] in ring["coupling_map"]
    assert [5, 0] in ring["coupling_map"]
    pair = cloud.account().aws_key_id, cloud.account().aws_secret
    auth = Signature(" ".join(pair), "braket")
    found = httpx.post(f"{cloud.url}/braket/devices", json={"filters": []}, auth=auth).json()
    assert "ring6" in {each["deviceName"] for each in found["devices"]}
    assert "ring6" in {each["name"] for each in http.get("/v1/devices").json()["devices"]}


def test_a_reset_removes_virtual_devices(cloud: Cloud, http: httpx.Client) -> None:
    cloud.device("pair", qubits=2, noise=0.1, queue=3)
    cloud.device("qpu.aria-1", queue=2)
    cloud.reset()
    assert http.get("/v1/devices/pair").status_code == 404
    cloud.device("pair", qubits=2)
    assert counts(cloud, RESTING, "pair") == {"00": SHOTS}  # of the earlier noise nothing is left


def test_readout_errors_are_those_of_the_noise(cloud: Cloud) -> None:
    cloud.device("pair", qubits=2, noise={"readout": 0.1})
    # Both bits are independent: 0.9², 2 · 0.9 · 0.1, 0.1².
    found = counts(cloud, RESTING, "pair")
    assert_share(found, "00", 0.81)
    assert_share(found, "01|10", 0.18)
    assert_share(found, "11", 0.01)


def test_errors_of_two_qubit_gates_are_those_of_the_noise(cloud: Cloud) -> None:
    cloud.device("pair", qubits=2, noise={"two_qubit": 0.08})
    # Average infidelity e is process infidelity 5e/4 (Nielsen, Phys. Lett. A 303, 249, 2002): one
    # of 15 Paulis strikes with it. 8 of them flip exactly one bit, and with it the parity.
    assert_share(counts(cloud, BELL, "pair"), "01|10", 5 / 4 * 0.08 * 8 / 15)


def test_relaxation_is_that_of_the_noise(cloud: Cloud) -> None:
    noise = {"t1_s": 1e-6, "t2_s": 1e-6, "gate_s": 0.5e-6}
    cloud.device("pair", qubits=2, noise=noise)
    # After the pulse |1⟩ has decayed for half of T1: exp(-0.5) each is left.
    left = 2.718281828459045**-0.5
    assert_share(counts(cloud, FLIPPED, "pair"), "11", left**2)


def test_the_queue_of_a_device_is_shown_and_nobody_waits_for_it(
    cloud: Cloud, http: httpx.Client
) -> None:
    cloud.device("busy", qubits=2, queue=25)
    (found,) = [
        each for each in http.get("/qbraid/api/v1/devices").json()["data"] if each["vrn"] == "busy"
    ]
    assert found["queueDepth"] == 25
    assert counts(cloud, RESTING, "busy") == {"00": SHOTS}
    with cloud.client() as client:
        assert len(list(client.jobs())) == 1  # the others are another account's


def test_a_device_has_the_calibration_of_an_ionq_characterization(
    cloud: Cloud, http: httpx.Client, tmp_path: Path
) -> None:
    theirs = http.get("/ionq/v0.4/backends/qpu.forte-1/characterizations").json()
    file = tmp_path / "forte.json"
    file.write_text(json.dumps(theirs))
    cloud.device("forte-like", calibration=file)
    path = "/ionq/v0.4/backends/forte-like/characterizations"
    (ours,) = http.get(path).json()["characterizations"]
    (given,) = theirs["characterizations"]
    for field in ("qubits", "fidelity", "timing", "connectivity", "date"):
        assert ours[field] == given[field], field
    native = http.get("/ionq/v0.4/backends/forte-like").json()["supported_native_gates"]
    assert native == ["gpi", "gpi2", "zz"]


def test_a_device_has_the_calibration_of_a_qbraid_document(
    cloud: Cloud, http: httpx.Client
) -> None:
    (qrn,) = [
        each["qrn"]
        for each in http.get("/qbraid/api/v1/devices").json()["data"]
        if each["vrn"] == "qpu.aria-1"
    ]
    given = http.get(f"/qbraid/api/v1/devices/{qrn}/calibrations").json()["data"]
    cloud.device("aria-like", calibration=given)
    (ours,) = [
        each["qrn"]
        for each in http.get("/qbraid/api/v1/devices").json()["data"]
        if each["vrn"] == "aria-like"
    ]
    found = http.get(f"/qbraid/api/v1/devices/{ours}/calibrations").json()["data"]
    for qubit, row in given["qubits"].items():
        for field in ("t1", "t2", "readoutError", "gateError"):
            assert found["qubits"][qubit][field] == pytest.approx(row[field])
    edges = found["edges"]["gateError"]["2q"]
    for ours_of, theirs_of in zip(edges, given["edges"]["gateError"]["2q"], strict=True):
        assert (ours_of["source"], ours_of["target"]) == (theirs_of["source"], theirs_of["target"])
        assert ours_of["value"] == pytest.approx(theirs_of["value"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "there is no device 'mine'"),
        ({"qubits": 0}, "from 1 to 1000; not 0"),
        ({"qubits": 2, "topology": "torus"}, "topology"),
        ({"qubits": 2, "topology": [[0, 2]]}, "outside"),
        ({"qubits": 2, "noise": {"heat": 1}}, "heat"),
        ({"qubits": 2, "noise": 1.5}, "noise"),
        ({"qubits": 2, "calibration": {}}, "either qubits or a calibration"),
        ({"calibration": {"a": 1}}, "none of these: IonQ's characterization"),
        ({"calibration": "nowhere.json"}, "nowhere.json"),
        ({"qubits": 2, "queue": -1}, "queue"),
    ],
)
def test_a_device_that_cannot_be_made_is_refused(
    options: dict[str, Any], text: str, cloud: Cloud
) -> None:
    with pytest.raises(TestBedError, match=text):
        cloud.device("mine", **options)


def test_no_virtual_device_replaces_one_of_every_server(cloud: Cloud) -> None:
    with pytest.raises(TestBedError, match="every server has a device 'simulator'"):
        cloud.device("simulator", qubits=2)
    with pytest.raises(TestBedError, match="A device's name"):
        cloud.device("a b", qubits=2)


# --- worlds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({*names()} - {"many-jobs"}))
def test_a_world_is_loaded(name: str, cloud: Cloud) -> None:
    cloud.load(name)
    with cloud.client() as client:
        jobs = list(client.jobs(limit=500))
        assert jobs
        made = [job.info["created_at"] for job in jobs]
        assert made == sorted(made, reverse=True)


def test_many_jobs_are_a_hundred_thousand(cloud: Cloud, http: httpx.Client, tmp_path: Path) -> None:
    cloud.save(tmp_path / "state")
    cloud.load("many-jobs")
    found = cloud.diff(tmp_path / "state")
    assert sum(each.kind == "job" for each in found) == 100_000
    page = http.get("/v1/jobs", params={"state": "failed"}).json()
    assert {each["state"] for each in page["jobs"]} == {"failed"}


def test_jobs_of_the_past_are_in_the_use_of_their_days(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.client() as client:
        client.submit(BELL, "simulator", shots=10).result(timeout=30)
    cloud.load("busy-monday")
    cloud.save(tmp_path / "state")
    with zipfile.ZipFile(tmp_path / "state") as saved:
        saved.extract("qwicket.db", tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "qwicket.db")) as database:
        stored = database.execute("select * from account_use order by 1, 2, 3, 4").fetchall()
        added_up = database.execute(
            "select project, device, ended_at - ended_at % 86400000, account, count(*),"
            " sum(used_shots), sum(used_us), sum(coalesce(cost, 0)) from job"
            " where used_shots > 0 or used_us > 0 group by 1, 2, 3, 4 order by 1, 2, 3, 4"
        ).fetchall()
    assert stored == added_up
    assert sum(row[4] for row in stored) > 100


def test_a_reset_leaves_no_row_of_a_job_and_keeps_the_triggers(
    cloud: Cloud, tmp_path: Path
) -> None:
    def rows(name: str) -> tuple[list[Any], dict[str, int]]:
        cloud.save(tmp_path / name)
        with zipfile.ZipFile(tmp_path / name) as saved:
            saved.extract("qwicket.db", tmp_path)
        with contextlib.closing(sqlite3.connect(tmp_path / "qwicket.db")) as database:
            assert database.execute("pragma foreign_key_check").fetchall() == []
            schema = "select type, name, sql from sqlite_master where type != 'index' order by name"
            found = database.execute(schema).fetchall()
            tables = [name for kind, name, _ in found if kind == "table"]
            counts = {
                each: database.execute(f'select count(*) from "{each}"').fetchone()[0]
                for each in tables
            }
        return [each[1:] for each in found if each[0] == "trigger"], counts

    triggers, empty = rows("before")
    assert len(triggers) >= 3
    cloud.load("busy-monday")
    with cloud.client() as client:
        client.submit(BELL, "simulator", shots=10, name="mine", tags=["a", "b"]).result(timeout=30)
    cloud.reset()
    after = rows("after")
    assert after[0] == triggers
    grown = {name for name, number in after[1].items() if number > empty.get(name, 0)}
    rows_of_jobs = ("program", "outcome", "share", "member_share")
    assert not {name for name in grown if "job" in name or name in rows_of_jobs}


def depth(http: httpx.Client, device: str) -> int:
    shown = {each["vrn"]: each for each in http.get("/qbraid/api/v1/devices").json()["data"]}
    return int(shown[device]["queueDepth"])


def test_a_forecast_of_before_is_not_shown_after_a_change(cloud: Cloud, http: httpx.Client) -> None:
    assert depth(http, "qpu.aria-1") == 0
    cloud.load("busy-monday")
    assert depth(http, "qpu.aria-1") == 40
    cloud.reset()
    assert depth(http, "qpu.aria-1") == 0
    cloud.device("qpu.aria-1", queue=3)
    assert depth(http, "qpu.aria-1") == 3


def test_a_busy_monday_has_its_time_and_queues(cloud: Cloud, http: httpx.Client) -> None:
    cloud.load("busy-monday")
    answer = http.get("/ionq/v0.4/backends/qpu.aria-1")
    assert answer.headers["date"].startswith("Mon, 23 Nov 2026 10:3")
    assert answer.json()["average_queue_time"] >= 0
    shown = {each["vrn"]: each for each in http.get("/qbraid/api/v1/devices").json()["data"]}
    assert (shown["qpu.aria-1"]["queueDepth"], shown["qpu.forte-1"]["queueDepth"]) == (40, 12)
    with cloud.client(account="ben") as client:
        jobs = list(client.jobs(limit=500))
    assert len(jobs) == 126
    assert sum(job.status == "failed" for job in jobs) == 6


def test_machines_of_a_computing_centre_are_seen_by_clients_of_iqm(
    cloud: Cloud, http: httpx.Client
) -> None:
    cloud.load("computing-centre")
    computers = "/api/v1/quantum-computers"
    assert http.get(f"{computers}/garnet/health").json()["healthy"] is True
    warm = http.get(f"{computers}/crystal54/health").json()
    assert warm == {"healthy": False, "reason": "the cryostat is warm"}
    assert http.get("/v1/devices/garnet").json()["queue"]["length"] == 15
    sent = http.post("/api/v1/jobs/garnet/circuit", json=iqm.body()).json()
    job = f"/api/v1/jobs/{sent['id']}"
    until(lambda: http.get(job).json()["status"] == "completed", "it runs before those that wait")


def test_a_fixture_file_makes_accounts_devices_and_jobs(
    cloud: Cloud, http: httpx.Client, tmp_path: Path
) -> None:
    characterization = http.get("/ionq/v0.4/backends/qpu.aria-1/characterizations").json()
    (tmp_path / "aria.json").write_text(json.dumps(characterization))
    file = tmp_path / "lab.toml"
    file.write_text("""
        description = "A small lab"
        clock = 2030-01-01T12:00:00Z

        [[accounts]]
        name = "ada"

        [[devices]]
        name = "copy"
        calibration = "aria.json"

        [[devices]]
        name = "clifford"
        is_on = false
        reason = "new laser"

        [[jobs]]
        account = "ada"
        device = "copy"
        number = 3
        hours_ago = 2
        over_hours = 1
        shots = 10
        counts = { "01" = 4, "11" = 6 }
        name = "scan"
        tags = ["thesis"]

        [[jobs]]
        account = "ada"
        device = "simulator"
        state = "failed"
        code = "no_ions"
        message = "The trap is empty."
        hours_ago = 0.5
    """)
    cloud.load(file)
    assert http.get("/v1/devices/clifford").json()["reason"] == "new laser"
    with cloud.client(account="ada") as client:
        failed, *scans = client.jobs()
        assert "The trap is empty." in json.dumps(failed.info)
        assert [job.result().counts for job in scans] == [{"01": 4, "11": 6}] * 3
        noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
        times = [datetime.fromisoformat(job.info["created_at"]) for job in scans]
        # The n-th gets n milliseconds more, so that their times differ.
        assert [noon - at for at in times] == [
            timedelta(hours=1, milliseconds=-3),
            timedelta(hours=1.5, milliseconds=-2),
            timedelta(hours=2, milliseconds=-1),
        ]
        assert {(job.info["name"], *job.info["tags"]) for job in scans} == {("scan", "thesis")}
        job = client.submit(BELL, "copy", shots=10)
        assert job.result(timeout=30).counts
        assert len(list(client.jobs())) == 5
        for each in scans:
            each.delete()
        assert len(list(client.jobs())) == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[devices]]\nqubits = 2", "name"),
        ("[[jobs]]\ndevice = 'simulator'\nnumber = 0", "number"),
        ("[[jobs]]\ndevice = 'simulator'\nstate = 'running'", "state"),
        ("[[jobs]]\ndevice = 'nowhere'", "nowhere"),
        ("colour = 'blue'", "colour"),
        ("[[", "lab.toml"),
    ],
)
def test_a_wrong_fixture_file_is_refused(
    text: str, error: str, cloud: Cloud, tmp_path: Path
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(text)
    with pytest.raises(TestBedError, match=error):
        cloud.load(file)
    with pytest.raises(TestBedError, match=r"no file 'quiet-sunday'; .* busy-monday"):
        cloud.load("quiet-sunday")


# --- differences ----------------------------------------------------------------------------------


def test_a_difference_has_what_changed(cloud: Cloud, tmp_path: Path) -> None:
    state = tmp_path / "before.state"
    with cloud.client() as client:
        cloud.scenario("stay_queued", seconds=3600)
        waiting = client.submit(BELL, "simulator", shots=10)
        cloud.save(state)
        assert not cloud.diff(state)
        assert str(cloud.diff(state)) == "(no changes)"
        waiting.cancel()
        made = client.submit(BELL, "statevector", shots=10, name="mine")
        made.result(timeout=30)
    cloud.device("clifford", is_on=False, reason="new laser")
    cloud.device("pair", qubits=2)
    cloud.account("carol")
    found = cloud.diff(state)
    lines = str(found).splitlines()
    assert "+ account carol: role 'member', is_disabled 0" in lines
    assert "~ device clifford: is_on 1 -> 0, reason '' -> 'new laser'" in lines
    assert "+ device pair: is_on 1, is_draining 0, is_paused 0" in lines
    assert f"~ job {waiting.id}: state 'queued' -> 'cancelled'" in lines
    assert any(
        line.startswith(f"+ job {made.id}: account 'tester', device 'statevector'")
        for line in lines
    )
    assert len(found) == 5
    (change,) = [each for each in found if each.name == waiting.id]
    assert change.after is not None
    assert change.after["state"] == "cancelled"


def test_a_state_with_a_virtual_device_is_loaded_by_another_server(
    cloud: Cloud, tmp_path: Path
) -> None:
    file = tmp_path / "state"
    cloud.device("pair", qubits=2, noise={"readout": 0.25})
    counts(cloud, RESTING, "pair")
    cloud.save(file)
    with testing.server(state=file) as other:
        assert str(other.diff(file)).startswith(("(no changes)", "+ "))
        assert_share(counts(other, RESTING, "pair"), "00", 0.75**2)
        other.reset()
        assert_share(counts(other, RESTING, "pair"), "00", 0.75**2)


def test_many_differences_are_counted(cloud: Cloud, tmp_path: Path) -> None:
    cloud.save(tmp_path / "state")
    cloud.load("after-maintenance")
    text = str(cloud.diff(tmp_path / "state"))
    assert "… 205 more changes of jobs" in text


def test_no_state_is_a_readable_error(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("nothing")
    with pytest.raises(TestBedError, match="is not a state"):
        cloud.diff(tmp_path / "state")


def test_a_test_bed_has_one_worker_and_one_parser_when_it_needs_it() -> None:
    server = testing.server()
    with server as cloud:
        program = {"gateset": "qis", "qubits": 1, "circuit": [{"gate": "x", "target": 0}]}
        with cloud.client() as client:
            assert client.submit(program, "simulator", shots=5).result(timeout=60).counts == {
                "1": 5
            }
        assert (len(workers_of(server.pid)), len(parsers_of(server.pid))) == (1, 0)
        assert counts(cloud, RESTING + "\n" * 5_000, "simulator") == {"00": SHOTS}
        assert (len(workers_of(server.pid)), len(parsers_of(server.pid))) == (1, 1)
    with pytest.raises(TestBedError, match="does not run"):
        assert server.pid


def test_a_token_expires_on_the_clock(cloud: Cloud) -> None:
    headers = {"Authorization": f"Bearer {cloud.account('brief', life_s=60).token}"}
    assert httpx.get(f"{cloud.url}/v1/jobs", headers=headers).is_success
    cloud.advance(61)
    assert httpx.get(f"{cloud.url}/v1/jobs", headers=headers).status_code == 401
