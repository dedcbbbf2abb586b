"""A lab's device from zero to serving: announce, pull, run, bring back; on both databases."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from support import executor, pubs, runtime
from support.agents import ATOMS, BELL_QASM, DEVICE, QUBITS, Lab, ended, submit
from support.pages import Person
from support.server import LiveServer, run_cli, server_on
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

_numbers = itertools.count(100)
"""Each test has a device of its own: agents of others that were killed are noticed only later."""
ROOT = Path(__file__).parent.parent.parent
GATES = "rz sx rz rz sx rz cz rz sx rz"
"""What a Hadamard gate and a CX become of Rz, SX and CZ."""


@pytest.fixture(scope="module")
def lone(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A server whose queue is this module's alone."""
    with server_on(
        database_kind, request, tmp_path_factory.mktemp(f"lone_{database_kind}")
    ) as live:
        yield live


@pytest.fixture
def lab(lone: LiveServer, tmp_path: Path) -> Iterator[Lab]:
    with Lab(lone, tmp_path / "lab", device=f"lab{next(_numbers)}") as opened:
        yield opened


@pytest.fixture
def http(lone: LiveServer) -> Iterator[httpx.Client]:
    with lone.client() as client:
        yield client


def read(http: httpx.Client, job: str, wait: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": wait}).json()
    return found


def lab_user(lab: Lab) -> dict[str, str]:
    """Return the environment of a user of a lab's device."""
    return {"QWICKET_URL": lab.url, "QWICKET_TOKEN": lab.server.token()}


def state(http: httpx.Client, job: str) -> str:
    return str(read(http, job)["state"])


@pytest.mark.both_databases
def test_a_job_waits_for_an_agent_and_is_run_when_one_comes(lab: Lab, http: httpx.Client) -> None:
    job = lab.submit(http)
    device = lab.shown(http)
    assert (device["status"], device["agents"]) == ("away", 0)
    unknown = {"starts_in_s": None, "starts_after_s": None, "starts_before_s": None}
    assert device["queue"] == {"length": 1, **unknown}
    assert read(http, job)["queue"] == {
        "position": 1,
        **unknown,
        "reason": "no agent serves the device",
        "reasons": ["no agent serves the device"],
    }
    lab.agent()
    assert ended(http, job) == "completed"
    (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert (part["counts"], part["engine"]) == ({"00": 20}, lab.device)
    device = lab.shown(http)
    assert (device["status"], device["agents"]) == ("on", 1)


def test_the_device_list_says_who_serves_a_device_and_when_it_was_last_seen(
    lone: LiveServer, lab: Lab, http: httpx.Client
) -> None:
    def line() -> str:
        return next(
            each for each in lone.admin("device", "list").splitlines() if lab.device in each
        )

    agent = lab.agent()
    until(lambda: "agents: 1" in line(), "the agent is listed", timeout_s=30)
    assert agent.stop() == 0
    assert "away, last seen 20" in line()


def test_the_servers_own_dispatcher_leaves_the_jobs_of_labs_alone(
    lab: Lab, http: httpx.Client
) -> None:
    job = lab.submit(http)
    body = {"device": "simulator", "program": BELL_QASM}
    later = http.post("/v1/jobs", json=body).json()["id"]
    assert ended(http, later) == "completed"
    assert state(http, job) == "queued"
    http.post(f"/v1/jobs/{job}/cancel")
    assert ended(http, job) == "cancelled"


def test_memory_and_counts_come_back_as_asked_for(lab: Lab, http: httpx.Client) -> None:
    lab.agent()
    body = {"device": lab.device, "program": BELL_QASM, "shots": 3, "outputs": ["memory", "counts"]}
    job = http.post("/v1/jobs", json=body).json()["id"]
    assert ended(http, job) == "completed"
    (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert (part["memory"], part["counts"]) == (["00"] * 3, {"00": 3})


def test_cold_atoms_with_gates_that_only_the_lab_knows(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    gates = [["kick", [0, 1], [0.5]], ["measure", [1], []], ["measure", [0], []]]
    experiment = {"instructions": gates, "num_wires": 2, "shots": 3}
    with Lab(lone, tmp_path / "lab", device="labatoms", kind=ATOMS) as lab:
        lab.agent("atoms")
        body = {
            "device": "labatoms",
            "format": "qlued.lab",
            "program": {"experiment_0": experiment},
            "outputs": ["samples"],
        }
        job = http.post("/v1/jobs", json=body).json()["id"]
        assert ended(http, job) == "completed"
        (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
        assert part["samples"] == [[1, 1]] * 3


@pytest.mark.both_databases
def test_several_agents_share_the_work_and_no_lease_is_run_twice(
    lab: Lab, http: httpx.Client
) -> None:
    for _ in range(3):
        lab.agent()
    until(lambda: lab.shown(http)["agents"] == 3, "all are there", timeout_s=30)
    jobs = {lab.submit(http, shots=50) for _ in range(24)}
    assert {ended(http, job) for job in jobs} == {"completed"}
    begun = [(job, pid) for job, word, pid in lab.log() if word == "begins"]
    assert sorted(job for job, _ in begun) == sorted(jobs)
    assert len({pid for _, pid in begun}) == 3, "all of them work"


@pytest.mark.both_databases
def test_progress_is_shown_while_the_job_runs_and_not_afterwards(
    lab: Lab, http: httpx.Client
) -> None:
    lab.agent()
    job = lab.submit(http, shots=5_000)
    shown = until(lambda: read(http, job)["progress"], "progress is told", timeout_s=30)
    assert shown == {"done": 0.5, "text": "half of it"}
    http.post(f"/v1/jobs/{job}/cancel")
    assert ended(http, job) == "cancelled"
    assert read(http, job)["progress"] is None


def test_administrators_see_which_agents_are_alive_and_what_runs_where(
    lab: Lab, http: httpx.Client
) -> None:
    lab.agent()
    job = lab.submit(http, shots=5_000)
    until(lambda: state(http, job) == "running", "it runs", timeout_s=30)
    with Person(lab.server, "root", "admin") as root:
        page = root.browser.get("/ui/admin").text
        elsewhere = page.partition('<h2 id="labs">')[2].partition("</section>")[0]
        assert re.search(rf">{lab.device}</a>.*?last seen <time.*?</svg>Alive", elsewhere)
        running = page.partition('<h2 id="running">')[2].partition("</table>")[0]
        (cells,) = [
            re.findall("<td>(.*?)</td>", row) for row in running.split("<tr>") if job in row
        ]
        assert cells[1] == lab.device
        assert cells[2] == read(http, job)["runner"] != ""
        http.post(f"/v1/jobs/{job}/cancel")
        assert ended(http, job) == "cancelled"
        running = root.browser.get("/ui/admin").text.partition('<h2 id="running">')[2]
        assert job not in running.partition("</section>")[0]


@pytest.mark.both_databases
def test_a_cancelled_job_is_cancelling_until_the_agent_has_stopped(
    lab: Lab, http: httpx.Client
) -> None:
    lab.agent()
    job = lab.submit(http, shots=60_000)
    until(lambda: lab.begun() == 1, "it begins", timeout_s=30)
    assert http.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelling"
    assert ended(http, job) == "cancelled"
    assert [word for _, word, _ in lab.log()] == ["begins", "stops"]


def test_a_function_that_minds_no_order_is_ended_after_its_grace(
    lab: Lab, http: httpx.Client
) -> None:
    lab.agent("ignores_stop", "--grace", "0.5")
    job = lab.submit(http, shots=60_000)
    until(lambda: lab.begun() == 1, "it begins", timeout_s=30)
    http.post(f"/v1/jobs/{job}/cancel")
    assert ended(http, job) == "cancelled"
    assert ended(http, lab.submit(http, shots=10)) == "completed", "another process takes over"


def test_a_job_that_kills_the_labs_program_thrice_has_failed(lab: Lab, http: httpx.Client) -> None:
    lab.agent("dies")
    job = lab.submit(http)
    assert ended(http, job) == "failed"
    found = read(http, job)
    assert (found["attempts"], found["error"]["code"]) == (3, "worker_died")
    assert lab.begun() == 3


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        ("raises", "device_failed", "The device reported an error; see its agent's log."),
        ("refuses", "no_atoms", "The trap was empty."),
        ("misfits", "bad_outcome", "must be 2 characters 0 or 1"),
        ("miscounts", "outcome_refused", "a count is out of range"),
    ],
)
def test_errors_in_a_lab_are_reported_without_internals(
    lab: Lab, http: httpx.Client, run: str, code: str, said: str
) -> None:
    agent = lab.agent(run)
    job = lab.submit(http)
    assert ended(http, job) == "failed"
    error = read(http, job)["error"]
    assert error["code"] == code
    assert said in error["message"]
    assert "ttyUSB0" not in error["message"]
    detail = http.get(f"/v1/jobs/{job}/result").json()["detail"]
    assert detail == f"The job failed: {error['message'].rstrip('.')}."
    if run == "raises":
        assert "the laser at /dev/ttyUSB0 is off" in agent.log_text(), "the lab reads it"


def test_sigterm_lets_a_running_job_finish_and_claims_no_more(lab: Lab, http: httpx.Client) -> None:
    agent = lab.agent()
    job = lab.submit(http, shots=1_500)
    waiting = lab.submit(http)
    until(lambda: lab.begun() == 1, "it begins", timeout_s=30)
    assert agent.stop() == 0
    assert (state(http, job), state(http, waiting)) == ("completed", "queued")
    assert lab.shown(http)["status"] == "away"
    http.post(f"/v1/jobs/{waiting}/cancel")


def test_sigterm_gives_back_what_does_not_finish_in_its_grace(lab: Lab, http: httpx.Client) -> None:
    agent = lab.agent("ignores_stop", "--grace", "0.5")
    job = lab.submit(http, shots=60_000)
    until(lambda: lab.begun() == 1, "it begins", timeout_s=30)
    assert agent.stop() == 0
    found = read(http, job)
    assert (found["state"], found["attempts"]) == ("queued", 0)
    http.post(f"/v1/jobs/{job}/cancel")


def test_a_second_signal_ends_an_agent_at_once(lab: Lab, http: httpx.Client) -> None:
    agent = lab.agent("ignores_stop", "--grace", "600")
    job = lab.submit(http, shots=60_000)
    until(lambda: lab.begun() == 1, "it begins", timeout_s=30)
    agent.process.send_signal(signal.SIGTERM)
    agent.process.send_signal(signal.SIGINT)
    agent.process.wait(30)
    until(lambda: state(http, job) == "queued", "the job waits again", timeout_s=PROMPT_S)
    http.post(f"/v1/jobs/{job}/cancel")


def test_a_device_that_is_off_keeps_its_jobs_from_its_agents(
    lone: LiveServer, lab: Lab, http: httpx.Client
) -> None:
    lab.agent()
    job = lab.submit(http, shots=1)
    assert ended(http, job) == "completed"
    lone.admin("device", "off", lab.device, "--reason", "new laser")
    refused = http.post("/v1/jobs", json={"device": lab.device, "program": BELL_QASM})
    assert refused.status_code == 503
    assert "new laser" in refused.json()["detail"]
    assert lab.shown(http)["status"] == "off"
    lone.admin("device", "on", lab.device)
    assert ended(http, lab.submit(http, shots=1)) == "completed"


@pytest.mark.both_databases
def test_a_calibration_is_pushed_and_in_force(lab: Lab, http: httpx.Client, tmp_path: Path) -> None:
    figures = tmp_path / "calibration.toml"
    figures.write_text(
        """
        valid_from = 2026-01-31T12:00:00Z
        source = "measured this morning"
        qubit = { t1_s = 80e-6, t2_s = 60e-6, one_for_zero = 0.012, zero_for_one = 0.025 }
        one_qubit = { error = 0.0003, duration_s = 35e-9 }
        two_qubit = { error = 0.009, duration_s = 300e-9 }
        """
    )
    push = ("agent", "push-calibration", str(figures), "--device", lab.device)
    done = run_cli(*push, env=lab.environment())
    assert (done.returncode, done.stdout) == (0, f"{lab.device}\n")
    found = http.get(f"/v1/devices/{lab.device}/calibration").json()
    assert (found["source"], found["qubit"]["t1_s"]) == ("measured this morning", 80e-6)
    assert lab.shown(http)["calibration"] == found["id"]
    assert read(http, lab.submit(http))["calibration"] == found["id"]


def test_wider_programs_than_could_be_simulated_are_taken(lab: Lab, http: httpx.Client) -> None:
    config = lab.config.read_text().replace("qubits = 8", "qubits = 100")
    lab.config.write_text(config)
    lab.push()
    wide = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[100] q; bit[100] c; rx(0.1) q; c = measure q;'
    )
    sent = http.post("/v1/jobs", json={"device": lab.device, "program": wide, "shots": 5})
    assert (sent.status_code, sent.json()["qubits"]) == (201, 100)
    lab.agent()
    assert ended(http, sent.json()["id"]) == "completed"
    (part,) = http.get(f"/v1/jobs/{sent.json()['id']}/result").json()["parts"]
    assert part["counts"] == {"0" * 100: 5}


def test_a_revoked_token_gets_no_job_although_its_claim_waits(
    lone: LiveServer, lab: Lab, http: httpx.Client
) -> None:
    agent = lab.agent()
    until(lambda: lab.shown(http)["agents"] == 1, "its claim waits", timeout_s=30)
    listed = lone.admin("token", "list", "--user", "ada").splitlines()
    (newest, *_) = sorted((line for line in listed if "devices:serve" in line), reverse=True)
    lone.admin("token", "revoke", newest.split()[0])
    assert agent.process.wait(30) == 1
    assert "unauthenticated" in agent.log_text()
    job = lab.submit(http)
    assert state(http, job) == "queued"
    http.post(f"/v1/jobs/{job}/cancel")


def test_the_token_is_taken_from_a_file_and_is_in_no_log(
    lab: Lab, http: httpx.Client, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{lab.token}\n")
    agent = lab.agent("run", "--token-file", str(secret))
    assert ended(http, lab.submit(http)) == "completed"
    assert agent.stop() == 0
    assert lab.token not in agent.log_text()
    assert lab.token not in lab.server.log.read_text()


@pytest.fixture
def fridge(lone: LiveServer, tmp_path: Path) -> Iterator[Lab]:
    """A lab whose device announces its gates."""
    lab = Lab(lone, tmp_path / "fridge", device=f"fridge{next(_numbers)}")
    lab.config.write_text(lab.config.read_text() + 'gates = ["rz", "sx", "x", "cz"]\n')
    with lab:
        yield lab


def test_a_device_that_announces_gates_gets_only_those(fridge: Lab, http: httpx.Client) -> None:
    fridge.agent("lists")
    job = fridge.submit(http)
    assert ended(http, job) == "failed"
    assert read(http, job)["error"]["message"] == GATES
    text = http.get(f"/v1/jobs/{job}/parts/0/compiled")
    assert (text.status_code, text.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    lines = text.text.splitlines()
    assert lines[:4] == ["OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[2] q;", "bit[2] c;"]
    names = [re.match(r"[a-z]+", line) for line in lines[4:]]
    assert " ".join(each[0] for each in names if each) == f"{GATES} c c"
    printed = run_cli("job", "show", job, "--compiled", env=lab_user(fridge))
    assert (printed.returncode, printed.stdout) == (0, text.text)
    absent = http.get(f"/v1/jobs/{job}/parts/1/compiled")
    assert (absent.status_code, absent.json()["detail"]) == (404, "The job has no such part.")
    again = http.post(
        "/v1/jobs", json={"device": fridge.device, "program": text.text, "shots": 20}
    ).json()["id"]
    assert ended(http, again) == "failed"
    assert read(http, again)["error"]["message"] == GATES, "native gates are not rewritten"
    assert http.get(f"/v1/jobs/{again}/parts/0/compiled").text == text.text


def test_what_cannot_be_compiled_to_announced_gates_is_refused_by_name(
    fridge: Lab, http: httpx.Client
) -> None:
    head = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c;'
    for text, named in [
        (f"{head} reset q[0]; c = measure q;", "'reset'"),
        (f"{head} c = measure q; if (c == 1) {{ x q[0]; }}", "'if'"),
    ]:
        sent = http.post("/v1/jobs", json={"device": fridge.device, "program": text})
        assert (sent.status_code, sent.json()["field"]) == (400, "program")
        told = f"{fridge.device} takes rz, sx, x, cz; {named} cannot be compiled to them"
        assert sent.json()["detail"].removesuffix(".") == told
    ions = {"gateset": "native", "qubits": 1, "circuit": [{"gate": "gpi", "target": 0, "phase": 0}]}
    document = tomllib.loads(fridge.config.read_text())
    document["spec"]["formats"] = ["ionq.circuit.v1"]
    name = document.pop("name")
    with fridge.http() as client:
        assert client.put(f"/v1/agent/devices/{name}", json=document).status_code == 200
    body = {"device": name, "program": ions}

    def refused() -> str:
        return str(http.post("/v1/jobs", json=body).json().get("detail", ""))

    until(
        lambda: "'gpi', a native gate, is never rewritten" in refused(),
        "it is announced",
        timeout_s=PROMPT_S,
    )


@pytest.fixture
def sampled(lone: LiveServer, tmp_path: Path) -> Iterator[Lab]:
    """A lab whose device Runtime's clients see."""
    name = f"sampled{next(_numbers)}"
    kind = {**QUBITS, "formats": '"qiskit.primitives"'}
    lab = Lab(lone, tmp_path / "sampled", device=name, kind=kind)
    text = lab.config.read_text().replace("[spec]", 'dialects = ["runtime"]\n[spec]')
    lab.config.write_text(text + 'gates = ["rz", "sx", "x", "cz"]\n')
    with lab:
        yield lab


def test_runtimes_sampler_runs_on_a_labs_device(sampled: Lab, http: httpx.Client) -> None:
    sampled.agent("last_bit_set")
    client = runtime.Client(http, sampled.server.token())
    assert sampled.device in client.get("/backends")["devices"]
    bell = pubs.circuit(pubs.bell())
    several = runtime.sampler([bell, pubs.array(), 10], [bell, pubs.array(), 25])
    found = client.results(client.submit(backend=sampled.device, params=several))
    for pub, shots in zip(found, (10, 25), strict=True):
        (register,) = pub["data"]["__value__"]["fields"].values()
        numbers = pubs.unpacked(register["__value__"]["array"])
        assert numbers.tolist() == [[1]] * shots


def test_a_twirled_program_runs_on_a_labs_device(sampled: Lab, http: httpx.Client) -> None:
    sampled.agent("last_bit_set")
    client = runtime.Client(http, sampled.server.token())
    template, samplex = executor.twirled(pubs.bell())
    item = executor.samplex_item(samplex, (20,))
    program = executor.params(executor.circuits(template), item, shots=5)
    job = client.submit(program_id="executor", backend=sampled.device, params=program)
    assert client.ended(job)["status"] == "Completed"
    (found,) = client.call("GET", f"/jobs/{job}/results").json()["data"]
    flips = executor.array(found["results"]["measurement_flips.c"])
    assert flips.shape == (20, 1, 2)
    assert 0 < flips.mean() < 1
    assert (executor.array(found["results"]["c"]) == [True, False]).all()


def test_runtimes_estimator_runs_on_a_labs_device(sampled: Lab, http: httpx.Client) -> None:
    """A pub of two sets of values, each with its own runs."""
    sampled.agent("noisy_for_runtime")
    client = runtime.Client(http, sampled.server.token())
    values = pubs.array([[0.0], [np.pi]])
    pub = [pubs.circuit(pubs.turned(2)), [[{"IZ": 1.0}], [{"ZI": 1.0}]], values]
    asked = pubs.params(pub, resilience_level=1, seed_estimator=7)
    job = client.submit(program_id="estimator", backend=sampled.device, params=asked)
    (found,) = client.results(job)
    fields = found["data"]["__value__"]["fields"]
    evs, stds = [pubs.unpacked(fields[name]) for name in ("evs", "stds")]
    assert (np.abs(evs - [[1, -1], [1, 1]]) <= 4 * stds + 1e-9).all()
    assert found["metadata"]["executed"] == {"circuits": 2 * 64, "shots": 2 * 8192}


def test_simulators_compile_nothing(http: httpx.Client) -> None:
    job = http.post("/v1/jobs", json={"device": "simulator", "program": BELL_QASM}).json()["id"]
    assert ended(http, job) == "completed"
    found = http.get(f"/v1/jobs/{job}/parts/0/compiled")
    assert found.status_code == 404
    assert "only jobs on labs' devices have one" in found.json()["detail"]


def test_the_example_of_a_lab_serves_a_simulator_as_its_machine(
    lone: LiveServer, http: httpx.Client, tmp_path: Path
) -> None:
    folder = ROOT / "examples" / "lab"
    with Lab(lone, tmp_path / "lab") as lab:
        push = ("agent", "push-config", str(folder / "machine.toml"))
        assert run_cli(*push, env=lab.environment()).returncode == 0
        command = [sys.executable, "-m", "qwicket", "agent", "--device", DEVICE]
        with (tmp_path / "agent.log").open("w") as log:
            agent = subprocess.Popen(
                [*command, "--run", "machine:run"],
                cwd=folder,
                env={**os.environ, **lab.environment()},
                stdout=log,
                stderr=log,
            )
        try:
            job = submit(http, shots=500)
            assert ended(http, job) == "completed"
            counts = http.get(f"/v1/jobs/{job}/result").json()["parts"][0]["counts"]
            assert set(counts) == {"00", "11"}
            assert sum(counts.values()) == 500
        finally:
            agent.terminate()
            agent.wait(30)
