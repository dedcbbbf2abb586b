"""What the product shows and tests of the clients of qBraid."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from qwicket.registrations import Clients, JobCode, Snippet, UsualHost

_FORMAT_NAMES: Final = MappingProxyType(
    {"ionq.circuit.v1": "ionq.circuit.v0", "ahs": "analog", "qir": "qir.ll"}
)
"""Formats other than OpenQASM, and what qBraid calls them. QIR may be bitcode under this name."""
_SDK: Final = Snippet("qbraid 0.13.0", suite="qbraid/qbraid_0_13", dialect="qbraid")

CLIENTS: Final = Clients(
    environments={
        "qbraid": {
            "QBRAID_API_URL": "{URL}/qbraid/api/v1",
            "QBRAID_API_KEY": "$QWICKET_TOKEN",
        }
    },
    hosts={"*.qbraid.com": UsualHost("a client of qBraid", "set QBRAID_API_URL")},
    snippets={
        "curl-qbraid": Snippet("curl (qBraid)", "sh", dialect="qbraid"),
        "qwicket-qbraid": Snippet("qwicket.clients.qbraid", dialect="qbraid"),
        "qbraid": _SDK,
        "qbraid-0.10": Snippet("qbraid 0.10.2", suite="qbraid/qbraid_0_10", dialect="qbraid"),
        "qbraid-cli": Snippet(
            "qbraid-cli 0.16.16", "sh", "qbraid/qbraid_cli_0_16", dialect="qbraid"
        ),
    },
    job_codes={
        "qbraid": JobCode(_SDK.client, "qbraid", ("openqasm2", "openqasm3"), _SDK.suite),
        "qbraid-batch": JobCode(_SDK.client, "qbraid", ("batch",), _SDK.suite),
        "qbraid-json": JobCode(
            _SDK.client, "qbraid", tuple(_FORMAT_NAMES), _SDK.suite, format_names=_FORMAT_NAMES
        ),
    },
)
