"""`qwicket.vendors.ionq.client.qiskit_conversion`, under its public name."""

from qwicket.vendors.ionq.client.qiskit_conversion import *
