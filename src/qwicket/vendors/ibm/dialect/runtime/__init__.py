"""Qiskit Runtime's API below `/ibm/runtime`: the classic channel and the platform channel."""
