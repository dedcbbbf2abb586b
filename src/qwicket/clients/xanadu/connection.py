"""`qwicket.vendors.xanadu.client.connection`, under its public name."""

from qwicket.vendors.xanadu.client.connection import *
