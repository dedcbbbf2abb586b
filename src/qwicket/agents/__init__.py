"""A lab's side: pull the jobs of a device through the firewall and run them on the machine.

A lab writes one function, `run(program: Program) -> Sequence[Outcome]`, and starts `qwicket agent`.
This room stands alone: it needs none of the server's.
"""

from qwicket.agents.agent import Agent
from qwicket.agents.gate import Gate
from qwicket.agents.program import (
    Counts,
    Failed,
    Memory,
    Outcome,
    Program,
    Samples,
    Stopped,
)

__all__ = [
    "Agent",
    "Counts",
    "Failed",
    "Gate",
    "Memory",
    "Outcome",
    "Program",
    "Samples",
    "Stopped",
]
