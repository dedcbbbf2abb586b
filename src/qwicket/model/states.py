"""The states of a job and their transitions, as one table.

The conditions in the SQL are generated from `STEPS`. A test compares `docs/states.md` with it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class JobState(StrEnum):
    """State of a job; `completed`, `failed` and `cancelled` are final.

    Attributes:
        is_final: Whether no other state follows.
    """

    is_final: bool

    DRAFT = "draft"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    UNCERTAIN = "uncertain"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Step(NamedTuple):
    """One transition: its verb, the states before it, the state after it, and its reason."""

    verb: str
    before: tuple[JobState, ...]
    after: JobState
    reason: str


FINAL: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
for _state in JobState:
    _state.is_final = _state in FINAL

NOT_ENDED: Final = tuple(state for state in JobState if state not in FINAL)
NOT_COMPLETED: Final = (JobState.FAILED, JobState.CANCELLED)
"""Final states without a complete result."""

INITIAL: Final = frozenset({JobState.DRAFT, JobState.QUEUED, JobState.RUNNING, JobState.FAILED})
"""Initial states: `failed` if a dialect requires a 2xx for an invalid program, `running` by the
step `start`."""

_S = JobState
STEPS: Final = (
    Step("start", (), _S.RUNNING, "tiny: claimed with its submission"),
    Step("admit", (_S.DRAFT,), _S.QUEUED, "source committed and checked"),
    Step("refuse", (_S.DRAFT,), _S.FAILED, "expired or refused"),
    Step("withdraw", (_S.DRAFT, _S.QUEUED), _S.CANCELLED, "cancelled before it ran"),
    Step("claim", (_S.QUEUED,), _S.RUNNING, "claimed by a runner"),
    Step("release", (_S.RUNNING,), _S.QUEUED, "lease lost or given back"),
    Step("complete", (_S.RUNNING, _S.CANCELLING, _S.UNCERTAIN), _S.COMPLETED, "all parts done"),
    Step("fail", (_S.RUNNING, _S.CANCELLING, _S.UNCERTAIN), _S.FAILED, "failed or given up"),
    Step("ask_cancel", (_S.RUNNING, _S.UNCERTAIN), _S.CANCELLING, "cancel requested"),
    Step("cancel", (_S.CANCELLING, _S.UNCERTAIN), _S.CANCELLED, "stopped"),
    Step(
        "doubt",
        (_S.RUNNING,),
        _S.UNCERTAIN,
        "forwarded: lease lost before the vendor's id was known",
    ),
    Step("adopt", (_S.UNCERTAIN,), _S.RUNNING, "found at the vendor, or sent again"),
)

STEP: Final = {step.verb: step for step in STEPS}


def allows(before: JobState, after: JobState) -> bool:
    """Return whether any step leads from `before` to `after`."""
    return any(before in step.before and after is step.after for step in STEPS)


def mermaid() -> str:
    """Return the state diagram in Mermaid's language."""
    lines = ["stateDiagram-v2"]
    reasons = {step.after: f": {step.verb} ({step.reason})" for step in STEPS if not step.before}
    lines += [
        f"    [*] --> {state}{reasons.get(state, '')}" for state in JobState if state in INITIAL
    ]
    lines += [
        f"    {before} --> {step.after}: {step.verb} ({step.reason})"
        for step in STEPS
        for before in step.before
    ]
    lines += [f"    {state} --> [*]" for state in JobState if state.is_final]
    return "\n".join(lines) + "\n"
