"""`qwicket.vendors.ibm.client.errors`, under its public name."""

from qwicket.vendors.ibm.client.errors import *
