"""Client of the IBM Quantum Experience API of 2020, as Qwicket's dialect serves it."""

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.ibm.client.client import DEFAULT_URL, IBMQXClient
from qwicket.vendors.ibm.client.errors import (
    RETRIABLE,
    IBMQXAPIError,
    IBMQXClientError,
    IBMQXError,
    IBMQXJobError,
    IBMQXJobLimitError,
    IBMQXRetriableError,
    IBMQXTimeoutError,
)
from qwicket.vendors.ibm.client.responses import (
    FINAL,
    Account,
    Device,
    Job,
    QueueStatus,
    Record,
    Result,
    Status,
)

__all__ = [
    "DEFAULT_URL",
    "FINAL",
    "RETRIABLE",
    "Account",
    "Device",
    "IBMQXAPIError",
    "IBMQXClient",
    "IBMQXClientError",
    "IBMQXError",
    "IBMQXJobError",
    "IBMQXJobLimitError",
    "IBMQXRetriableError",
    "IBMQXTimeoutError",
    "Job",
    "QueueStatus",
    "Record",
    "Result",
    "RetryPolicy",
    "Status",
]
