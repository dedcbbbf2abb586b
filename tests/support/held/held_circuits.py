"""Holds marked circuits in worker processes until the test releases them.

The folder of this file, as it was imported, is where tests and workers meet.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

Run = TypeVar("Run", bound="Callable[..., object]")  # text for old Python

MARK = 1.000037
STEP = 1e-5
NUMBERS = 100_000
"""A circuit with a gate that turns by MARK + number * STEP is held; vendors' compilers keep it."""
MARKED = ("rz", "p", "Rgate")
"""Gates with marks, of qubits and of light. They come first, where they change nothing."""
RUNNING = ".running"
"""Suffix of the file into which the worker writes its process id when it begins."""
DIE = "die"
USES = "uses "
"""What the file of a number says, before a number of bytes. Else how many seconds to wait, or
nothing."""

_FOLDER = Path(__file__).parent
_PAUSE_S = 0.01
_DIGITS = 1e-9


def install() -> None:
    """Wrap the functions that run a circuit of qubits, and one of light."""
    from qwicket.engines import qubit
    from qwicket.vendors.xanadu import engine as photonic

    qubit.run = _held_before(qubit.run)
    photonic.run = _held_before(photonic.run)


def _held_before(run: Run) -> Run:
    from msgspec import structs

    def hold_and_run(circuit: Any, options: object, part: int) -> object:
        first = next((op for op in circuit.ops if getattr(op, "params", ())), None)
        number = _number(first)
        if number is not None:
            _hold(_FOLDER / str(number))
            ops = tuple(op for op in circuit.ops if _number(op) is None)
            circuit = structs.replace(circuit, ops=ops)
        return run(circuit, options, part)

    return cast(Run, hold_and_run)


def _number(op: Any) -> int | None:
    """Return the number that a gate's angle encodes; None for what has no mark."""
    if getattr(op, "name", "") not in MARKED or not isinstance(op.params[0], float):
        return None
    number = round((op.params[0] - MARK) / STEP)
    is_mark = 0 <= number < NUMBERS and abs(op.params[0] - MARK - number * STEP) < _DIGITS
    return number if is_mark else None


def _hold(file: Path) -> None:
    """Return when the test has removed the file, or the time that it says is over."""
    began = time.monotonic()
    order = _order(file)
    if order is None:
        return
    memory = bytearray()
    if order.startswith(USES):
        memory = bytearray(int(order[len(USES) :]))
    with suppress(FileNotFoundError):  # it was released meanwhile, and its files removed
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(str(os.getpid()))
        new.replace(file.with_suffix(RUNNING))
    while order is not None:
        if order == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if order and not memory and time.monotonic() >= began + float(order):
            return
        time.sleep(_PAUSE_S)
        order = _order(file)


def _order(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
