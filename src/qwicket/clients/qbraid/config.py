"""`qwicket.vendors.qbraid.client.config`, under its public name."""

from qwicket.vendors.qbraid.client.config import *
