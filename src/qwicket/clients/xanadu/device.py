"""`qwicket.vendors.xanadu.client.device`, under its public name."""

from qwicket.vendors.xanadu.client.device import *
