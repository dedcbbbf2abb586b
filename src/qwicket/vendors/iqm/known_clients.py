"""What the product shows and tests of the clients of IQM."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Clients, JobCode, Snippet

_SUITE: Final = "iqm/iqm_client_36"
_CLIENT: Final = "iqm-client 36.0.0"

CLIENTS: Final = Clients(
    environments={
        "iqm-client": {
            "IQM_SERVER_URL": "{URL}",
            "IQM_TOKEN": "$QWICKET_TOKEN",
            "IQM_QUANTUM_COMPUTER": "garnet",
            "IQM_TOKENS_FILE": None,
        }
    },
    snippets={
        "curl-iqm": Snippet("curl (IQM)", "sh", dialect="iqm"),
        "qiskit-iqm": Snippet(f"{_CLIENT} (Qiskit)", suite=_SUITE, dialect="iqm"),
        "cirq-iqm": Snippet(f"{_CLIENT} (Cirq)", suite=_SUITE, dialect="iqm"),
    },
    snippet="qiskit-iqm",
    job_codes={"iqm-client": JobCode(_CLIENT, "iqm", ("iqm.circuits",), _SUITE)},
)
