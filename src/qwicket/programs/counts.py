"""Mitigated counts of a circuit that has run; see `circuits.mitigation.counts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from qwicket.circuits.analysis import final_part_start
from qwicket.circuits.mitigation.counts import (
    MAX_SEEN_ONCE,
    NotConverged,
    ReadoutErrors,
    quasi_probabilities,
    seen_once,
)
from qwicket.circuits.outcomes import COUNTS, MEMORY, SHARPENED, Encoded, Outcome, decode
from qwicket.circuits.qubit import Measure, QubitCircuit
from qwicket.model.errors import InvalidRequest
from qwicket.model.limits import Limits
from qwicket.programs.estimation import EstimationLimits
from qwicket.programs.json_text import check_limit

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mitigate(
    circuit: QubitCircuit, result: Encoded, errors: Sequence[ReadoutErrors], limits: Limits
) -> bytes:
    """Return quasi-probabilities by bit string, the highest classical bit first, as JSON.

    Args:
        circuit: The circuit.
        result: Its result.
        errors: Readout errors of each qubit of the device.
        limits: `mitigated_outcomes` bounds the outcomes.

    Raises:
        InvalidRequest: The circuit measures before its end, the result has no counts, or these are
            too sparse.
        LimitExceeded: There are too many outcomes.
    """
    outcome = decode(result)
    if SHARPENED in outcome.arrays:
        raise _refusal("the job was debiased, so its runs have used different qubits")
    qubits = _measured(circuit)
    rows, counts = _counts(outcome)
    maximum = limits.of(EstimationLimits).mitigated_outcomes
    check_limit("mitigated_outcomes", len(counts), maximum)
    once = seen_once(counts)
    if once > MAX_SEEN_ONCE:
        raise _refusal(
            f"{once:.1%} of the shots have an outcome that occurred once, and at most"
            f" {MAX_SEEN_ONCE:.0%} may, because unobserved outcomes would bias the values: take"
            " more shots, or expectation values with readout mitigation"
        )
    bits = np.unpackbits(rows, axis=1, bitorder="little").astype(bool)
    try:
        values = quasi_probabilities(
            bits[:, list(qubits)], counts, [errors[qubit] for qubit in qubits.values()]
        )
    except NotConverged:
        raise _refusal("the readout errors are too large to mitigate") from None
    width = outcome.n_bits
    keys = [int.from_bytes(row.tobytes(), "little") for row in rows]
    return msgspec.json.encode(
        {format(key, f"0{width}b"): value for key, value in zip(keys, values.tolist(), strict=True)}
    )


def _measured(circuit: QubitCircuit) -> dict[int, int]:
    """Return the qubit that each classical bit is read from at the end of a circuit."""
    end = final_part_start(circuit.ops)
    if any(type(op) is Measure for op in circuit.ops[:end]):
        raise _refusal("the circuit measures qubits before its end")
    found = {op.clbit: op.qubit for op in circuit.ops if type(op) is Measure}
    if not found:
        raise _refusal("the circuit measures nothing")
    return found


def _counts(outcome: Outcome) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the packed key of each outcome, and its shots."""
    arrays = outcome.arrays
    if COUNTS in arrays:
        keys, counts = arrays["keys"], np.frombuffer(arrays[COUNTS].data, "<i8")
        rows = np.frombuffer(keys.data, np.uint8).reshape(keys.shape)
        return rows[counts > 0], counts[counts > 0]
    if MEMORY in arrays:
        memory = arrays[MEMORY]
        shots = np.frombuffer(memory.data, np.uint8).reshape(memory.shape)
        found: Any = np.unique(shots, axis=0, return_counts=True)
        return found[0], found[1].astype(np.int64)
    raise _refusal("the result has no counts")


def _refusal(text: str) -> InvalidRequest:
    return InvalidRequest(f"mitigation: {text}.", field="mitigation")
