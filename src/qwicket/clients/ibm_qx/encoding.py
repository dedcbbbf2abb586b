"""`qwicket.vendors.ibm.client.encoding`, under its public name."""

from qwicket.vendors.ibm.client.encoding import *
