"""`qwicket.vendors.qbraid.client.jobs`, under its public name."""

from qwicket.vendors.qbraid.client.jobs import *
