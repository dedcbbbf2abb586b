"""`qwicket.vendors.xanadu.client.results`, under its public name."""

from qwicket.vendors.xanadu.client.results import *
