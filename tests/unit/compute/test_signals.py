"""Signals that reach a worker before it has its own session."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

BEGIN = """
import os, signal
from qwicket.compute import worker
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
"""
SEND = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)\n"
SET = "worker._set_signals()\n"
END = "print('alive', flush=True)\n"


def run(code: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_signals_that_arrived_before_are_discarded() -> None:
    assert run(BEGIN + SEND + SET + END) == (0, "alive\n")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_signals_that_arrive_later_end_the_worker(number: int, status: int) -> None:
    assert run(f"{BEGIN}{SET}os.kill(os.getpid(), {int(number)})\n{END}") == (status, "")
