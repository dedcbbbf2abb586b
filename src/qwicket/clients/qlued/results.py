"""`qwicket.vendors.qlued.client.results`, under its public name."""

from qwicket.vendors.qlued.client.results import *
