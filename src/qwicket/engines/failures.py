"""Error of an engine that cannot run one circuit. The other circuits of the job still run."""

from __future__ import annotations


class CannotRun(Exception):
    """This engine cannot run the circuit, which may be valid.

    Args:
        code: Stable code: `unsupported`, `invalid_circuit`, `outcome_too_large`.
        message: One sentence for the person who sent the circuit.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
