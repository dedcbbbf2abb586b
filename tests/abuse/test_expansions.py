"""Short programs that include files or expand to long ones are refused at once by a live server."""

from __future__ import annotations

import time

import httpx
import pytest

from qwicket import programs
from qwicket.model.limits import Limits
from support.for_each import for_each

pytestmark = pytest.mark.extended

LIMITS = Limits.from_names(memory_bytes=1 << 30)
LONGEST_S = 2.0
"""Measured: 0.5 to 0.9 s for the loops, on an idle and a busy core; 1 ms for all others."""
FILES = (
    "../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "file:///etc/passwd",
    "http://127.0.0.1:1/stdgates.inc",
    "./qelib1.inc/../../../etc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "stdgates.inc\\x00/etc/passwd",
)


def doubling(head: str, levels: int) -> str:
    """Return a program whose last gate is 2^levels gates."""
    gates = ["gate g0 a { x a; }"]
    gates += [f"gate g{k} a {{ g{k - 1} a; g{k - 1} a; }}" for k in range(1, levels + 1)]
    return f"{head}{' '.join(gates)} g{levels} q[0]; measure q -> c;"


HEAD_2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; '
HEAD_3 = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; '
EXPANDING = {
    "gates that double 40 times, in OpenQASM 2": (doubling(HEAD_2, 40), "operations"),
    "gates that double 40 times, in OpenQASM 3": (doubling(HEAD_3, 40), "operations"),
    "gates that double 20 times": (doubling(HEAD_2, 20), "operations"),
    "a power of 2^40": (f"{HEAD_3}pow(1099511627776) @ x q[0]; c = measure q;", "1,000"),
    "loops in loops": (
        HEAD_3 + "".join(f"for int i{k} in [1:1000] {{ " for k in range(5)) + "x q[0];" + " }" * 5,
        "openqasm_steps",
    ),
}


def refusal(http: httpx.Client, program: str) -> str:
    sent = http.post("/v1/jobs", json={"device": "simulator", "program": program, "shots": 1})
    assert sent.status_code == 400, sent.text
    return str(sent.json()["detail"])


def processor_s(program: str) -> float:
    """Return the processor time of reading a program, which neighbours do not disturb."""
    began = time.thread_time()
    answer = programs.read_in_parser(
        programs.guess_format(program.encode()), program.encode(), LIMITS
    )
    assert isinstance(answer, programs.Refusal)
    return time.thread_time() - began


@for_each("file", FILES)
@for_each("head", ["OPENQASM 2.0;", "OPENQASM 3.0;"])
def test_no_file_is_included(http: httpx.Client, head: str, file: str) -> None:
    said = refusal(http, f'{head} include "{file}";')
    assert "include" in said
    assert "root:" not in said


@pytest.mark.parametrize("name", EXPANDING)
def test_what_expands_is_refused_soon(http: httpx.Client, name: str) -> None:
    program, limit = EXPANDING[name]
    assert limit in refusal(http, program)
    assert min(processor_s(program) for _ in range(3)) < LONGEST_S
