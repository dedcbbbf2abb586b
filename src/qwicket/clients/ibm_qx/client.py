"""`qwicket.vendors.ibm.client.client`, under its public name."""

from qwicket.vendors.ibm.client.client import *
