"""What the product shows and tests of the clients of qlued."""

from __future__ import annotations

from typing import Any, Final

from qwicket.registrations import Clients, JobCode, Snippet, UsualHost
from qwicket.vendors.qlued.machines import FORMATS


def _open(url: str, token: str) -> Any:
    from qwicket.vendors.qlued.client import QluedClient

    return QluedClient(f"{url}/qlued/api/v2", token)


CLIENTS: Final = Clients(
    hosts={"*.alqor.io": UsualHost("a client of qlued", 'change "urls" in its credentials')},
    snippets={
        "curl-qlued": Snippet("curl (qlued)", "sh", dialect="qlued"),
        "qwicket-qlued": Snippet("qwicket.clients.qlued", dialect="qlued"),
        "qiskit-cold-atom": Snippet(
            "qiskit-cold-atom 0.2.1", suite="qlued/qiskit_cold_atom_0_2_1", dialect="qlued"
        ),
    },
    snippet="qiskit-cold-atom",
    job_codes={
        "qlued": JobCode("qwicket.clients.qlued", "qlued", FORMATS),
        "qlued-requests": JobCode("requests", "qlued", FORMATS),
    },
    open=_open,
)
