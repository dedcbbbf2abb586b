"""`qwicket.vendors.qlued.client.client`, under its public name."""

from qwicket.vendors.qlued.client.client import *
