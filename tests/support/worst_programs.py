"""Texts of each format that take longest to parse, of those that we found.

Beside those of `inline_programs` these are texts of any size, which parser processes read, short
ramps of a million steps among them.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Final

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from support import executor
from support.inline_programs import HEAD_2, INLINE, filled


def _braket(source: str, shots: int = 1, inputs: dict[str, float] | None = None) -> str:
    return json.dumps({"source": source, "shots": shots, "inputs": inputs or {}})


def _word(number: int, length: int) -> str:
    """Return a word of Paulis, another one for each number."""
    return "".join("XYZ"[number // 3**place % 3] for place in range(length))


def _estimation(observables: list[dict[str, float]], **fields: Any) -> str:
    program = "OPENQASM 3.0; qubit[17] q;"
    return json.dumps({"program": program, "observables": observables, **fields})


def _batch(number: int, format: str, source: str) -> str:
    return json.dumps([{"format": format, "source": source}] * number)


def _sampler(*pubs: list[Any]) -> str:
    """Return a document of Qiskit's primitives."""
    params = {"version": 2, "pubs": list(pubs), "options": {}, "support_qiskit": True}
    return json.dumps({"program": "sampler", "params": params})


def _qpy(content: bytes) -> dict[str, str]:
    packed = base64.b64encode(zlib.compress(content, 9)).decode()
    return {"__type__": "QuantumCircuit", "__value__": packed}


def _samplex(shape: list[int], n_sets: int = 1, distribution: str = "") -> str:
    """Return a program of the executor with a samplex, whose first node may have another size."""
    circuit = QuantumCircuit(2)
    circuit.rx(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    template, text = executor.twirled(circuit)
    if distribution:
        graph = json.loads(text)
        graph["nodes"][0]["data"]["distribution"] = distribution
        text = json.dumps(graph)
    values = executor.tensor([[k / n_sets] for k in range(n_sets)])
    item = executor.samplex_item(text, shape, parameter_values=values)
    return executor.source(executor.circuits(template), item).decode()


_HEAD_3: Final = 'OPENQASM 3.0;include "stdgates.inc";qubit q;bit c;'
_LOOP_3: Final = 'include "stdgates.inc"; qubit q; for int i in [1:900000] { x q; }'
_ROW: Final = ",".join(["1"] * 400)

WORST: Final[dict[str, tuple[str, ...]]] = {
    **INLINE,
    "blackbird": (
        "for int i in 0:99999\n    Sgate(0.1) | 0\nMeasureX | 0\n",
        "int i = 1\nfor int j in 0:40000\n    Rgate(" + "-i" * 50 + ") | 0\nMeasureX | 0\n",
        "".join(f"{word} {'+' * 250_000}\n" for word in ("name", "target", "type")),
        "for int i in 0:99999\n    Rgate(" + "(" * 40 + "1" + ")" * 40 + ") | 0\nMeasureX | 0\n",
        "float x = " + "-" * 200_000 + "1",
    ),
    "openqasm2": (
        *INLINE["openqasm2"],
        f"{HEAD_2}{'x q[0];' * 370_000}measure q -> c;",
        f"{HEAD_2}rx({'1+' * 700_000}1) q[0];",
        f"{HEAD_2}{'//' * 2_000_000}",
        "".join(("OPENQASM 2.0;", *(f"qreg a{k}[1];" for k in range(60_000)))),
    ),
    "braket.openqasm3": (
        _braket(_LOOP_3),
        _braket("qubit q;" + "#pragma braket noise bit_flip(0.1) q\n" * 25_000),
        _braket(
            "".join(f"input float a{k};" for k in range(30_000)) + "qubit q;x q;",
            inputs={f"a{k}": 1.0 for k in range(30_000)},
        ),
        _braket(
            "qubit[2] q;h q;\n#pragma braket result expectation hermitian(["
            + ",".join([f"[{_ROW}]"] * 1_200)
            + "]) q[0]\n",
            shots=0,
        ),
    ),
    "batch": (
        _batch(5, "openqasm3", _LOOP_3),
        _batch(5_000, "openqasm2", f"{HEAD_2}x q;measure q -> c;"),
        _batch(
            1_800,
            "ionq.circuit.v1",
            filled('{"qubits":1,"circuit":[', '{"gate":"x","target":0}', "]}"),
        ),
        "[" + "{}," * 3_000_000 + "{}]",
        "[" * 5_000_000,
    ),
    "estimation": (
        _estimation([{_word(k, 17): 1.0} for k in range(20_000)]),
        _estimation([{"0" * 14: 1.0}], mitigation={"readout": True}),
        _estimation([{"Z": 1.0}] * 6_000, mitigation={"noise_factors": [1, 100]}),
        '{"program":"qubit q;","observables":[' + "{}," * 3_000_000 + "{}]}",
        "[" * 5_000_000,
    ),
    "qiskit.primitives": (
        _sampler([f"{_HEAD_3}for int i in [1:900000] {{ x q; }}c=measure q;", [], 1]),
        _sampler([f"{_HEAD_3}input float a;rx(a) q;c=measure q;", [[0.1]] * 900_000, 1]),
        _sampler([_qpy(bytes(200_000_000)), [], 1]),
        '{"program":"sampler","params":{"version":2,"pubs":[' + "[]," * 3_000_000 + "[]]}}",
        _samplex([1_000_000, 1]),
        _samplex([1_000], n_sets=1_000),
        _samplex([1], distribution='{"id":"D0","ssv":"4","num_subsystems":1000000000000}'),
        _samplex([1], distribution="[" * 1_000_000),
    ),
    "qir": ("=" * 600_000, " \n" * 300_000, "QkPA3g" + "A" * 600_000),
    "openqasm3": (*INLINE["openqasm3"], "/*" * 30_000),
}
"""By format."""

WORST_LAYOUTS: Final = (
    "\n" * 65_000 + "x",
    " " * 65_000 + "x",
    " \n" * 32_000 + "x",
    "type " * 13_000,
    "{" * 65_000,
    ("{" + " " * 100) * 640,
    "{" + "a" * 64_990,
    "Sgate({a}) | 0\n" * 4_300,
    "for int i in 0:4999\n    Sgate(0.1) | 0\nMeasureFock() | 0\n",
    "".join(f"Sgate({{a{k % 999}}}) | 0\n" for k in range(3_200)) + "MeasureFock() | 0\n",
)
"""Texts that a lab may announce as the layout of a photonic device."""
