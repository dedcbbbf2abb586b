from __future__ import annotations

import threading

from qwicket.agents import Program


def program(told: list[tuple[float, str]], stop: threading.Event) -> Program:
    return Program(
        job="j",
        device="lab5",
        family="qubit",
        format="openqasm3",
        source="",
        shots=1,
        seed=1,
        outputs=("counts",),
        _report=lambda done, text: told.append((done, text)),
        _stop=stop,
    )


def test_progress_is_kept_within_bounds() -> None:
    told: list[tuple[float, str]] = []
    running = program(told, threading.Event())
    for done in (-1, 0.25, 7):
        running.progress(done, "x" * 300)
    assert told == [(0.0, "x" * 200), (0.25, "x" * 200), (1.0, "x" * 200)]


def test_a_wait_ends_when_a_stop_is_asked_for() -> None:
    stop = threading.Event()
    running = program([], stop)
    assert not running.stop_requested
    assert not running.wait(0)
    stop.set()
    assert running.wait(60)
    assert running.stop_requested
