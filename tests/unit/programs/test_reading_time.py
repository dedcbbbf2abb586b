"""Reading a program takes CPU time that grows slower than the square of its text, in each format.

What is tried are whole readers, not patterns or parsers by themselves. Texts are made of what some
token begins or continues with; documents in JSON have each of their values replaced by a large one,
and each of their lists repeated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from qwicket import programs
from qwicket.model.errors import QwicketError
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu import blackbird
from support import ibm, iqm, pubs
from support.programs import BELL
from support.repetitions import IS_LONG
from support.worst_programs import WORST

pytestmark = pytest.mark.extended

LIMITS = Limits.from_names(memory_bytes=1 << 30)
SMALL, FACTOR = 8_000, 4
WORTH_A_LOOK_S = 0.01
"""Quicker ones are not compared: at quadratic growth, a text of 1 MB would take 10 s."""
MAX_GROWTH = 10.0
"""Over four times the text: 4 is linear, 16 quadratic; between them is what caches make of it."""

TOKENS = (
    *("a", "0", "9", " ", "\n", "\t", "\r\n", "_", ".", "-", "/", "\\", ":", "@", "#", "$", "*"),
    *(
        "{",
        "[",
        "(",
        '"',
        "'",
        "a.",
        "a ",
        "a\n",
        "0.",
        "1e",
        "0x",
        "0b1",
        "/*",
        "*/",
        "//",
        "/**/",
    ),
    *(
        "\n@",
        "\n @a",
        "pragma",
        "#pragma\n",
        "//\n",
        "\n//",
        "é",
        "a[1]",
        "a[",
        "++",
        "**",
        "-(",
        "!",
    ),
    *(
        "1,",
        "a,",
        "[1,",
        "1+",
        "a*",
        "~",
        "1:",
        ";",
        "x;",
        "};",
        "{}",
        "()",
        "[]",
        "type ",
        "name ",
    ),
    *("\n ", "{a}", "{ a", '"a"', '"\n', "'\n", "q0", "p0,", "if(", "let ", "def ", "for ", "bit "),
)
HEADS = {
    "openqasm2": ("", 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nx ', "OPENQASM "),
    "openqasm3": ("", 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit q;\nrx(', "OPENQASM "),
    "blackbird": ("", "name a\nversion 1.0\n\nSgate(", "name ", "name a\nversion 1.0\n\n"),
    "qir": (
        "",
        "define void @main() {\n",
        "define void @main() {\ncall void @f(",
        "attributes #0 = {",
    ),
}
LINES = {
    "openqasm2": (
        "qreg a%d[1];\n",
        "creg a%d[1];\n",
        "qreg a%d[1]; x a%d[0];\n",
        "gate g%d a { x a; }\n",
        "opaque g%d a;\n",
        "x q[0];\n",
        "barrier q;\n",
        "measure q[0] -> c[0];\n",
        "if (c == 1) x q[0];\n",
        "rx(1+%d) q[0];\n",
    ),
    "openqasm3": (
        "qubit a%d; x a%d;\n",
        "bit a%d;\n",
        "let a%d = q;\n",
        "const int a%d = %d;\n",
        "gate g%d a { x a; }\n",
        "for int i in [0:1] { x q; }\n",
        "ctrl @ x q, r;\n",
        "inv @ pow(2) @ x q;\n",
        "c = measure q;\n",
        "if (c == 1) { x q; } else { y q; }\n",
        "reset q; barrier q, r;\n",
        "int v%d = %d; v%d += 1;\n",
        "def f%d(qubit a) { x a; }\n",
        "array[int[8], 2] a%d = {1, 2};\n",
        "switch (%d) { case 1 { x q; } }\n",
        "@a %d\nx q;\n",
    ),
    "blackbird": (
        "Sgate(0.%d) | 0\n",
        "float a%d = 1\n",
        "float array A%d =\n    1, 2\n",
        "for int i in 0:1\n    Sgate(0.1) | i\n",
        "# %d\n",
        "Rgate(q0) | 1\n",
        "MeasureX | 0\n",
        "Interferometer([[1,0],[0,1]]) | [0, 1]\n",
    ),
    "qir": (
        "call void @__quantum__qis__h__body(ptr null)\n",
        "call void @__quantum__qis__rz__body(double 0.%d, ptr null)\n",
        "call void @__quantum__qis__h__body(ptr inttoptr (i64 %d to ptr))\n",
        "call void @__quantum__qis__mz__body(ptr null, ptr inttoptr (i64 %d to ptr))\n",
        "call void @__quantum__rt__result_record_output(ptr null, ptr null)\n",
        "br label %b%d\nb%d:\n",
        "call void @f%d(), !dbg !%d\n",
        "; %d\n",
    ),
}
BEFORE = {
    "openqasm2": 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n',
    "openqasm3": 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit q;\nqubit r;\nbit c;\n',
    "blackbird": "name a\nversion 1.0\ntarget gaussian\n\n",
    "qir": 'attributes #0 = { "entry_point" }\ndefine void @main() #0 {\n',
}
_EXPERIMENT = {
    "instructions": [["rlx", [0], [1.0]], ["measure", [0], []]],
    "num_wires": 2,
    "shots": 5,
    "wire_order": "interleaved",
}
_PAULI = {"gate": "pauliexp", "targets": [0, 1], "terms": ["XX"], "coefficients": [1], "time": 1}
_SUPERPOSED = {"gate": "rx", "targets": [0, 1], "rotation": 0.5, "controls": [2]}
_NATIVE = {"gate": "ms", "targets": [0, 1], "phases": [0, 0.5], "angle": 0.25}
_MAPPING = [{"logical_name": f"QB{k}", "physical_name": f"QB{k}"} for k in (1, 2)]
_TWO = {"format": "openqasm3", "data": 'OPENQASM 3; include "stdgates.inc"; qubit q; bit c = 0;'}
_BRAKET = (
    "input float a;\nqubit[2] q;\nrx(a) q[0];\n#pragma braket noise bit_flip(0.1) q[0]\n"
    "#pragma braket result expectation z(q[0]) @ hermitian([[1, 1im], [-1im, 1]]) q[1]\n"
)
DOCUMENTS: dict[str, Any] = {
    "ionq.circuit.v1": {"gateset": "qis", "qubits": 3, "circuit": [_SUPERPOSED, _PAULI]},
    "iqm.circuits": {**iqm.body(), "qubit_mapping": _MAPPING},
    "qobj": ibm.qobj(),
    "qiskit.primitives": json.loads(
        pubs.source("sampler", [pubs.circuit(pubs.bell()), pubs.array(), 10])
    ),
    "braket.openqasm3": {"source": _BRAKET, "shots": 0, "inputs": {"a": 0.5}},
    "batch": {"programs": [_TWO, {"format": "ionq.circuit.v1", "data": BELL}]},
    "estimation": {
        "program": _TWO["data"],
        "observables": [{"Z": 1.0, "I": 0.5}, {"X": 1}],
        "shots": 100,
        "mitigation": {"readout": True, "noise_factors": [1, 3], "extrapolators": ["linear"]},
    },
    "ahs": json.loads(WORST["ahs"][0]),
} | {name: {"experiment_0": _EXPERIMENT} for name in programs.FORMATS if name.startswith("qlued.")}
MORE_DOCUMENTS = (
    ("ionq.circuit.v1", {"gateset": "native", "qubits": 2, "circuit": [_NATIVE]}),
    ("ionq.circuit.v1", {"qubits": 2, "circuits": [{"name": "a", "circuit": [_SUPERPOSED]}]}),
)


def texts(name: str, size: int) -> Iterator[tuple[str, str]]:
    """Yield a title and a text of about that many characters, the same ones for each size."""
    if name in HEADS:
        heads = HEADS[name]
        for number, token in enumerate(TOKENS):
            tokens = token * (size // len(token))
            for head in heads:
                yield f"{head!r} {token!r}", head + tokens
            # Before a quote, each token follows one head in the short form, and all in the long.
            for head in heads if IS_LONG else [heads[number % len(heads)]]:
                yield f"{head!r} {token!r} and a quote", head + tokens + '"'
        for line in LINES[name]:
            yield (
                f"{line!r}",
                BEFORE[name]
                + "".join(line.replace("%d", str(k)) for k in range(size // len(line))),
            )
        return
    for document in (DOCUMENTS[name], *(one for of, one in MORE_DOCUMENTS if of == name)):
        yield from amplified(document, size)
    for token in TOKENS:
        yield f"{token!r}", "{" + token * (size // len(token))


VALUES: dict[str, Callable[[int], str]] = {
    "text": lambda size: '"' + "a" * size + '"',
    "digits": lambda size: '"' + "1" * size + '"',
    "bits": lambda size: '"0x' + "f" * size + '"',
    "Pauli": lambda size: '"' + "X" * size + '"',
    "spaces": lambda size: '"' + " " * size + '"',
    "program": lambda size: json.dumps(
        'OPENQASM 3; qubit q; include "stdgates.inc";' + "x q;" * (size // 4)
    ),
    "number": lambda size: "1" * size,
    "fraction": lambda size: "0." + "1" * size,
    "exponent": lambda size: "1e" + "1" * size,
    "numbers": lambda size: "[" + "1," * (size // 2) + "1]",
    "rising": lambda size: json.dumps(list(range(size // 6))),
    "texts": lambda size: "[" + '"X",' * (size // 4) + '"X"]',
    "lists": lambda size: "[" + "[]," * (size // 3) + "[]]",
    "objects": lambda size: "[" + "{}," * (size // 3) + "{}]",
    "nested": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "keys": lambda size: json.dumps({f"k{k}": 1 for k in range(size // 10)}),
}
_HOLE = "\u2620"


def amplified(document: Any, size: int) -> Iterator[tuple[str, str]]:
    """Yield the document with one value replaced by each large one, or one list repeated."""
    for path in paths(document):
        holed = json.dumps(put(document, path, _HOLE))
        for kind, value in VALUES.items():
            yield f"{path} {kind}", holed.replace(json.dumps(_HOLE), value(size))
        found = get(document, path)
        if isinstance(found, list) and found:
            times = size // len(json.dumps(found)) + 1
            yield f"{path} repeated", json.dumps(put(document, path, found * times))
        if isinstance(found, dict):
            many = {
                f"{key}{k}": v
                for k in range(size // (2 + len(json.dumps(found))))
                for key, v in found.items()
            }
            yield f"{path} with more keys", json.dumps(put(document, path, {**found, **many}))


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    inner: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, each in inner:
        for path in paths(each):
            yield (key, *path)


def get(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    key, *rest = path
    copy = value.copy()
    copy[key] = put(value[key], tuple(rest), new)
    return copy


def assert_grows_slowly(
    read: Callable[[str], object],
    small: Iterator[tuple[str, str]],
    large: Iterator[tuple[str, str]],
) -> None:
    """Check how CPU time grows from each text to the same one at `FACTOR` times its size."""

    def cpu_s(text: str) -> float:
        began = time.thread_time()
        with suppress(QwicketError):
            read(text)
        return time.thread_time() - began

    for (title, few), (_, many) in zip(small, large, strict=True):
        many_s = cpu_s(many)
        if many_s < WORTH_A_LOOK_S or many_s < MAX_GROWTH * cpu_s(few):
            continue
        few_s, many_s = (min(cpu_s(text) for _ in range(3)) for text in (few, many))
        assert many_s < MAX_GROWTH * few_s, f"{title}: {few_s:.3f} s, then {many_s:.3f} s"


@pytest.mark.parametrize("name", programs.FORMATS)
def test_reading_grows_slower_than_the_square_of_the_text(name: str) -> None:
    def read(text: str) -> None:
        programs.read(name, text.encode(), LIMITS)

    assert_grows_slowly(read, texts(name, SMALL), texts(name, FACTOR * SMALL))


def _layout(text: str) -> object:
    return blackbird.read_layout.__wrapped__(text)  # not what it remembers


OTHERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "recognised": ("openqasm3", lambda text: programs.recognise_format(text.encode())),
    "guessed": ("openqasm3", lambda text: programs.guess_format(text.encode())),
    "is Blackbird": ("blackbird", blackbird.is_blackbird),
    "header": ("blackbird", lambda text: blackbird.read_header(text.encode(), LIMITS)),
    "layout": ("blackbird", _layout),
}


@pytest.mark.parametrize("reader", OTHERS)
def test_looking_at_a_text_grows_slower_than_its_square(reader: str) -> None:
    name, read = OTHERS[reader]
    assert_grows_slowly(read, texts(name, SMALL), texts(name, FACTOR * SMALL))
