"""Make the programs of this folder, as text and bitcode: `python make.py NAME` with PyQIR.

`typed` is from PyQIR 0.8.2 (LLVM 14, pointers with types), `opaque` from PyQIR 0.12.7 (LLVM 20).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyqir

N_QUBITS = 3
module = pyqir.SimpleModule("programs of a test", N_QUBITS, N_QUBITS)
qis, qubits = pyqir.BasicQisBuilder(module.builder), module.qubits
for name in ("h", "x", "y", "z", "s", "s_adj", "t", "t_adj"):
    getattr(qis, name)(qubits[0])
for name in ("rx", "ry", "rz"):
    getattr(qis, name)(0.1, qubits[1])
    getattr(qis, name)(-1 / 3, qubits[2])
    getattr(qis, name)(0.0, qubits[0])
qis.cx(qubits[0], qubits[1])
qis.cz(qubits[2], qubits[1])
qis.reset(qubits[2])
kind = pyqir.FunctionType(
    pyqir.Type.void(module.context), [each.type for each in (module.results[0], qubits[0])]
)
record = module.add_external_function("__quantum__rt__result_record_output", kind)
for qubit, result in zip(qubits, module.results, strict=True):
    qis.mz(qubit, result)
for number in (2, 0, 1):
    module.builder.call(record, [module.results[number], pyqir.Constant.null(qubits[0].type)])

folder = Path(__file__).parent
(folder / f"{sys.argv[1]}.bc").write_bytes(module.bitcode())
(folder / f"{sys.argv[1]}.ll").write_text(module.ir())
