"""Texts that crash, hang or fill the memory of other parsers of OpenQASM."""

from __future__ import annotations

from typing import Final

_MEGABYTE: Final = 1 << 20
_HEAD_2: Final = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[4];\ncreg c[4];\n'
_HEAD_3: Final = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[4] q;\nbit[4] c;\n'


def _bomb(head: str, levels: int, fan: int = 10) -> str:
    gates = ["gate g0 a { x a; }"]
    gates += [f"gate g{k} a {{ {f'g{k - 1} a; ' * fan}}}" for k in range(1, levels)]
    return head + "\n".join(gates) + f"\ng{levels - 1} q[0];\nmeasure q -> c;\n"


def _filled(unit: str) -> str:
    return _HEAD_3 + unit * ((_MEGABYTE - len(_HEAD_3)) // len(unit))


HOSTILE: Final[dict[str, str]] = {
    "a file's name": "/etc/passwd",
    "an include of a secret": 'OPENQASM 2.0;\ninclude "/etc/passwd";\n',
    "an include of an endless file": 'OPENQASM 3.0;\ninclude "/dev/zero";\n',
    "10^9 qubits": "OPENQASM 2.0;\nqreg q[1000000000];\n",
    "10^6 qubits": "OPENQASM 2.0;\nqreg q[1000000];\n",
    "10^9 bits": "OPENQASM 3.0;\nqubit q;\nbit[1000000000] c;\n",
    "a gate on 10^6 qubits": "OPENQASM 3.0;\nqubit[1000000] q;\nU(1, 2, 3) q;\n",
    "parentheses": f"{_HEAD_2}rx({'(' * 5_000}1{')' * 5_000}) q[0];\n",
    "minus signs": f"{_HEAD_3}rx({'-' * 100_000}1) q[0];\n",
    "nots": f"{_HEAD_3}if ({'!' * 100_000}c[0]) x q[0];\n",
    "a gate that calls itself": f"{_HEAD_2}gate g a {{ g a; }}\ng q[0];\n",
    "a bomb of 10^4 gates": _bomb(_HEAD_2, 5),
    "a bomb of 10^20 gates": _bomb(_HEAD_2, 21),
    "an endless loop": f"{_HEAD_3}while (true) {{ x q[0]; }}\n",
    "a loop of 10^8": f"{_HEAD_3}for int i in [1:100000000] {{ x q[0]; }}\n",
    "a power of 10^8": f"{_HEAD_3}pow(100000000) @ x q[0];\n",
    "an endless comment": f"{_HEAD_3}/*{'*' * 900_000}",
    "a megabyte of modifiers": _filled("inv@h q[0];"),
    "a megabyte of registers": _filled("x q;"),
    "a megabyte of branches": _filled("if(c==1)x q[0];"),
}
"""What is wrong with each, and its text."""
