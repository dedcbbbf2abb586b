"""Outcomes from elsewhere: whatever engines make passes, and nothing that is changed does.

What hostile ones there are, and how the server answers to each, is in tests/abuse/test_agents.py.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket import engines, programs
from qwicket.circuits import outcome_checks
from qwicket.circuits.frames import Frame, frames
from qwicket.circuits.noise import GateNoise, NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import (
    Array,
    Encoded,
    decode,
    encode,
    float64_array,
    int64_array,
    key_array,
)
from qwicket.circuits.qubit import (
    Estimation,
    Gate,
    Mitigation,
    Pauli,
    QubitCircuit,
    Register,
    pack,
)
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.limits import Limits
from support import xanadu
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


LIMITS = Limits.from_names(result_bytes=100_000)
QASM = b'OPENQASM 3.0; include "stdgates.inc"; qubit[9] q; bit[9] c; h q; c = measure q;'
OPTIONS = RunOptions(shots=300, seed=5, outputs=("counts", "memory"))


@pytest.fixture(scope="module")
def made() -> tuple[Encoded, Frame]:
    checked = programs.read("openqasm3", QASM, LIMITS)
    (outcome,) = engines.run("qubit", checked.circuits, msgspec.msgpack.encode(OPTIONS))
    assert isinstance(outcome, Encoded)
    (frame,) = frames("qubit", checked.circuits)
    return outcome, frame


def check(encoded: Encoded, frame: Frame, options: RunOptions = OPTIONS) -> None:
    outcome_checks.check([(0, encoded)], [frame], options, LIMITS)


def hashed(body: bytes) -> Encoded:
    return Encoded(body, hashlib.sha256(body).digest())


def test_what_an_engine_makes_is_taken(made: tuple[Encoded, Frame]) -> None:
    check(*made)


def test_other_bytes_than_were_hashed_are_refused(made: tuple[Encoded, Frame]) -> None:
    outcome, frame = made
    with pytest.raises(InvalidRequest, match="does not have this sha256"):
        check(Encoded(outcome.body + b"x", outcome.sha256), frame)


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(shots=301, seed=5, outputs=("counts", "memory")),
        RunOptions(shots=300, seed=5, outputs=("counts",)),
        RunOptions(shots=300, seed=5, outputs=("counts", "memory", "probabilities")),
    ],
)
def test_what_was_not_asked_for_is_refused(
    made: tuple[Encoded, Frame], options: RunOptions
) -> None:
    with pytest.raises(InvalidRequest):
        check(*made, options)


def test_a_bomb_is_refused_after_the_bytes_that_are_allowed(made: tuple[Encoded, Frame]) -> None:
    with pytest.raises(LimitExceeded, match="limit result_bytes"):
        check(hashed(zlib.compress(bytes(100_001), 9)), made[1])


def padded(outcome: Encoded, size: int) -> bytes:
    """Return an outcome with a field that no reader knows, unpacked, with this many bytes more."""
    fields = msgspec.msgpack.decode(zlib.decompress(outcome.body))
    return msgspec.msgpack.encode({**fields, "padding": bytes(size)})


def test_what_is_not_compressed_counts_as_well(made: tuple[Encoded, Frame]) -> None:
    outcome, frame = made
    plain = hashed(padded(outcome, 0))
    check(plain, frame)
    with pytest.raises(LimitExceeded, match="limit result_bytes"):
        check(hashed(padded(outcome, 100_000)), frame)
    left = LIMITS.jobs.result_bytes - len(plain.body)
    # What is left for the bomb is some bytes, nothing, or less: it is never unpacked as a whole.
    for size in range(left - 6, left + 2):
        first = hashed(padded(outcome, size))
        bomb = hashed(zlib.compress(bytes(5_000_000), 9))
        with pytest.raises(LimitExceeded) as refused:
            outcome_checks.check([(0, first), (1, bomb)], [frame] * 2, OPTIONS, LIMITS)
        is_too_long = len(first.body) > LIMITS.jobs.result_bytes
        assert refused.value.field == ("parts[0]" if is_too_long else "parts[1]")


def test_the_parts_of_a_job_share_what_is_allowed(made: tuple[Encoded, Frame]) -> None:
    outcome, frame = made
    size = len(zlib.decompress(outcome.body))
    maximum = LIMITS.jobs.result_bytes // size
    fitting = [(k, outcome) for k in range(maximum)]
    outcome_checks.check(fitting, [frame] * maximum, OPTIONS, LIMITS)
    with pytest.raises(LimitExceeded):
        outcome_checks.check([*fitting, (0, outcome)], [frame] * maximum, OPTIONS, LIMITS)


@given(st.data())
def test_bytes_that_are_changed_anywhere_are_refused_or_still_an_outcome(
    made: tuple[Encoded, Frame], data: st.DataObject
) -> None:
    """Whatever passes can be read to its end: nothing raises later, in a dialect."""
    raw = bytearray(zlib.decompress(made[0].body))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    encoded = hashed(bytes(raw))
    try:
        check(encoded, made[1])
    except QwicketError:
        return
    outcome = decode(encoded)
    assert sum(outcome.counts().values()) == OPTIONS.shots
    assert len(outcome.memory()) == OPTIONS.shots
    assert max(outcome.memory()) < 2**9


# --- what our engines make on another machine -----------------------------------------------------

PAIR = xanadu.pair(300).encode()
ATOMS = msgspec.json.encode(
    {
        "experiment_0": {
            "instructions": [["rlx", [0], [1.0]], ["measure", [0], []]],
            "num_wires": 1,
            "shots": 5,
            "wire_order": "interleaved",
        }
    }
)


def floats(value: float, number: int) -> Array:
    return float64_array(struct.pack("<d", value) * number)


BITS = b'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; h q; c = measure q;'
NOISY = NoiseModel(name="aria-1", source="", two_qubit=GateNoise(depolarizing=0.1))
SIMULATED: dict[str, tuple[str, str, bytes, dict[str, Any]]] = {
    "counts": ("qubit", "openqasm3", BITS, {"outputs": ("counts",)}),
    "memory": ("qubit", "openqasm3", BITS, {"outputs": ("memory",)}),
    "counts and memory": ("qubit", "openqasm3", BITS, {"outputs": ("counts", "memory")}),
    "exact": ("qubit", "openqasm3", BITS, {"outputs": ("probabilities",)}),
    "exact with counts": ("qubit", "openqasm3", BITS, {"outputs": ("probabilities", "counts")}),
    "too many for exact": (
        *("qubit", "openqasm3", BITS),
        {"outputs": ("probabilities",), "max_outcomes": 4},
    ),
    "noisy": ("qubit", "openqasm3", BITS, {"outputs": ("counts",), "noise": NOISY}),
    "noisy shares": ("qubit", "openqasm3", BITS, {"outputs": ("probabilities",), "noise": NOISY}),
    "symmetrised": (
        *("qubit", "openqasm3", BITS),
        {"outputs": ("counts",), "noise": NOISY, "variants": 4, "alike": 3},
    ),
    "dry run": ("qubit", "openqasm3", BITS, {"outputs": ("counts",), "dry_run": True}),
    "no bits": (
        *("qubit", "openqasm3", b"OPENQASM 3.0; qubit q; reset q;"),
        {"outputs": ("counts",)},
    ),
    "photons": ("photonic", "blackbird", PAIR, {"outputs": ("samples",)}),
    "atoms": ("atoms", "qlued.singlequdit", ATOMS, {"outputs": ("samples",), "shots": 5}),
}


def test_a_dry_run_names_the_registers_of_its_circuit_or_none() -> None:
    outcome, frame, options = simulated("dry run")
    assert decode(outcome).registers == frame.registers

    def check(*registers: Register) -> None:
        renamed = msgspec.structs.replace(decode(outcome), registers=registers)
        check_simulated(encode(renamed), frame, options)

    check()
    with pytest.raises(InvalidRequest, match="its registers are not those of the circuit"):
        check(Register("x", 9))


def simulated(case: str) -> tuple[Encoded, Frame, RunOptions]:
    family, name, source, changes = SIMULATED[case]
    options = RunOptions(**{"shots": 300, "seed": 5, **changes})
    checked = programs.read(name, source, LIMITS)
    (outcome,) = engines.run(family, checked.circuits, msgspec.msgpack.encode(options))
    assert isinstance(outcome, Encoded), outcome
    (frame,) = frames(family, checked.circuits)
    return outcome, frame, options


def check_simulated(encoded: Encoded, frame: Frame, options: RunOptions) -> None:
    outcome_checks.check([(0, encoded)], [frame], options, LIMITS, is_simulated=True)


@for_each("case", SIMULATED)
def test_what_engines_make_is_taken_from_another_machine(case: str) -> None:
    check_simulated(*simulated(case))


def test_expectation_values_are_taken_and_others_refused() -> None:
    asked = Estimation((Pauli("Z", (0,)),), ((0,),), (((0, 1.0),), ((0, 2.0),)))
    circuits = pack((QubitCircuit(1, (), (), estimation=asked),))
    options = RunOptions(shots=100, seed=5, outputs=("counts",))
    (made,) = engines.run("qubit", circuits, msgspec.msgpack.encode(options))
    assert isinstance(made, Encoded), made
    (frame,) = frames("qubit", circuits)
    check_simulated(made, frame, options)
    outcome_checks.check([(0, made)], [frame], options, LIMITS)  # a machine's cloud may have them
    with pytest.raises(InvalidRequest, match=r"must be float64 of the shape \(3,\)"):
        check_simulated(made, msgspec.structs.replace(frame, n_observables=3), options)
    with pytest.raises(InvalidRequest, match="it has evs and stds"):
        check_simulated(made, msgspec.structs.replace(frame, n_observables=None), options)


def test_mitigated_values_are_taken_and_others_refused() -> None:
    mitigation = Mitigation(noise_factors=(1.0, 3.0), extrapolators=("exponential", "linear"))
    asked = Estimation((Pauli("Z", (0,)),), ((0,),), (((0, 1.0),),), False, mitigation)
    circuits = pack((QubitCircuit(1, (Gate("h", (0,)),), (), estimation=asked),))
    options = RunOptions(shots=100, seed=6, outputs=("counts",))
    (made,) = engines.run("qubit", circuits, msgspec.msgpack.encode(options))
    assert isinstance(made, Encoded), made
    (frame,) = frames("qubit", circuits)
    check_simulated(made, frame, options)
    # A fit that failed has no value; all others must have one.
    nothing = msgspec.structs.replace(floats(math.nan, 2), shape=(1, 2, 1))
    check_simulated(changed(made, evs_extrapolated=nothing), frame, options)
    nothing = msgspec.structs.replace(nothing, shape=(1, 2))
    with pytest.raises(InvalidRequest, match="evs_noise_factors must be finite"):
        check_simulated(changed(made, evs_noise_factors=nothing), frame, options)
    negative = msgspec.structs.replace(floats(-1.0, 2), shape=(1, 2))
    with pytest.raises(InvalidRequest, match="stds_noise_factors must be at least 0"):
        check_simulated(changed(made, stds_noise_factors=negative), frame, options)
    with pytest.raises(InvalidRequest, match="runs must be int64"):
        check_simulated(changed(made, runs=floats(1.0, 2)), frame, options)
    with pytest.raises(InvalidRequest, match="it has evs and"):
        check_simulated(made, msgspec.structs.replace(frame, mitigation=None), options)


def changed(encoded: Encoded, **arrays: Array | None) -> Encoded:
    """Return an outcome with other arrays."""
    outcome = decode(encoded)
    left = {name: each for name, each in {**outcome.arrays, **arrays}.items() if each is not None}
    return encode(msgspec.structs.replace(outcome, arrays=left))


@pytest.mark.parametrize(
    ("case", "arrays", "reason"),
    [
        ("exact", {"probabilities": None, "keys": None}, "it needs the note sampled_only"),
        ("exact", {"probabilities": float64_array(bytes(8))}, "one float64 for each key"),
        ("exact", {"probabilities": floats(1.0, 8)}, "add up to more than 1"),
        ("exact", {"probabilities": floats(-0.1, 8)}, "must be 0 to 1"),
        ("exact", {"probabilities": floats(math.nan, 8)}, "must be 0 to 1"),
        ("exact", {"keys": key_array(bytes(8), 3)}, "a key is there twice"),
        ("exact with counts", {"counts": int64_array(bytes(64))}, "the counts are of 0 shots"),
        ("counts", {"counts": None}, "it has keys, not counts"),
        ("counts", {"memory": key_array(bytes(300), 3)}, "it has counts and keys and memory"),
        ("memory", {"memory": key_array(bytes(299), 3)}, "memory has 299 shots, not 300"),
        ("symmetrised", {"sharpened": floats(2.0, 8)}, "sharpened"),
        ("dry run", {"counts": int64_array(bytes(8))}, "a dry run must have no arrays"),
        ("photons", {"samples": None}, "it must have only samples"),
    ],
)
def test_what_no_engine_makes_is_refused(
    case: str, arrays: dict[str, Array | None], reason: str
) -> None:
    outcome, frame, options = simulated(case)
    with pytest.raises(InvalidRequest, match=reason):
        check_simulated(changed(outcome, **arrays), frame, options)


@given(st.sampled_from(["exact with counts", "symmetrised", "memory"]), st.data())
def test_simulated_bytes_that_are_changed_are_refused_or_still_an_outcome(
    case: str, data: st.DataObject
) -> None:
    made, frame, options = simulated(case)
    raw = bytearray(zlib.decompress(made.body) if made.body[:1] == b"x" else made.body)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    encoded = hashed(bytes(raw))
    try:
        check_simulated(encoded, frame, options)
    except QwicketError:
        return
    outcome = decode(encoded)
    assert sum(outcome.counts().values()) in (0, options.shots)
    assert sum(outcome.probabilities().values()) <= 1.001
    assert max([*outcome.memory(), *outcome.counts(), *outcome.probabilities()]) < 8
