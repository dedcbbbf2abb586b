"""Why a job, or a circuit of it, gave no outcome: the codes beside those of `errors`.

They stand in a job's `error` and in that of a part. A lab's agent may send codes of its own.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Failure(msgspec.Struct, frozen=True):
    """Why a circuit, or a whole job, gave no outcome. `code` is stable, `message` is for people."""

    code: str
    message: str


class FailureKind(NamedTuple):
    """One code: what it means, what usually causes it, what helps."""

    title: str
    cause: str
    remedy: str


FAILURES: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "bad_outcome": FailureKind(
            "A lab's machine gave something else than was asked for.",
            "The lab's own program returned too few outcomes, too many, or of another kind. The"
            " message says which.",
            "Ask the lab that serves the device, with the job's id.",
        ),
        "device_failed": FailureKind(
            "A lab's machine could not run the job.",
            "The lab's own program gave up and named no code of its own. The message is the lab's.",
            "Ask the lab that serves the device, with the job's id.",
        ),
        "draft_expired": FailureKind(
            "The program was not sent in time.",
            "A job was announced and its program was not uploaded within `draft_s`.",
            "Submit again, and send the program at once.",
        ),
        "driver_error": FailureKind(
            "The job could not be handed to its device.",
            "A defect of this server; its log has it under the job's id.",
            "Tell the administrator the job's id; submit again.",
        ),
        "engine_error": FailureKind(
            "The process that ran the job failed.",
            "A defect of this server or of a simulator in it, outside of any one circuit.",
            "Tell the administrator the job's id; submit again.",
        ),
        "failed": FailureKind(
            "The job failed, and nobody said why.",
            "The vendor or agent that ran it gave no code.",
            "Read the message, and ask who serves the device.",
        ),
        "internal_error": FailureKind(
            "An engine went wrong on this circuit.",
            "A defect of this server or of a simulator in it. Other circuits of the job were run.",
            "Tell the administrator the id in the message: the log has the cause under it.",
        ),
        "invalid_circuit": FailureKind(
            "The circuit cannot be run as it is.",
            "Only its run shows it: a matrix is not what it must be, a parameter that hangs on a"
            " measurement is no finite number, a place of a lattice is filled twice.",
            "Correct the circuit where the message points. Other circuits of the job were run.",
        ),
        "out_of_memory": FailureKind(
            "The job needed more memory than it may use.",
            "The estimate at submission was too low. The bound is `memory_bytes`.",
            "Use fewer qubits or circuits, or ask the administrator for a higher limit.",
        ),
        "outcome_too_large": FailureKind(
            "There are too many distinct outcomes to keep.",
            "The distinct outcomes of one circuit together have more bits than one outcome may.",
            "Measure fewer qubits, or take fewer shots.",
        ),
        "outcome_refused": FailureKind(
            "What a lab's machine gave was refused by the server.",
            "It is too large, or not what the job asked for. The message says which.",
            "Ask for fewer shots or circuits, or ask the lab that serves the device.",
        ),
        "result_not_stored": FailureKind(
            "The job ran, and its result could not be stored.",
            "The database refused it as it is, which a full disk is not: that one is waited for.",
            "Tell the administrator the job's id; ask for a smaller result.",
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
            "The message says what stands in the way. Other circuits of the job were run.",
        ),
        "worker_died": FailureKind(
            "The process that ran the job died three times.",
            "A crash of a simulator, or a kill from outside, such as by a system that is out of"
            " memory. Only deaths that the job can be blamed for count.",
            "Submit a smaller job; tell the administrator the job's id.",
        ),
    }
)
"""By code, in the order of the alphabet."""
