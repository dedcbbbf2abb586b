"""`qwicket.vendors.qbraid.client.errors`, under its public name."""

from qwicket.vendors.qbraid.client.errors import *
