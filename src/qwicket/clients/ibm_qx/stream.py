"""`qwicket.vendors.ibm.client.stream`, under its public name."""

from qwicket.vendors.ibm.client.stream import *
