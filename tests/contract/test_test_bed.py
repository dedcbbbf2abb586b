"""Each fault and each scenario, through three unmodified clients of different dialects."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from contract.environments import interpreter
from qwicket import testing
from qwicket.dialects import offered
from qwicket.testing import Cloud, Exchange
from qwicket.testing.values import EVENTS, FaultKind, ScenarioKind
from support import leftovers
from support.bed_client import CLIENTS, TIMEOUT_S, Answer, BedClient
from support.waiting import until

ROOT = Path(__file__).parents[2]
LONG = os.environ.get("QWICKET_FAULT") == "long"
"""Whether all clients run what starts a process for each; else one of them does."""
pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture(scope="module", params=CLIENTS)
def process(
    request: pytest.FixtureRequest, bed: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BedClient]:
    bed.reset()
    made = BedClient(request.param, bed, tmp_path_factory.mktemp(request.param))
    made.run()  # once, so that the client has signed in and knows the device
    yield made
    made.close()


@pytest.fixture
def client(process: BedClient, bed: Cloud) -> BedClient:
    bed.reset()
    return process


def test_a_client_runs_a_job_and_the_journal_has_no_token(client: BedClient, bed: Cloud) -> None:
    answer = client.answer()
    assert answer.counts is not None, answer.error
    assert answer.counts.keys() == {"00", "11"}
    entries = bed.requests(dialect=client.dialect)
    assert [each.status for each in entries if each.created] != []
    assert {each.unknown for each in entries} == {False}
    assert not_in_the_table(client.name, entries) == set()
    assert [each.warnings for each in bed.requests() if each.warnings] == []
    text = msgspec.json.encode(entries).decode()
    assert bed.token not in text
    bed.assert_one_job_each()


def not_in_the_table(name: str, entries: list[Exchange]) -> set[str]:
    """Return the calls that the table of docs/reports/coverage.md does not have of a client."""
    suite = CLIENTS[name][1].rpartition("/")[2]
    client = re.sub(r"_(\d+)_(\d+)$", r" \1.\2", suite).replace("_", "-")
    table = tomllib.loads((ROOT / "docs" / "_site" / "client_calls.toml").read_text())
    aliases = {alias: at for each in offered() for alias, at in each.aliases.items()}
    missing = set()
    for each in entries:
        prefix = max((at for at in [*table, *aliases] if each.path.startswith(at)), key=len)
        calls = table[aliases.get(prefix, prefix)]
        made = f"{each.method} {each.path.removeprefix(prefix)}"
        forms = [call for call, clients in calls.items() if call != "unknown" and client in clients]
        if not any(re.fullmatch(re.escape(form).replace(r"\{\}", ".+"), made) for form in forms):
            missing.add(made)
    return missing


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_a_fault_strikes_one_request_of_a_client(
    kind: FaultKind, client: BedClient, bed: Cloud
) -> None:
    bed.fault(kind, method="GET", path="*jobs/*", times=1, seconds=0.1 if kind == "delay" else 0.0)
    bed.fault("throttle", bytes_per_s=10**9, dialect="qlued")  # is for nobody
    client.answer()
    struck = bed.assert_one(fault=kind)
    assert struck.method == "GET"
    assert struck.dialect == client.dialect
    assert not bed.requests(fault="throttle") or kind == "throttle"


def test_a_refusal_has_the_body_that_the_client_reads(client: BedClient, bed: Cloud) -> None:
    bed.fault("status", status=400, message="The trap is warm.", method="POST", path="*jobs*")
    answer = client.answer()
    assert "The trap is warm." in answer.error
    assert not [each for each in bed.requests() if each.created]


def test_a_job_whose_answer_is_lost_is_stored(client: BedClient, bed: Cloud) -> None:
    bed.fault("lost_answer", method="POST", path="*jobs*", times=1)
    client.answer()
    lost = bed.assert_one(fault="lost_answer")
    assert lost.status == 0
    assert len(lost.created) == 1


@pytest.mark.parametrize("retry_after", ["1", "Thu, 01 Jan 2026 12:00:00 GMT", "soon", "-31536000"])
def test_a_client_is_asked_to_wait(retry_after: str, client: BedClient, bed: Cloud) -> None:
    bed.fault("status", status=429, retry_after=retry_after, method="GET", path="*jobs/*", times=1)
    client.answer()
    struck = bed.assert_one(fault="status")
    assert (struck.status, struck.response_headers["retry-after"]) == (429, retry_after)


def test_an_outage_lasts_as_long_as_the_clock_says(client: BedClient, bed: Cloud) -> None:
    bed.fault("status", status=400, message="Closed.", method="POST", path="*jobs*", lasts_s=600)
    assert "Closed." in client.answer().error
    bed.advance(600)
    assert client.answer().counts is not None


@pytest.mark.parametrize("change", [{"is_on": False}, {"is_draining": True}])
def test_a_device_refuses_a_client(change: dict[str, Any], client: BedClient, bed: Cloud) -> None:
    assert client.answer().counts is not None
    with bed.client() as own:
        (job,) = own.jobs()
    bed.device(job.body.device, reason="The fridge is open.", **change)
    assert client.answer().counts is None
    assert any(
        "The fridge is open." in e.response_body for e in bed.requests(dialect=client.dialect)
    )
    bed.reset()
    assert client.answer().counts is not None


def test_a_paused_device_takes_the_job_of_a_client_and_runs_it_later(
    client: BedClient, bed: Cloud
) -> None:
    assert client.answer().counts is not None
    with bed.client() as own, ThreadPoolExecutor(1) as thread:
        (job,) = own.jobs()
        bed.reset()
        bed.device(job.body.device, is_paused=True, reason="The fridge is open.")
        answer = thread.submit(client.answer)
        until(own.jobs, "the job waits")
        assert [each.state for each in own.jobs()] == ["queued"]
        assert own.device(job.body.device).status == "paused"
        bed.device(job.body.device)
        assert answer.result(TIMEOUT_S).counts is not None


@pytest.mark.parametrize("kind", [each for each in get_args(ScenarioKind) if each not in EVENTS])
def test_a_scenario_decides_what_a_client_sees(
    kind: ScenarioKind, client: BedClient, bed: Cloud
) -> None:
    text = "The fridge is warm."
    match kind:
        case "counts":
            # One outcome, because some clients draw shots from the probabilities.
            bed.scenario("counts", counts={"11": 100})
            assert client.answer().counts == {"11": 100}
        case "fail":
            bed.scenario("fail", message=text)
            answer = client.answer()
            assert answer.counts is None
            assert any(text in each.response_body for each in bed.requests(dialect=client.dialect))
        case "refuse":
            bed.scenario("refuse", code="invalid_request", message=text)
            assert text in client.answer().error
        case "cancel":
            bed.scenario("cancel")
            assert client.answer().counts is None
            assert any("cancel" in each.response_body.lower() for each in bed.requests())
        case "stay_queued":
            bed.scenario("stay_queued", polls=3)
            assert client.answer().counts is not None
            (job,) = next(each.jobs for each in bed.requests() if each.created)
            assert len([each for each in bed.requests(method="GET") if job in each.jobs]) >= 3
            bed.reset()
            bed.scenario("stay_queued", seconds=0.5)
            assert client.answer().counts is not None
            assert took(bed) >= 0.5
        case "slow":
            bed.scenario("slow", seconds=0.5)
            assert client.answer().counts is not None
            assert took(bed) >= 0.5
        case "partial":
            bed.scenario("partial", parts=(0,), message=text)
            assert client.answer().counts is None
    assert client.answer().counts is not None  # it was for one job


@pytest.mark.parametrize("process", ["ibm"], indirect=True)
@pytest.mark.parametrize(("kind", "code"), [("cancel", "1305"), ("fail", "run_time_exceeded")])
def test_ibms_client_tells_a_job_that_ran_too_long(
    kind: ScenarioKind, code: str, client: BedClient, bed: Cloud
) -> None:
    bed.scenario(kind, code=code, message="The job ran too long.")
    assert "RuntimeJobMaxTimeoutError" in client.answer().error
    assert any('"status":"Cancelled"' in each.response_body for each in bed.requests())


def took(bed: Cloud) -> float:
    """Return the seconds from the submission of the first job to its end."""
    journal = bed.journal()
    made = next(each for each in journal.exchanges if each.created)
    return journal.ended[made.created[0]] - made.at


@pytest.mark.parametrize(
    ("kind", "options", "statuses"),
    [
        ("spend_budget", {}, {402, 403, 429}),
        ("change_limits", {"max_shots": 50}, {400, 422}),
    ],
)
def test_an_event_changes_what_the_next_job_of_a_client_meets(
    kind: ScenarioKind, options: dict[str, Any], statuses: set[int], client: BedClient, bed: Cloud
) -> None:
    bed.scenario(kind, **options)
    assert client.answer().counts is not None
    answer = client.answer()
    assert answer.counts is None
    refused = bed.requests(method="POST", dialect=client.dialect)[-1]
    assert refused.status in statuses, refused
    bed.reset()
    assert client.answer().counts is not None


ENDINGS: list[ScenarioKind] = ["revoke_token", "expire_token"]


@pytest.mark.parametrize("kind", ENDINGS if LONG else ENDINGS[:1])
@pytest.mark.parametrize("name", CLIENTS if LONG else ["ionq"])
def test_a_token_ends_while_a_client_waits(
    kind: ScenarioKind, name: str, bed: Cloud, tmp_path: Path
) -> None:
    bed.reset()
    account = f"{name}-{kind}"
    client = BedClient(name, bed, tmp_path, account=account)
    try:
        bed.scenario(kind, account=account)
        answer = client.answer()
        assert answer.counts is None
        assert bed.requests(dialect=client.dialect, status=401)
        assert bed.account(account).token not in answer.error
    finally:
        client.close()


@pytest.mark.parametrize(
    ("name", "variables", "device"),
    [
        ("ionq", "cirq-ionq", "qpu.aria-1"),
        ("ibm", "qiskit-ibm-runtime", "qwicket_line5"),
        ("qbraid", "qbraid", "qbraid:qbraid:sim:qpu.aria-1"),
    ][: None if LONG else 1],
)
def test_a_calibration_jumps_between_two_jobs_of_a_client(
    name: str, variables: str, device: str, bed: Cloud, tmp_path: Path
) -> None:
    bed.reset()
    bed.scenario("recalibrate", factor=40.0)
    env = {**bed.env(variables), "BELL_DEVICE": device}
    answers = run_program(CLIENTS[name][1], f"bell_{name}", env, tmp_path, runs=2)
    before, after = (each.counts for each in answers)
    assert before is not None
    assert after is not None
    assert wrong(before) <= 20 < wrong(after), (before, after)


@pytest.mark.parametrize(
    ("name", "variables", "suite"),
    [
        ("ibm", "qiskit-ibm-runtime", "ibm/qiskit_ibm_runtime_0_51"),
        ("ionq", "qiskit-ionq", "ionq/qiskit_ionq_1_1"),
        ("qbraid", "qbraid", "qbraid/qbraid_0_13"),
    ][: None if LONG else 1],
)
def test_a_session_closes_between_two_jobs_of_a_client(
    name: str, variables: str, suite: str, bed: Cloud, tmp_path: Path
) -> None:
    bed.reset()
    bed.scenario("close_session")
    (answer,) = run_program(suite, f"session_{name}", bed.env(variables), tmp_path)
    assert answer.counts is None
    first, second = bed.requests(method="POST", path="*/jobs")
    assert len(first.created) == 1
    assert 400 <= second.status < 500
    assert "closed" in second.response_body


@pytest.mark.parametrize(
    ("program", "suite", "variables"),
    [
        ("batch_ibmq", "ibm/qiskit_ibmq_provider_0_20", "qwicket"),
        ("batch_ibm", "ibm/qiskit_ibm_runtime_0_51", "qiskit-ibm-runtime"),
        ("batch_ionq", "ionq/qiskit_ionq_1_1", "qiskit-ionq"),
    ][: None if LONG else 1],
)
def test_one_circuit_of_a_batch_fails(
    program: str, suite: str, variables: str, bed: Cloud, tmp_path: Path
) -> None:
    """Clients of IBM's platform and of IonQ raise for the whole job; the oldest one does not."""
    bed.reset()
    bed.scenario("partial", parts=(0,), message="The fridge is warm.")
    bed.scenario("partial", parts=(1,), message="The fridge is warm.")
    first, second, whole = run_program(suite, program, bed.env(variables), tmp_path, runs=3)
    assert (first.counts == {"1": 100}) == (program == "batch_ibmq"), first
    assert second.counts is None
    assert "The fridge is warm." in second.error
    assert whole.counts == {"1": 100}
    assert len({job for each in bed.requests() for job in each.created}) == 3


def run_program(
    suite: str, program: str, env: dict[str, str], folder: Path, *, runs: int = 1
) -> list[Answer]:
    """Run a program of `bed_clients` in a suite's environment to its end."""
    marks = {**leftovers.marks(), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [interpreter(suite), ROOT / "tests" / "support" / "bed_clients" / f"{program}.py"],
        env={**marks, **env, "HOME": str(folder)},
        cwd=folder,
        input=b"run\n" * runs,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [msgspec.json.decode(line, type=Answer) for line in done.stdout.splitlines()[1:]]


def wrong(counts: dict[str, int]) -> int:
    """Return how many of 100 shots are not those of a Bell pair without noise."""
    return 100 - counts.get("00", 0) - counts.get("11", 0)
