"""Signals that reach a fork server, before it has its own session or later."""

from __future__ import annotations

import subprocess
import sys

BEGIN = """
import os, signal
from qwicket.compute import worker
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
"""
SEND = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)\n"
SET = "worker._ignore_signals()\n"
END = "print('alive', flush=True)\n"


def run(code: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_signals_that_arrived_before_are_discarded() -> None:
    assert run(BEGIN + SEND + SET + END) == (0, "alive\n")


def test_signals_that_arrive_later_are_ignored() -> None:
    assert run(BEGIN + SET + SEND + END) == (0, "alive\n")
