"""`qwicket.vendors.xanadu.client.responses`, under its public name."""

from qwicket.vendors.xanadu.client.responses import *
