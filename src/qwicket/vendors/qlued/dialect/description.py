"""Bodies of qlued's requests and responses, as structs for the dialect's description."""

from __future__ import annotations

from typing import Any

import msgspec


class StatusMsgDict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Status of a job, or an error. The text `None` stands for a missing value."""

    job_id: str
    status: str
    detail: str
    error_message: str


class JobSchemaWithTokenIn(msgspec.Struct, frozen=True):
    """A job of version 2: experiments as JSON in a text, and the token."""

    job: str
    token: str


class Payload(msgspec.Struct, frozen=True):
    """A job of version 3: experiments as an object. The token is in a header."""

    payload: dict[str, Any]


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gate of a device."""

    name: str
    description: str
    parameters: list[str]
    qasm_def: str
    coupling_map: list[list[int]]


class BackendConfigSchemaOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of a device."""

    backend_name: str
    display_name: str
    description: str
    backend_version: str
    n_qubits: int
    basis_gates: list[str]
    gates: list[Gate]
    supported_instructions: list[str]
    max_shots: int
    max_experiments: int
    cold_atom_type: str
    wire_order: str
    num_species: int
    simulator: bool
    local: bool
    conditional: bool
    open_pulse: bool
    memory: bool
    dynamic_reprate_enabled: bool
    coupling_map: str
    url: str


class BackendStatusSchemaOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a device is online, and how many jobs wait."""

    backend_name: str
    backend_version: str
    operational: bool
    pending_jobs: int
    status_msg: str


class ResultDict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Result of a job: memory and counts of each experiment."""

    backend_name: str
    display_name: str
    backend_version: str
    job_id: str
    qobj_id: str | None
    success: bool
    status: str
    header: dict[str, Any]
    results: list[dict[str, Any]]
