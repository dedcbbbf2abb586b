"""Estimated cost of qubit jobs, by measured constants, and the rules by which plans are chosen.

Imported by the server: no NumPy, no simulator. Where a summary lacks information (which
measurements divide the shots, how outcomes are distributed) the worst case is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import exp
from typing import Final

from qwicket.circuits.analysis import extra_cost
from qwicket.circuits.noise import GateNoise, NoiseModel, flip_probability, log_coherence
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import MEMORY, PROBABILITIES, key_width
from qwicket.circuits.qubit import Gate, Op
from qwicket.circuits.summary import Summary
from qwicket.engines.estimates import Estimate
from qwicket.engines.qubit import names

SAMPLER_QUBITS: Final = 20
"""Above this many qubits the simulator draws the shots, which needs fewer copies of the state."""

MAX_QUBITS: Final = 48
"""Wider states are estimated as this wide: no machine holds them, and numbers stay in range."""

SAVED_STATES_BYTES: Final = 1 << 28
"""Memory for the states of pending branches; other branches are computed again from the start."""

# Measured with one thread on x86-64 with AVX-512: bytes as peaks of a worker over its start.
_BASE_BYTES: Final = 64 << 20
_OP_BYTES: Final = 400
"""One operation: unpacked, renumbered, and as text for Stim."""
_STATE_BYTES: Final = 16
"""One amplitude of a saved state."""
_SAMPLED_BYTES: Final = 24
"""One amplitude of a state from which the simulator draws the shots."""
_VECTOR_BYTES: Final = 48
"""One amplitude of a state whose probabilities are all computed."""
_ROW_BYTES: Final = 72
"""One distinct outcome: index, count, probability, and temporary arrays."""
_KEY_BYTES: Final = 200
"""One distinct outcome of many branches, without the bits of its key."""
_SHOT_BYTES: Final = 64
"""One shot in order: a Python integer at first, then two indices and a key."""
_ERROR_BYTES: Final = 64
"""One drawn error of one shot."""
_PATTERN_BYTES: Final = 160
"""One distinct pattern of errors."""
_TABLEAU_BYTES: Final = 1
_SUPPORT_BYTES: Final = 8
"""For the square of the number of qubits: Stim's tableau, and the arrays for probabilities."""
_CHUNK_BYTES: Final = 1 << 26
"""Bits of the shots that Stim draws at once, one byte each."""
_LISTED_BYTES: Final = 1 << 26
"""Keys of the outcomes that are listed for exact probabilities."""

# Measured in the same way: seconds, with one thread.
_AMPLITUDES_PER_S: Final = 7e8
"""Amplitudes to which Qulacs applies a gate in one second."""
_CIRCUIT_S: Final = 60e-6
"""A circuit without gates."""
_GATE_S: Final = 1e-6
"""One gate, beside the time for the amplitudes."""
_SAMPLED_S: Final = 8e-9
_VECTOR_S: Final = 40e-9
"""One amplitude of the final state: where shots are drawn, where all probabilities are read."""
_ROW_S: Final = 600e-9
"""One distinct outcome."""
_SHOT_S: Final = 500e-9
"""One drawn shot."""
_LEAF_S: Final = 40e-6
"""The end of one branch, beside the time for the amplitudes."""
_CHOICE_GATES: Final = 4
"""A mid-circuit measurement reads and scales the state, which takes as long as this many gates."""
_TEXT_S: Final = 2e-6
"""One operation as text for Stim."""
_RECORD_S: Final = 2.5e-11
"""One measurement of a tableau, for the square of the number of qubits."""
_SUPPORT_S: Final = 2e-11
"""Exact probabilities of a stabilizer state, for the cube of the number of qubits."""
_FRAME_S: Final = 3e-11
"""One operation on one shot of Stim."""
_BIT_S: Final = 4e-9
"""One measured bit of one shot of Stim."""
_TERM_S: Final = 2e-8
"""One term of an expectation value in one outcome: its letters are read one by one."""

_AER_BYTES: Final = 1_500 << 20
"""Address space, which is what a worker's memory limit counts; 100 MiB of it are used."""
_AER_S: Final = 2.0
"""Import of Qiskit and Aer by the first such job of a worker."""
_AER_GATE_S: Final = 200e-6
"""One gate of Aer, whatever its bonds."""
_STEP_S: Final = 50e-6
_BOND_CUBED_S: Final = 4e-8
"""One update of a bond: a constant part, and one for the cube of the bond's dimension."""
_BOND_BYTES: Final = 96
"""For each qubit times the bond squared: two matrices, and copies while shots are drawn."""
_MAX_BOND_BITS: Final = 20
"""Larger bonds are estimated as this large: no machine holds them, and numbers stay in range."""
_DRAWN_S: Final = 1e-6
_DRAWN_BOND_S: Final = 3e-9
"""For each shot and qubit, and that times the bond squared."""

_EXACT_LEAVES: Final = 1 << 12
_EXACT_S: Final = 5.0
"""Limits on the branches, and on the seconds, that are spent on exact probabilities."""

_JOINED_BYTES: Final = 40
"""One shot whose parts are joined: indices of both parts and of their pair, and a sorted copy."""
_GROUP_S: Final = 150e-6
_JOINED_S: Final = 150e-9
"""Seconds for a further group of qubits, and for one of its shots."""

_MAX_ERRORS: Final = 30
"""Shots with this many errors or more are assumed to have patterns of their own."""
_PAIR_GATES: Final = frozenset({"swap", "rxx", "ryy", "rzz", "zz", "ms", "pauliexp"})
"""Gates on two qubits or more without a control."""

_DENSITY_OPERANDS: Final = 3
"""Most qubits of a gate whose action on a density matrix is computed as a matrix."""
_DENSITY_QUBITS: Final = 10
"""Most qubits of a density matrix."""
_DENSITY_ENTRY_BYTES: Final = 24
"""One of the 4^n numbers of a density matrix."""
_DENSITY_ENTRY_S: Final = 1.5e-9
"""For each of 4^n numbers and each gate on two qubits."""
_CHANNEL_S: Final = 10e-6
"""A gate and its noise, written out for one qubit of a density matrix."""
_SITE_S: Final = 5e-6
"""The look-up of the noise of one gate, where errors are drawn."""
_PATTERN_S: Final = 15e-6
"""One pattern of errors, beside its gates."""

_SMALL_QUBITS: Final = 12
"""Up to this many qubits state vectors beat stabilizers, but see `suits_stabilizers`."""
_MANY_OPS: Final = 1_000
_QSIM_QUBITS: Final = 10
"""Fewest qubits for which qsim can be faster than Qulacs."""
_QSIM_SHOT_S: Final = 1.3e-7
"""One shot of qsim."""


class Job:
    """Properties of a job that determine its cost.

    Attributes:
        n_ops: Operations of an average circuit.
        n_gates: Their time without noise, in gates.
        n_joint: Gates on several qubits in an average circuit.
        n_connected: Most qubits that are simulated together, if not by stabilizers or matrix
            product states.
        n_groups: Upper bound of the groups of qubits that are simulated apart.
        n_states: Upper bound of the amplitudes of all groups, in states of `n_connected` qubits.
        is_straight: Whether each circuit is evolved once, and its shots are drawn.
        is_exact: Whether exact probabilities are returned; with noise only counts are.
    """

    def __init__(self, summary: Summary, options: RunOptions) -> None:
        n_circuits = max(1, summary.n_circuits)
        self.summary = summary
        self.shots = options.shots
        self.outputs = options.outputs
        self.noise = options.noise
        self.engine = options.engine
        self.max_outcomes = options.max_outcomes
        self.n_qubits = summary.n_active or summary.n_qubits
        self.n_connected = summary.n_connected or self.n_qubits
        self.n_groups = self.n_qubits - self.n_connected + 1
        self.n_states = -(-self.n_qubits // self.n_connected)
        self.n_all_ops = summary.n_ops_1q + summary.n_ops_2q + summary.n_delays
        self.n_ops = self.n_all_ops / n_circuits
        self.n_gates = self.n_ops + summary.n_extra_ops / n_circuits
        self.n_joint = summary.n_ops_2q / n_circuits
        self.is_straight = not (summary.n_splits or summary.n_branches)
        self.is_exact = PROBABILITIES in options.outputs and options.noise is None


def estimate(summary: Summary, options: RunOptions) -> Estimate:
    """Return the estimate of a whole job.

    Circuits run one after the other: bytes are those of the widest, seconds add up. Their
    operations are unpacked together. A circuit that is estimated for Qulacs may run on qsim, which
    is faster.
    """
    job = Job(summary, options)
    engine = _engine(job)
    match engine:
        case names.CLIFFORD:
            n_bytes, seconds = _stabilizer_cost(job)
        case names.MPS:
            n_bytes, seconds = _mps_cost(job)
        case _ if job.is_straight and job.noise is None:
            n_bytes, seconds = _straight_cost(job)
        case _ if _runs_on_density(job):
            n_bytes, seconds = _density_cost(job)
        case _:
            n_bytes, seconds = _branching_cost(job)
    has_state_vector = engine not in (names.CLIFFORD, names.MPS)
    if has_state_vector and job.n_groups > 1:
        joining_bytes, joining_s = _joining_cost(job)
        n_bytes, seconds = n_bytes + joining_bytes, seconds + joining_s
    seconds *= summary.n_circuits
    if summary.n_terms:
        seconds += _estimation_s(job)
    return Estimate(
        int(n_bytes) + job.n_all_ops * _OP_BYTES,
        seconds,
        job.n_connected if has_state_vector else 0,
    )


def _estimation_s(job: Job) -> float:
    """Return the time to compute expectation values: each term reads each distinct outcome."""
    outcomes = min(1 << min(job.summary.n_clbits, 60), job.shots)
    return job.summary.n_terms * outcomes * _TERM_S


def _engine(job: Job) -> str:
    """Return the engine that the job names, or else a suitable one; qsim is never chosen here."""
    if job.engine:
        return job.engine
    fits = names.fits_stabilizers(job.summary, job.noise) and suits_stabilizers(
        job.n_qubits, job.n_ops, job.is_straight, job.noise is not None, job.is_exact
    )
    return names.CLIFFORD if fits else names.STATE_VECTOR


def suits_stabilizers(
    n_qubits: int, n_ops: float, is_straight: bool, is_noisy: bool, is_exact: bool
) -> bool:
    """Return whether a circuit, if it is Clifford, runs faster on stabilizers.

    Up to 12 qubits a state vector is faster for ideal circuits of up to 1,000 operations that
    measure at the end. Up to 20 it serves exact probabilities, also with mid-circuit measurements.
    """
    if is_exact and not is_noisy and n_qubits <= SAMPLER_QUBITS:
        return False
    return is_noisy or not is_straight or n_qubits > _SMALL_QUBITS or n_ops > _MANY_OPS


def suits_density(
    n_qubits: int, n_gates: float, n_joint: float, n_operands: int, shots: int, events: float
) -> bool:
    """Return whether a density matrix is faster than simulating one pattern of errors at a time.

    Args:
        n_qubits: Qubits.
        n_gates: Number of gates.
        n_joint: Number of gates on several qubits.
        n_operands: Most qubits of one gate.
        shots: Shots.
        events: Expected number of Pauli errors and decays in one shot.
    """
    if n_qubits > _DENSITY_QUBITS or n_operands > _DENSITY_OPERANDS:
        return False
    pattern_s = n_gates / 2 * _gate_s(1 << n_qubits) + _PATTERN_S
    patterns_s = n_gates * _SITE_S + shots * (1 - exp(-events)) * pattern_s
    return _density_s(n_qubits, n_gates, n_joint, n_operands) < patterns_s


def _density_s(n_qubits: int, n_gates: float, n_joint: float, n_operands: int) -> float:
    """Return the time of a density matrix, as if all gates on several qubits had `n_operands`."""
    wider = 1 << 2 * max(0, n_operands - 2)
    states = n_joint * wider * (1 << 2 * n_qubits)
    return (n_gates + n_joint * wider**2) * _CHANNEL_S + states * _DENSITY_ENTRY_S


def suits_qsim(n_qubits: int, n_gates: int, shots: int) -> bool:
    """Return whether qsim, if it is installed, is faster for shots of a final state.

    Its gates take hardly any time compared with Qulacs', but each of its shots does.
    """
    gates_s = n_gates * (1 << min(n_qubits, MAX_QUBITS)) / _AMPLITUDES_PER_S
    return n_qubits >= _QSIM_QUBITS and gates_s > shots * _QSIM_SHOT_S


def mps_bytes(n_qubits: int, bond_bits: int) -> int:
    """Return the memory of a matrix product state and of its copies."""
    return n_qubits * _BOND_BYTES << 2 * min(bond_bits, _MAX_BOND_BITS)


def max_saved_states(n_qubits: int, saved_bytes: int = SAVED_STATES_BYTES) -> int:
    """Return the number of pending branches that can keep their state."""
    return saved_bytes // (_STATE_BYTES << n_qubits)


def gate_equivalents(ops: Iterable[Op]) -> int:
    """Return the maximum time of a pass through operations, in gates."""
    gates = 0
    for op in ops:
        if isinstance(op, Gate):
            gates += 1 + extra_cost(op)
        else:
            gates += _CHOICE_GATES
    return gates


def exact_leaves(n_qubits: int, n_gates: float) -> int:
    """Return the maximum of branches computed for exact probabilities: about 5 s of work."""
    return max(1, min(_EXACT_LEAVES, int(_EXACT_S / _walk_s(1 << n_qubits, n_gates))))


def _walk_s(size: int, n_gates: float) -> float:
    return n_gates * _gate_s(size) + size * _VECTOR_S + _LEAF_S


def max_listed(n_bits: int, max_outcomes: int) -> int:
    """Return the maximum of outcomes listed of a stabilizer state: keys of at most 64 MiB."""
    return min(max_outcomes, _LISTED_BYTES // key_width(n_bits))


def _gate_s(size: int) -> float:
    return _GATE_S + size / _AMPLITUDES_PER_S


def _runs_on_density(job: Job) -> bool:
    """Return whether the cost of density matrices bounds that of a job.

    The engine decides by the expected errors of one shot, which are at most those estimated here
    (but see `_worst`). If it then simulates patterns of errors, that takes less time.
    """
    n_operands = job.summary.n_operands
    if job.engine or not (job.is_straight and n_operands):
        return False
    errors, decays, _ = _events(job)
    events = errors + decays
    return suits_density(job.n_connected, job.n_ops, job.n_joint, n_operands, job.shots, events)


def _straight_cost(job: Job) -> tuple[float, float]:
    n_qubits = min(job.n_connected, MAX_QUBITS)
    size = 1 << n_qubits
    reads_vector = job.is_exact or n_qubits <= SAMPLER_QUBITS
    rows = min(_n_outcomes(job), job.max_outcomes if job.is_exact else job.shots)
    drawn = job.shots if MEMORY in job.outputs or size > 4 * job.shots else 0
    n_bytes = _BASE_BYTES + size * (_VECTOR_BYTES if reads_vector else _SAMPLED_BYTES)
    in_order = drawn if n_qubits < _QSIM_QUBITS else job.shots  # qsim draws one by one
    n_bytes += rows * _ROW_BYTES + in_order * _SHOT_BYTES
    seconds = _CIRCUIT_S + job.n_states * size * (_VECTOR_S if reads_vector else _SAMPLED_S)
    gate_s = _GATE_S + size / _AMPLITUDES_PER_S
    seconds += job.n_gates * gate_s + rows * _ROW_S + drawn * _SHOT_S
    return n_bytes, seconds


def _density_cost(job: Job) -> tuple[float, float]:
    size = 1 << job.n_connected
    key_bytes, key_s = _keys_cost(job, _n_outcomes(job), is_exact=job.is_exact)
    n_bytes = _BASE_BYTES + _DENSITY_ENTRY_BYTES * size**2
    seconds = _CIRCUIT_S
    seconds += _density_s(job.n_connected, job.n_ops, job.n_joint, job.summary.n_operands)
    return n_bytes + key_bytes, seconds + key_s + (job.n_gates - job.n_ops) * _gate_s(size)


def _branching_cost(job: Job) -> tuple[float, float]:
    """Return the cost of branches, or patterns of errors; what they share at first runs once."""
    n_qubits = min(job.n_connected, MAX_QUBITS)
    size = 1 << n_qubits
    errors, decays, choices = _events(job)
    patterns = 1 + _patterns(job, errors)
    n_gates = job.n_gates + _CHOICE_GATES * choices
    walk_s = _walk_s(size, n_gates)
    branches, mean_branches = _n_branches(job, decays)
    leaves, walks = min(job.shots, patterns * branches), min(job.shots, patterns * mean_branches)
    shared = exp(-errors) / 2 if job.is_straight else 0
    seconds = _CIRCUIT_S + leaves * job.n_states * _walk_s(size, 0)
    seconds += walks * (1 - shared) * n_gates * _gate_s(size)
    if job.is_exact:
        seconds += min(branches, exact_leaves(n_qubits, n_gates)) * walk_s
    waiting = min(choices, job.shots.bit_length(), max_saved_states(n_qubits))
    reads_vector = job.is_exact or n_qubits <= SAMPLER_QUBITS
    n_states = waiting + (errors > 0)
    n_bytes = _BASE_BYTES + size * (_VECTOR_BYTES if reads_vector else _SAMPLED_BYTES)
    n_bytes += int(n_states * size * _STATE_BYTES)
    drawn = job.shots * errors * _ERROR_BYTES + patterns * _PATTERN_BYTES
    possible = int(min(_n_outcomes(job) * branches, 1 << 60))
    key_bytes, key_s = _keys_cost(job, possible, is_exact=job.is_exact)
    return n_bytes + drawn + key_bytes, seconds + key_s


def _n_outcomes(job: Job) -> int:
    """Return the number of outcomes of all qubits in one branch."""
    return 1 << min(job.n_qubits, MAX_QUBITS)


def _joining_cost(job: Job) -> tuple[float, float]:
    """Return the cost of joining groups of qubits, beside that of their gates and states."""
    key_bytes, key_s = _keys_cost(job, _n_outcomes(job), is_exact=job.is_exact)
    seconds = (job.n_groups - 1) * (_GROUP_S + job.shots * _JOINED_S)
    return key_bytes + job.shots * _JOINED_BYTES, key_s + seconds


def _n_branches(job: Job, decays: float) -> tuple[float, float]:
    """Return the number of branches of a circuit: at its end, and on average over its gates.

    Measurements are assumed to be spread evenly, and both outcomes of each to be likely.
    """
    n_splits, shots = job.summary.n_splits, job.shots
    decayed = 1 + shots * (1 - exp(-decays))
    doublings = min(n_splits, shots.bit_length())
    branches = min(shots, 2**doublings)
    mean = (2**doublings - 1 + branches * (n_splits - doublings + 1)) / (n_splits + 1)
    return branches * decayed, min(branches, mean) * decayed


def _patterns(job: Job, errors: float) -> float:
    """Return the expected number of distinct error patterns; few errors have few patterns."""
    n_circuits = max(1, job.summary.n_circuits)
    n_one = job.summary.n_ops_1q + job.summary.n_delays
    kinds = (3 * n_one + 15 * job.summary.n_ops_2q) / n_circuits
    total, likelihood, possible = 0.0, exp(-errors), 1.0
    left = 1 - likelihood
    for k in range(1, _MAX_ERRORS):
        likelihood *= errors / k
        possible = min(possible * kinds / k, 1e18)
        total += min(job.shots * likelihood, possible)
        left -= likelihood
    return total + job.shots * max(0.0, left)


def _keys_cost(job: Job, possible: int, *, is_exact: bool) -> tuple[float, float]:
    """Return the cost of counting outcomes by key, and of ordering shots."""
    n_bits = job.summary.n_clbits or 64
    possible = min(possible, 1 << min(n_bits, 60))
    listed = min(possible, max_listed(n_bits, job.max_outcomes)) if is_exact else 0
    rows = max(listed, min(possible, job.shots))
    width = key_width(n_bits)
    ordered = job.shots if MEMORY in job.outputs else 0
    n_bytes = rows * (_KEY_BYTES + 3 * width) + ordered * (_SHOT_BYTES + 2 * width)
    return n_bytes, rows * _ROW_S + ordered * _SHOT_S


def _events(job: Job) -> tuple[float, float, float]:
    """Return the expected Pauli errors, decays and choices in one shot of an average circuit."""
    n_splits = job.summary.n_splits
    if job.noise is None:
        return 0, 0, n_splits
    n_circuits = max(1, job.summary.n_circuits)
    n_1q, n_2q = job.summary.n_ops_1q / n_circuits, job.summary.n_ops_2q / n_circuits
    (errors_1, gamma_1), (errors_2, gamma_2) = _worst(job.noise, 1), _worst(job.noise, 2)
    errors = n_1q * errors_1 + n_2q * errors_2
    decays = n_1q * gamma_1 + 2 * n_2q * gamma_2
    damping_choices = n_1q * (gamma_1 > 0) + 2 * n_2q * (gamma_2 > 0)
    if job.summary.n_delays:
        n_delays = job.summary.n_delays / n_circuits
        # Events are concave in the time, so delays of the mean length have the most.
        waiting = GateNoise(duration_s=job.summary.delay_s / job.summary.n_delays)
        errors_0, gamma_0 = _strongest([waiting], job.noise, 1)
        errors += n_delays * errors_0
        decays += n_delays * gamma_0
        damping_choices += n_delays * (gamma_0 > 0)
    return errors, decays, n_splits + damping_choices


def _worst(noise: NoiseModel, n_qubits: int) -> tuple[float, float]:
    """Return the strongest noise after any gate on one qubit, or on two.

    `swap` and gates on more qubits count as several gates on a twin. They are left out, because
    they are rare and would triple the estimates.

    Returns:
        Expected Pauli errors after one gate, and γ on each of its qubits.
    """
    return _strongest(list(_all_noise(noise, n_qubits)), noise, n_qubits)


def _strongest(found: Sequence[GateNoise], noise: NoiseModel, n_qubits: int) -> tuple[float, float]:
    longest = max(each.duration_s for each in found)
    decays = [relaxation.during(longest) for relaxation in noise.relaxations]
    flips = max(each.phase_damping for each in found) + max(each.phase_damping for each in decays)
    errors = max(each.depolarizing for each in found)
    errors += n_qubits * flip_probability(log_coherence(min(1.0, flips)))
    errors += n_qubits * max(each.bit_flip for each in decays)
    gamma = max(each.amplitude_damping for each in found)
    return errors, min(1.0, gamma + max(each.amplitude_damping for each in decays))


def _all_noise(noise: NoiseModel, n_qubits: int) -> Iterator[GateNoise]:
    """Yield all noise that may follow a gate on one qubit, or on two."""
    is_on_pairs = n_qubits > 1
    yield noise.two_qubit if is_on_pairs else noise.one_qubit
    named = [noise.gates]
    for site in noise.sites:
        if len(site.qubits) == n_qubits:
            yield site.default
            named.append(site.gates)
    for exceptions in named:
        for name, exception in exceptions.items():
            if name != "swap" and is_on_pairs == (name.startswith("c") or name in _PAIR_GATES):
                yield exception


def _stabilizer_cost(job: Job) -> tuple[float, float]:
    n_qubits, shots = job.n_qubits, job.shots
    n_bits = job.summary.n_clbits or n_qubits
    n_records = n_bits + job.summary.n_splits
    key_bytes, key_s = _keys_cost(job, 1 << min(n_records, 60), is_exact=job.is_exact)
    chunk = min(shots, max(1_024, _CHUNK_BYTES // (n_bits + n_records)))
    n_bytes = _BASE_BYTES + _TABLEAU_BYTES * n_qubits**2 + 2 * chunk * (n_bits + n_records)
    seconds = _CIRCUIT_S + job.n_ops * (_TEXT_S + shots * _FRAME_S)
    seconds += n_records * n_qubits**2 * _RECORD_S + shots * n_records * _BIT_S
    if job.is_exact and job.is_straight:
        n_bytes += _SUPPORT_BYTES * n_qubits**2
        seconds += n_qubits**3 * _SUPPORT_S
    return n_bytes + key_bytes, seconds + key_s + shots * _SHOT_S


def _mps_cost(job: Job) -> tuple[float, float]:
    """Return the cost of matrix product states, with all bonds as large as the largest may be."""
    n_qubits, n_circuits = job.n_qubits, max(1, job.summary.n_circuits)
    bond = 1 << min(job.summary.n_bond_bits, _MAX_BOND_BITS)
    key_bytes, key_s = _keys_cost(job, 1 << 60, is_exact=False)
    n_bytes = _AER_BYTES + mps_bytes(n_qubits, job.summary.n_bond_bits)
    steps = job.summary.n_bond_steps / n_circuits
    seconds = _AER_S / n_circuits + job.n_ops * _AER_GATE_S
    seconds += steps * (_STEP_S + bond**3 * _BOND_CUBED_S)
    seconds += job.shots * n_qubits * (_DRAWN_S + bond**2 * _DRAWN_BOND_S)
    return n_bytes + key_bytes + job.shots * _SHOT_BYTES, seconds + key_s + job.shots * _SHOT_S
