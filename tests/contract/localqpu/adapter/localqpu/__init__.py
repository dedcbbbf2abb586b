"""The names of localqpu that its contract tests import, over Qwicket's test bed.

This package maps names and addresses only. It runs in the clients' environments, so it imports only
what needs the standard library alone, and a client where a test asks for it.
"""

from __future__ import annotations

import os
from typing import Any

from localqpu.control_client import IBM, JOBS, LocalqpuControl

_HOST = "127.0.0.1"
_PORT = 8787


def connect(port: int = _PORT, host: str = _HOST) -> Any:
    """Return IBM's client of the test bed."""
    from qiskit_ibm_runtime import QiskitRuntimeService

    base = f"http://{host}:{port}"
    _avoid_proxies(host)
    for name, path in (
        ("IAM_URL", "iam"),
        ("GLOBAL_SEARCH_URL", "search"),
        ("GLOBAL_CATALOG_URL", "catalog"),
    ):
        os.environ[name] = f"{base}{IBM}/{path}"
    token = LocalqpuControl(base).account()["token"]
    return QiskitRuntimeService(channel="ibm_quantum_platform", token=token, url=f"{base}{JOBS}")


def connect_braket(port: int = _PORT, host: str = _HOST) -> Any:
    """Return a session of Amazon Braket's SDK with the test bed."""
    import boto3
    from braket.aws import AwsSession

    base = f"http://{host}:{port}"
    _avoid_proxies(host)
    for service, path in (("BRAKET", "braket"), ("S3", "s3"), ("STS", "sts")):
        os.environ[f"AWS_ENDPOINT_URL_{service}"] = f"{base}/{path}"
    account = LocalqpuControl(base).account()
    session = boto3.Session(
        aws_access_key_id=account["aws_key_id"],
        aws_secret_access_key=account["aws_secret"],
        region_name="us-east-1",
    )
    return AwsSession(boto_session=session)


def _avoid_proxies(host: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = host


class ServerConfig:
    """Settings of a server of localqpu."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings


def start_server(config: ServerConfig) -> Any:
    """Fail: its tests start one with a limit beyond which results are made up."""
    raise NotImplementedError(f"no server with {config.settings}")
