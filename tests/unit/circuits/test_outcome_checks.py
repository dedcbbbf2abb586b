"""Outcomes from elsewhere: whatever engines make passes, and nothing that is changed does.

What hostile ones there are, and how the server answers to each, is in tests/abuse/test_agents.py.
"""

from __future__ import annotations

import hashlib
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket import engines, programs
from qwicket.circuits import outcome_checks
from qwicket.circuits.frames import Frame, frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, decode
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.limits import Limits

LIMITS = Limits.from_names(result_bytes=100_000)
QASM = b'OPENQASM 3.0; include "stdgates.inc"; qubit[9] q; bit[9] c; h q; c = measure q;'
OPTIONS = RunOptions(shots=300, seed=5, outputs=("counts", "memory"))


@pytest.fixture(scope="module")
def made() -> tuple[Encoded, Frame]:
    checked = programs.read("openqasm3", QASM, LIMITS)
    (outcome,) = engines.run("qubit", checked.circuits, msgspec.msgpack.encode(OPTIONS))
    assert isinstance(outcome, Encoded)
    (frame,) = frames("qubit", checked.circuits)
    return outcome, frame


def check(encoded: Encoded, frame: Frame, options: RunOptions = OPTIONS) -> None:
    outcome_checks.check([(0, encoded)], [frame], options, LIMITS)


def hashed(body: bytes) -> Encoded:
    return Encoded(body, hashlib.sha256(body).digest())


def test_what_an_engine_makes_is_taken(made: tuple[Encoded, Frame]) -> None:
    check(*made)


def test_other_bytes_than_were_hashed_are_refused(made: tuple[Encoded, Frame]) -> None:
    outcome, frame = made
    with pytest.raises(InvalidRequest, match="does not have this sha256"):
        check(Encoded(outcome.body + b"x", outcome.sha256), frame)


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(shots=301, seed=5, outputs=("counts", "memory")),
        RunOptions(shots=300, seed=5, outputs=("counts",)),
        RunOptions(shots=300, seed=5, outputs=("counts", "memory", "probabilities")),
    ],
)
def test_what_was_not_asked_for_is_refused(
    made: tuple[Encoded, Frame], options: RunOptions
) -> None:
    with pytest.raises(InvalidRequest):
        check(*made, options)


def test_a_bomb_is_refused_after_the_bytes_that_are_allowed(made: tuple[Encoded, Frame]) -> None:
    with pytest.raises(LimitExceeded, match="limit result_bytes"):
        check(hashed(zlib.compress(bytes(100_001), 9)), made[1])


def test_the_parts_of_a_job_share_what_is_allowed(made: tuple[Encoded, Frame]) -> None:
    outcome, frame = made
    size = len(zlib.decompress(outcome.body))
    maximum = LIMITS.jobs.result_bytes // size
    fitting = [(k, outcome) for k in range(maximum)]
    outcome_checks.check(fitting, [frame] * maximum, OPTIONS, LIMITS)
    with pytest.raises(LimitExceeded):
        outcome_checks.check([*fitting, (0, outcome)], [frame] * maximum, OPTIONS, LIMITS)


@given(st.data())
def test_bytes_that_are_changed_anywhere_are_refused_or_still_an_outcome(
    made: tuple[Encoded, Frame], data: st.DataObject
) -> None:
    """Whatever passes can be read to its end: nothing raises later, in a dialect."""
    raw = bytearray(zlib.decompress(made[0].body))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    encoded = hashed(bytes(raw))
    try:
        check(encoded, made[1])
    except QwicketError:
        return
    outcome = decode(encoded)
    assert sum(outcome.counts().values()) == OPTIONS.shots
    assert len(outcome.memory()) == OPTIONS.shots
    assert max(outcome.memory()) < 2**9
