"""The server chooses a device: with the clients, the command and the pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import qwicket
from qwicket.clients.native import ApiError, Job
from qwicket.pages.examples import EXAMPLES
from support.budgets import budgets
from support.pages import Person
from support.server import LiveServer, run_here

pytestmark = pytest.mark.needs_vendors

T = """OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;
h q[0]; t q[0]; cx q[0], q[1]; c = measure q;"""
LINE = "qwicket_line5"
NAMES = [LINE, "clifford", "simulator"]
REFUSED = "clifford runs only Clifford circuits, and this is not one."


def by_name(choice: Any) -> dict[str, Any]:
    return {each.device: each for each in choice.candidates}


def checked(job: Job) -> None:
    """Check a job that the server has submitted to the simulator."""
    assert job.body.device == "simulator"
    choice = job.body.choice
    assert choice is not None
    assert choice.weights == {"fidelity": 1.0, "start": 1.0, "cost": 1.0}
    assert [each.device for each in choice.candidates] == ["simulator", LINE, "clifford"]
    found = by_name(choice)
    assert (found["simulator"].fidelity, found["clifford"].refusal) == (1.0, REFUSED)
    assert 0.8 < found[LINE].fidelity < 1
    assert found[LINE].score < found["simulator"].score <= 1


def test_a_job_shows_how_its_device_was_chosen(server: LiveServer) -> None:
    with qwicket.connect(server.url, server.token()) as client:
        first = client.submit(T, NAMES, key="a-choice", shots=20)
        checked(first)
        assert sum(first.result(60).counts.values()) == 20
        checked(client.job(first.id))
        assert client.submit(T, NAMES, key="a-choice", shots=20).id == first.id
        assert {each.id: each for each in client.jobs()}[first.id].body.choice is None
        other = client.submit(T, [LINE, "clifford"], weights={"fidelity": 0})
        assert other.body.device == LINE
        assert other.info["choice"]["weights"]["fidelity"] == 0.0
        assert client.submit(T, "simulator").body.choice is None


@pytest.mark.anyio
async def test_an_estimate_has_the_candidates_and_the_client_for_event_loops_both(
    server: LiveServer,
) -> None:
    async with qwicket.aconnect(server.url, server.token()) as client:
        estimate = await client.estimate(T, "best")
        assert estimate.choice is not None
        assert estimate.device == estimate.choice.candidates[0].device
        assert by_name(estimate.choice)["clifford"].refusal == REFUSED
        job = await client.submit(T, NAMES)
        assert job.body.device == "simulator"


def test_the_command_shows_the_candidates_before_and_after_the_submission(
    server: LiveServer, tmp_path: Path
) -> None:
    program = tmp_path / "t.qasm"
    program.write_text(T)
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": server.token()}
    submit = ("submit", str(program), "--device", ",".join(NAMES))
    dry = run_here(*submit, "--dry-run", env=env)
    assert dry.returncode == 0, dry.stderr
    done = run_here(*submit, env=env)
    assert "Device: simulator\n" in done.stderr
    shown = run_here("job", "show", done.stdout.strip(), env=env).stdout
    for text in (dry.stdout, shown):
        lines = [line for line in text.splitlines() if line.startswith("candidate")]
        assert lines[0].split(maxsplit=1)[1].startswith("simulator: score 1, fidelity 1, starts")
        assert lines[2].endswith(f"clifford: refused: {REFUSED}")
    photons = tmp_path / "photons.xbb"
    photons.write_text(EXAMPLES["photons"].program)
    devices = "X8_01,simulon_gaussian"
    done = run_here("submit", str(photons), "--device", devices, "--dry-run", env=env)
    assert done.returncode == 0, done.stderr
    best = run_here(*submit[:3], "best", "--weight", "fidelity=0", "--json", env=env)
    assert json.loads(best.stdout)["device"] != "clifford"
    wrong = run_here(*submit, "--weight", "speed=1", env=env)
    assert wrong.returncode == 1
    assert "speed" in wrong.stderr


def test_a_budget_refuses_a_candidate(server: LiveServer) -> None:
    name = server.unused("chooser")
    token = server.token(name)

    async def limit(admin: Any) -> None:
        await budgets(admin).put(name, "shots", "week", 50, device="simulator")

    server.as_admin(limit)
    with qwicket.connect(server.url, token) as client:
        job = client.submit(T, NAMES, shots=100)
        assert job.body.device == LINE
        refusal = by_name(job.body.choice)["simulator"].refusal
        assert refusal.startswith("The budget of 50 shots a week")
        assert client.submit(T, NAMES, shots=50).body.device == "simulator"


@pytest.mark.parametrize(
    ("change", "status", "field", "text"),
    [
        ({"device": ["simulator", "simulater"]}, 404, "device", "There is no device simulater."),
        ({"device": []}, 400, "device", "device: the list has no device."),
        ({"device": ["x"] * 10 + [1]}, 400, "device[10]", "must be a text"),
        ({"device": 5}, 400, "device", "device"),
        ({"device": [f"d{n}" for n in range(51)]}, 400, "device", "(limit candidates)"),
        ({"device": "simulator", "weights": {}}, 400, "weights", "only from a list"),
        ({"weights": {"cost": -1}}, 400, "weights.cost", "weights.cost"),
        ({"weights": {"speed": 1}}, 400, "weights.speed", "speed"),
        ({"weights": dict.fromkeys(("fidelity", "start", "cost"), 0)}, 400, "weights", "above 0"),
    ],
)
def test_a_choice_is_refused(
    server: LiveServer, change: dict[str, Any], status: int, field: str, text: str
) -> None:
    with server.client() as http:
        body = {"device": NAMES, "program": T} | change
        answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["detail"]
    assert answer.json()["field"] == field


def test_each_reason_is_given_if_no_device_can_run_the_job(server: LiveServer) -> None:
    with (
        qwicket.connect(server.url, server.token()) as client,
        pytest.raises(ApiError) as refused,
    ):
        client.submit(T, [LINE, "clifford"], outputs=["probabilities"])
    assert f"{LINE}: outputs: {LINE} gives counts, memory" in str(refused.value)
    assert "clifford: " in str(refused.value)


def test_the_editor_leaves_the_device_to_the_server(server: LiveServer) -> None:
    with Person(server, server.unused("editor")) as person:
        page = person.browser.get("/ui/jobs/new").text
        assert '<option value="best">best: the server chooses</option>' in page
        fields = {"device": "best", "program": T, "shots": "10"}
        check = person.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="check", **fields)
        assert check.status_code == 200
        assert f"<li>clifford: {REFUSED}</li>" in check.text
        assert "score 1, fidelity 1, starts" in check.text
        # Of photons, the first device that takes them gives samples and no counts.
        page = "/ui/jobs/new?example=photons&device=best"
        assert "<li>simulon_gaussian: score 1," in person.browser.get(page).text
        run = person.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="run", **fields)
        job = person.browser.get(run.headers["location"]).text
        assert "<dt>Chosen from</dt>" in job
        assert f"<li>clifford: {REFUSED}</li>" in job
