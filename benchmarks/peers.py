"""The same circuits on Qiskit Aer and on qsim, from a finished circuit to its counts.

Both run as their users run them, Aer without `transpile`, which alone would take 50 ms. qsim's
compiled module is measured, too, from our list of gates. Nobody calls it directly, and it checks
nothing: it is a floor for qsim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from qwicket.circuits.noise import NoiseModel
from qwicket.circuits.qubit import Gate, Measure, QubitCircuit
from qwicket.engines.qubit import engine

SEED: Final = 1
HAS_AER: Final = find_spec("qiskit_aer") is not None
HAS_QSIM: Final = None not in (find_spec("qsimcirq"), find_spec("cirq"))
_WIDE_QUBITS: Final = 16
"""From this width on qsim is faster with gates fused to three qubits, below with two."""


def aer(
    circuits: Sequence[QubitCircuit], shots: int, method: str, noise: NoiseModel | None
) -> Callable[[], object]:
    """Return a function that runs circuits on Aer in one job."""
    from qiskit_aer import AerSimulator

    model = None if noise is None else _noise(noise)
    simulator = AerSimulator(method=method, max_parallel_threads=1, noise_model=model)
    built = [_qiskit(circuit) for circuit in circuits]

    def run() -> object:
        result = simulator.run(built, shots=shots, seed_simulator=SEED).result()
        assert result.success, result.status
        return result.get_counts()

    return run


def _qiskit(circuit: QubitCircuit) -> Any:
    from qiskit import QuantumCircuit

    built = QuantumCircuit(circuit.n_qubits, circuit.n_clbits)
    for op in circuit.ops:
        if isinstance(op, Gate):
            add = getattr(built, "c" * len(op.controls) + op.name)
            add(*op.params, *op.controls, *op.targets)
        elif isinstance(op, Measure):
            built.measure(op.qubit, op.clbit)
    return built


def _noise(noise: NoiseModel) -> Any:
    """Return Paulis alone; Aer's parameter is 4/3, on two qubits 16/15, of their probability."""
    from qiskit_aer.noise import NoiseModel as Model
    from qiskit_aer.noise import depolarizing_error

    model = Model()
    one, two = noise.one_qubit.depolarizing * 4 / 3, noise.two_qubit.depolarizing * 16 / 15
    model.add_all_qubit_quantum_error(depolarizing_error(one, 1), ["rx", "ry", "rz"])
    model.add_all_qubit_quantum_error(depolarizing_error(two, 2), ["cx"])
    return model


def qsim(circuits: Sequence[QubitCircuit], shots: int) -> Callable[[], object]:
    """Return a function that runs circuits of `rx ry rz h cx` on qsim through Cirq.

    The circuits must measure all qubits. A sweep over resolved parameters takes longer, and so does
    `run_batch`.
    """
    from qsimcirq import QSimOptions, QSimSimulator

    widest = max(circuit.n_qubits for circuit in circuits)
    options = QSimOptions(_fused(widest), cpu_threads=1, denormals_are_zeros=True)
    simulator = QSimSimulator(options, seed=SEED)
    built = [_cirq(circuit) for circuit in circuits]
    return lambda: [simulator.run(each, repetitions=shots).histogram(key="c") for each in built]


def _cirq(circuit: QubitCircuit) -> Any:
    import cirq

    wires = cirq.LineQubit.range(circuit.n_qubits)
    built = cirq.Circuit()
    for op in circuit.ops:
        if isinstance(op, Gate):
            if op.controls:
                kind = cirq.CNOT
            else:
                kind = getattr(cirq, op.name)(*op.params) if op.params else cirq.H
            built.append(kind(*(wires[qubit] for qubit in op.controls + op.targets)))
    built.append(cirq.measure(*wires, key="c"))
    return built


def qsim_module(circuits: Sequence[QubitCircuit], shots: int) -> Callable[[], object]:
    """Return a function that runs circuits of `rx ry rz h cx` on qsim's compiled module.

    The circuits must measure all qubits.
    """
    found = engine.qsim()
    assert found is not None
    module = found._qsim
    kinds = {"rx": module.krx, "ry": module.kry, "rz": module.krz, "h": module.kH}

    def one(circuit: QubitCircuit) -> Counter[int]:
        built = module.Circuit()
        built.num_qubits = circuit.n_qubits
        for place, op in enumerate(circuit.ops):
            if isinstance(op, Gate):
                kind = module.kCX if op.controls else kinds[op.name]
                angle = {"phi": op.params[0]} if op.params else {}
                module.add_gate(kind, place, op.controls + op.targets, angle, built)
        options = {"c": built, "s": SEED, "t": 1, "f": _fused(circuit.n_qubits), "v": 0}
        options |= {"z": True, "r": 1, "g": False, "gmode": 0, "gsst": 0, "gdb": 0}
        return Counter(module.qsim_sample_final(options, shots))

    return lambda: [one(circuit) for circuit in circuits]


def _fused(n_qubits: int) -> int:
    return 3 if n_qubits >= _WIDE_QUBITS else 2
