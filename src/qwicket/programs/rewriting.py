"""Writes flat circuits in another language, for clouds that do not take the format of the job."""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit
from qwicket.model.errors import InvalidProgram
from qwicket.programs import batch
from qwicket.programs.known import FORMATS
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.programs.openqasm.writer import write as write_openqasm


def rewrite(
    circuits: Sequence[QubitCircuit], language: str, *, is_physical: bool = False
) -> tuple[str, bytes]:
    """Return circuits as a program: its format, and its text.

    Args:
        circuits: One or several circuits.
        language: Format of the text, OpenQASM 3 or one that has a writer. Several circuits in
            OpenQASM 3 become a `batch`.
        is_physical: Whether OpenQASM 3 names the qubits as those of a machine.

    Raises:
        InvalidProgram: The language cannot express a circuit, or a circuit is not sampled.
    """
    takes_estimations = FORMATS[language].writes_estimations
    if any(
        circuit.readouts or (circuit.estimation and not takes_estimations) for circuit in circuits
    ):
        raise InvalidProgram(
            "the other cloud does not take this format, and only programs that are sampled can be"
            " rewritten",
            field="program",
        )
    try:
        if writer := FORMATS[language].writer:
            return language, resolve_name(writer)(circuits)
        texts = [write_openqasm(circuit, is_physical=is_physical) for circuit in circuits]
    except (NotWritable, RecursionError) as error:
        reason = str(error) if isinstance(error, NotWritable) else "it is nested too deeply"
        raise InvalidProgram(
            f"the circuit cannot be written in {language}, which the other cloud takes: {reason}",
            field="program",
        ) from None
    if len(texts) == 1:
        return language, texts[0].encode()
    return "batch", batch.write(
        tuple(batch.Member(format="openqasm3", source=text) for text in texts)
    )


def measured_qubits(circuit: QubitCircuit) -> dict[int, int]:
    """Return the qubit from which each classical bit is measured.

    Raises:
        NotWritable: A gate follows a measurement of its qubit, or there is a reset or branch.
    """
    found: dict[int, int] = {}
    measured: set[int] = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            found[op.clbit] = op.qubit
            measured.add(op.qubit)
        elif not isinstance(op, Gate):
            raise NotWritable(f"it has no {type(op).__name__.lower()}")
        elif not measured.isdisjoint((*op.targets, *op.controls)):
            raise NotWritable("qubits are measured once, after all gates")
    return found
