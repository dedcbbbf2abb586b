"""`qwicket.vendors.ibm.client.responses`, under its public name."""

from qwicket.vendors.ibm.client.responses import *
