"""The platform channel of Qiskit Runtime's API, below `/ibm/runtime`."""
