"""`qwicket.vendors.ionq.client.estimates`, under its public name."""

from qwicket.vendors.ionq.client.estimates import *
