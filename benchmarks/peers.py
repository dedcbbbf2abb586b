"""The same circuits on Qiskit Aer and on qsim, each from our list of gates to its counts.

Aer runs as its users run it, without `transpile`, which alone would take 50 ms. qsim is its
compiled module: nobody uses it so, and nothing of it is faster. Neither checks what it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from qwicket.engines.qubit import engine
from qwicket.model.circuits import Gate, Measure, QubitCircuit
from qwicket.model.noise import NoiseModel

SEED: Final = 1
HAS_AER: Final = find_spec("qiskit_aer") is not None
HAS_QSIM: Final = find_spec("qsimcirq") is not None


def aer(
    circuits: Sequence[QubitCircuit], shots: int, method: str, noise: NoiseModel | None
) -> Callable[[], object]:
    """Return what runs circuits on Aer in one job."""
    from qiskit_aer import AerSimulator

    model = None if noise is None else _noise(noise)
    simulator = AerSimulator(method=method, max_parallel_threads=1, noise_model=model)

    def run() -> object:
        built = [_qiskit(circuit) for circuit in circuits]
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
    """Return what runs circuits of `rx ry rz h cx` that measure all qubits on qsim."""
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
        options = {"c": built, "s": SEED, "t": 1, "f": 2 if circuit.n_qubits < 16 else 3, "v": 0}
        options |= {"z": True, "r": 1, "g": False, "gmode": 0, "gsst": 0, "gdb": 0}
        return Counter(module.qsim_sample_final(options, shots))

    return lambda: [one(circuit) for circuit in circuits]
