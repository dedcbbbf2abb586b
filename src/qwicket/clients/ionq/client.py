"""`qwicket.vendors.ionq.client.client`, under its public name."""

from qwicket.vendors.ionq.client.client import *
