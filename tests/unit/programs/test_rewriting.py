"""Flat circuits in another language mean what they meant, or are refused by name."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from qwicket import programs
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import decode, encode
from qwicket.circuits.qubit import Estimation, Pauli, QubitCircuit, unpack
from qwicket.engines.qubit import run
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.rewriting import measured_qubits, rewrite

pytestmark = pytest.mark.needs_vendors


HEAD = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; '
GATES = (
    "h q[0]; ry(0.3) q[1]; rx(1.1) q[2]; cx q[0], q[1]; s q[1]; sdg q[0]; t q[2]; tdg q[1];"
    " sx q[0]; swap q[0], q[2]; p(0.4) q[1]; ccx q[0], q[1], q[2]; rz(0.2) q[2]; h q[2]; h q[1];"
    " cz q[1], q[2]; ch q[0], q[1]; crx(0.7) q[1], q[0]; id q[0];"
)


def flat(text: str, format: str = "openqasm3") -> tuple[QubitCircuit, ...]:
    return unpack(programs.read(format, text.encode(), Limits()).circuits)


def probabilities(circuit: QubitCircuit) -> dict[int, float]:
    """Return the distribution of the qubits: of a bit for each, in their order."""
    found = run(circuit, RunOptions(shots=1, seed=1, outputs=("probabilities",)), 0)
    by_bits = decode(encode(found)).probabilities()
    wires = measured_qubits(circuit)
    return {
        sum((key >> clbit & 1) << qubit for clbit, qubit in wires.items()): share
        for key, share in by_bits.items()
    }


@pytest.mark.parametrize("language", ["openqasm3", "ionq.circuit.v1", "qobj"])
def test_a_program_keeps_its_distribution(language: str) -> None:
    (before,) = flat(HEAD + GATES + "c = measure q;")
    format, source = rewrite((before,), language)
    (after,) = flat(source.decode(), format)
    known, found = probabilities(before), probabilities(after)
    keys = sorted({*known, *found})
    assert len(keys) == 8
    np.testing.assert_allclose(
        [found.get(key, 0.0) for key in keys], [known.get(key, 0.0) for key in keys], atol=1e-12
    )


def test_several_circuits_stay_several() -> None:
    two = (*flat(HEAD + "x q[0]; c = measure q;"), *flat(HEAD + "x q[1]; c = measure q;"))
    for language in ("openqasm3", "ionq.circuit.v1", "qobj"):
        format, source = rewrite(two, language)
        assert len(flat(source.decode(), format)) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("c[0] = measure q[0]; if (c[0]) { x q[1]; }", "branch"),
        ("reset q[0]; c = measure q;", "reset"),
        ("c[0] = measure q[0]; x q[0];", "after all gates"),
        ("cp(0.3) q[0], q[1]; c = measure q;", "no gate cp"),
        ("u3(0.1, 0.2, 0.3) q[0]; c = measure q;", "no gate u"),
    ],
)
def test_what_ions_cannot_do_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(InvalidProgram, match=rf"ionq.circuit.v1.*{reason}"):
        rewrite(flat(HEAD + text), "ionq.circuit.v1")


def test_an_estimation_is_not_rewritten() -> None:
    (circuit,) = flat(HEAD + "c = measure q;")
    asked = msgspec.structs.replace(circuit, estimation=Estimation((), (), ()))
    with pytest.raises(InvalidProgram, match="only programs that are sampled"):
        rewrite((asked,), "openqasm3")


def test_an_estimation_becomes_a_pub_of_an_estimator() -> None:
    (circuit,) = flat(HEAD + "h q[0];")
    estimation = Estimation((Pauli("Z", (1,)),), ((0,),), (((0, 0.5),),))
    asked = msgspec.structs.replace(circuit, shots=25, estimation=estimation)
    format, source = rewrite((asked,), "qiskit.primitives")
    (found,) = flat(source.decode(), format)
    assert (found.estimation, found.shots) == (estimation, 25)
    empty = msgspec.structs.replace(circuit, shots=1, estimation=Estimation((), (), ()))
    with pytest.raises(InvalidProgram, match=r"qiskit\.primitives.*without values"):
        rewrite((empty,), "qiskit.primitives")
