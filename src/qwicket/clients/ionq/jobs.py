"""A job of this package's circuits, and how anything that is submitted becomes a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qwicket.clients.ionq import foreign
from qwicket.clients.ionq.circuits import AnyCircuit, Circuit, NativeCircuit
from qwicket.clients.ionq.errors import IonQClientError


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to run, where and how.

    Attributes:
        circuit: One circuit, or several of one gateset.
        backend: Such as `simulator` or `qpu.aria-1`.
        shots: Per circuit.
        name: For people.
        noise: Name of the simulator's noise model; by default it is ideal.
        seed: Of the noise; by default the server draws one.
        debiasing: Whether to mitigate errors so; by default the backend decides.
        metadata: Returned with the job, unchanged.
        settings: IonQ's further settings, as they are.
        session_id: The session that the job belongs to.
        dry_run: Only compile it (v0.4).
    """

    circuit: AnyCircuit | Sequence[AnyCircuit]
    backend: str = "simulator"
    shots: int = 1000
    name: str = ""
    noise: str | None = None
    seed: int | None = None
    debiasing: bool | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    session_id: str | None = None
    dry_run: bool = False

    def body(self, *, is_v03: bool) -> dict[str, Any]:
        """Return the body of a submission."""
        content, kind = self._input()
        body: dict[str, Any] = {"shots": self.shots, "metadata": dict(self.metadata)}
        settings = dict(self.settings)
        if is_v03:
            body |= {"target": self.backend, "input": {"format": "ionq.circuit.v0", **content}}
            if self.debiasing is not None:
                body["error_mitigation"] = {"debias": self.debiasing}
        else:
            body |= {"type": kind, "backend": self.backend, "input": content}
            if self.debiasing is not None:
                mitigation = settings.get("error_mitigation") or {}
                settings["error_mitigation"] = {**mitigation, "debiasing": self.debiasing}
        if self.noise is not None:
            seed = {} if self.seed is None else {"seed": self.seed}
            body["noise"] = {"model": self.noise, **seed}
        given = {
            "name": self.name,
            "settings": settings,
            "session_id": self.session_id,
            "dry_run": self.dry_run,
        }
        return body | {key: value for key, value in given.items() if value}

    def _input(self) -> tuple[dict[str, Any], str]:
        if isinstance(self.circuit, Circuit | NativeCircuit):
            one = self.circuit
            content = {"gateset": one.gateset, "qubits": one.qubits, "circuit": one.gates}
            return content, "ionq.circuit.v1"
        gatesets = {each.gateset for each in self.circuit}
        if len(gatesets) != 1:
            raise IonQClientError("A job has one circuit or more, all of one gateset.")
        named = [{"name": each.name} if each.name else {} for each in self.circuit]
        content = {
            "gateset": gatesets.pop(),
            "qubits": max(each.qubits for each in self.circuit),
            "circuits": [
                {**name, "circuit": each.gates}
                for name, each in zip(named, self.circuit, strict=True)
            ],
        }
        return content, "ionq.multi-circuit.v1"


IonQJob = Job
"""The name that the original's page has for what is submitted."""

Submittable = Mapping[str, Any] | Job | AnyCircuit | Sequence[AnyCircuit] | foreign.ForeignJob


def body_of(job: Submittable, *, is_v03: bool) -> Mapping[str, Any]:
    """Return the body that submits this.

    Raises:
        IonQClientError: It is nothing that can be submitted.
    """
    if isinstance(job, Mapping):
        return job
    if isinstance(job, Job):
        return job.body(is_v03=is_v03)
    if isinstance(job, Circuit | NativeCircuit):
        return Job(circuit=job).body(is_v03=is_v03)
    if isinstance(job, Sequence) and all(isinstance(it, Circuit | NativeCircuit) for it in job):
        return Job(circuit=job).body(is_v03=is_v03)
    if isinstance(job, foreign.ForeignJob):
        return foreign.body(job, is_v03=is_v03)
    kind = type(job).__name__
    raise IonQClientError(f"A job is a dict, a circuit, several, or a job object, not a {kind}.")
