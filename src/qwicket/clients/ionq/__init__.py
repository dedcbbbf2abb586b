"""Client of IonQ's REST API, v0.3 and v0.4, for IonQ's own service and for Qwicket."""

from qwicket.clients.http import RetryPolicy
from qwicket.clients.ionq.circuits import Circuit, NativeCircuit
from qwicket.clients.ionq.client import DEFAULT_URL, IonQClient
from qwicket.clients.ionq.errors import (
    RETRIABLE,
    RETRIABLE_FOR_GETS,
    IonQAPIError,
    IonQClientError,
    IonQCredentialsError,
    IonQError,
    IonQGateError,
    IonQJobTimeoutError,
    IonQRetriableError,
)
from qwicket.clients.ionq.estimates import JobEstimate
from qwicket.clients.ionq.jobs import IonQJob, Job
from qwicket.clients.ionq.sessions import Session

__all__ = [
    "DEFAULT_URL",
    "RETRIABLE",
    "RETRIABLE_FOR_GETS",
    "Circuit",
    "IonQAPIError",
    "IonQClient",
    "IonQClientError",
    "IonQCredentialsError",
    "IonQError",
    "IonQGateError",
    "IonQJob",
    "IonQJobTimeoutError",
    "IonQRetriableError",
    "Job",
    "JobEstimate",
    "NativeCircuit",
    "RetryPolicy",
    "Session",
]
