"""The unmodified Amazon Braket SDK, configured by environment variables alone.

Expected values follow from the programs: Bell pairs, rotations, channels as sums of Kraus matrices
(Nielsen and Chuang, section 8.3), and atoms by Rabi's formula.
"""

import functools
import os
import time
from math import cos, pi, sin, sqrt

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from braket.ahs import AnalogHamiltonianSimulation, AtomArrangement, DrivingField
from braket.aws import AwsDevice, AwsQuantumTask, AwsSession
from braket.circuits import Circuit, FreeParameter, Observable
from braket.device_schema.ionq import IonqDeviceParameters
from braket.devices import Devices
from braket.error_mitigation import Debias
from braket.ir.openqasm import Program
from braket.program_sets import CircuitBinding, ProgramSet
from braket.tasks import GateModelQuantumTaskResult
from braket.timings import TimeSeries

from support.repetitions import runs

URL = os.environ["QWICKET_URL"]
SV1 = "arn:aws:braket:::device/quantum-simulator/qwicket/sv1"
DM1 = "arn:aws:braket:::device/quantum-simulator/qwicket/dm1"
TWIN = "arn:aws:braket:us-east-1::device/qpu/qwicket/qwicket_line5"
RYDBERG = "arn:aws:braket:us-east-1::device/qpu/qwicket/rydberg"
REGION = "us-east-1"


@pytest.fixture(autouse=True, scope="module")
def environment():
    """What `qwicket env braket` prints, and nothing of this machine's user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AMZN_BRAKET_OUT_S3_BUCKET"):
            patch.delenv(name, raising=False)
        for name in ("braket", "s3", "sts"):
            patch.setenv(f"AWS_ENDPOINT_URL_{name.upper()}", f"{URL}/{name}")
        key_id, secret = os.environ["QWICKET_AWS_KEYS"].split()
        patch.setenv("AWS_ACCESS_KEY_ID", key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


def client(service, keys=None, region=REGION, **config):
    key_id, secret = (keys or os.environ["QWICKET_AWS_KEYS"]).split()
    return boto3.client(
        service,
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def code(error):
    return error.value.response["Error"]["Code"]


def status(error):
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def bell():
    return Circuit().h(0).cnot(0, 1)


device_of = functools.cache(AwsDevice)
"""Return a device with a session, which takes a third of a second to make."""


def run(circuit, shots, device=SV1, **options):
    task = device_of(device).run(
        circuit, shots=shots, poll_timeout_seconds=60, poll_interval_seconds=0.05, **options
    )
    result = task.result()
    assert result is not None, task.metadata()
    return result


def complexes(pairs):
    """A density matrix, which the SDK leaves as pairs of real and imaginary parts."""
    return np.array(pairs) @ [1, 1j]


# --- devices --------------------------------------------------------------------------------------


def test_devices_are_found_by_name():
    names = {device.name for device in AwsDevice.get_devices()}
    assert {"SV1", "DM1", "qwicket_line5", "rydberg"} <= names
    (found,) = AwsDevice.get_devices(names=["SV1"])
    assert (found.arn, found.name) == (SV1, "SV1")


def test_simulators_have_the_arns_of_amazon_too():
    for arn, own in ((Devices.Amazon.SV1, SV1), (Devices.Amazon.DM1, DM1)):
        (found,) = AwsDevice.get_devices(arns=[arn])
        assert found.arn == own
    device = AwsDevice(Devices.Amazon.SV1)
    assert device.is_available
    task = device.run(bell(), shots=10)
    assert set(task.result().measurement_counts) <= {"00", "11"}
    assert task.metadata()["deviceArn"] == SV1
    filters = [{"name": "deviceArn", "operator": "EQUAL", "values": [Devices.Amazon.SV1]}]
    found = client("braket").search_quantum_tasks(filters=filters)["quantumTasks"]
    assert found[0]["quantumTaskArn"] == task.id


def test_the_account_has_twelve_digits():
    account = client("sts").get_caller_identity()["Account"]
    assert len(account) == 12
    assert account.isdigit()


@pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")  # of newer Python
@pytest.mark.parametrize("arn", [SV1, DM1, TWIN])
def test_capabilities_fit_the_schemas(arn):
    device = AwsDevice(arn)
    assert device.is_available
    assert device.properties is not None
    assert device.properties.service.shotsRange[1] >= 1000
    assert "cnot" in device.properties.action["braket.ir.openqasm.program"].supportedOperations
    depth = device.queue_depth()
    assert depth.jobs == "0"


def test_a_machine_has_its_connectivity():
    graph = AwsDevice(TWIN).topology_graph
    assert set(graph.edges) >= {(0, 1), (1, 0), (3, 4), (4, 3)}


def test_an_unknown_device_is_not_found():
    with pytest.raises(ValueError, match="not found"):
        AwsDevice(SV1 + "-other")


# --- results --------------------------------------------------------------------------------------


def test_a_bell_pair_comes_back():
    result = run(bell(), 1000)
    counts = result.measurement_counts
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000
    assert abs(counts["00"] - 500) < 6 * sqrt(250)
    assert result.measured_qubits == [0, 1]


def test_qubit_0_is_the_leftmost_bit():
    assert run(Circuit().x(0).i(1), 10).measurement_counts == {"10": 10}


def test_only_measured_qubits_are_in_the_result():
    result = run(Circuit().x(0).i(1).x(2).measure(0).measure(2), 10)
    assert result.measurement_counts == {"11": 10}
    assert result.measured_qubits == [0, 2]


def test_exact_results_have_known_values():
    circuit = (
        Circuit().ry(0, 0.3).cnot(0, 1).s(1)
        .state_vector()
        .probability([1])
        .probability()
        .expectation(Observable.Z() @ Observable.Z(), [0, 1])
        .expectation(Observable.X() @ Observable.Y(), [0, 1])
        .variance(Observable.Z(), 0)
        .amplitude(["00", "11"])
        .density_matrix([0])
    )  # fmt: skip
    result = run(circuit, 0)
    c, s = cos(0.15), sin(0.15)
    state, p1, p, zz, xy, var, amplitudes, rho = result.values
    assert np.allclose(state, [c, 0, 0, 1j * s])
    assert np.allclose(p1, [c * c, s * s])
    assert np.allclose(p, [c * c, 0, 0, s * s])
    assert zz == pytest.approx(1)
    # <ψ|XY|ψ> with ψ = c|00⟩ + is|11⟩: 2 Re(c · (-i) · is) = 2cs = sin 0.3
    assert xy == pytest.approx(sin(0.3))
    assert var == pytest.approx(sin(0.3) ** 2)
    assert amplitudes["00"] == pytest.approx(c)
    assert amplitudes["11"] == pytest.approx(1j * s)
    assert np.allclose(complexes(rho), [[c * c, 0], [0, s * s]])


def test_a_hermitian_observable_and_one_on_all_qubits():
    matrix = np.array([[1, 1 - 1j], [1 + 1j, -1]])
    circuit = Circuit().h(0).z(1).expectation(Observable.Hermitian(matrix), [0])
    circuit.expectation(Observable.Z())
    mean, each = run(circuit, 0).values
    assert mean == pytest.approx(1)  # the sum of all entries over 2
    assert np.allclose(each, [0, 1])


def test_results_from_shots_agree_with_exact_ones():
    matrix = np.array([[1, 1 - 1j], [1 + 1j, -1]])
    circuit = (
        Circuit().ry(0, 0.8).cnot(0, 1).h(2).ry(3, 0.6)
        .expectation(Observable.X() @ Observable.X(), [0, 1])
        .variance(Observable.X(), 0)
        .sample(Observable.Hermitian(matrix), [2])
        .probability([3])
    )  # fmt: skip
    shots = 4000
    mean, variance, sample, p = run(circuit, shots).values
    assert mean == pytest.approx(sin(0.8), abs=5 / sqrt(shots))
    assert variance == pytest.approx(1, abs=5 / sqrt(shots))
    assert len(sample) == shots
    assert set(np.round(sample, 6)) == {round(sqrt(3), 6), round(-sqrt(3), 6)}
    assert np.mean(sample) == pytest.approx(1, abs=5 * sqrt(3 / shots))
    assert p == pytest.approx([cos(0.3) ** 2, sin(0.3) ** 2], abs=5 * sqrt(0.25 / shots))


def test_parameters_are_filled_at_the_run():
    circuit = Circuit().rx(0, FreeParameter("theta")).expectation(Observable.Z(), 0)
    assert run(circuit, 0, inputs={"theta": 1.1}).values[0] == pytest.approx(cos(1.1))


def test_a_gradient_is_exact():
    """⟨Z₀Z₁⟩ = cos c after ry(a) and rx(c) on an entangled pair; ⟨Z₀⟩ = cos a."""
    a, c = FreeParameter("a"), FreeParameter("c")
    circuit = Circuit().ry(0, a).cnot(0, 1).rx(1, c)
    observable = 2 * Observable.Z(0) @ Observable.Z(1) - 3 * Observable.Z(0)
    circuit.adjoint_gradient(observable, parameters=["a", "c"])
    (value,) = run(circuit, 0, inputs={"a": 0.4, "c": 1.1}).values
    assert value["expectation"] == pytest.approx(2 * cos(1.1) - 3 * cos(0.4), abs=1e-12)
    assert value["gradient"]["a"] == pytest.approx(3 * sin(0.4), abs=1e-12)
    assert value["gradient"]["c"] == pytest.approx(-2 * sin(1.1), abs=1e-12)
    product = Circuit().rx(0, 2 * a).adjoint_gradient(Observable.Z(0))
    (value,) = run(product, 0, inputs={"a": 0.4}).values
    assert value["gradient"] == {"a": pytest.approx(-2 * sin(0.8), abs=1e-12)}


def test_a_program_set_comes_back_with_its_observables():
    theta = FreeParameter("theta")
    angles = [0.3, 1.2]
    turned = CircuitBinding(
        Circuit().ry(0, theta),
        input_sets={"theta": angles},
        observables=[Observable.Z(0), Observable.X(0)],
    )
    shots = 4000
    programs = ProgramSet([bell(), turned], shots_per_executable=shots)
    task = AwsDevice(SV1).run(programs, poll_interval_seconds=0.05)
    result = task.result()
    assert task.metadata()["actionMetadata"] == {
        "actionType": "braket.ir.openqasm.program_set",
        "programCount": 2,
        "executableCount": 5,
    }
    assert result.task_metadata.requestedShots == 5 * shots
    assert result.task_metadata.successfulShots == 5 * shots
    ((pair,), found) = (entry.entries for entry in result.entries)
    assert set(pair.counts) == {"00", "11"}
    assert sum(pair.counts.values()) == shots
    expected = [value for angle in angles for value in (cos(angle), sin(angle))]
    assert [each.expectation for each in found] == pytest.approx(expected, abs=5 / sqrt(shots))


def test_a_program_set_names_its_wrong_program():
    wrong = Program(source="OPENQASM 3.0;\nqubit[1] q;\nfoo q[0];")
    with pytest.raises(ClientError, match="First failure") as refused:
        AwsDevice(SV1).run(ProgramSet([bell(), wrong], shots_per_executable=5))
    (failure,) = refused.value.response["programSetValidationFailures"]
    assert (failure["programIndex"], failure["inputsIndex"]) == (1, 0)
    assert "line 3" in failure["errors"][0]
    uneven = ProgramSet([bell(), bell()])
    with pytest.raises(ClientError, match="multiple of 2"):
        AwsDevice(SV1).run(uneven, shots=7)


def test_noise_gives_the_kraus_sum():
    circuit = Circuit().h(0).amplitude_damping(0, 0.2).phase_damping(0, 0.1).x(1)
    circuit.bit_flip(1, 0.3).density_matrix()
    (rho,) = run(circuit, 0, DM1).values
    off = 0.5 * sqrt(0.8) * sqrt(0.9)
    first = np.array([[0.6, off], [off, 0.4]])
    assert np.allclose(complexes(rho), np.kron(first, np.diag([0.3, 0.7])))


def test_noise_is_in_the_shots():
    counts = run(Circuit().x(0).bit_flip(0, 0.25), 4000, DM1).measurement_counts
    assert counts["0"] == pytest.approx(1000, abs=6 * sqrt(750))


def test_a_unitary_and_a_verbatim_box_run():
    circuit = Circuit().unitary(matrix=np.array([[0, 1j], [1j, 0]]), targets=[0])
    circuit.add_verbatim_box(Circuit().cnot(0, 1))
    result = run(circuit, 10, disable_qubit_rewiring=True)
    assert result.measurement_counts == {"11": 10}


GATES = {
    **dict.fromkeys(("i", "x", "y", "z", "h", "s", "si", "t", "ti", "v", "vi"), (1,)),
    **dict.fromkeys(("rx", "ry", "rz", "phaseshift", "gpi", "gpi2"), (1, 0.4)),
    "prx": (1, 0.3, 0.7),
    "u": (1, 0.3, 0.4, 0.5),
    **dict.fromkeys(("cnot", "cy", "cz", "cv", "swap", "iswap", "ecr"), (2,)),
    **dict.fromkeys(("xx", "yy", "zz", "xy", "pswap", "cphaseshift"), (2, 0.6)),
    **dict.fromkeys(("cphaseshift00", "cphaseshift01", "cphaseshift10"), (2, 0.6)),
    "ms": (2, 0.1, 0.2, 0.6),
    **dict.fromkeys(("ccnot", "cswap"), (3,)),
}
CHANGED = {
    "controls": lambda made: made.h(1, control=[0, 2]),
    "power": lambda made: made.x(0, power=0.5).s(1, power=-1),
    "phase": lambda made: made.gphase(0.35),
}


def prepared():
    """A state of three qubits in which every amplitude and phase is another one."""
    return Circuit().ry(0, 0.3).ry(1, 0.7).ry(2, 1.1).rz(0, 0.2).cnot(0, 1).rx(2, 0.4).cnot(1, 2)


@pytest.mark.parametrize("name", [*GATES, *CHANGED])
def test_every_gate_is_that_of_the_sdk(name):
    circuit = prepared()
    if name in CHANGED:
        CHANGED[name](circuit)
    else:
        width, *angles = GATES[name]
        getattr(circuit, name)(*range(int(width)), *angles)
    expected = circuit.to_unitary()[:, 0]
    (state,) = run(circuit.copy().state_vector(), 0).values
    assert np.allclose(state, expected)


KRAUS = [
    np.sqrt(0.7) * np.eye(4),
    np.sqrt(0.2) * np.kron([[0, 1], [1, 0]], [[1, 0], [0, 1j]]),
    np.sqrt(0.1) * np.diag([1, 1j, -1, 1]),
]
NOISES = {
    **dict.fromkeys(("bit_flip", "phase_flip", "depolarizing"), (1, 0.2)),
    **dict.fromkeys(("amplitude_damping", "phase_damping"), (1, 0.3)),
    "generalized_amplitude_damping": (1, 0.3, 0.4),
    "pauli_channel": (1, 0.1, 0.2, 0.3),
    **dict.fromkeys(("two_qubit_depolarizing", "two_qubit_dephasing"), (2, 0.2)),
    "kraus": (2,),
}


@pytest.mark.parametrize("name", NOISES)
def test_every_channel_is_the_sum_of_the_sdks_kraus_matrices(name):
    width, numbers = int(NOISES[name][0]), NOISES[name][1:]
    circuit = prepared()
    state = circuit.to_unitary()[:, 0]
    if name == "kraus":
        circuit.kraus([0, 1], KRAUS)
    else:
        getattr(circuit, name)(*range(width), *numbers)
    matrices = circuit.instructions[-1].operator.to_matrix()
    whole = [np.kron(np.asarray(each), np.eye(2 ** (3 - width))) for each in matrices]
    expected = sum(each @ np.outer(state, state.conj()) @ each.conj().T for each in whole)
    (rho,) = run(circuit.density_matrix(), 0, DM1).values
    assert np.allclose(complexes(rho), expected)
    assert not np.allclose(expected, np.outer(state, state.conj()))


def test_a_control_may_be_on_0():
    circuit = Circuit().x(2).i(0).x(1, control=[0, 2], control_state=[0, 1])
    assert run(circuit, 10).measurement_counts == {"011": 10}


def test_a_bell_pair_on_a_twin_has_its_noise():
    counts = run(bell(), 2000, TWIN).measurement_counts
    assert 0.8 < (counts["00"] + counts["11"]) / 2000 < 1
    assert len(counts) == 4


DEBIASED = IonqDeviceParameters(
    paradigmParameters={"qubitCount": 2}, errorMitigation=Debias().serialize()
)


def test_a_twin_is_debiased_as_the_sdk_asks():
    counts = run(bell(), 2000, TWIN, device_parameters=DEBIASED).measurement_counts
    assert sum(counts.values()) == 2000
    with pytest.raises(ClientError, match="debias_shots"):  # which says that it was asked for
        run(bell(), 100, TWIN, device_parameters=DEBIASED)


# --- atoms ----------------------------------------------------------------------------------------

OMEGA = 1.5e7
"""Rabi frequency in radians per second."""


def atoms(number, seconds, *, spacing=5e-6, detuning=0.0):
    """A program of a chain under constant fields."""
    chain = AtomArrangement()
    for k in range(number):
        chain.add((k * spacing, 0))

    def constant(value):
        return TimeSeries().put(0, value).put(seconds, value)

    drive = DrivingField(amplitude=constant(OMEGA), phase=constant(0), detuning=constant(detuning))
    return AnalogHamiltonianSimulation(register=chain, hamiltonian=drive)


@pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")  # of newer Python
def test_the_capabilities_of_atoms_fit_their_schema():
    device = AwsDevice(RYDBERG)
    assert device.type == "QPU"
    assert device.properties.paradigm.qubitCount == 5
    assert float(device.properties.paradigm.rydberg.c6Coefficient) == 5.42e-24
    assert set(device.properties.action) == {"braket.ir.ahs.program"}
    assert device.queue_depth().jobs == "0"


@pytest.mark.parametrize("detuning", [0.0, 0.7 * OMEGA])
def test_one_atom_follows_rabis_formula(detuning):
    """p = Ω²/(Ω² + Δ²) sin²(√(Ω² + Δ²) t/2): Rabi, Phys. Rev. 51, 652 (1937)."""
    seconds, shots = 1.3e-7, 4000
    program = atoms(1, seconds, detuning=detuning).discretize(AwsDevice(RYDBERG))
    whole = sqrt(OMEGA**2 + detuning**2)
    expected = (OMEGA / whole * sin(whole * seconds / 2)) ** 2
    excited = run(program, shots, RYDBERG).get_counts()["r"] / shots
    assert excited == pytest.approx(expected, abs=5 * sqrt(0.25 / shots))


def test_neighbours_block_each_other():
    """A blockaded pair oscillates √2 times faster between gg and (rg + gr)/√2.

    Both are excited with a probability of about (Ω/V)²/2, which is 6e-5 for V = C₆/r⁶.
    """
    counts = run(atoms(2, pi / (sqrt(2) * OMEGA), spacing=4e-6), 1000, RYDBERG).get_counts()
    assert counts["rg"] + counts["gr"] > 980
    assert abs(counts["rg"] - counts["gr"]) < 160
    assert counts.get("rr", 0) <= 5


def test_atoms_that_are_far_apart_do_not():
    counts = run(atoms(2, pi / OMEGA, spacing=5e-5), 200, RYDBERG).get_counts()
    assert counts["rr"] > 190


def test_a_task_of_atoms_is_found_again():
    task = AwsDevice(RYDBERG).run(atoms(3, 1e-7), shots=10, poll_interval_seconds=0.05)
    again = AwsQuantumTask(task.id)
    result = again.result()
    assert result.task_metadata.shots == 10
    assert [list(each.pre_sequence) for each in result.measurements] == [[1, 1, 1]] * 10
    assert again.metadata()["actionMetadata"]["actionType"] == "braket.ir.ahs.program"


@pytest.mark.parametrize(
    ("program", "shots", "device", "said"),
    [
        (atoms(6, 1e-7), 10, RYDBERG, "register.sites must be 1 to 5 places"),
        (atoms(1, 1e-7), 0, RYDBERG, "at least 1 shot"),
        (atoms(1, 1e-7), 10, SV1, "ahs"),
        (bell(), 10, RYDBERG, "ahs"),
    ],
)
def test_what_the_atoms_cannot_do_is_refused(program, shots, device, said):
    with pytest.raises(ClientError, match=said) as error:
        AwsDevice(device).run(program, shots=shots)
    assert code(error) == "ValidationException"


# --- tasks ----------------------------------------------------------------------------------------


def test_a_task_is_found_again_by_its_arn():
    task = AwsDevice(SV1).run(bell(), shots=10, tags={"course": "qc"})
    task.result()
    again = AwsQuantumTask(task.id)
    assert again.state() == "COMPLETED"
    assert isinstance(again.result(), GateModelQuantumTaskResult)
    metadata = again.metadata()
    assert metadata["shots"] == 10
    assert metadata["tags"] == {"course": "qc"}
    assert metadata["outputS3Directory"] == f"tasks/{task.id.rpartition('/')[2]}"
    assert again.queue_position().queue_position is None


def test_a_batch_of_tasks_comes_back():
    circuits = [Circuit().rx(0, pi * k / 4).expectation(Observable.Z(), 0) for k in range(5)]
    batch = AwsDevice(SV1).run_batch(circuits, shots=0)
    assert [each.values[0] for each in batch.results()] == pytest.approx(
        [cos(pi * k / 4) for k in range(5)]
    )


def test_many_tasks_at_once_come_back_in_their_order():
    n = runs(25, long=100)  # the SDK asks for each until the last is made: the cost is quadratic
    circuits = [Circuit().rx(0, pi * k / n).expectation(Observable.Z(), 0) for k in range(n)]
    batch = AwsDevice(SV1).run_batch(circuits, shots=0, max_parallel=n, max_connections=n)
    assert [each.values[0] for each in batch.results()] == pytest.approx(
        [cos(pi * k / n) for k in range(n)]
    )
    assert len({task.id for task in batch.tasks}) == n


CREATE = {
    "deviceArn": SV1,
    "outputS3Bucket": "amazon-braket-test",
    "outputS3KeyPrefix": "tasks",
    "shots": 5,
    "action": Program(source="OPENQASM 3.0;\nqubit[1] q;\nx q[0];").json(),
}


def test_a_client_token_makes_one_task():
    braket = client("braket")
    first = braket.create_quantum_task(clientToken="t-1", **CREATE)["quantumTaskArn"]
    assert braket.create_quantum_task(clientToken="t-1", **CREATE)["quantumTaskArn"] == first
    with pytest.raises(ClientError) as refused:
        braket.create_quantum_task(clientToken="t-1", **{**CREATE, "shots": 6})
    assert code(refused) == "ValidationException"


def test_tasks_are_searched_with_pages():
    braket = client("braket")
    made = [braket.create_quantum_task(**CREATE)["quantumTaskArn"] for _ in range(3)]
    filters = [{"name": "deviceArn", "operator": "EQUAL", "values": [SV1]}]
    pages = braket.get_paginator("search_quantum_tasks").paginate(
        filters=filters, PaginationConfig={"PageSize": 2, "MaxItems": 6}
    )
    found = [each["quantumTaskArn"] for page in pages for each in page["quantumTasks"]]
    assert found[:3] == made[::-1]
    filters = [{"name": "status", "operator": "EQUAL", "values": ["FAILED"]}]
    assert braket.search_quantum_tasks(filters=filters)["quantumTasks"] == []


def test_tags_change():
    braket = client("braket")
    arn = braket.create_quantum_task(tags={"a": "1"}, **CREATE)["quantumTaskArn"]
    braket.tag_resource(resourceArn=arn, tags={"b=c": "2", "d": ""})
    braket.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert braket.list_tags_for_resource(resourceArn=arn)["tags"] == {"b=c": "2", "d": ""}


def test_a_completed_task_cannot_be_cancelled():
    task = AwsDevice(SV1).run(bell(), shots=10)
    task.result()
    with pytest.raises(ClientError) as refused:
        client("braket").cancel_quantum_task(quantumTaskArn=task.id, clientToken="c")
    assert code(refused) == "ConflictException"
    assert status(refused) == 409


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"action": Program(source="OPENQASM 3.0;\nqubit[1] q;\nfoo q[0];").json()}, "line 3"),
        ({"action": Program(source="OPENQASM 3.0;\nqubit[1] q;\nx q[0]").json()}, "line 3"),
        ({"action": "{}"}, "action"),
        ({"action": "nothing"}, "JSON"),
        ({"shots": 0}, "shots"),
        ({"shots": 10**7}, "shots"),
        ({"deviceArn": SV1 + "2"}, "device"),
        ({"deviceArn": "sv1"}, "ARN"),
        (
            {"deviceParameters": '{"errorMitigation": [{"type": "pec"}]}'},
            f'"pec" is not supported, only {Debias().serialize()[0].type.value}.',
        ),
        ({"deviceParameters": '{"errorMitigation": "all"}'}, "must be a list"),
        ({"deviceParameters": DEBIASED.json()}, "only single programs on machines"),
        (
            {"action": Program(source="qubit q;\n#pragma braket noise bit_flip(0.1) q").json()},
            "noise",
        ),
        (
            {"action": Program(source="qubit[1] q;\n#pragma braket result state_vector").json()},
            "shots=0",
        ),
    ],
)
def test_a_wrong_task_is_refused_at_its_creation(change, said):
    with pytest.raises(ClientError) as refused:
        client("braket").create_quantum_task(**{**CREATE, **change})
    assert code(refused) == "ValidationException"
    assert said in str(refused.value)


def test_hybrid_jobs_are_refused_by_name():
    with pytest.raises(ClientError) as refused:
        client("braket").search_jobs(filters=[])
    assert code(refused) == "NotImplementedException"


# --- keys -----------------------------------------------------------------------------------------


REFUSED = {
    "braket": ("UnrecognizedClientException", "InvalidSignatureException"),
    "sts": ("InvalidClientTokenId", "SignatureDoesNotMatch"),
    "s3": ("InvalidAccessKeyId", "SignatureDoesNotMatch"),
}
ASK = {
    "braket": lambda to: to.search_devices(filters=[]),
    "sts": lambda to: to.get_caller_identity(),
    "s3": lambda to: to.get_object(Bucket="amazon-braket-test", Key="a/b/results.json"),
}


@pytest.mark.parametrize("service", REFUSED)
def test_wrong_keys_are_refused_as_aws_does(service):
    key_id, secret = os.environ["QWICKET_AWS_KEYS"].split()
    for place, keys in enumerate((f"QWAKA{'A' * 15} {secret}", f"{key_id} {'x' * 43}")):
        with pytest.raises(ClientError) as refused:
            ASK[service](client(service, keys))
        assert code(refused) == REFUSED[service][place]
        assert status(refused) == 403


@pytest.mark.parametrize("service", REFUSED)
@pytest.mark.parametrize("keys", ["QWICKET_AWS_REVOKED_KEYS", "QWICKET_AWS_EXPIRED_KEYS"])
def test_revoked_and_expired_keys_are_unknown(service, keys):
    with pytest.raises(ClientError) as refused:
        ASK[service](client(service, os.environ[keys]))
    assert code(refused) == REFUSED[service][0]


def test_a_strangers_keys_find_no_task():
    arn = client("braket").create_quantum_task(**CREATE)["quantumTaskArn"]
    stranger = client("braket", os.environ["QWICKET_AWS_OTHER_KEYS"])
    for ask in (
        lambda: stranger.get_quantum_task(quantumTaskArn=arn),
        lambda: stranger.cancel_quantum_task(quantumTaskArn=arn, clientToken="x"),
        lambda: stranger.list_tags_for_resource(resourceArn=arn),
    ):
        with pytest.raises(ClientError) as refused:
            ask()
        assert code(refused) == "ResourceNotFoundException"
    assert stranger.search_quantum_tasks(filters=[])["quantumTasks"] == []


# --- S3 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored():
    task = AwsDevice(SV1).run(bell(), shots=10)
    task.result()
    metadata = task.metadata()
    return metadata["outputS3Bucket"], f"{metadata['outputS3Directory']}/results.json"


def test_results_are_read_through_s3(stored):
    bucket, key = stored
    s3 = client("s3")
    whole = s3.get_object(Bucket=bucket, Key=key)
    body = whole["Body"].read()
    assert b"gate_model_task_result" in body
    head = s3.head_object(Bucket=bucket, Key=key)
    assert head["ContentLength"] == len(body)
    assert head["ETag"] == whole["ETag"]
    part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=10-19")
    assert part["Body"].read() == body[10:20]
    assert part["ContentRange"] == f"bytes 10-19/{len(body)}"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key.rpartition("/")[0])
    assert [each["Key"] for each in listed["Contents"]] == [key]
    assert key in AwsSession().list_keys(bucket, "tasks/")


@pytest.fixture(scope="module")
def folders():
    """A bucket of its own, with the keys of five results in two folders, one with a blank."""
    bucket = f"amazon-braket-{time.time_ns()}"
    tasks = [
        AwsDevice(SV1).run(bell(), shots=10, s3_destination_folder=(bucket, folder))
        for folder in ("two b", "one", "two b", "one", "two b")
    ]
    for task in tasks:
        assert task.result() is not None
    found = [f"{task.metadata()['outputS3Directory']}/results.json" for task in tasks]
    return bucket, sorted(found)


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
def test_objects_are_listed_in_pages(folders, call):
    bucket, keys = folders
    paginator = client("s3").get_paginator(call)
    pages = list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
    assert [each["Key"] for page in pages for each in page["Contents"]] == keys
    pages = list(paginator.paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}))
    assert [page["IsTruncated"] for page in pages] == [True, False]
    assert [each["Prefix"] for page in pages for each in page["CommonPrefixes"]] == [
        "one/",
        "two b/",
    ]
    pages = list(paginator.paginate(Bucket=bucket, Prefix="two", PaginationConfig={"MaxItems": 2}))
    assert [each["Key"] for page in pages for each in page["Contents"]] == keys[2:4]


def test_a_list_begins_after_a_key_and_has_at_most_1000(folders):
    bucket, keys = folders
    s3 = client("s3")
    found = s3.list_objects_v2(Bucket=bucket, StartAfter=keys[1], MaxKeys=5000)
    assert [each["Key"] for each in found["Contents"]] == keys[2:]
    assert (found["MaxKeys"], found["KeyCount"], found["StartAfter"]) == (1000, 3, keys[1])
    assert [each["Key"] for each in s3.list_objects(Bucket=bucket, Marker=keys[3])["Contents"]] == [
        keys[4]
    ]
    nothing = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (nothing["KeyCount"], nothing["IsTruncated"]) == (0, False)
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="no token")
    assert (status(refused), code(refused)) == (400, "InvalidArgument")
    assert AwsSession().list_keys(bucket, "one/") == keys[:2]


def test_a_presigned_address_reads_a_result(stored):
    import urllib3

    bucket, key = stored
    s3 = client("s3", signature_version="s3v4")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert urllib3.request("GET", url).status == 200
    assert urllib3.request("GET", url.replace("results", "result")).status == 403
    assert urllib3.request("GET", url.partition("?")[0]).status == 403
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=1)
    time.sleep(2.1)
    assert urllib3.request("GET", url).status == 403


def test_nothing_is_stored_and_nothing_foreign_is_read(stored):
    bucket, key = stored
    s3 = client("s3")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="mine", Body=b"x")
    assert status(refused) == 501
    for ask in (
        lambda: s3.put_bucket_policy(Bucket=bucket, Policy="{}"),
        lambda: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": []}),
        lambda: s3.delete_bucket(Bucket=bucket),
        lambda: s3.delete_object(Bucket=bucket, Key=key),
        lambda: s3.copy_object(Bucket=bucket, Key="mine", CopySource=f"{bucket}/{key}"),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="mine"),
    ):
        with pytest.raises(ClientError) as refused:
            ask()
        assert code(refused) in ("NotImplemented", "MethodNotAllowed")
    s3.head_bucket(Bucket=bucket)
    for other in ("mine", f"../{key}", key + "/..", f"x/{key}"):
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=bucket, Key=other)
        assert 400 <= status(refused) < 500
    for ask in (
        lambda: client("s3").get_object(Bucket=bucket + "-2", Key=key),
        lambda: client("s3", os.environ["QWICKET_AWS_OTHER_KEYS"]).get_object(
            Bucket=bucket, Key=key
        ),
    ):
        with pytest.raises(ClientError) as refused:
            ask()
        assert code(refused) == "NoSuchKey"
