"""`qwicket.vendors.xanadu.client.job`, under its public name."""

from qwicket.vendors.xanadu.client.job import *
