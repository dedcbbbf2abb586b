"""The client-side primitives of the unmodified client, which send programs of the executor."""

from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit_ibm_runtime import Executor, executor_sampler
from qiskit_ibm_runtime.exceptions import IBMRuntimeError
from qiskit_ibm_runtime.quantum_program import QuantumProgram

from support.platform_client import bell, connect, fitted
from support.vendors import bound, distance, within

# Named so since 0.50.
Sampler: Any = getattr(executor_sampler, "Sampler", None) or executor_sampler.SamplerV2


@pytest.fixture(scope="module")
def service():
    return connect()


@pytest.fixture(scope="module", params=["qwicket_simulator", "qwicket_line5"])
def backend(request, service):
    return service.backend(request.param)


def test_a_bell_pair_by_the_executors_sampler(backend):
    (isa,) = fitted(bell(), backend)
    job = Sampler(backend).run([isa], shots=4000)
    assert job.primitive_id == "executor"
    counts = job.result()[0].data.c.get_counts()
    exact = {"00": 0.5, "11": 0.5}
    noise = 0 if backend.simulator else 0.1
    found = {key: n / 4000 for key, n in counts.items()}
    assert distance(found, exact) < bound(exact, 4000) + noise


def test_pubs_keep_their_shapes_and_registers(service):
    simulator = service.backend("qwicket_simulator")
    theta = Parameter("theta")
    circuit = QuantumCircuit(
        QuantumRegister(11), ClassicalRegister(2, "a"), ClassicalRegister(9, "b")
    )
    circuit.rx(theta, [0, 10])
    circuit.x(3)
    circuit.measure(range(11), range(11))
    isa, plain = (fitted(each, simulator)[0] for each in (circuit, bell()))
    values = np.array([[[0.0], [np.pi], [0.0]], [[np.pi], [np.pi], [0.0]]])
    pubs = [(isa, values), (plain,), (isa, np.zeros((2, 0, 1)))]
    result = Sampler(simulator).run(pubs, shots=30).result()
    turned = values[..., 0] > 0
    a, b = result[0].data.a, result[0].data.b
    assert (a.shape, a.num_shots, a.num_bits) == ((2, 3), 30, 2)
    assert (b.shape, b.num_shots, b.num_bits) == ((2, 3), 30, 9)
    for place in np.ndindex(2, 3):
        assert a[place].get_counts() == {"01" if turned[place] else "00": 30}
        assert b[place].get_counts() == {("1" if turned[place] else "0") + "00000010": 30}
    assert result[1].data.c.num_shots == 30
    assert result[2].data.b.array.shape == (2, 0, 30, 2)


def test_a_quantum_program_keeps_its_shape_and_comes_back_with_its_data(service):
    simulator = service.backend("qwicket_simulator")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("theta"), 0)
    circuit.measure(0, 0)
    program = QuantumProgram(shots=8, passthrough_data={"mine": [1, "two"]})
    values = np.array([[[0.0], [np.pi]]] * 3)
    program.append_circuit_item(circuit, circuit_arguments=values)
    result = Executor(simulator).run(program).result()
    assert result.passthrough_data == {"mine": [1, "two"]}
    bits = result[0]["c"]
    assert bits.shape == (3, 2, 8, 1)
    assert (bits[..., 0] == np.array([False, True])[:, np.newaxis]).all()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"init_qubits": False}, "options.init_qubits: must be true"),
        ({"scheduler_timing": True}, "options.scheduler_timing: simulated circuits"),
    ],
)
def test_options_that_would_change_the_result_are_refused_by_name(service, options, named):
    program = QuantumProgram(shots=8)
    program.append_circuit_item(bell())
    executor = Executor(service.backend("qwicket_simulator"), options={"execution": options})
    with within(), pytest.raises(IBMRuntimeError, match=named):
        executor.run(program)
