"""Client of IonQ's REST API, v0.3 and v0.4, for IonQ's own service and for Qwicket."""

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.ionq.client.circuits import Circuit, NativeCircuit
from qwicket.vendors.ionq.client.client import DEFAULT_URL, IonQClient
from qwicket.vendors.ionq.client.errors import (
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
from qwicket.vendors.ionq.client.estimates import JobEstimate
from qwicket.vendors.ionq.client.jobs import IonQJob, Job
from qwicket.vendors.ionq.client.sessions import Session

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
