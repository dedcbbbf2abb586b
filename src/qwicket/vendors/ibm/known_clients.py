"""What the product shows and tests of the clients of IBM."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Clients, JobCode, Snippet, UsualHost

_RUNTIME: Final = "{URL}/ibm/runtime"
_PROVIDER: Final = Snippet(
    "qiskit-ibmq-provider 0.20.2", suite="ibm/qiskit_ibmq_provider_0_20", dialect="ibm"
)
_SDK: Final = Snippet(
    "qiskit-ibm-runtime 0.51.0", suite="ibm/qiskit_ibm_runtime_0_51", dialect="runtime"
)


def _runtime(name: str) -> JobCode:
    return JobCode(_SDK.client, "runtime", (name,), _SDK.suite)


CLIENTS: Final = Clients(
    environments={
        "qiskit-ibm-runtime": {
            # First: without it the client sends the token to IBM.
            "IAM_URL": f"{_RUNTIME}/iam",
            "GLOBAL_SEARCH_URL": f"{_RUNTIME}/search",
            "GLOBAL_CATALOG_URL": f"{_RUNTIME}/catalog",
            "QISKIT_IBM_URL": f"{_RUNTIME}/experimental/api/v1",
            "QISKIT_IBM_TOKEN": "$QWICKET_TOKEN",
        },
    },
    hosts={
        "iam.cloud.ibm.com": UsualHost("qiskit-ibm-runtime", "set IAM_URL"),
        "*global-search-tagging.cloud.ibm.com": UsualHost(
            "qiskit-ibm-runtime", "set GLOBAL_SEARCH_URL"
        ),
        "*globalcatalog.cloud.ibm.com": UsualHost("qiskit-ibm-runtime", "set GLOBAL_CATALOG_URL"),
        "*quantum.cloud.ibm.com": UsualHost(
            "qiskit-ibm-runtime", "set QISKIT_IBM_URL or pass url=…"
        ),
        "*quantum-computing.ibm.com": UsualHost("an older IBM client", "pass url=…"),
        "*quantum.ibm.com": UsualHost("an older IBM client", "pass url=…"),
    },
    headers=("ibm-api-version", "service-crn", "x-qx-client-application"),
    snippets={
        "curl-ibm": Snippet("curl (IBM Quantum Experience)", "sh", dialect="ibm"),
        "curl-runtime": Snippet("curl (IBM Runtime)", "sh", dialect="runtime"),
        "qwicket-ibm": Snippet("qwicket.clients.ibm_qx", dialect="ibm"),
        "ibm": _PROVIDER,
        "qiskit-ibm-runtime": _SDK,
        "ibm-runtime": Snippet(
            "qiskit-ibm-runtime 0.40.1", suite="ibm/qiskit_ibm_runtime_0_40", dialect="runtime"
        ),
        "ibm-0.4": Snippet(
            "qiskit-ibmq-provider 0.4.6", suite="ibm/qiskit_ibmq_provider_0_4", dialect="ibm"
        ),
    },
    job_codes={
        "ibm-qobj": JobCode(_PROVIDER.client, "ibm", ("qobj",), _PROVIDER.suite),
        "runtime-openqasm2": _runtime("openqasm2"),
        "runtime-openqasm3": _runtime("openqasm3"),
        "runtime-primitives": _runtime("qiskit.primitives"),
    },
)
