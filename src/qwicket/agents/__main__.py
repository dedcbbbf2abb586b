"""The process in which a lab's function runs: `python -m qwicket.agents`."""

import sys

from qwicket.agents.function_process import main

main(sys.argv[1:])
