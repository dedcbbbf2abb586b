"""Summary of a parsed program, for admission and lists."""

from __future__ import annotations

import msgspec

from qwicket.circuits.mitigation.runs import Combination


class Summary(msgspec.Struct, frozen=True):
    """Properties of a program for admission, lists and estimates.

    Attributes:
        family: Family of engines that can run it.
        n_circuits: Number of circuits that are run; an estimation runs one or, with
            mitigation, several for each group.
        n_qubits: Most qubits, modes or wires of one circuit.
        n_ops_1q: Gates on at most one qubit, over all circuits; measurements, resets and delays are
            not counted.
        n_ops_2q: Gates on two or more qubits (controls count), over all circuits.
        n_delays: Delays, over all circuits; they are not counted as gates.
        delay_s: Sum of these delays in seconds.
        pairs: Pairs of qubits that gates act on, if its format requires that the device connects
            them; else empty.
        n_operands: Most qubits of one gate, controls included; 0 means unknown.
        n_active: Most qubits that the gates of one circuit touch, at least 1; twice as many for a
            density matrix; 0 means unknown.
        n_connected: Most of these qubits of one circuit that are simulated together, because
            operations connect them; 0 means all.
        n_clbits: Most classical bits of one circuit; of photonic circuits, most counted modes.
        n_splits: Most mid-circuit measurements and resets of one circuit, of qubits that a gate has
            touched. Of photonic circuits, most measured modes.
        n_branches: Branches and jumps, over all circuits.
        n_extra_ops: Cost of `pauliexp`, `unitary` and `kraus` beyond one gate each, in gates, over
            all circuits.
        native_gates: Gates of the native gateset of trapped ions that it uses: `gpi gpi2 ms zz`.
        is_clifford: Whether every circuit is one that a stabilizer simulator runs.
        n_parts: Number of parts of an estimator's job, each of which runs one or more circuits; 0
            for other jobs, in which each circuit is a part.
        n_terms: Terms of all expectation values.
        is_estimation: Whether a circuit has an `Estimation`, as for Qiskit's Estimator.
        shots: Most shots of one circuit of qubits, if the program states them; else 0.
        is_exact: Whether a part asks for exact expectation values.
        n_bond_bits: log2 of the bond that a matrix product state of one circuit needs at most.
        n_bond_steps: Cost of such states in gates on neighbours, over all circuits.
        n_samples: Numbers that are read from cold atoms, over all circuits.
        work_ns: Estimated time of gates on cold atoms on one core, in nanoseconds, over all
            circuits.
        work_bytes: Memory for the eigenvectors of gates on cold atoms, in the largest circuit.
        unmeasured: Number, from 1, of the first circuit without measurements and `Estimation`, even
            if it has `Readouts`; 0 if there is none.
        is_seeded: Whether a circuit states its own seed.
        mitigated_shots: Shots of all runs of estimations together, where these have error
            mitigation or are run by a lab; else 0.
    """

    family: str
    n_circuits: int
    n_qubits: int
    n_ops_1q: int
    n_ops_2q: int
    n_active: int = 0
    n_clbits: int = 0
    n_splits: int = 0
    n_branches: int = 0
    n_extra_ops: int = 0
    native_gates: tuple[str, ...] = ()
    is_clifford: bool = False
    n_bond_bits: int = 0
    n_bond_steps: int = 0
    n_samples: int = 0
    work_ns: int = 0
    work_bytes: int = 0
    n_parts: int = 0
    n_terms: int = 0
    shots: int = 0
    is_exact: bool = False
    n_operands: int = 0
    unmeasured: int = 0
    is_estimation: bool = False
    is_seeded: bool = False
    n_delays: int = 0
    delay_s: float = 0.0
    pairs: tuple[tuple[int, int], ...] = ()
    mitigated_shots: int = 0
    n_connected: int = 0


class Checked(msgspec.Struct, frozen=True):
    """A parsed and valid program.

    Attributes:
        summary: Its summary.
        circuits: Its packed circuits.
        completed: The source with what was drawn for it; empty if nothing was.
        combinations: Estimations whose runs the circuits are; see `LabOptions`.
    """

    summary: Summary
    circuits: bytes
    completed: bytes = b""
    combinations: tuple[Combination, ...] = ()
