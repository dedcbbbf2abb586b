"""Error codes of jobs and circuits without a result, in addition to those of `errors`.

The `error` of a job or part contains them. A lab's agent may send other codes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Failure(msgspec.Struct, frozen=True):
    """Cause of a missing result. `code` is stable, `message` is for people."""

    code: str
    message: str


class FailureKind(NamedTuple):
    """One code: meaning, usual cause, remedy."""

    title: str
    cause: str
    remedy: str


FAILURES: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "bad_outcome": FailureKind(
            "A lab's machine returned something other than requested.",
            "The lab's own program returned too few outcomes, too many, or of another kind. The"
            " message says which.",
            "Ask the lab that serves the device, with the job's id.",
        ),
        "device_failed": FailureKind(
            "A lab's machine could not run the job.",
            "The lab's own program failed without a code of its own. The message is the lab's.",
            "Ask the lab that serves the device, with the job's id.",
        ),
        "draft_expired": FailureKind(
            "The program was not sent in time.",
            "The program of a draft was not uploaded within `draft_s`.",
            "Submit again, and upload the program at once.",
        ),
        "driver_error": FailureKind(
            "The job could not be passed to its device.",
            "A defect of this server; its log has it under the job's id.",
            "Give the administrator the job's id; submit again.",
        ),
        "engine_error": FailureKind(
            "The process that ran the job failed.",
            "A defect of this server or of a simulator in it, outside of any one circuit.",
            "Give the administrator the job's id; submit again.",
        ),
        "failed": FailureKind(
            "The job failed for an unknown reason.",
            "The vendor or agent that ran it reported no code.",
            "Read the message, and contact the provider of the device.",
        ),
        "internal_error": FailureKind(
            "An engine failed on this circuit.",
            "A defect of this server or of a simulator in it. Other circuits of the job were run.",
            "Give the administrator the id in the message; the log has the cause under it.",
        ),
        "invalid_circuit": FailureKind(
            "The circuit cannot be run as it is.",
            "An error that only a run can find: a matrix is not unitary, a parameter that depends"
            " on a measurement is not a finite number, or a site of a lattice is loaded twice.",
            "Correct the circuit where the message points. Other circuits of the job were run.",
        ),
        "out_of_memory": FailureKind(
            "The job needed more memory than it may use.",
            "The estimate at submission was too low. The bound is `memory_bytes`.",
            "Use fewer qubits or circuits, or ask the administrator for a higher limit.",
        ),
        "outcome_too_large": FailureKind(
            "The result of a circuit is too large to keep.",
            "Its distinct bit strings, or those of all shots, take more than 256 MiB.",
            "Measure fewer qubits, or take fewer shots.",
        ),
        "outcome_refused": FailureKind(
            "The server refused the result of a lab's machine.",
            "It is too large, or not what the job requested. The message says which.",
            "Ask for fewer shots or circuits, or ask the lab that serves the device.",
        ),
        "remote_abandoned": FailureKind(
            "An administrator gave up on a job that was sent to another cloud.",
            "The cloud did not say what became of it, or its device was removed here. The job may"
            " still run there.",
            "Ask the administrator, who has an account there; submit again.",
        ),
        "remote_cancelled": FailureKind(
            "The other cloud cancelled the job.",
            "Somebody cancelled it there, or the cloud itself did; nobody asked for it here.",
            "Submit again; ask the administrator, who has an account there.",
        ),
        "remote_failed": FailureKind(
            "The job failed at the other cloud.",
            "The message is the cloud's own.",
            "Change the program as the message says; ask the administrator with the job's id.",
        ),
        "remote_job_lost": FailureKind(
            "The other cloud does not know the job any more.",
            "It was sent there once and is not in its list; it may have been deleted there.",
            "Give the administrator the job's id; submit again.",
        ),
        "remote_refused": FailureKind(
            "The other cloud refused the job.",
            "It has other limits, or understands the program differently. The message is the"
            " cloud's own.",
            "Change the program as the message says.",
        ),
        "remote_result_invalid": FailureKind(
            "The result of the other cloud cannot be used.",
            "Its shots do not add up, its keys do not fit, it is too large, or it belongs to"
            " another job. The message says which.",
            "Give the administrator the job's id; submit again.",
        ),
        "result_not_stored": FailureKind(
            "The job ran, and its result could not be stored.",
            "The database rejected the result. A full disk is not the cause: it is waited for.",
            "Give the administrator the job's id; request a smaller result.",
        ),
        "result_too_large": FailureKind(
            "The result is too large for a worker on another machine.",
            "Such a worker sends a result in one request, which `outcome_bytes` bounds.",
            "Take fewer shots or circuits, or ask the administrator for a higher limit.",
        ),
        "run_time_exceeded": FailureKind(
            "The job ran longer than it may.",
            "It was stopped at `run_time_s`; the estimate at submission was too low.",
            "Take fewer shots or circuits, or ask the administrator for a higher limit.",
        ),
        "unsupported": FailureKind(
            "No engine here runs this circuit.",
            "It is too wide for a state vector and no Clifford circuit, names an engine that is not"
            " installed or does not take it, or has too many photons to count.",
            "The message names the obstacle. Other circuits of the job were run.",
        ),
        "worker_died": FailureKind(
            "The process that ran the job died three times.",
            "A simulator crashed, or something else killed the process, such as a system without"
            " free memory. Only deaths that the job may have caused count.",
            "Submit a smaller job; give the administrator the job's id.",
        ),
    }
)
"""Explanations by code."""
