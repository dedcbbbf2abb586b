"""`qwicket.vendors.xanadu.client.settings`, under its public name."""

from qwicket.vendors.xanadu.client.settings import *
