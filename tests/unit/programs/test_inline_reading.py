"""Texts that the server reads itself: a hostile one takes few steps of its event loop."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest

from qwicket import programs
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from support.event_loop import n_calls
from support.for_each import for_each
from support.inline_programs import INLINE

pytestmark = pytest.mark.needs_vendors


SMALL = programs.small_limits(Limits())
MAX_CALLS = 30_000
"""Calls of functions within one callback of the event loop: 5 ms. The most are 27,000."""
BELL_2 = 'OPENQASM 2.0;include "qelib1.inc";qreg q[2];creg c[2];h q[0];cx q[0],q[1];measure q->c;'
BELL_3 = 'OPENQASM 3.0;include "stdgates.inc";qubit[2] q;h q[0];cx q[0],q[1];bit[2] c=measure q;'


@for_each("name", [*INLINE])
def test_hostile_texts_take_few_steps(name: str) -> None:
    for text in INLINE[name]:

        def read(text: str = text) -> None:
            with suppress(InvalidRequest):
                programs.read_small(name, text.encode(), SMALL)

        read()  # imports what the format needs
        assert n_calls(read) <= MAX_CALLS, text[:200]


def test_texts_of_each_format_are_tried() -> None:
    inline = {name for name, known in programs.FORMATS.items() if known.inline_bytes}
    alike = {name for name in inline if name.startswith("qlued.")} - {"qlued.lab"}
    assert set(INLINE) | alike == inline
    for name, texts in INLINE.items():
        assert max(map(len, texts)) <= programs.FORMATS[name].inline_bytes, name
    assert len(INLINE["openqasm2"]) + len(INLINE["openqasm3"]) >= 30


@for_each("name, text", [("openqasm2", BELL_2), ("openqasm3", BELL_3)])
def test_what_is_small_is_read_as_everywhere(name: str, text: str) -> None:
    found = programs.read_small(name, text.encode(), SMALL)
    assert found == programs.read(name, text.encode(), Limits())


def test_what_exceeds_a_small_limit_is_left_to_a_parser() -> None:
    text = BELL_3 + "for int i in [0:2000] { x q[0]; }"
    assert programs.read("openqasm3", text.encode(), Limits()).summary.n_ops_1q == 2_002
    assert programs.read_small("openqasm3", text.encode(), SMALL) is None
    long = BELL_3 + " " * programs.FORMATS["openqasm3"].inline_bytes
    assert programs.read_small("openqasm3", long.encode(), SMALL) is None


def test_what_is_invalid_is_refused_at_once() -> None:
    read = partial(programs.read_small, "openqasm3", b"OPENQASM 3.0; qubit q; hh q;", SMALL)
    with pytest.raises(InvalidRequest, match="gate 'hh' is not known"):
        read()


def test_a_lower_limit_of_the_administrator_stays() -> None:
    lower = Limits.from_names(*programs.LIMITS, openqasm_steps=10, operations=3)
    small = programs.small_limits(lower)
    with pytest.raises(LimitExceeded, match="openqasm_steps"):
        programs.read("openqasm3", BELL_3.encode(), small)
    assert small.programs.operations == 3
