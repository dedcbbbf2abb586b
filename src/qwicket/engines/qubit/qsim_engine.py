"""Samples circuits with qsim: single precision, fused gates, many times faster than Qulacs.

The compiled module inside the wheel of qsimcirq is loaded directly, because the package itself
imports Cirq (1.3 s, 190 MB). This interface is private. So only known versions are loaded, a test
runs on load, and every result is checked.

Danger: qsim reports an error by a line on stderr and an empty list, and crashes when it cannot
allocate memory.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from math import pi, sqrt
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.random import SeedSequence, default_rng

from qwicket.circuits.outcomes import MEMORY, PROBABILITIES
from qwicket.circuits.qubit import Gate
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.cost import MAX_QUBITS
from qwicket.engines.qubit.gates import dense, matrix
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.sampling import Integers, arrays_of
from qwicket.engines.qubit.states import check_memory, evolve
from qwicket.engines.qubit.tasks import EngineResult, Task, UnreliableResult

_log = logging.getLogger(__name__)

_PACKAGE: Final = "qsimcirq"

KNOWN_VERSIONS: Final = ("0.22.0", "0.22.1")
"""Versions whose private interface is known."""

_MODULES: Final = ("qsim_avx512", "qsim_avx2", "qsim_sse", "qsim_basic")
"""Compiled modules, indexed by the number that the wheel's own processor test returns."""

_STATE_BYTES: Final = 9
"""Bytes for each amplitude: 8, and a reserve."""

_DENSE_QUBITS: Final = 2
"""Up to this many qubits a controlled gate is given as one matrix."""
_MAX_TARGETS: Final = 5
_MAX_CONTROLLED: Final = 4
"""Most targets of a gate given as a matrix. Under controls qsim silently skips wider gates."""
_WIDE_QUBITS: Final = 16
"""From this many qubits on, qsim merges gates into gates on three qubits, below on two."""
_TEST_SHOTS: Final = 4_000
"""Shots of `test`."""


def load() -> QsimEngine | None:
    """Return the engine, or None if qsim is missing, of unknown version, or failed its test."""
    package = find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    try:
        engine = QsimEngine(list(package.submodule_search_locations), version(_PACKAGE))
        engine.test()
    except Exception as reason:
        _log.warning("qsim is installed and not used: %s", reason)
        return None
    return engine


class QsimEngine:
    """Draws shots of circuits that measure at their end.

    Args:
        folder: Folder of the compiled modules.
        release: Version of qsimcirq.

    Raises:
        UnreliableResult: The installed version of qsim is not one that was tested.
        ImportError: The module cannot be loaded.
    """

    name: Final = "qsim"

    def __init__(self, folder: list[str], release: str) -> None:
        if release not in KNOWN_VERSIONS:
            raise UnreliableResult(f"version {release} is not one of {', '.join(KNOWN_VERSIONS)}")
        kind = _MODULES[min(_loaded("qsim_decide", folder).detect_instructions(), 3)]
        self._qsim: Any = _loaded(kind, folder)
        self.version = f"2 ({kind} {release}, numpy {np.__version__})"

    def takes(self, program: Program) -> bool:
        """Return whether qsim can run each gate."""
        gates = program.gates()
        if max([len(gate.targets) for gate in gates], default=0) <= _MAX_CONTROLLED:
            return True
        return all(len(gate.targets) <= _max_targets(gate) for gate in gates)

    def run(self, task: Task) -> EngineResult:
        """Run one circuit.

        Raises:
            CannotRun: The circuit is noisy, has mid-circuit measurements or a wide gate, or exact
                probabilities are wanted.
            MemoryError: The state does not fit into memory.
            UnreliableResult: qsim returned no result, or one that cannot be right.
        """
        if task.noise is not None or not task.program.is_straight:
            raise CannotRun("unsupported", "qsim runs ideal circuits, measured at the end")
        if PROBABILITIES in task.outputs:
            raise CannotRun("unsupported", "qsim computes in single precision: no probabilities")
        samples = self._samples(task.program, task.shots, task.seed)
        if MEMORY in task.outputs:
            samples = default_rng(task.seed).permutation(samples)  # qsim sorts what it draws
        return EngineResult(arrays_of(samples, task.program.reads(), task.outputs))

    def test(self) -> None:
        """Compare the shots of one circuit with NumPy's probabilities.

        Raises:
            UnreliableResult: The shots do not follow them.
        """
        program = Program(4, _TEST_GATES, True, {}, 0, ())
        state = NumpySimulator().zero_state(4)
        evolve(NumpySimulator(), state, _TEST_GATES)
        p = state.probabilities()
        found = np.bincount(self._samples(program, _TEST_SHOTS, SeedSequence(1)), minlength=16)
        # Total variation: its mean, and a margin that a correct result exceeds once in 10^9 tests.
        expected = np.sqrt(p * (1 - p) / (2 * pi * _TEST_SHOTS)).sum()
        if np.abs(found / _TEST_SHOTS - p).sum() / 2 > expected + 3.3 / sqrt(_TEST_SHOTS):
            raise UnreliableResult("its shots do not follow the circuit of the test")

    def _samples(self, program: Program, shots: int, seed: SeedSequence) -> Integers:
        if program.n_qubits > MAX_QUBITS:
            raise MemoryError
        circuit = self._circuit(program)
        check_memory(program.n_qubits, _STATE_BYTES)
        drawn = self._qsim.qsim_sample_final(_options(circuit, program.n_qubits, seed), shots)
        samples = np.fromiter(drawn, dtype=np.int64, count=len(drawn))
        if samples.size != shots or samples.max() >> program.n_qubits:
            raise UnreliableResult(f"{samples.size} of {shots} shots came back")
        return samples

    def _circuit(self, program: Program) -> Any:
        circuit = self._qsim.Circuit()
        circuit.num_qubits = program.n_qubits
        add, kinds, controlled = self._qsim.add_gate, self._kinds, self._controlled_kinds
        # qsim needs each gate at a later time than the one before.
        for index, gate in enumerate(program.gates()):
            controls, params = gate.controls, gate.params
            if not controls and (kind := kinds.get(gate.name)) is not None:
                add(kind, index, gate.targets, {"phi": params[0]} if params else {}, circuit)
            elif len(controls) == 1 and (kind := controlled.get(gate.name)) is not None:
                add(kind, index, controls + gate.targets, {}, circuit)
            else:
                self._add_other(gate, index, circuit)
        return circuit

    def _add_other(self, gate: Gate, index: int, circuit: Any) -> None:
        maximum = _max_targets(gate)
        if len(gate.targets) > maximum:
            kind = f"{gate.name} under controls" if gate.controls else gate.name
            raise CannotRun("unsupported", f"qsim runs {kind} on at most {maximum} qubits")
        if gate.name in ("gphase", "id") and not (gate.controls and gate.params):
            return
        if gate.controls and len(gate.targets + gate.controls) > _DENSE_QUBITS:
            self._add_controlled(gate, index, circuit)
        else:
            unitary, qubits = dense(gate)
            self._qsim.add_matrix_gate(index, list(qubits), _flat(unitary), circuit)

    def _add_controlled(self, gate: Gate, index: int, circuit: Any) -> None:
        if gate.name == "gphase":
            controls, target = gate.controls[1:], gate.controls[:1]
            unitary, qubits = matrix("p", gate.params), target
        else:
            controls = gate.controls
            bare = Gate(gate.name, gate.targets, gate.params, (), gate.terms)
            unitary, qubits = dense(bare)
        self._qsim.add_matrix_gate(index, list(qubits), _flat(unitary), circuit)
        self._qsim.control_last_gate(list(controls), [1] * len(controls), circuit)

    @cached_property
    def _kinds(self) -> Mapping[str, Any]:
        """Kinds of gates without controls, where `p` is `rz` up to a global phase."""
        qsim = self._qsim
        return {
            "x": qsim.kX,
            "y": qsim.kY,
            "z": qsim.kZ,
            "h": qsim.kH,
            "s": qsim.kS,
            "t": qsim.kT,
            "rx": qsim.krx,
            "ry": qsim.kry,
            "rz": qsim.krz,
            "p": qsim.krz,
            "swap": qsim.kSWAP,
        }

    @cached_property
    def _controlled_kinds(self) -> Mapping[str, Any]:
        """Kinds of gates with one control."""
        return {"x": self._qsim.kCX, "z": self._qsim.kCZ}


def _max_targets(gate: Gate) -> int:
    return _MAX_CONTROLLED if gate.controls else _MAX_TARGETS


def _options(circuit: Any, n_qubits: int, seed: SeedSequence) -> dict[str, Any]:
    """Return all options of qsim, which returns nothing if one is missing."""
    return {
        "c": circuit,
        "s": int(seed.generate_state(1)[0]),
        "t": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
        "f": 3 if n_qubits >= _WIDE_QUBITS else 2,
        "v": 0,
        "z": True,
        "r": 1,
        "g": False,
        "gmode": 0,
        "gsst": 0,
        "gdb": 0,
    }


def _loaded(name: str, folder: list[str]) -> ModuleType:
    """Return a compiled module under the name by which the package itself imports it.

    A process that loads it twice, under two names, aborts when it ends.
    """
    full_name = f"{_PACKAGE}.{name}"
    if full_name not in sys.modules:
        spec = PathFinder.find_spec(full_name, folder)
        if spec is None or spec.loader is None:
            raise ImportError(f"the wheel has no {name}")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[full_name] = module
    return sys.modules[full_name]


def _flat(unitary: Any) -> list[float]:
    """Return real and imaginary parts in turn, row by row."""
    parts: list[float] = unitary.reshape(-1).view(np.float64).tolist()
    return parts


_TEST_GATES: Final = (
    *(Gate("ry", (qubit,), (0.5 + 0.4 * qubit,)) for qubit in range(4)),
    *(Gate("rx", (qubit,), (1.1 - 0.3 * qubit,)) for qubit in range(4)),
    Gate("x", (1,), (), (0,)),
    Gate("ms", (2, 3), (0.4, -1.3, 0.7)),
    Gate("x", (3,), (), (1, 2)),
    Gate("u", (0,), (0.7, -1.1, 2.3), (3,)),
    Gate("rz", (2,), (0.9,)),
    Gate("h", (2,)),
    Gate("y", (1,)),
    Gate("t", (1,)),
    Gate("s", (3,)),
    Gate("z", (3,), (), (2,)),
    Gate("h", (1,)),
    Gate("h", (3,)),
    Gate("swap", (0, 2)),
)
