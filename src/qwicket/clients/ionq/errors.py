"""`qwicket.vendors.ionq.client.errors`, under its public name."""

from qwicket.vendors.ionq.client.errors import *
