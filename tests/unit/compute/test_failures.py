"""Failures are values that travel, and sentences for people."""

from __future__ import annotations

import pickle

import pytest

from qwicket.compute import (
    MemoryLimitExceeded,
    NotStarted,
    Stopped,
    TimeLimitExceeded,
    WorkerDied,
    WorkerLost,
    WorkError,
    WorkFailed,
)
from support.for_each import for_each

SENTENCES = [
    (WorkError("ValueError", "bad angle", "a trace"), "ValueError: bad angle"),
    (WorkError("KeyError", ""), "KeyError"),
    (WorkerDied(3), "The worker process ended with status 3."),
    (WorkerDied(-9), "The worker process was ended by SIGKILL."),
    (WorkerDied(-63), "The worker process was ended by signal 63."),
    (TimeLimitExceeded(2.5), "The work was stopped at its time limit of 2.5 s."),
    (MemoryLimitExceeded(2048), "The work needed more than its memory limit of 2,048 bytes."),
    (MemoryLimitExceeded(None), "The work needed more memory than this machine could give."),
    (Stopped(), "The work was stopped."),
    (WorkerLost(), "The worker of the cluster that had the work was lost."),
    (WorkerLost(2), "The worker of the cluster that had the work was lost (2 times in all)."),
    (NotStarted("OSError"), "No worker could be started: OSError."),
]


@pytest.mark.parametrize(("failure", "sentence"), SENTENCES)
def test_failure_is_one_sentence(failure: WorkFailed, sentence: str) -> None:
    assert str(failure) == sentence


@for_each("failure", [failure for failure, _ in SENTENCES])
def test_failure_survives_pickling(failure: WorkFailed) -> None:
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is type(failure)
    assert (str(copy), vars(copy)) == (str(failure), vars(failure))


def test_each_failure_has_a_code_of_its_own() -> None:
    codes = {kind.code for kind in WorkFailed.__subclasses__()}
    assert len(codes) == len(WorkFailed.__subclasses__()) == 7
    assert WorkFailed.code not in codes
