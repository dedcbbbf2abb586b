"""Texts of up to 4 kB that take longest to parse, of those that we found.

The server parses them in its own process. Found by measuring some hundred candidates of each
format: repeated gates, targets, terms, members, empty members of great width, long numbers, and
brackets.
"""

from __future__ import annotations

from typing import Final

_INLINE: Final = 4 << 10


def filled(head: str, unit: str, tail: str, size: int = _INLINE) -> str:
    n_units = (size - len(head) - len(tail) + 1) // (len(unit) + 1)
    return head + ",".join([unit] * n_units) + tail


def _experiments(unit: str) -> str:
    texts: list[str] = []
    while sum(map(len, texts)) + len(texts) < _INLINE - 200:
        texts.append(f'"experiment_{len(texts)}":{unit}')
    return "{" + ",".join(texts) + "}"


def _qobj(experiments: str, n_qubits: int = 5_000, n_slots: int = 10_000) -> str:
    config = f'{{"n_qubits":{n_qubits},"memory_slots":{n_slots},"shots":1}}'
    head = '{"qobj_id":"a","type":"QASM","schema_version":"1.1","header":{},"config":'
    return f'{head}{config},"experiments":[{experiments}]}}'


def _ramp(values: str) -> str:
    series = f'{{"values":{values},"times":["0","4e-6"]}}'
    return f'{{"time_series":{series},"pattern":"uniform"}}'


def _ahs(n_atoms: int) -> str:
    sites = ",".join(f'["{k * 5.5e-6}","0"]' for k in range(n_atoms))
    ramp, flat = _ramp('["-1e8","1e8"]'), _ramp('["0","0"]')
    fields = f'{{"amplitude":{ramp},"phase":{flat},"detuning":{ramp}}}'
    return f'{{"register":{{"sites":[{sites}]}},"hamiltonian":{{"drivingFields":[{fields}]}}}}'


def _nested_gates(levels: int) -> str:
    """Return OpenQASM 2 whose last gate is 10 to the power of `levels` operations."""
    gates = ["gate g0 a { x a; }"]
    gates += [f"gate g{k} a {{ {f'g{k - 1} a; ' * 10}}}" for k in range(1, levels + 1)]
    return f"{HEAD_2}{''.join(gates)}g{levels} q[0];measure q -> c;"


def _upto(head: str, unit: str, tail: str = "", size: int = _INLINE) -> str:
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def _nested(levels: int, body: str) -> str:
    heads = "".join(f"for int i{k} in [0:9] {{" for k in range(levels))
    return f"{heads}{body}{'}' * levels}"


def _doubling(levels: int, first: str, calls: int) -> str:
    """Return gates, each of which calls the one before it some times."""
    gates = [f"gate g0 a {{{first}}}"]
    gates += [f"gate g{k} a {{{f'g{k - 1} a;' * calls}}}" for k in range(1, levels + 1)]
    return f"{''.join(gates)}g{levels} q[0];"


HEAD_2: Final = 'OPENQASM 2.0;include "qelib1.inc";qreg q[4];creg c[4];'
_TERMS: Final = _INLINE // 6 - 30
_X_ON_ALL: Final = f'{{"gate":"x","targets":{list(range(100))}}}'.replace(" ", "")
_MASK: Final = '{"name":"bfunc","mask":"0xffffffffffffff","val":"1","relation":"==","register":0}'
_IQM_RESET: Final = f'{{"name":"reset","locus":{[f"QB{k}" for k in range(1, 101)]}}}'.replace(
    "'", '"'
)
_IQM_MAPPED: Final = '{"logical_name":"a","physical_name":"QB1"}'
_GATE: Final = '["rlx",[0],[1]]'
_FRAME: Final = '"num_wires":1,"shots":1,"wire_order":"interleaved"}'

_WIDE_2: Final = 'OPENQASM 2.0;include "qelib1.inc";qreg q[100];creg c[100];'
_STD_3: Final = 'OPENQASM 3.0;include "stdgates.inc";'
_MEASURED: Final = f"{_STD_3}qubit[20] q;bit[20] c;c=measure q;"
_SMALL_OPENQASM2: Final = (
    _upto(HEAD_2, "x q[0];"),
    _upto(HEAD_2, "cx q[0],q[1];"),
    _upto(HEAD_2, "u3(pi/2,1,-pi)q[0];"),
    HEAD_2 + "".join(f"rx({k}*pi/7)q[0];" for k in range(200)),
    _upto(_WIDE_2, "x q;"),
    _upto(_WIDE_2, "barrier q;"),
    _upto(_WIDE_2, "measure q->c;"),
    "OPENQASM 2.0;" + "".join(f"qreg a{k}[1];" for k in range(250)),
    HEAD_2 + _doubling(60, "x a;", 2),
    HEAD_2 + _doubling(30, "x a;", 10),
    HEAD_2 + _doubling(30, "", 10),
    _nested_gates(5),
    _nested_gates(40),
)
_SMALL_OPENQASM3: Final = (
    _STD_3 + "qubit[9000] q;",
    f"{_STD_3}qubit q;{_nested(6, '')}",
    f"{_STD_3}qubit q;{_nested(4, 'x q;')}",
    f"{_STD_3}qubit q;for int i in [0:1000000000] {{}}",
    _upto(f"{_STD_3}qubit q;for int i in [0:9] {{", "int a=1;", "}"),
    _STD_3 + "qubit q;for int i in {" + ",".join(map(str, range(800))) + "} {x q;}",
    f"{_STD_3}qubit q;{'pow(1000) @ ' * 40}x q;",
    f"{_STD_3}gate g a{{h a;x a;}}qubit q;{'pow(10) @ pow(10) @ pow(10) @ g q;' * 80}",
    f"{_STD_3}qubit q;{'inv @ ' * 600}x q;",
    _upto(f"{_STD_3}qubit[9] q;", "ctrl(3) @ x q[0],q[1],q[2],q[3];"),
    _upto(f"{_STD_3}gate g a{{{'h a;x a;' * 4}}}qubit[9] q;", "ctrl @ inv @ g q[0],q[1];"),
    _upto(f"{_STD_3}qubit q;rx(", "1+", "1) q;"),
    _upto(f"{_STD_3}qubit q;rx(", "-", "1) q;"),
    f"{_STD_3}qubit q;rx({'(' * 98}1{')' * 98}) q;",
    _upto(f"{_STD_3}qubit q;angle[64] a=pi/3;", "a=a*3+a/7;"),
    _STD_3 + "".join(f"const int c{k}={k}*3+2;" for k in range(180)),
    _STD_3 + "".join(f"x ${k};" for k in range(400)),
    _upto(_MEASURED, "if(c<77777) x q[0];"),
    _upto(_MEASURED, "if(c[1]==1){x q[0];}else{h q[0];}"),
    _upto(_MEASURED, "if((c[0]^c[1]^c[2]^c[3]^c[4]^c[5]^c[6]^c[7])==1) x q[0];"),
    _upto(_MEASURED, "if(popcount(c)==3) x q[0];"),
    f"{_MEASURED}uint[20] n=c;if((n*n)%77==3) x q[0];",
    f"{_MEASURED}uint[9999] n=c;for int i in [0:1000] {{n=n<<1;}}",
    f"{_MEASURED}switch(uint[20](c)){{{''.join(f'case {k}{{x q[0];}}' for k in range(190))}}}",
    f"{_STD_3}qubit[100] q;{''.join(f'let a{k}=q[0:2:99]++q[1:2:99];' for k in range(100))}",
    f"{_STD_3}qubit[100] q;{'barrier q[0:99];' * 200}",
    _upto(f"{_STD_3}qubit[100] q;", "delay[100ns] q;"),
    _upto(f"{_STD_3}qubit q;", "gphase(pi/3);"),
    _upto(f"{_STD_3}bit c;if(c=='", "9", "') x q[0];"),
    _upto("", 'include "stdgates.inc";'),
    'include "stdgates.inc"; qubit q; for int i in [1:900000] { x q; }',
    'include "stdgates.inc"; qubit q; rx(' + "-" * 4_000 + "1) q;",
    '{"' * 2_000,
)

INLINE: Final[dict[str, tuple[str, ...]]] = {
    "ionq.circuit.v1": (
        filled('{"qubits":5000,"circuits":[', '{"circuit":[]}', "]}"),
        filled('{"qubits":100,"circuits":[', '{"circuit":[]}', "]}"),
        filled('{"qubits":100,"circuit":[', _X_ON_ALL, "]}"),
        '{"qubits":1,"circuit":[{"gate":"pauliexp","target":0,"time":1,"terms":['
        + ",".join(['"X"'] * _TERMS)
        + '],"coefficients":['
        + ",".join("1" * _TERMS)
        + "]}]}",
        "[" * (_INLINE // 2) + "]" * (_INLINE // 2),
        '{"qubits":1' + "0" * (_INLINE - 20) + "}",
        '{"qubits":1,"circuit":[{"gate":"rx","target":0,"rotation":0.' + "1" * 4_000 + "}]}",
    ),
    "iqm.circuits": (
        filled('{"circuits":[{"instructions":[', '{"name":"barrier","qubits":["QB1"]}', "]}]}"),
        filled('{"circuits":[{"instructions":[', _IQM_RESET, "]}]}"),
        filled('{"circuits":[', '{"instructions":[]}', "]}"),
        filled('{"circuits":[],"qubit_mapping":[', _IQM_MAPPED, "]}"),
        '{"circuits":[{"instructions":[{"name":"prx","locus":["QB1"],"args":{"angle":0.'
        + "1" * 3_900
        + ',"phase":0}}]}]}',
    ),
    "qobj": (
        filled(_qobj("")[:-2], '{"instructions":[]}', "]}"),
        filled(_qobj("")[:-2] + '{"instructions":[', _MASK, "]}]}"),
        filled(_qobj("", 100, 100)[:-2] + '{"instructions":[', _MASK, "]}]}"),
        filled(_qobj("", 100, 100)[:-2], '{"instructions":[]}', "]}"),
    ),
    "qlued.singlequdit": (
        filled('{"experiment_0":{"instructions":[', '["load",[0],[500]]', f"],{_FRAME}}}"),
        _experiments(f'{{"instructions":[{_GATE},["measure",[0],[]]],{_FRAME}'),
    ),
    "qlued.lab": (
        _experiments('{"instructions":[],"num_wires":10000,"shots":1,"wire_order":"sequential"}'),
        filled('{"experiment_0":{"instructions":[', _GATE, f"],{_FRAME}}}"),
    ),
    "ahs": (_ahs(1), _ahs(2), _ahs(5)),
    "openqasm2": _SMALL_OPENQASM2,
    "openqasm3": _SMALL_OPENQASM3,
}
"""By format."""
