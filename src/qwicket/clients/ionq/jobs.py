"""`qwicket.vendors.ionq.client.jobs`, under its public name."""

from qwicket.vendors.ionq.client.jobs import *
