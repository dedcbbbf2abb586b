"""A pilot: a worker on another machine that runs the jobs of a server's simulated devices.

It connects to the server over HTTP and needs no open port. It runs jobs in the same processes, with
the same limits, as the server's own workers.
"""

from qwicket.pilots.api import PilotAPI
from qwicket.pilots.node import Node, detect_node
from qwicket.pilots.pilot import Pilot

__all__ = ["Node", "Pilot", "PilotAPI", "detect_node"]
