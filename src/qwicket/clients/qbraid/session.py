"""`qwicket.vendors.qbraid.client.session`, under its public name."""

from qwicket.vendors.qbraid.client.session import *
