"""`qwicket.vendors.qlued.client.circuits`, under its public name."""

from qwicket.vendors.qlued.client.circuits import *
