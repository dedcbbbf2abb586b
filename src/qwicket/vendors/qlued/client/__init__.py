"""Client of qlued's API, version 2, for qlued's own servers and for Qwicket."""

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.qlued.client.circuits import (
    Circuit,
    Fermions,
    MultiQudit,
    Rydberg,
    SingleQudit,
)
from qwicket.vendors.qlued.client.client import QluedClient
from qwicket.vendors.qlued.client.errors import (
    QluedAPIError,
    QluedClientError,
    QluedError,
    QluedJobError,
    QluedNotFinishedError,
    QluedRetriableError,
    QluedTimeoutError,
)
from qwicket.vendors.qlued.client.results import shots

__all__ = [
    "Circuit",
    "Fermions",
    "MultiQudit",
    "QluedAPIError",
    "QluedClient",
    "QluedClientError",
    "QluedError",
    "QluedJobError",
    "QluedNotFinishedError",
    "QluedRetriableError",
    "QluedTimeoutError",
    "RetryPolicy",
    "Rydberg",
    "SingleQudit",
    "shots",
]
