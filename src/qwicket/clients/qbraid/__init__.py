"""Client of qBraid's API before v1, with additional methods that run jobs on a Qwicket server."""

from qwicket.clients.qbraid.errors import (
    ApiError,
    AuthError,
    ConfigError,
    JobTimeoutError,
    QbraidError,
    RequestsApiError,
)
from qwicket.clients.qbraid.jobs import get_job_data, init_job
from qwicket.clients.qbraid.retry import STATUS_FORCELIST, PostForcelistRetry
from qwicket.clients.qbraid.session import DEFAULT_ENDPOINT_URL, QbraidSession

__all__ = [
    "DEFAULT_ENDPOINT_URL",
    "STATUS_FORCELIST",
    "ApiError",
    "AuthError",
    "ConfigError",
    "JobTimeoutError",
    "PostForcelistRetry",
    "QbraidError",
    "QbraidSession",
    "RequestsApiError",
    "get_job_data",
    "init_job",
]
