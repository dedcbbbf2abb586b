"""`qwicket.vendors.ibm.client.decoding`, under its public name."""

from qwicket.vendors.ibm.client.decoding import *
