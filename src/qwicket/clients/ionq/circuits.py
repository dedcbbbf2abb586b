"""`qwicket.vendors.ionq.client.circuits`, under its public name."""

from qwicket.vendors.ionq.client.circuits import *
