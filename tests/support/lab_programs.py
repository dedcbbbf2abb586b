"""Programs for a lab's function, without a server."""

from __future__ import annotations

import msgspec

from qwicket.agents import Program


def program(shots: int = 1) -> Program:
    """Return a program for which `support.lab_machine:run` takes so many milliseconds."""
    return Program(
        job="j",
        device="lab5",
        family="qubit",
        format="openqasm3",
        source="",
        shots=shots,
        seed=1,
        outputs=("counts",),
        packed=msgspec.msgpack.encode([[1, [], [["c", 1]]]]),
    )
