"""`qwicket.vendors.qlued.client.errors`, under its public name."""

from qwicket.vendors.qlued.client.errors import *
