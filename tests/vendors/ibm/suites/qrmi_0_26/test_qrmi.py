"""qrmi 0.26.4, unmodified, by its variables `QRMI_IBM_QCS_*`: the interface of HPC schedulers."""

import json
import os
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime.json import RuntimeEncoder
from qrmi import (
    AuthenticationFailedError,
    InvalidInputError,
    Payload,
    QuantumResource,
    ResourceStatusCode,
    ResourceType,
    TaskStatus,
)
from qrmi.primitives.ibm import EstimatorV2, SamplerV2, get_backend

from support.platform_client import BASE, TOKEN, bell, connect, fitted, held

MACHINE = "qwicket_line5"
SIMULATOR = "qwicket_simulator"
ABSENT = "0197a0b0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def crn():
    return connect().active_instance()


def resource(name, crn, token=TOKEN):
    settings = {
        "ENDPOINT": f"{BASE}/api/v1",
        "IAM_ENDPOINT": f"{BASE}/iam",
        "IAM_APIKEY": token,
        "SERVICE_CRN": crn,
        "SESSION_MODE": "batch",
        "TIMEOUT_SECONDS": "60",
    }
    os.environ.update({f"{name}_QRMI_IBM_QCS_{key}": text for key, text in settings.items()})
    return QuantumResource(name, ResourceType.IBMQuantumComputeService)


@pytest.fixture
def machine(crn):
    found = resource(MACHINE, crn)
    lock = found.acquire()
    yield found
    found.release(lock)


@pytest.fixture
def simulator(crn):
    return resource(SIMULATOR, crn)


def test_a_resource_says_what_it_is(machine):
    assert machine.metadata()["backend_name"] == MACHINE
    assert machine.status().status == ResourceStatusCode.Online
    target = json.loads(machine.target().value)
    assert target["configuration"]["n_qubits"] == 5
    assert len(target["properties"]["qubits"]) == 5
    backend = get_backend(machine)
    assert backend.target["cx"][(0, 1)].error == pytest.approx(0.01001)


def test_a_session_opens_and_closes_with_its_resource(crn):
    service = connect()
    found = resource(MACHINE, crn)
    lock = found.acquire()
    details = service._get_api_client().session_details(lock)
    assert (details["mode"], details["accepting_jobs"]) == ("batch", True)
    found.release(lock)
    assert service._get_api_client().session_details(lock)["accepting_jobs"] is False


def test_primitives_of_qrmi_run_on_a_twin(machine):
    backend = get_backend(machine)
    (isa,) = fitted(bell(), backend)
    counts = SamplerV2(machine).run([(isa, None, 2_000)]).result()[0].data.c.get_counts()
    assert counts["00"] + counts["11"] > 1_700
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.rx(theta, 0)
    isa, z = fitted(circuit, backend, SparsePauliOp("Z"))
    angles = np.linspace(0, np.pi, 3)
    (found,) = EstimatorV2(machine).run([(isa, z, angles[:, np.newaxis], 0.02)]).result()
    assert np.allclose(found.data.evs, np.cos(angles), atol=0.2)


def task(of, circuit, shots):
    body = {"pubs": [(circuit, None, shots)], "options": {}, "version": 2, "support_qiskit": True}
    text = json.dumps(body, cls=RuntimeEncoder)
    return of.task_start(Payload.QiskitPrimitive(input=text, program_id="sampler"))


def test_a_task_is_stopped_and_deleted(simulator):
    started = task(simulator, held(), 10)
    assert simulator.task_status(started) in (TaskStatus.Queued, TaskStatus.Running)
    simulator.task_stop(started)
    deadline = time.monotonic() + 30
    while simulator.task_status(started) != TaskStatus.Cancelled:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_errors_are_those_of_the_server(simulator, crn):
    with pytest.raises(RuntimeError):
        simulator.task_status(ABSENT)
    with pytest.raises(InvalidInputError, match="pubs"):
        simulator.task_start(Payload.QiskitPrimitive(input="{}", program_id="sampler"))
    wrong = resource("qwicket_heavyhex27", crn, "wrong")
    with pytest.raises(AuthenticationFailedError, match="A valid token is needed"):
        task(wrong, bell(), 10)
