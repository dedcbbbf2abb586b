"""`qwicket.vendors.qbraid.client.jobs_session`, under its public name."""

from qwicket.vendors.qbraid.client.jobs_session import *
