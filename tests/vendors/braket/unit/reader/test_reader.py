"""Programs as Amazon Braket's clients write them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcome_checks import check
from qwicket.circuits.outcomes import Array, Outcome, encode, value_name
from qwicket.circuits.qubit import Gate, QubitCircuit, pack
from qwicket.engines import qubit as engines
from qwicket.engines.failures import CannotRun
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.braket.limits import BraketLimits
from qwicket.vendors.braket.reader import read
from qwicket.vendors.braket.reader.channels import CHANNELS, deviation
from support.for_each import for_each

LIMITS = Limits.from_names(BraketLimits, density_qubits=4, exact_qubits=6, result_types=3)
BELL = "qubit[2] q;\nh q[0];\ncnot q[0], q[1];\n"


def circuit(source: str, shots: int = 0, **inputs: Any) -> QubitCircuit:
    text = json.dumps({"source": source, "shots": shots, "inputs": inputs})
    (found,) = read(text.encode(), LIMITS)
    return found


def outcome(source: str, shots: int = 0, seed: int = 1) -> Outcome:
    options = RunOptions(shots=max(1, shots), seed=seed, outputs=("memory",))
    return engines.run(circuit(source, shots), options, 0)


def values(source: str, shots: int = 0) -> list[NDArray[Any]]:
    found = outcome(source, shots).arrays
    arrays = [found[value_name(place)] for place in range(sum("value" in name for name in found))]
    return [np.frombuffer(each.data, each.dtype).reshape(each.shape) for each in arrays]


def result(*kinds: str) -> str:
    return "".join(f"#pragma braket result {kind}\n" for kind in kinds)


def test_exact_values_of_a_bell_pair() -> None:
    state, p, zz = values(
        BELL + result("state_vector", "probability q[0]", "expectation z(q[0]) @ z(q[1])")
    )
    assert np.allclose(state, [0.5**0.5, 0, 0, 0.5**0.5])
    assert np.allclose(p, [0.5, 0.5])
    assert np.allclose(zz, [1])


def test_the_first_qubit_is_the_most_significant() -> None:
    (p,) = values("qubit[2] q; x q[0]; i q[1];\n" + result("probability"))
    assert p.tolist() == [0, 0, 1, 0]
    (p,) = values("qubit[2] q; x q[0]; i q[1];\n" + result("probability q[1], q[0]"))
    assert p.tolist() == [0, 1, 0, 0]


def test_pragmas_that_people_write_by_hand_are_read() -> None:
    diagonal = "[[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 4]]"
    head = "qubit[3] q; x q[0]; i q[1]; x q[2];\n"
    for targets, expected in (("q[0:1]", 3), ("q[1:2]", 2), ("q[0:2:2]", 4), ("q[0:1:1]", 3)):
        (found,) = values(head + result(f"expectation hermitian({diagonal}) {targets}"))
        assert found == [expected]
    (found,) = values("qubit q; x q;\n" + result("expectation z(q[0])"))
    assert found == [-1]
    spaced, usual = values(
        "qubit q; rx(0.3) q;\n"
        + result("expectation hermitian([[0, 0.5-0.7 im], [0.5+0.7 im, 0]]) q")
        + result("expectation hermitian([[0, 0.5-0.7im], [0.5+0.7im, 0]]) q")
    )
    assert spaced == usual == pytest.approx(-0.7 * np.sin(0.3))  # 0.5 X + 0.7 Y


def test_qubits_that_are_not_used_are_left_out() -> None:
    found = circuit("qubit[9] q; x q[2]; cnot q[2], q[7];", 5)
    assert found.n_qubits == 2
    assert found.readouts is not None
    assert found.readouts.labels == (2, 7)


def test_inputs_that_are_not_declared_are_left_out() -> None:
    text = "input float a; qubit q; rx(a) q;\n" + result("expectation z(q)")
    assert circuit(text, 0, a=0.5, b=2).n_qubits == 1


@for_each("name", CHANNELS)
def test_a_channel_preserves_the_trace(name: str) -> None:
    channel = CHANNELS[name]
    assert deviation(channel.kraus(*[0.2] * channel.n_parameters)) < 1e-12


def gradient(source: str, observable: str, names: str = "all", **inputs: float) -> list[float]:
    """Return an expectation value and its derivatives."""
    source += result(f"adjoint_gradient expectation({observable}) {names}")
    options = RunOptions(shots=1, seed=1, outputs=("memory",))
    found = engines.run(circuit(source, 0, **inputs), options, 0).arrays[value_name(0)]
    values: list[float] = np.frombuffer(found.data, found.dtype).tolist()
    return values


def test_a_gradient_has_its_closed_form() -> None:
    """⟨Z⟩ = cos a after rx(a); ⟨X⟩ = sin a cos b after ry(a) and rz(b)."""
    source = "input float a; input float b; qubit[1] q; ry(a) q[0]; rz(b) q[0];\n"
    a, b = 0.7, 1.9
    expected = [np.sin(a) * np.cos(b), np.cos(a) * np.cos(b), -np.sin(a) * np.sin(b)]
    assert gradient(source, "x(q[0])", a=a, b=b) == pytest.approx(expected, abs=1e-12)
    (value, by_b) = gradient(source, "2.5 * x(q[0]) - z(q[0])", "b", a=a, b=b)
    assert value == pytest.approx(2.5 * expected[0] - np.cos(a), abs=1e-12)
    assert by_b == pytest.approx(2.5 * expected[2], abs=1e-12)


ANGLES = "input float a; input float b; input float c; qubit[3] q; h q; ry(0.4) q[1];\n"
GATES_OF_ANGLES = {
    **{name: f"{name}(a * 2 - b) q[0];" for name in ("rx", "ry", "rz", "phaseshift", "gpi")},
    **{name: f"{name}(sin(a) + c) q[0], q[1];" for name in ("xx", "yy", "zz", "xy", "pswap")},
    **{f"cphaseshift{s}": f"cphaseshift{s}(a * b) q[1], q[2];" for s in ("", "00", "01", "10")},
    "U": "U(a, b, c) q[1];",
    "prx": "prx(a, b) q[0];",
    "ms": "ms(a, b, c) q[0], q[2];",
    "gphase": "gphase(a); ctrl @ gphase(b) q[0]; ctrl @ rx(c) q[0], q[1];",
    "modifiers": "inv @ pow(3) @ rx(a) q[0]; pow(0.5) @ U(b, 0.3, c) q[1];",
    "gate": "gate g(t) x0 { rx(t) x0; ry(t * t) x0; } g(a) q[0]; g(b) q[1]; g(c) q[0];",
    "loop": "for int k in [1:3] { rx(k * a) q[0]; cnot q[0], q[1]; rz(b / k) q[1]; ry(c) q[0]; }",
    "branch": "if (a > 0) { rx(a) q[0]; } else { ry(a) q[1]; }",
}


@for_each("name", GATES_OF_ANGLES)
def test_a_gradient_is_the_difference_of_expectation_values(name: str) -> None:
    """Central differences of the sixth order, of the values of the gate itself."""
    source = f"{ANGLES}{GATES_OF_ANGLES[name]}\nrx(0.3) q[0]; cnot q[0], q[1]; ry(0.2) q[2];\n"
    observable = "x(q[0]) @ y(q[1]) + 0.5 * z(q[0]) - 2 * hermitian([[1, 1im], [-1im, 3]]) q[2]"
    at = {"a": 0.31, "b": 1.27, "c": -0.83}
    value, *found = gradient(source, observable, "all", **at)

    def shifted(key: str, by: float) -> float:
        return gradient(source, observable, "a", **{**at, key: at[key] + by})[0]

    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    for key, derivative in zip("abc", found, strict=True):
        differences = {k: shifted(key, k * 0.01) - shifted(key, -k * 0.01) for k in weights}
        expected = sum(weights[k] * differences[k] for k in weights) / 0.01
        assert derivative == pytest.approx(expected, abs=1e-9)
    assert value == shifted("a", 0)


def test_an_input_that_decides_which_gates_run_has_no_derivative() -> None:
    source = "input float a; qubit q; if (a >= 0) { x q; } rx(a) q;\n"
    with pytest.raises(InvalidProgram, match="'a' decides which gates run"):
        gradient(source, "z(q)", a=0.0)


@for_each("kind", ["angle", "angle[32]", "angle [32]", "float[32]", "float [16]"])
def test_a_value_that_is_rounded_has_no_derivative(kind: str) -> None:
    for source in (f"input {kind} a; qubit q;", f"input float a; qubit q; {kind} b = a;"):
        with pytest.raises(InvalidProgram, match="its values are rounded; use 'float'"):
            gradient(f"{source} rx(a) q;\n", "z(q)", a=0.5)
    plain = "input float a; input float[64] angles; qubit q; rx(a) q;\n"
    assert len(gradient(plain, "z(q)", a=0.5, angles=1.0)) == 3


def test_an_integer_input_has_no_derivative() -> None:
    source = "input int n; qubit q; rx(n) q;\n"
    text = r"no derivative with respect to the input 'n':.*converted to int"
    with pytest.raises(InvalidProgram, match=text):
        gradient(source, "z(q)", n=1)


@pytest.mark.parametrize("value", [2.0**20 + 1, -(2.0**63), 1e15])
def test_a_derivative_by_an_input_too_large_for_a_step_is_refused(value: float) -> None:
    """Floats near 2⁶³ are 1,024 apart, so the input and its neighbours would be equal."""
    source = "input float a; qubit q; rx(a) q;\n"
    with pytest.raises(InvalidProgram, match=r"'a' is .* absolute value must be at most 1,048,576"):
        gradient(source, "z(q)", a=value)
    at = 2.0**20 - 0.25
    assert gradient(source, "z(q)", a=at) == pytest.approx([np.cos(at), -np.sin(at)], abs=1e-9)


def test_a_gradient_by_many_inputs_of_a_long_program_is_refused() -> None:
    names = [f"a{k}" for k in range(100)]
    source = "".join(f"input float {name};" for name in names) + "qubit q;\n"
    source += "for int k in [1:1000] { h q; }\n"
    with pytest.raises(LimitExceeded, match="read 400 times"):
        gradient(source, "z(q)", "all", **dict.fromkeys(names, 0.1))


def test_shots_of_noise_follow_its_density_matrix() -> None:
    text = "qubit q; x q;\n#pragma braket noise amplitude_damping(0.25) q\n"
    bits = outcome(text, 4000).arrays["measurements"].data
    assert abs(sum(bits) / 4000 - 0.75) < 5 * (0.75 * 0.25 / 4000) ** 0.5


@for_each(
    "source, shots, said",
    [
        ("qubit q;\nfoo q;", 1, "line 2, column 1"),
        (BELL, 0, "needs shots above 0"),
        (BELL + result("sample z(q[0])"), 0, "line 4, column 1: the result type 'sample'"),
        (BELL + result("state_vector"), 5, "needs shots=0"),
        (BELL + result("adjoint_gradient expectation(z(q[0])) a"), 0, "'a' is not an input"),
        (BELL + result("adjoint_gradient expectation(z(q[0])) all"), 9, "needs shots=0"),
        (BELL + result("adjoint_gradient variance(z(q[0])) all"), 0, "line 4, column 1"),
        (BELL + result("adjoint_gradient expectation(z all) all"), 0, "must name its qubit"),
        (BELL + result("adjoint_gradient expectation(2im * z(q[0])) all"), 0, "must be real"),
        (BELL + result("adjoint_gradient expectation(2 z(q[0])) all"), 0, "expected '*'"),
        (BELL + result("adjoint_gradient expectation(z(q[0]) + ) all"), 0, "is not known"),
        (BELL + result("adjoint_gradient expectation(z(q[0])) a, a"), 0, "an input twice"),
        (BELL + result("adjoint_gradient expectation(z(q[0]))"), 0, "names inputs"),
        (BELL + result("nothing"), 0, "'nothing' is not known"),
        (BELL + result("probability q[2]"), 0, "no qubits 'q[2]'"),
        (BELL + result("probability q[1:0]"), 0, "q[1:0] is no slice of a register of 2"),
        (BELL + result("probability q[0:2]"), 0, "no slice"),
        (BELL + result("probability q[0:0:1]"), 0, "no slice"),
        (BELL + result("expectation x(q[0]) @ z(q[0:1])"), 0, "must be on one qubit"),
        (BELL + result("expectation z(q[0]) @ x(q[0])"), 0, "two factors"),
        (BELL + result("expectation hermitian([[0, 1], [2, 0]]) q[0]"), 0, "not Hermitian"),
        (BELL + result("expectation hermitian([[0, 1]]) q[0]"), 0, "square"),
        (BELL + result('amplitude "0"'), 0, "needs 2 bits"),
        (BELL + result("amplitude 0"), 0, "an amplitude"),
        (BELL + result("expectation x(q[0])", "expectation z(q[0])"), 9, "different bases"),
        ("bit b;" + BELL + "b = measure q[0];\n" + result("probability"), 9, "no 'measure'"),
        (BELL + "#pragma braket unitary([[1, 1], [0, 1]]) q[0]", 1, "not unitary"),
        (
            BELL + "gate g a {\n#pragma braket unitary([[0, 1], [1, 0]]) q[0]\n}\ninv @ g q[0];",
            1,
            "'pragma' is not allowed in a gate body",
        ),
        (BELL + "#pragma braket unitary([[1, 0], [0, 1]]) q[0], q[1]", 1, "1 qubits"),
        (BELL + "#pragma braket noise bit_flip(2) q[0]", 1, "probabilities"),
        (BELL + "#pragma braket noise bit_flip(0.1, 0.2) q[0]", 1, "1 parameters"),
        (BELL + "#pragma braket noise storm(0.1) q[0]", 1, "'storm' is not known"),
        (BELL + "#pragma braket noise kraus([[1, 0], [0, 0]]) q[0]", 1, "trace"),
        (BELL + "#pragma braket noise bit_flip(1e999) q[0]", 1, "number"),
        (BELL + "#pragma other thing", 1, "'braket'"),
        (BELL + "#pragma braket verbatim now", 1, "does not belong"),
    ],
)
def test_a_wrong_program_is_refused_with_its_place(source: str, shots: int, said: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        circuit(source, shots)
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("source", "shots", "limit"),
    [
        ("qubit[7] q; h q;\n" + result("probability q[0]"), 0, "exact_qubits"),
        ("qubit[5] q; h q;\n#pragma braket noise bit_flip(0.1) q[0]", 1, "density_qubits"),
        (BELL + result(*["probability"] * 4), 1, "result_types"),
    ],
)
def test_each_limit_is_named(source: str, shots: int, limit: str) -> None:
    with pytest.raises(LimitExceeded, match=limit):
        circuit(source, shots)


def test_the_limit_of_the_text_is_in_bytes() -> None:
    source = BELL + "// θ"
    limits = Limits.from_names(BraketLimits, program_text_bytes=len(source))
    text = json.dumps({"source": source, "shots": 1}).encode()
    with pytest.raises(LimitExceeded, match=f"the text has {len(source) + 1} bytes"):
        read(text, limits)


@for_each(
    "text",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"source": 1, "shots": 1}',
        b'{"source": "qubit q; h q;", "shots": 9999999999999999999}',
        b"\xff",
    ],
)
def test_what_is_no_program_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidProgram):
        read(text, Limits())


def complexes(numbers: Sequence[complex]) -> NDArray[np.complex128]:
    return np.array(numbers, dtype=np.complex128)


def test_a_global_phase_is_in_the_state() -> None:
    (state,) = values("qubit q; gphase(0.3); phaseshift(0.4) q; x q;\n" + result("state_vector"))
    assert np.allclose(state, complexes([0, np.exp(0.3j)]))


@pytest.mark.parametrize("shots", [0, 20])
def test_an_outcome_of_another_machine_is_checked(shots: int) -> None:
    text = BELL + result("expectation z(q[0])", "probability")
    found = outcome(text, shots)
    (frame,) = frames("qubit", pack((circuit(text, shots),)))
    options = RunOptions(shots=max(1, shots), seed=1, outputs=("memory",))

    def check_it(changed: Outcome) -> None:
        check([(0, encode(changed))], (frame,), options, LIMITS, is_simulated=True)

    check_it(found)
    name = value_name(0)
    whole = found.arrays[name]
    for arrays in (
        {each: array for each, array in found.arrays.items() if each != name},
        {**found.arrays, "more": whole},
        {**found.arrays, name: Array("<i8", whole.shape, whole.data)},
        {**found.arrays, name: Array("<f8", (9,), whole.data)},
        {**found.arrays, name: Array("<f8", (1,), b"\xff" * 8)},
        {**found.arrays, "readouts": Array("|u1", (2,), b"[]")},
        *([{**found.arrays, "measurements": Array("|u1", (20, 2), b"\2" * 40)}] if shots else []),
    ):
        with pytest.raises(InvalidRequest):
            check_it(msgspec.structs.replace(found, arrays=arrays))


# --- program sets ---------------------------------------------------------------------------------


def program_set(*programs: tuple[str, dict[str, list[float]]], shots: int = 5) -> bytes:
    members = [{"source": source, "inputs": inputs} for source, inputs in programs]
    return json.dumps({"source": "", "shots": shots, "programs": members}).encode()


TURN = "input float a; qubit q; rx(a) q;"


def test_a_program_set_is_a_circuit_for_each_place_of_its_inputs() -> None:
    found = read(program_set((TURN, {"a": [0.5, 1.5]}), (BELL, {})), LIMITS)
    assert [each.n_qubits for each in found] == [1, 1, 2]
    assert [each.ops[0].params for each in found if isinstance(each.ops[0], Gate)] == [
        (0.5,),
        (1.5,),
        (),
    ]


@pytest.mark.parametrize(
    ("programs", "field", "said"),
    [
        ([(TURN, {"a": [0.1, 1e200]})], "programs[0].inputs[1]", "line 1"),
        ([(BELL, {}), ("qubit q;\nfoo q;", {})], "programs[1].inputs[0]", "line 2, column 1"),
        ([(BELL + result("probability"), {})], "programs[0].inputs[0]", "no result types"),
        ([(BELL, {"a": [1, 2], "b": [1]})], "programs[0].inputs", "of one length"),
        ([(BELL, {}), (BELL, {"a": []})], "programs[1].inputs", "of one length"),
    ],
)
def test_an_error_in_a_program_set_names_the_program(
    programs: list[Any], field: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        read(program_set(*programs), LIMITS)
    assert refused.value.field == field


def test_a_program_set_has_at_most_as_many_runs_as_a_job_has_circuits() -> None:
    few = Limits.from_names(circuits=3)
    with pytest.raises(LimitExceeded, match="limit circuits"):
        read(program_set((TURN, {"a": [0.1] * 4})), few)
    few = Limits.from_names(operations=5)
    with pytest.raises(LimitExceeded, match="limit operations"):
        read(program_set((TURN, {"a": [0.1] * 4})), few)


# --- time and numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["// input " + "a" * 50_000, "// input" * 50_000])
def test_what_looks_like_an_input_is_skipped_in_time(text: str) -> None:
    began = time.thread_time()
    assert circuit("input float\na\n; qubit q; rx(a) q;\n" + text, 1, a=0.5).n_qubits == 1
    assert time.thread_time() - began < 3.0


def test_a_loop_reads_a_long_pragma_only_so_often() -> None:
    rows = ", ".join(str([float(i == j) for j in range(64)]) for i in range(64))
    qubits = ", ".join(f"q[{k}]" for k in range(6))
    pragma = f"\n#pragma braket unitary([{rows}]) {qubits}\n"
    assert len(circuit(f"qubit[6] q; for int i in [1:3] {{{pragma}}}", 1).ops) == 3 + 6
    began = time.thread_time()
    with pytest.raises(LimitExceeded, match="more than 2,000,000 steps"):
        circuit(f"qubit[6] q; for int i in [1:9999] {{{pragma}}}", 1)
    assert time.thread_time() - began < 5.0


@pytest.mark.parametrize("shots", [0, 9])
@pytest.mark.parametrize("kind", ["variance", "expectation"])
def test_a_value_too_large_for_a_float_is_no_result(kind: str, shots: int) -> None:
    factors = " @ ".join(f"hermitian([[1e200, 0], [0, 5e199]]) q[{k}]" for k in range(2))
    with pytest.raises(CannotRun, match="too large for a float"):
        outcome(BELL + result(f"{kind} {factors}"), shots)
