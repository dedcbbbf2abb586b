"""Many users in one process that speak the wire of each dialect, for the mass of the jobs."""

from typing import Final

BRAKET: Final = "mass-braket"
USERS: Final = {
    "mass-native": 6,
    "mass-ionq": 2,
    "mass-qbraid": 1,
    BRAKET: 1,
    "mass-ibmq": 1,
    "mass-runtime": 1,
    "mass-xanadu": 1,
    "mass-qlued": 1,
}
"""Account of each dialect, with its share of the users. Each submission is a program of its own.

A job of Qwicket's own dialect takes one request, and of the others three: with equal shares, one
server reaches 320 jobs per second on one core.
"""
