"""qiskit-cold-atom 0.0.1, unmodified: all that 0.2.0 is held to."""

from vendors.qlued.suites.qiskit_cold_atom_0_2_0.test_qiskit_cold_atom import *  # noqa: F403 - all of them
