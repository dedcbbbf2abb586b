"""sqooler 0.9.0, unmodified: its spooler and main loop, with our storage in place of a folder."""

import json
import os
import threading
import urllib.request
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from sqooler.schemes import ExperimentDict, GateInstruction
from sqooler.spoolers import Spooler
from sqooler.utils import main, update_backends

from qwicket.vendors.qlued.sqooler import Storage
from support.vendors import within

URL = os.environ["QWICKET_URL"]
DEVICE = "labqudit"


class Kick(GateInstruction):
    """A gate that no simulator here knows."""

    name: Literal["kick"] = "kick"
    wires: list[int] = Field(min_length=1, max_length=1)
    params: list[float] = Field(min_length=2, max_length=2)
    parameters: str = "omega, delta"
    description: str = "Kick the atoms"
    coupling_map: list[list[int]] = Field(default=[[0], [1], [2]])
    qasm_def: str = "gate kick(omega, delta) {}"


class Measure(BaseModel):
    name: Literal["measure"]
    wires: list[int]
    params: list[float] = Field(max_length=0)


class Experiment(BaseModel):
    wire_order: Literal["interleaved", "sequential"] = "sequential"
    shots: int = Field(gt=0, le=500)
    num_wires: int = Field(ge=1, le=3)
    instructions: list[list[Any]]
    seed: int | None = None


def measured(name, experiment):
    """Give as many atoms as there are kicks, on each measured wire."""
    kicks = sum(gate.name == "kick" for gate in experiment.instructions)
    if kicks > 3:
        raise ValueError("The trap is open.")
    columns = sum(gate.name == "measure" for gate in experiment.instructions)
    memory = [" ".join([str(kicks)] * columns)] * experiment.shots if columns else []
    return ExperimentDict(
        header={"name": name, "extra metadata": "text"},
        shots=experiment.shots,
        success=True,
        data={"memory": memory, "instructions": experiment.instructions},
    )


def make_spooler():
    spooler = Spooler(
        ins_schema_dict={"kick": Kick, "measure": Measure},
        device_config=Experiment,
        n_wires=3,
        description="Atoms on a bench",
        n_max_shots=500,
        version="0.7",
    )
    spooler.gen_circuit = measured
    return spooler


@pytest.fixture(scope="module")
def backends():
    return {DEVICE: make_spooler()}


@pytest.fixture(scope="module")
def storage(backends):
    made = Storage(URL, os.environ["QWICKET_LAB_TOKEN"])
    backends[DEVICE].display_name = DEVICE
    update_backends(made, backends)
    return made


def call(method, path, body=None):
    request = urllib.request.Request(
        URL + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {os.environ['QWICKET_TOKEN']}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def experiment(*kicks, measure=(0, 1), shots=4, **more):
    gates = [["kick", [wire], [0.1, 0.2]] for wire in kicks]
    gates += [["measure", [wire], []] for wire in measure]
    return {"instructions": gates, "num_wires": 3, "shots": shots, **more}


def submit(*experiments):
    program = {f"experiment_{k}": each for k, each in enumerate(experiments)}
    body = {"device": DEVICE, "format": "qlued.lab", "program": program, "outputs": ["samples"]}
    return call("POST", "/v1/jobs", {**body, "shots": 4})["id"]


def run_one(storage, backends):
    with within(60):
        main(storage, backends, num_iter=1)


def test_the_spoolers_configuration_is_the_devices(storage):
    shown = call("GET", f"/v1/devices/{DEVICE}")
    assert (shown["qubits"], shown["max_shots"]) == (3, 500)
    assert (shown["family"], shown["provider"]) == ("atoms", "vendor")
    assert shown["gates"] == ["kick"]


def test_announcing_the_same_device_twice_is_fine(storage, backends):
    update_backends(storage, backends)


def test_the_main_loop_runs_a_job_and_its_shots_come_back(storage, backends):
    job = submit(experiment(0, 1), experiment(2, measure=(2,), shots=2))
    run_one(storage, backends)
    assert call("GET", f"/v1/jobs/{job}?wait=30")["state"] == "completed"
    parts = call("GET", f"/v1/jobs/{job}/result")["parts"]
    assert [part["samples"] for part in parts] == [[[2, 2]] * 4, [[1]] * 2]


def test_a_job_without_measurements_gives_empty_shots(storage, backends):
    job = submit(experiment(0, measure=()))
    run_one(storage, backends)
    assert call("GET", f"/v1/jobs/{job}?wait=30")["state"] == "completed"


def test_numbers_that_come_as_floats_are_taken(storage, backends):
    job = submit(experiment(0, shots=4.0))
    run_one(storage, backends)
    assert call("GET", f"/v1/jobs/{job}?wait=30")["state"] == "completed"


def test_a_job_that_the_spooler_refuses_fails_with_its_reason(storage, backends):
    job = submit({**experiment(), "instructions": [["twist", [0], [1.0]]]})
    run_one(storage, backends)
    error = call("GET", f"/v1/jobs/{job}?wait=30")["error"]
    assert error["code"] == "device_failed"
    assert "Instruction twist not allowed." in error["message"]


def test_a_job_that_fails_in_the_machine_fails_with_its_reason(storage, backends):
    job = submit(experiment(0, 1, 2, 0))
    run_one(storage, backends)
    assert "The trap is open." in call("GET", f"/v1/jobs/{job}?wait=30")["error"]["message"]


def test_users_of_qlued_find_the_machine_under_its_labs_name(storage, backends):
    """The whole way: a plain client of qlued's API, its dialect, the main loop, and back."""
    base = f"/qlued/api/v2/vendor_{DEVICE}_simulator"
    shown = call("GET", f"{base}/get_config")
    assert (shown["n_qubits"], shown["basis_gates"]) == (3, ["kick"])
    assert shown["gates"][0]["parameters"] == ["omega, delta"]
    assert shown["supported_instructions"] == ["kick", "measure"]
    assert call("GET", f"{base}/get_backend_status")["operational"]
    token = os.environ["QWICKET_TOKEN"]
    program = json.dumps({"experiment_0": experiment(0, 1, shots=2)})
    job = call("POST", f"{base}/post_job", {"job": program, "token": token})["job_id"]
    run_one(storage, backends)
    result = call("GET", f"{base}/get_job_result?job_id={job}&token={token}")
    assert result["status"] == "DONE"
    assert result["results"][0]["data"]["memory"] == ["2 2", "2 2"]


def test_without_jobs_the_main_loop_goes_round(storage, backends):
    with within(60):
        main(storage, backends, num_iter=3)


def test_two_spoolers_of_one_device_share_its_jobs(storage, backends):
    jobs = [submit(experiment(0)) for _ in range(6)]
    other = Storage(URL, os.environ["QWICKET_LAB_TOKEN"])
    pair = [
        threading.Thread(target=main, args=(each, {DEVICE: make_spooler()}, 6))
        for each in (storage, other)
    ]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join(60)
    states = [call("GET", f"/v1/jobs/{job}?wait=30") for job in jobs]
    assert [(each["state"], each["version"]) for each in states] == [("completed", 3)] * 6


def test_a_token_that_serves_another_device_is_refused(backends):
    stranger = Storage(URL, os.environ["QWICKET_LAB_TOKEN"])
    with pytest.raises(Exception, match="does not serve the device other"):
        update_backends(stranger, {"other": backends[DEVICE]})


def test_no_token_is_in_a_storages_representation(storage):
    assert os.environ["QWICKET_LAB_TOKEN"] not in repr(storage) + repr(vars(storage))
