"""Texts that crash, hang or fill the memory of other readers (and once, perhaps, of ours).

Those of a test are read in one process with 512 MB of address space. Times are CPU times, and the
bound is generous.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import NamedTuple

import pytest

from qwicket.model.limits import Limits
from qwicket.programs.openqasm.bounds import OpenQASMLimits

pytestmark = pytest.mark.extended

MEGABYTE = 1 << 20
LONGEST = Limits().programs.program_text_bytes
MAX_TOKENS = OpenQASMLimits().openqasm_tokens
SECONDS = 5

HEAD_2 = 'OPENQASM 2.0;include "qelib1.inc";qreg q[4];creg c[4];\n'
HEAD_3 = 'include "stdgates.inc";qubit[4] q;bit[4] c;\n'

CHILD = """
import gc, json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
from qwicket.model.errors import QwicketError
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3
for line in sys.stdin:
    version, text = json.loads(line)
    circuit = None
    gc.collect()  # as a parser process has memory of its own for each program
    start = time.process_time()
    read = read_openqasm2 if version == 2 else read_openqasm3
    try:
        (circuit,) = read(text.encode(), Limits())
        answer = [len(circuit.ops), ""]
    except QwicketError as refusal:
        answer = [0, refusal.detail]
    print(json.dumps([*answer, time.process_time() - start]), flush=True)
"""


class Answer(NamedTuple):
    n_ops: int
    reason: str
    seconds: float


def read_in_worker(*texts: tuple[int, str]) -> list[Answer]:
    """Read texts in a process with little memory; it must survive all of them."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input="\n".join(map(json.dumps, texts)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return [Answer(*json.loads(line)) for line in child.stdout.splitlines()]


def fill(head: str, unit: str, n_tokens: int, tail: str = "", n_bytes: int = MEGABYTE) -> str:
    """A text of so many bytes, if it may have so many tokens: a piece of `n_tokens`, repeated."""
    room = n_bytes - len((head + tail).encode())
    return head + unit * min(room // len(unit.encode()), (MAX_TOKENS - 200) // n_tokens) + tail


def bomb(head: str, levels: int, fan: int, innermost: str, parameter: str = "") -> str:
    """Gates that each call the one before several times."""
    given = f"({parameter})" if parameter else ""
    lines = [f"gate g0{given} a {{ {innermost} }}"]
    for level in range(1, levels):
        calls = " ".join(f"g{level - 1}{given} a;" for _ in range(fan))
        lines.append(f"gate g{level}{given} a {{ {calls} }}")
    last = f"g{levels - 1}{'(1)' if parameter else ''} q[0];"
    return head + "\n".join(lines) + "\n" + last


def assert_refused(texts: dict[str, tuple[int, str]], *reasons: str) -> None:
    answers = read_in_worker(*texts.values())
    for name, answer in zip(texts, answers, strict=True):
        assert any(reason in answer.reason for reason in reasons), (name, answer)
        assert answer.seconds < SECONDS, name


def test_deep_nesting_is_refused() -> None:
    texts = {
        "5,000 parentheses": (3, f"{HEAD_3}rx({'(' * 5000}1{')' * 5000}) q[0];"),
        "5,000 parentheses in version 2": (2, f"{HEAD_2}rx({'(' * 5000}1{')' * 5000}) q[0];"),
        "a megabyte of parentheses": (3, fill(f"{HEAD_3}rx(", "(", 1)),
        "100,000 minus signs": (3, f"{HEAD_3}rx({'-' * 100_000}1) q[0];"),
        "100,000 minus signs in version 2": (2, f"{HEAD_2}rx({'-' * 100_000}1) q[0];"),
        "a megabyte of nots": (3, fill(f"{HEAD_3}if(", "!", 1)),
        "a tower of powers": (3, f"{HEAD_3}rx({'2**' * 100_000}1) q[0];"),
        "functions in functions": (3, f"{HEAD_3}rx({'sin(' * 9_000}1{')' * 9_000}) q[0];"),
        "indices in indices": (3, f"{HEAD_3}x {'q[' * 9_000}0{']' * 9_000};"),
        "ifs": (3, fill(HEAD_3, "if(c[0])", 4)),
        "braces": (3, fill(HEAD_3, "{", 1)),
        "loops": (3, fill(HEAD_3, "for int i in [0:1] ", 9)),
        "gates one above the other": (
            3,
            f"{HEAD_3}gate g0 a {{x a;}}"
            + "".join(f"gate g{k} a {{g{k - 1} a;}}\n" for k in range(1, 15_000)),
        ),
    }
    assert_refused(texts, "nested deeper than")


def test_deep_definitions_with_deep_blocks_are_refused() -> None:
    blocks = "".join(f"gate g{k} a {'{' * 45}g{k - 1} a;{'}' * 45}\n" for k in range(1, 99))
    assert_refused(
        {"all": (3, f"{HEAD_3}gate g0 a {{x a;}}\n{blocks}g98 q[0];")}, "nested too deeply"
    )


def test_gate_bombs_are_refused() -> None:
    if_bomb = (
        bomb(HEAD_3, 60, 10, "x a;").replace("; }", "; }}").replace("a { g", "a { if(true) { g")
    )
    texts = {
        "10^20": (3, bomb(HEAD_3, 20, 10, "x a;")),
        "10^20 in version 2": (2, bomb(HEAD_2, 20, 10, "x a;")),
        "2^98": (3, bomb(HEAD_3, 99, 2, "x a;")),
        "of nothing": (3, bomb(HEAD_3, 60, 10, "")),
        "with angles": (3, bomb(HEAD_3, 60, 3, "rx(t) a;", "t")),
        "by powers in definitions": (
            3,
            f"{HEAD_3}gate g0 a {{x a;y a;}}"
            + "".join(f"gate g{k} a {{pow(1000) @ g{k - 1} a;}}" for k in range(1, 50))
            + "g49 q[0];",
        ),
        "by powers": (3, f"{HEAD_3}gate g a {{x a;y a;}} {'pow(1000) @ ' * 50} g q[0];"),
        "in branches": (3, if_bomb.replace("{ x a; }}", "{ x a; }")),
    }
    assert_refused(texts, "more than 1,000,000 operations", "more than 2,000,000 steps")


def test_recursion_and_large_powers_are_refused() -> None:
    texts = {
        "a gate that calls itself": (3, f"{HEAD_3}gate g a {{ g a; }} g q[0];"),
        "in version 2": (2, f"{HEAD_2}gate g a {{ g a; }} g q[0];"),
        "pow(10^8)": (3, f"{HEAD_3}pow(100000000) @ x q[0];"),
        "ctrl(10^9)": (3, f"{HEAD_3}ctrl(1000000000) @ x q[0];"),
        "2^(10^8)": (3, f"{HEAD_3}const int n = 2 ** 100000000;"),
        "1 << 10^11": (3, f"{HEAD_3}const int n = 1 << 100000000000;"),
        "10^1000 ^ 10^1000": (3, f"{HEAD_3}const int n = {'9' * 1000} ** {'9' * 1000};"),
        "an integer of a megabyte": (3, fill(f"{HEAD_3}rx(", "9", 1)),
        "a bit string of a megabyte": (3, fill(f'{HEAD_3}if(c=="', "01", 1, '") x q[0];')),
    }
    assert_refused(
        texts, "calls itself", "is larger than 1,000", "acts on 1000000001", "too large",
        "a shift is by 0 to 64", "at most 3,100 digits", "at most 10,000 bits",
    )  # fmt: skip


def test_long_loops_are_refused() -> None:
    texts = {
        "10^8": (3, f"{HEAD_3}for int i in [0:100000000] {{ x q[0]; }}"),
        "10^18 times nothing": (3, f"{HEAD_3}for int i in [0:1000000000000000000] {{ }}"),
        "one in the other": (3, f"{HEAD_3}for int i in [0:1000] for int j in [0:1000] {{}}"),
        "many times a long register": (
            3,
            "qubit[10000] q;for int i in [0:90000] { barrier q[0:9999]; }",
        ),
        "many times a broadcast": (3, "qubit[10000] q;for int i in [0:90000] { U(1,2,3) q; }"),
        "many times a power of nothing": (
            3,
            f"{HEAD_3}gate g a {{{'x a;' * 1000}}} for int i in [0:10000] {{ pow(0) @ g q[0]; }}",
        ),
        "many times a long comparison": (
            3,
            "qubit q;bit[5000] a;bit[5000] b;for int i in [0:9000] { if(a==b) U(1,2,3) q; }",
        ),
        "conditions on many bits": (
            3,
            HEAD_3 + "bit[9000] w; for int i in [1:99999] { if (w == 1) x q[0]; }",
        ),
    }
    assert_refused(texts, "more than 2,000,000 steps", "more than 1,000,000 operations")


def test_large_registers_are_refused() -> None:
    texts = {
        "10^9 qubits": (3, "qubit[1000000000] q;"),
        "10^9 qubits in version 2": (2, "OPENQASM 2.0;qreg q[1000000000];"),
        "10^9 bits": (3, "qubit q;bit[1000000000] c;"),
        "10^9 bits in version 2": (2, "OPENQASM 2.0;qreg q[1];creg c[1000000000];"),
        "many registers": (3, "".join(f"qubit[1000] q{k};" for k in range(20_000))),
        "many bits": (3, "qubit q;" + "".join(f"bit b{k};" for k in range(20_000))),
        "a far physical qubit": (3, f"{HEAD_3.replace('qubit[4] q;', '')} x $999999999;"),
    }
    assert_refused(texts, "a program has at most 10,000")


def test_long_names_do_not_make_long_errors() -> None:
    name = "n" * 500_000
    bodies = (
        f"{name} q[0];", f"x {name};", f"qubit {name};", f"int {name};", f"input int {name};",
        f"gate {name} a {{ {name} a; }}", f"gate {name} a {{ x b; }}", f"gate g {name},{name} {{}}",
        f"gate g a {{}} gate g {name} {{}}", f"gate {name} a {{}} {name} q[0],q[1];",
        f"gate {name} a {{}} {name}(1) q[0];", f"'{name}'", f"include '{name}';", f"pragma {name}",
        f"const bit[2] b = \"{name}\";", f"rx({name}) q[0];",
    )  # fmt: skip
    for answer in read_in_worker(*((3, HEAD_3 + body) for body in bodies)):
        assert answer.reason
        assert len(answer.reason) < 300
        assert answer.seconds < SECONDS


def test_no_file_is_opened() -> None:
    names = ("/dev/zero", "/etc/passwd", "/no/such/file", "../qelib1.inc", "stdgates.inc/../x")
    texts = {name: (3, f'include "{name}";') for name in names}
    answers = read_in_worker(*texts.values(), *((2, text) for _, text in texts.values()))
    reasons = {
        answer.reason.replace(name, "") for name, answer in zip(names, answers, strict=False)
    }
    assert len(reasons) == 1
    assert all("can be included" in answer.reason for answer in answers)


def test_strange_letters_are_refused_quickly() -> None:
    units = (
        "/*",
        '"',
        "'",
        "\"'",
        "\0",
        "😀",
        "\\",
        "#",
        "$",
        "`",
        "?",
        ".",
        "\u2028",
        "\ufeff",
        "@",
    )
    texts = {unit: (3, fill(HEAD_3, unit, 1)) for unit in units}
    texts |= {f"{unit} in version 2": (2, fill(HEAD_2, unit, 1)) for unit in units}
    assert_refused(texts, "expected", "openqasm_steps", "openqasm_tokens")


FULL = ("openqasm_tokens", "openqasm_steps", "operations", "tokens")


def test_long_texts_are_read_in_bounded_time() -> None:
    units = {
        ";": 1,
        "\n": 1,
        "//\n": 1,
        "/**/": 1,
        "\n@a": 1,
        "{}": 2,
        "x q[0];": 3,
        "x q;": 3,
        "cu(1,2,3,4)q[0],q[1];": 14,
        "rx(sin(1))q[0];": 9,
        "pow(.3)@h q[0];": 8,
        "inv@h q[0];": 5,
        "ctrl@x q[0],q[1];": 7,
        "if(c==1)x q[0];": 9,
        "if(c==1&&c!=2||c<3)x q[0];": 17,
        "for int i in[0:1]x q[i];": 15,
        "reset q;": 3,
        "measure q->c;": 5,
    }
    answers = read_in_worker(
        *((3, fill(HEAD_3, unit, n, n_bytes=LONGEST)) for unit, n in units.items())
    )
    for unit, answer in zip(units, answers, strict=True):
        assert answer.seconds < SECONDS, unit
        assert not answer.reason or any(word in answer.reason for word in FULL), (unit, answer)


def test_a_megabyte_of_what_people_write_is_read() -> None:
    units = (
        "h q[0];\n",
        "cx q[0],q[1];\n",
        "rz(pi/2) q[0];\n",
        "rz(-3*pi/4) q[12];\n",
        "cp(0.39269908169872414) q[0], q[1];\n",
        "c[0] = measure q[0];\n",
        "if (c[0]) {\n  x q[0];\n}\n",
        "ctrl @ rx(0.5) q[0], q[1];\n",
        "swap_twice q[0], q[1];\n",
    )
    head = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[20] q;\nbit[20] c;\n'
    head += "gate swap_twice a, b {\n  swap a, b;\n  swap a, b;\n}\n"
    times = [(MEGABYTE - len(head)) // len(unit) for unit in units]
    texts = [(3, head + unit * n) for unit, n in zip(units, times, strict=True)]
    for unit, n, answer in zip(units, times, read_in_worker(*texts), strict=True):
        assert answer.n_ops >= n, (unit, answer)


def test_the_longest_program_of_plain_gates_is_read() -> None:
    """4 MB on 20 qubits, as compilers write them."""
    gates = [
        f"cx q[{k % 20}],q[{(k + 7) % 20}];\nu3({k / 1e5},{k * 1e-8:.7f},pi/4) q[{k % 20}];"
        for k in range(85_000)
    ]
    text = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[20];\n' + "\n".join(gates)
    assert 3_900_000 < len(text) < LONGEST
    (answer,) = read_in_worker((2, text))
    assert answer.n_ops == 170_000, answer


def test_a_million_operations_fit_into_memory() -> None:
    registers = 'include "stdgates.inc";qubit[5000] q;qubit[5000] r;'
    answers = read_in_worker(
        (3, f"{registers}{'cx q,r;' * 200}"),
        (3, f"{registers}gate g a,b {{cx a,b;rx(0.1) b;}}{'g q,r;' * 100}"),
        (3, f"{registers}{'cx q,r;' * 201}"),
    )
    assert [answer.n_ops for answer in answers] == [1_000_000, 1_000_000, 0]
    assert max(answer.seconds for answer in answers) < SECONDS
