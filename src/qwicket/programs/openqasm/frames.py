"""Where the interpreter is: the circuit or gate that operations go to, and the loops around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.programs.openqasm.conditions import Flow, Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.circuits.qubit import Op
    from qwicket.programs.openqasm.gate_table import UserGate
    from qwicket.programs.openqasm.gates import StandardGate


class ControlFlowExit(Exception):
    """A `break`, `continue` or `end` that depends on no measurement. Never leaves this package."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Loop:
    """A loop that is being unrolled.

    `branch_depth` is the number of branches around the loop whose condition depends on a
    measurement. `n_raised` is the number of its `break` and `continue` that depend on one.
    Statements after such a jump are conditional, so each jump adds a branch until the loop ends.
    """

    def __init__(self, branch_depth: int) -> None:
        self.branch_depth = branch_depth
        self.n_raised = 0
        self.next = Label()
        self.end = Label()


class Frame:
    """The target of operations: the circuit, or the template of a gate.

    `branch_depth` is the number of open branches whose condition depends on a measurement. A
    `break`, `continue` or `end` inside them adds one.
    """

    def __init__(
        self, ops: list[Op], callees: Mapping[str, StandardGate | UserGate] | None
    ) -> None:
        self.ops = ops
        self.flow = Flow(ops)
        self.callees = callees
        self.phase = 0.0
        self.branch_depth = 0
        self.loops: list[Loop] = []
