"""The clients of the report on clients under faults, and those that it leaves out."""

from __future__ import annotations

from typing import Final

from support.bed_client import CLIENTS, Kind

_IBM: Final = "qiskit-ibm-runtime"
_IQM: Final = "iqm/iqm_client_36"
_COLD_ATOM: Final = "qiskit-cold-atom"

REPORTED: Final[dict[str, Kind]] = {
    "cirq-ionq": CLIENTS["ionq"],
    "qiskit-ionq": Kind(
        "qiskit-ionq", "ionq/qiskit_ionq_1_1", "run_qiskit_ionq", "ionq", "qiskit-ionq"
    ),
    "qiskit-ionq-0.5": Kind("qiskit-ionq", "ionq/qiskit_ionq_0_5", "run_qiskit_ionq_0_5", "ionq"),
    "pennylane-ionq": Kind(
        "pennylane-ionq", "ionq/pennylane_ionq_0_45", "run_pennylane_ionq", "ionq"
    ),
    "ionq-core": Kind("ionq-core", "ionq/ionq_core_0_2", "run_ionq_core", "ionq"),
    "qiskit-ibm-runtime": CLIENTS["ibm"],
    "qiskit-ibm-runtime-0.49": Kind(
        _IBM, "ibm/qiskit_ibm_runtime_0_49", "bell_ibm", "ibm-platform", _IBM
    ),
    "qiskit-ibm-runtime-0.40": Kind(
        _IBM, "ibm/qiskit_ibm_runtime_0_40", "run_ibm_runtime_0_40", "ibm-runtime"
    ),
    "pytket-qiskit": Kind(
        *("pytket-qiskit", "ibm/pytket_qiskit_0_79", "run_pytket_qiskit", "ibm-platform"), env=_IBM
    ),
    "qiskit-ibmq-provider": Kind(
        "qiskit-ibmq-provider", "ibm/qiskit_ibmq_provider_0_20", "run_ibmq", "ibm"
    ),
    "qiskit-ibmq-provider-0.4": Kind(
        "qiskit-ibmq-provider", "ibm/qiskit_ibmq_provider_0_4", "run_ibmq", "ibm"
    ),
    "qbraid": CLIENTS["qbraid"],
    "qbraid-0.10": Kind("qbraid", "qbraid/qbraid_0_10", "run_qbraid_0_10", "qbraid"),
    "qbraid-cli": Kind(
        "qbraid-cli", "qbraid/qbraid_cli_0_16", "run_qbraid_cli", "qbraid", "qbraid"
    ),
    # Without the simulators for graphics cards that it depends on.
    "cuda-quantum": Kind(
        "cuda-quantum-cu13", "qbraid/cuda_quantum_0_16", "run_cudaq", "qbraid", "qbraid"
    ),
    "amazon-braket-sdk": Kind(
        *("amazon-braket-sdk", "braket/amazon_braket_sdk_1_127", "run_braket_sdk", "braket"),
        env="braket",
    ),
    "qiskit-braket-provider": Kind(
        "qiskit-braket-provider", "braket/plugins", "run_qiskit_braket", "braket", "braket"
    ),
    "amazon-braket-pennylane-plugin": Kind(
        *("amazon-braket-pennylane-plugin", "braket/plugins", "run_pennylane_braket", "braket"),
        env="braket",
    ),
    "xanadu-cloud-client": Kind("xanadu-cloud-client", "xanadu/xcc_0_3", "run_xanadu", "xanadu"),
    "strawberryfields": Kind(
        "strawberryfields", "xanadu/strawberryfields_0_23", "run_strawberryfields", "xanadu"
    ),
    "strawberryfields-0.18": Kind(
        "strawberryfields", "xanadu/strawberryfields_0_18", "run_strawberryfields_0_18", "xanadu"
    ),
    "iqm-client, Qiskit": Kind("iqm-client", _IQM, "run_iqm", "iqm", "iqm-client"),
    "iqm-client, Cirq": Kind("iqm-client", _IQM, "run_iqm_cirq", "iqm", "iqm-client"),
    "qiskit-cold-atom": Kind(_COLD_ATOM, "qlued/qiskit_cold_atom_0_2_1", "run_cold_atom", "qlued"),
    "qiskit-cold-atom-0.2.0": Kind(
        _COLD_ATOM, "qlued/qiskit_cold_atom_0_2_0", "run_cold_atom", "qlued"
    ),
    "qiskit-cold-atom-0.0.1": Kind(
        _COLD_ATOM, "qlued/qiskit_cold_atom_0_0_1", "run_cold_atom", "qlued"
    ),
    "mcp": Kind("mcp", "native/mcp_2_3", "run_mcp", "mcp", "mcp"),
    "fastmcp": Kind("fastmcp", "native/fastmcp_3", "run_fastmcp", "mcp", "mcp"),
    "qwicket": Kind("qwicket", "", "run_native", "native", "qwicket"),
}
"""Clients by their name in the report."""

LEFT_OUT: Final[dict[str, str]] = {
    "cuda-quantum 0.16, target `ionq`": "works, but was not run against these faults",
    "pytket-braket 0.48": (
        "stops at a gate of the device's list, `gphase`, that its table of gates does not have"
    ),
    "mitiq": "makes no requests: it calls functions that use one of the clients above",
    "pennylane-qiskit": "makes its requests with qiskit-ibm-runtime",
    "pytket-ionq 0.23": "has addresses of IonQ's API of 2022 in its code",
    "qiskit-ibm-provider 0.11": "calls `/runtime/classic/backends` of 2023, which no dialect has",
    "quri-parts-braket": "makes its requests with amazon-braket-sdk",
    "qbraid 0.4": "registers jobs that other clients submit",
}
"""Clients that are not in the tables, with the reason."""
