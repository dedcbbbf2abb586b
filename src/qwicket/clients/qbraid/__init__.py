"""Client of qBraid's API before v1, with additional methods that run jobs on a Qwicket server."""

from qwicket.vendors.qbraid.client.errors import (
    ApiError,
    AuthError,
    ConfigError,
    JobTimeoutError,
    QbraidError,
    RequestsApiError,
)
from qwicket.vendors.qbraid.client.jobs import get_job_data, init_job
from qwicket.vendors.qbraid.client.retry import STATUS_FORCELIST, PostForcelistRetry
from qwicket.vendors.qbraid.client.session import DEFAULT_ENDPOINT_URL, QbraidSession

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
