"""Jobs, and their conversion to the body of a submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qwicket.vendors.ionq.client import qiskit_conversion
from qwicket.vendors.ionq.client.circuits import AnyCircuit, Circuit, NativeCircuit
from qwicket.vendors.ionq.client.errors import IonQClientError


@dataclass(frozen=True, kw_only=True)
class Job:
    """Job to submit.

    Attributes:
        circuit: One circuit, or several of one gateset.
        backend: Name of the backend, such as `simulator` or `qpu.aria-1`.
        shots: Shots per circuit.
        name: Name of the job.
        noise: Name of the simulator's noise model; by default no noise.
        seed: Seed of the noise; by default the server draws one. Ignored without `noise`.
        debiasing: Whether to mitigate errors by debiasing; by default the backend decides.
        metadata: Data that the server returns unchanged with the job.
        settings: Further settings of IonQ's API.
        session_id: Id of the job's session.
        dry_run: Whether to only compile the job (v0.4).
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
        """Return the body of a submission.

        Raises:
            IonQClientError: There is no circuit, or the circuits have different gatesets.
        """
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
            circuit = self.circuit
            content = {
                "gateset": circuit.gateset,
                "qubits": circuit.qubits,
                "circuit": circuit.gates,
            }
            return content, "ionq.circuit.v1"
        gatesets = {circuit.gateset for circuit in self.circuit}
        if len(gatesets) != 1:
            raise IonQClientError("A job needs one circuit or more, all of one gateset.")
        names = [{"name": circuit.name} if circuit.name else {} for circuit in self.circuit]
        content = {
            "gateset": gatesets.pop(),
            "qubits": max(circuit.qubits for circuit in self.circuit),
            "circuits": [
                {**name, "circuit": circuit.gates}
                for name, circuit in zip(names, self.circuit, strict=True)
            ],
        }
        return content, "ionq.multi-circuit.v1"


IonQJob = Job
"""Name of `Job` in the documentation of qiskit-ionq."""

Submittable = (
    Mapping[str, Any] | Job | AnyCircuit | Sequence[AnyCircuit] | qiskit_conversion.QiskitIonQJob
)


def body_of(job: Submittable, *, is_v03: bool) -> Mapping[str, Any]:
    """Return the body of a submission.

    Raises:
        IonQClientError: The job has an unsupported type, or cannot be expressed in IonQ's format.
    """
    if isinstance(job, Mapping):
        return job
    if isinstance(job, Job):
        return job.body(is_v03=is_v03)
    if isinstance(job, Circuit | NativeCircuit):
        return Job(circuit=job).body(is_v03=is_v03)
    if isinstance(job, Sequence) and all(isinstance(item, Circuit | NativeCircuit) for item in job):
        return Job(circuit=job).body(is_v03=is_v03)
    if isinstance(job, qiskit_conversion.QiskitIonQJob):
        return qiskit_conversion.submission(job, is_v03=is_v03)
    kind = type(job).__name__
    raise IonQClientError(
        f"A job cannot be a {kind}. Pass a dict, a circuit, a list of circuits, or a job object."
    )
