"""cirq-ionq 1.7.0, unmodified, speaking v0.4. Runs in the client's own environment."""

import math
import os
import subprocess
import sys
from itertools import pairwise

import cirq
import cirq_ionq
import pytest
import sympy
from cirq_ionq.ionq_exceptions import IonQException, IonQNotFoundException

from support.held import held_job
from support.vendors import bound, call, distance, within

URL = os.environ["QWICKET_URL"]
SHOTS = 2_000


def service(token=os.environ["QWICKET_TOKEN"], **options):
    # The client throws the path away: it goes to the root.
    options = {"default_target": "simulator", "max_retry_seconds": 3600, **options}
    return cirq_ionq.Service(remote_host=URL + "/ionq/v0.4", api_key=token, **options)


def bell(key="m"):
    a, b = cirq.LineQubit.range(2)
    return cirq.Circuit(cirq.H(a), cirq.CNOT(a, b), cirq.measure(a, b, key=key))


def exact(circuit):
    """Return the probabilities of all qubits, big-endian, without the circuit's measurements."""
    state = circuit[:-1].final_state_vector(qubit_order=sorted(circuit.all_qubits()))
    return {n: abs(a) ** 2 for n, a in enumerate(state)}


def measured(circuit):
    qubits = sorted(circuit.all_qubits())
    return circuit + cirq.Circuit(cirq.Moment(cirq.measure(*qubits, key="m")))


def test_a_bell_pair_comes_back():
    result = service().run(bell(), repetitions=1000, name="bell")
    counts = result.histogram(key="m")
    assert set(counts) == {0, 3}
    assert sum(counts.values()) == 1000


def test_a_job_knows_its_name_shots_and_qubits_and_its_results_are_exact():
    job = service().create_job(bell("key"), repetitions=123, name="mine")
    result = job.results(polling_seconds=0.05)
    assert result.probabilities() == {0: 0.5, 3: 0.5}
    assert (job.name(), job.repetitions(), job.num_qubits()) == ("mine", 123, 2)
    assert job.target() == "simulator"
    assert job.measurement_dict() == {"key": [0, 1]}


def test_a_parametrised_circuit_is_resolved():
    q = cirq.LineQubit(0)
    circuit = cirq.Circuit(cirq.rx(sympy.Symbol("t"))(q), cirq.measure(q, key="m"))
    resolver = cirq.ParamResolver({"t": 0.9})
    job = service().create_job(cirq.resolve_parameters(circuit, resolver), repetitions=10)
    p = job.results(polling_seconds=0.05).probabilities()
    assert p[1] == pytest.approx(math.sin(0.45) ** 2, abs=1e-9)
    found = service().run(circuit, repetitions=SHOTS, param_resolver=resolver)
    assert abs(found.histogram(key="m")[1] / SHOTS - p[1]) < 0.06


def test_bits_are_in_cirqs_order():
    a, b, c = cirq.LineQubit.range(3)
    circuit = cirq.Circuit(cirq.X(a), cirq.measure(a, b, c, key="m"))
    job = service().create_job(circuit, repetitions=10)
    assert job.results(polling_seconds=0.05).probabilities() == {4: 1.0}


@pytest.mark.parametrize("seed", range(4))
def test_random_circuits_agree_with_cirq(seed):
    gates = {cirq.H: 1, cirq.X**0.3: 1, cirq.Y**0.7: 1, cirq.T: 1, cirq.CNOT: 2, cirq.ZZ**0.4: 2}
    gates |= {cirq.SWAP: 2, cirq.XX**0.2: 2, cirq.S**-1: 1, cirq.X**0.5: 1, cirq.X**-0.5: 1}
    raw = cirq.testing.random_circuit(
        cirq.LineQubit.range(6), 12, 0.8, gate_domain=gates, random_state=seed
    )
    circuit = measured(raw)
    job = service().create_job(circuit, repetitions=SHOTS)
    result = job.results(polling_seconds=0.05)
    expected = exact(circuit)
    assert distance(result.probabilities(), expected) < 1e-6
    sampled = result.to_cirq_result(seed=seed).histogram(key="m")
    counts = {key: n / SHOTS for key, n in sampled.items()}
    assert distance(counts, expected) < bound(expected, SHOTS)


def test_a_pauli_evolution_agrees_with_cirq():
    a, b = cirq.LineQubit.range(2)
    string = cirq.PauliStringPhasorGate(
        cirq.DensePauliString("XY"), exponent_neg=0.35, exponent_pos=0
    )
    circuit = measured(cirq.Circuit(cirq.H(a), cirq.rx(0.4)(b), string(a, b), cirq.ry(0.2)(a)))
    job = service().create_job(circuit, repetitions=10)
    assert distance(job.results(polling_seconds=0.05).probabilities(), exact(circuit)) < 1e-6


def test_native_gates_agree_with_cirq():
    a, b = cirq.LineQubit.range(2)
    circuit = measured(
        cirq.Circuit(
            cirq_ionq.GPI2Gate(phi=0.1)(a),
            cirq_ionq.GPIGate(phi=0.3)(b),
            cirq_ionq.MSGate(phi0=0.1, phi1=0.2, theta=0.15)(a, b),
            cirq_ionq.GPI2Gate(phi=0.6)(b),
            cirq_ionq.ZZGate(theta=0.2)(a, b),
            cirq_ionq.GPI2Gate(phi=0.4)(a),
        )
    )
    job = service().create_job(circuit, repetitions=10)
    assert distance(job.results(polling_seconds=0.05).probabilities(), exact(circuit)) < 1e-6


def test_native_gates_run_on_the_twin_of_their_machine():
    a, b = cirq.LineQubit.range(2)
    two = cirq_ionq.MSGate(phi0=0, phi1=0)(a, b)
    circuit = cirq.Circuit(two, cirq.measure(a, b, key="m"))
    result = service().run(circuit, repetitions=500, target="qpu.aria-1")
    counts = result.histogram(key="m")
    assert sum(counts.values()) == 500
    assert counts[0] + counts[3] > 450
    with within(), pytest.raises(IonQException, match="not ms"):
        service().create_job(circuit, target="qpu.forte-1")


def test_several_circuits_come_back_in_their_order():
    q = cirq.LineQubit.range(3)
    circuits = [
        cirq.Circuit([cirq.X(q[i]) ** 2 if not n >> i & 1 else cirq.X(q[i]) for i in range(3)])
        + cirq.Circuit(cirq.measure(*q, key=f"k{n}"))
        for n in range(8)
    ]
    job = service().create_batch_job(circuits, repetitions=50)
    results = job.results(polling_seconds=0.05)
    expected = [int(f"{n:03b}"[::-1], 2) for n in range(8)]
    assert [result.probabilities() for result in results] == [{n: 1.0} for n in expected]
    runs = service().run_batch(circuits, repetitions=20)
    assert [run.histogram(key=f"k{n}") for n, run in enumerate(runs)] == [{k: 20} for k in expected]
    again = service().get_job(job.job_id()).results(polling_seconds=0.05)
    assert [result.probabilities() for result in again] == [{n: 1.0} for n in expected]


def test_a_batch_of_one_comes_back():
    (run,) = service().run_batch([bell()], repetitions=30)
    assert sum(run.histogram(key="m").values()) == 30


def test_bare_qpu_means_aria_1():
    job = service().create_job(bell(), repetitions=500, target="qpu")
    counts = job.results(polling_seconds=0.05).counts()
    assert job.target() == "qpu.aria-1"
    assert sum(counts.values()) == 500


def test_a_debiased_job_is_averaged_or_sharpened():
    settings = {"debiasing": True}
    job = service().create_job(
        bell(), repetitions=500, target="qpu.aria-1", error_mitigation=settings
    )
    averaged = job.results(polling_seconds=0.05, sharpen=False)
    assert sum(averaged.counts().values()) == 500
    sharpened = job.results(polling_seconds=0.05, sharpen=True)
    assert set(sharpened.counts()) <= {0, 3}
    with within(), pytest.raises(IonQException, match="debias_shots"):
        service().create_job(
            bell(), repetitions=499, target="qpu.aria-1", error_mitigation=settings
        )


def test_a_seed_makes_noise_repeat():
    noise = {"model": "aria-1", "seed": 7}
    found = [
        service().create_job(bell(), repetitions=400, noise=noise).results(polling_seconds=0.05)
        for _ in range(2)
    ]
    assert found[0].probabilities() == found[1].probabilities()


def test_jobs_are_listed_and_lists_end():
    ids = [service().create_job(bell(), repetitions=1).job_id() for _ in range(3)]
    with within():
        listed = [job.job_id() for job in service().list_jobs(limit=2)]
        assert ids[:0:-1] == listed[:2]
        everything = [job.job_id() for job in service().list_jobs(batch_size=2)]
        assert set(ids) <= set(everything)
        stranger = service(os.environ["QWICKET_OTHER_TOKEN"])
        assert not {job.job_id() for job in stranger.list_jobs()} & set(ids)
        assert list(service().list_jobs(status="failed")) == []


def test_results_by_id_from_a_fresh_process():
    job = service().create_job(bell("key"), repetitions=100)
    job.results(polling_seconds=0.05)
    script = f"""
import cirq_ionq
service = cirq_ionq.Service(
    remote_host={URL!r}, api_key={os.environ["QWICKET_TOKEN"]!r}, default_target="simulator"
)
result = service.get_job({job.job_id()!r}).results(polling_seconds=0.05)
print(result.probabilities(), result.measurement_dict())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "{0: 0.5, 3: 0.5} {'key': [0, 1]}", done.stderr


def test_a_job_is_cancelled_and_deleted():
    q = cirq.LineQubit.range(24)
    angle = held_job().angle
    turns = [cirq.rz(angle)(q[i % 24]) for i in range(400)]
    turns += [cirq.CNOT(*pair) for pair in pairwise(q)]
    job = service().create_job(cirq.Circuit(turns, cirq.measure(*q, key="m")), repetitions=10)
    job.cancel()
    assert job.status() == "canceled"
    with within(), pytest.raises(cirq_ionq.ionq_exceptions.IonQUnsuccessfulJobException):
        job.num_qubits()
    with within(), pytest.raises(RuntimeError, match="canceled"):
        job.results(polling_seconds=0.05)
    job.delete()
    with within(), pytest.raises(IonQNotFoundException):
        service().get_job(job.job_id())


def test_refusals_end_at_once():
    with within(), pytest.raises(IonQException, match="Not authorized"):
        service("qw_wrong").create_job(bell())
    with within(), pytest.raises(IonQNotFoundException):
        service().get_job("0d7c2f5e-1111-4222-8333-444455556666")
    with within(), pytest.raises(IonQException, match="shots"):
        service().create_job(bell(), repetitions=1_000_001)
    with within(), pytest.raises(IonQException, match="backend"):
        service().create_job(bell(), target="qpu.none")
    wide = cirq.Circuit(cirq.X.on_each(*cirq.LineQubit.range(40)))
    with within(), pytest.raises(IonQException, match="qubits"):
        service().create_job(measured(wide))


def test_a_part_is_read_and_its_cancel_is_refused_at_once():
    job = service().create_batch_job([bell(), bell()], repetitions=10)
    job.results(polling_seconds=0.05)
    child = call("GET", f"/jobs/{job.job_id()}")["child_job_ids"][1]
    part = service().get_job(child)
    assert part.status() == "completed"
    with within(), pytest.raises(IonQException, match="part of the job"):
        part.cancel()


def test_the_calibration_is_read():
    found = service().get_current_calibration()
    assert (found.target(), found.num_qubits()) == ("qpu.aria-1", 25)
    assert found.fidelities()["2q"]["mean"] == 0.996
    assert len(found.connectivity()) == 25 * 24
    assert found.calibration_time().year == 2024
    assert [each.target() for each in service().list_calibrations()] == ["qpu.aria-1"]
    assert service().list_calibrations(start=found.calibration_time().replace(year=2030)) == []


def test_a_sampler_and_a_dry_run():
    sampler = service().sampler(target="simulator")
    assert sampler.run(bell(), repetitions=25).measurements["m"].shape == (25, 2)
    job = service().create_job(bell(), repetitions=25, dry_run=True)
    while job.status() not in ("completed", "failed"):
        pass
    assert job.status() == "completed"
    with within(), pytest.raises(IonQNotFoundException):
        job.results(polling_seconds=0.05)
