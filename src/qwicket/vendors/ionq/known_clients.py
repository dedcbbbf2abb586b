"""What the product shows and tests of the clients of IonQ."""

from __future__ import annotations

from typing import Any, Final

from qwicket.registrations import Clients, JobCode, Snippet, UsualHost

_QISKIT: Final = Snippet("qiskit-ionq 1.1.1", suite="ionq/qiskit_ionq_1_1", dialect="ionq")
_CORE: Final = Snippet("ionq-core 0.2.0", suite="ionq/ionq_core_0_2", dialect="ionq")


def _open(url: str, token: str) -> Any:
    from qwicket.vendors.ionq.client import IonQClient

    return IonQClient(token, f"{url}/ionq/v0.4")


CLIENTS: Final = Clients(
    environments={
        "qiskit-ionq": {
            "IONQ_API_URL": "{URL}/ionq/v0.4",
            "IONQ_API_KEY": "$QWICKET_TOKEN",
            "QISKIT_IONQ_API_URL": None,
            "QISKIT_IONQ_API_TOKEN": None,
        },
        "cirq-ionq": {
            "IONQ_REMOTE_HOST": "{URL}",
            "IONQ_API_KEY": "$QWICKET_TOKEN",
            "CIRQ_IONQ_REMOTE_HOST": None,
            "CIRQ_IONQ_API_KEY": None,
        },
    },
    hosts={
        "api.ionq.co": UsualHost(
            "a client of IonQ", "set IONQ_API_URL or IONQ_REMOTE_HOST, or pass url=…"
        ),
    },
    snippets={
        "curl-ionq": Snippet("curl (IonQ)", "sh", dialect="ionq"),
        "qwicket-ionq": Snippet("qwicket.clients.ionq", dialect="ionq"),
        "qiskit-ionq": _QISKIT,
        "cirq-ionq": Snippet("cirq-ionq 1.7.0", suite="ionq/cirq_ionq_1_7", dialect="ionq"),
        "pennylane-ionq": Snippet(
            "pennylane-ionq 0.45.0", suite="ionq/pennylane_ionq_0_45", dialect="ionq"
        ),
        "ionq-core": _CORE,
    },
    snippet="qiskit-ionq",
    job_codes={
        "ionq-core": JobCode(_CORE.client, "ionq", ("ionq.circuit.v1",), _CORE.suite),
        "ionq-core-openqasm3": JobCode(_CORE.client, "ionq", ("openqasm3",), _CORE.suite),
        "qiskit-ionq": JobCode(_QISKIT.client, "ionq", ("openqasm2",), _QISKIT.suite),
    },
    open=_open,
)
