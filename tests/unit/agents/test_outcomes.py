"""What labs' functions give, packed here and read by the server's own reader of outcomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.agents.circuits import (
    AtomCircuit,
    Circuit,
    Measure,
    PhotonicCircuit,
    QubitCircuit,
    Register,
)
from qwicket.agents.outcomes import InvalidOutcome, Part, encode_outcomes
from qwicket.agents.program import Counts, Failed, Memory, Outcome, Program, Samples
from qwicket.circuits import atoms, outcome_checks, photonic, qubit
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, decode
from qwicket.circuits.outcomes import Outcome as Kept
from qwicket.model.limits import Limits


def program(n_bits: int, shots: int, *outputs: str, family: str = "qubit") -> Program:
    measured = tuple(Measure(k, k) for k in range(n_bits))
    circuit: Circuit = QubitCircuit(n_bits, measured, (Register("c", n_bits),))
    if family != "qubit":
        circuit = AtomCircuit("spins", (), (), ()) if family == "atoms" else PhotonicCircuit(2, ())
    return Program(
        job="j",
        device="lab5",
        family=family,
        format="openqasm3",
        source="",
        shots=shots,
        seed=7,
        outputs=outputs,
        circuits=[circuit],
    )


def taken(outcome: Outcome, of: Program, packed_circuits: bytes) -> Kept:
    """Pack an outcome as an agent does; return what the server makes of it."""
    (part,) = encode_outcomes(outcome, of, 0.25)
    assert isinstance(part, Part)
    encoded = Encoded(part.body, bytes.fromhex(part.sha256))
    options = RunOptions(shots=of.shots, seed=of.seed, outputs=of.outputs)
    outcome_checks.check([(0, encoded)], frames(of.family, packed_circuits), options, Limits())
    return decode(encoded)


def bits(n_bits: int) -> bytes:
    ops = tuple(qubit.Measure(k, k) for k in range(n_bits))
    made = qubit.QubitCircuit(n_bits, ops, (qubit.Register("c", n_bits),))
    return qubit.pack((made,))


@given(
    st.integers(1, 70).flatmap(
        lambda n: st.lists(st.integers(0, 2**n - 1), min_size=1).map(lambda keys: (n, keys))
    )
)
def test_memory_comes_back_as_it_was_given_with_its_counts(drawn: tuple[int, list[int]]) -> None:
    n_bits, keys = drawn
    given_shots = Memory([format(key, f"0{n_bits}b") for key in keys])
    kept = taken(given_shots, program(n_bits, len(keys), "memory", "counts"), bits(n_bits))
    assert kept.memory() == keys
    assert kept.counts() == Counter(keys)
    assert (kept.engine, kept.seed, kept.seconds) == ("lab5", 7, 0.25)


def test_counts_come_back_without_zeros() -> None:
    kept = taken(Counts({"01": 3, "10": 0, "11": 1}), program(2, 4, "counts"), bits(2))
    assert kept.counts() == {1: 3, 3: 1}
    assert list(kept.arrays) == ["keys", "counts"]


def test_frequencies_replace_probabilities_with_a_note() -> None:
    kept = taken(Counts({"0": 4}), program(1, 4, "probabilities"), bits(1))
    assert (kept.counts(), kept.notes) == ({0: 4}, ("sampled_only",))


def test_a_circuit_that_measures_nothing_says_so() -> None:
    asked = program(1, 4, "counts")
    empty = replace(asked, circuits=[QubitCircuit(1, (), (Register("c", 1),))])
    assert taken(Counts({"0": 4}), empty, bits(1)).notes == ("nothing_measured",)


@given(st.lists(st.lists(st.integers(0, 500), min_size=2, max_size=2), min_size=1))
def test_numbers_of_atoms_come_back(rows: list[list[int]]) -> None:
    circuit = atoms.pack((atoms.AtomCircuit("spins", (1, 1), (), (0, 1), len(rows)),))
    kept = taken(Samples(rows), program(0, 1, "samples", family="atoms"), circuit)
    assert kept.samples() == rows


@pytest.mark.parametrize(
    ("kind", "rows", "dtype"),
    [
        ("fock", [[1, 0], [2, 3]], "<i8"),
        ("homodyne", [[0.5, -1.0], [1.5, 2.0]], "<f8"),
        ("heterodyne", [[0.5 + 1j, 0j], [1 - 2j, 1j]], "<c16"),
    ],
)
def test_photons_and_quadratures_keep_their_kind(
    kind: photonic.Kind, rows: list[list[complex]], dtype: str
) -> None:
    circuit = photonic.PhotonicCircuit(2, (photonic.Measure(kind, (0, 1)),))
    packed_circuit = photonic.pack((circuit,))
    kept = taken(Samples(rows), program(0, len(rows), "samples", family="photonic"), packed_circuit)
    assert (kept.arrays["samples"].dtype, kept.arrays["samples"].shape) == (dtype, (2, 2))


@pytest.mark.parametrize(
    ("dtype", "kept"), [("f4", "<f8"), ("f8", "<f8"), ("c8", "<c16"), ("i2", "<i8"), ("?", "<i8")]
)
def test_numbers_of_numpy_keep_their_value(dtype: str, kept: str) -> None:
    given = np.array([[0.5, 1.0], [1.5, 2.0]]).astype(dtype)
    samples = Samples([list(row) for row in given])
    (part,) = encode_outcomes(samples, program(0, 1, "samples", family="photonic"), 0.0)
    assert isinstance(part, Part)
    found, shape, data = msgspec.msgpack.decode(part.body)["arrays"]["samples"]
    assert found == kept
    assert np.array_equal(np.frombuffer(data, found).reshape(shape), given)


def test_a_part_of_an_atom_is_not_cut_off() -> None:
    with pytest.raises(InvalidOutcome, match="whole number"):
        encode_outcomes(Samples([[0.99]]), program(0, 1, "samples", family="atoms"), 0.0)


def test_a_failure_whose_message_is_no_text_is_explained() -> None:
    failed = Failed(ValueError("the trap"))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidOutcome, match="of outcome 0 must be texts"):
        encode_outcomes([failed], program(1, 1, "counts"), 0.0)


def test_time_bins_keep_their_shape() -> None:
    measured = tuple(photonic.Measure("homodyne", (k,)) for k in range(3))
    circuit = photonic.PhotonicCircuit(3, measured, n_bins=3)
    of = replace(program(0, 2, "samples", family="photonic"), circuits=[PhotonicCircuit(3, (), 3)])
    kept = taken(Samples([[0.5, 1.0, 1.5], [2.0, 2.5, 3.0]]), of, photonic.pack((circuit,)))
    assert kept.arrays["samples"].shape == (2, 1, 3)


def test_a_program_without_measurements_gives_empty_shots() -> None:
    circuit = atoms.pack((atoms.AtomCircuit("spins", (1,), (), (), 3),))
    kept = taken(Samples([[], [], []]), program(0, 1, "samples", family="atoms"), circuit)
    assert kept.arrays["samples"].shape == (3, 0)


def test_a_failed_circuit_stays_what_it_is() -> None:
    failed = Failed("The trap was empty.", "no_atoms")
    assert encode_outcomes([failed], program(1, 1, "counts"), 0.0) == [failed]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ([], "there must be 1 outcomes"),
        ([Counts({"0": 1}), Counts({"0": 1})], "there must be 1 outcomes"),
        (None, "there must be 1 outcomes"),
        ({"00": 1}, "there must be 1 outcomes"),
        ([{"00": 1}], "outcome 0 is of the kind dict"),
        (Samples([[0, 1]]), "of the kind Samples; the family qubit needs Counts or Memory"),
        (Counts({"0": 1}), "'0' must be 2 characters 0 or 1"),
        (Counts({"0x": 1}), "'0x' must be 2 characters 0 or 1"),
        (Counts({"1_0": 1}), "must be 2 characters 0 or 1"),
        (Counts({"00": 2**70}), "a count is out of range"),
        (Memory(["00"] * 3 + ["x"]), "'x' must be 2 characters 0 or 1"),
    ],
)
def test_an_invalid_outcome_is_explained(outcome: Outcome, said: str) -> None:
    with pytest.raises(InvalidOutcome, match=said):
        encode_outcomes(outcome, program(2, 1, "counts"), 0.0)


def test_counts_are_no_memory() -> None:
    with pytest.raises(InvalidOutcome, match="the job requests memory"):
        encode_outcomes(Counts({"00": 1}), program(2, 1, "memory"), 0.0)


@pytest.mark.parametrize("rows", [[[1], [1, 2]], [[1 << 15]], [["x"]], [[None]]])
def test_samples_that_are_not_a_table_of_numbers_are_reported(rows: list[list[int]]) -> None:
    with pytest.raises(InvalidOutcome):
        encode_outcomes(Samples(rows), program(0, 1, "samples", family="atoms"), 0.0)


def test_bits_are_refused_where_numbers_are_read() -> None:
    with pytest.raises(InvalidOutcome, match="of the kind Counts; the family atoms needs Samples"):
        encode_outcomes(Counts({"0": 1}), program(1, 1, "samples", family="atoms"), 0.0)
