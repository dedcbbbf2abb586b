"""`qwicket.vendors.ionq.client.sessions`, under its public name."""

from qwicket.vendors.ionq.client.sessions import *
