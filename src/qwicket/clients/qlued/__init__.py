"""Client of qlued's API, version 2, for qlued's own servers and for Qwicket."""

from qwicket.clients.http import RetryPolicy
from qwicket.clients.qlued.circuits import Circuit, Fermions, MultiQudit, Rydberg, SingleQudit
from qwicket.clients.qlued.client import QluedClient
from qwicket.clients.qlued.errors import (
    QluedAPIError,
    QluedClientError,
    QluedError,
    QluedJobError,
    QluedNotFinishedError,
    QluedRetriableError,
    QluedTimeoutError,
)
from qwicket.clients.qlued.results import shots

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
