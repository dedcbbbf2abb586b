"""`qwicket.vendors.qbraid.client.retry`, under its public name."""

from qwicket.vendors.qbraid.client.retry import *
