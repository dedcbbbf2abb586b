"""A lab's agent: pulls the jobs of a device through the firewall and runs them on the machine.

A lab writes one function, `run(program: Program) -> Sequence[Outcome]`, and starts `qwicket agent`.
This package imports nothing of the server.
"""

from qwicket.agents.agent import Agent
from qwicket.agents.api import AgentAPI
from qwicket.agents.circuits import (
    AtomCircuit,
    AtomGate,
    Branch,
    Formula,
    Gate,
    Jump,
    Measure,
    PhotonicCircuit,
    PhotonicGate,
    PhotonicMeasure,
    QubitCircuit,
    Register,
    Reset,
)
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
    "AgentAPI",
    "AtomCircuit",
    "AtomGate",
    "Branch",
    "Counts",
    "Failed",
    "Formula",
    "Gate",
    "Jump",
    "Measure",
    "Memory",
    "Outcome",
    "PhotonicCircuit",
    "PhotonicGate",
    "PhotonicMeasure",
    "Program",
    "QubitCircuit",
    "Register",
    "Reset",
    "Samples",
    "Stopped",
]
