"""From a submission to a job that may be stored: every check before anything is written."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from qwicket import engines, programs
from qwicket.model.accounts import Actor
from qwicket.model.circuits import Summary
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound, Unavailable
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, NewJob, RunOptions, Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.outcomes import OUTPUTS
from qwicket.store import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.compute import Readers
    from qwicket.model.circuits import Checked
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits
    from qwicket.store import Store

_encode = msgspec.msgpack.Encoder().encode


class Admission:
    """Checks device, numbers and program, in this order, and names what is wrong.

    Args:
        store: Knows devices and whether they are on.
        readers: Read what is too large to be read here.
        limits: Its `memory_bytes` must be set: the caller knows the machine.
        now_ms: The clock.
    """

    def __init__(
        self, store: Store, readers: Readers, limits: Limits, now_ms: Callable[[], int]
    ) -> None:
        if limits.memory_bytes is None:
            raise ValueError("memory_bytes must be set before jobs are admitted")
        self._store = store
        self._readers = readers
        self._limits = limits
        self._memory_bytes = limits.memory_bytes
        self._now_ms = now_ms

    async def admit(self, actor: Actor, submission: Submission) -> NewJob:
        """Return the job to store.

        Raises:
            QwicketError: The submission is refused; `field` and `detail` say why.
        """
        device = await self._device(actor, submission)
        self._check_numbers(submission, device)
        checked = await self._read(submission, device)
        estimate = engines.estimate(checked.summary, submission.shots, submission.outputs)
        self._check_cost(estimate)
        return self._new_job(actor, submission, checked, estimate)

    def complete(self, submission: Submission) -> Submission:
        """Tell the format from the source where none was named."""
        if submission.format:
            return submission
        return structs.replace(submission, format=programs.guess(submission.source))

    async def repeated(self, actor: Actor, submission: Submission) -> Job | None:
        """Return the job that this very submission made within 24 h, if it did.

        Raises:
            KeyReused: Its idempotency key came with other content.
        """
        if submission.idempotency_key is None:
            return None
        return await self._store.jobs.repeated(
            account=actor.account,
            door=submission.door,
            key=submission.idempotency_key,
            digest=digest(_encode(submission)),
            now=self._now_ms(),
        )

    def widest(self, device: Device) -> int:
        """Return the most qubits that this machine's memory allows on a device."""
        for n_qubits in range(self._most_qubits(device), 0, -1):
            summary = Summary(device.family, 1, n_qubits, 0, 0)
            if engines.estimate(summary, 1, ("counts",)).bytes <= self._memory_bytes:
                return n_qubits
        return 0

    async def _device(self, actor: Actor, submission: Submission) -> Device:
        device = await self._store.devices.get(submission.device)
        if device is None or submission.door not in device.doors:
            raise NotFound(f"There is no device {submission.device}.", field="device")
        actor.require_device(device.name)
        status = await self._store.devices.status(device.name, self._now_ms())
        if not status.is_on:
            reason = f": {status.reason}" if status.reason else ""
            raise Unavailable(f"The device {device.name} is off{reason}.", field="device")
        return device

    def _check_numbers(self, submission: Submission, device: Device) -> None:
        spec, limits = device.spec, self._limits
        most_shots = min(spec.max_shots, limits.shots)
        if not 1 <= submission.shots <= most_shots:
            raise LimitExceeded(
                f"shots must be 1 to {most_shots} (limit shots), not {submission.shots}.",
                field="shots",
            )
        if submission.seed is not None and not 0 <= submission.seed <= INT64_MAX:
            raise InvalidRequest(f"seed must be 0 to {INT64_MAX}.", field="seed")
        if len(submission.name) > limits.name_chars:
            raise LimitExceeded(
                f"name has {len(submission.name)} characters, {limits.name_chars} are allowed"
                " (limit name_chars).",
                field="name",
            )
        if len(submission.tags) > limits.tags or any(
            len(tag) > limits.name_chars for tag in submission.tags
        ):
            raise LimitExceeded(
                f"At most {limits.tags} tags of {limits.name_chars} characters are allowed"
                " (limits tags, name_chars).",
                field="tags",
            )
        self._check_outputs(submission, device)

    def _check_outputs(self, submission: Submission, device: Device) -> None:
        if not submission.outputs:
            raise InvalidRequest("outputs must name at least one output.", field="outputs")
        for output in submission.outputs:
            if output not in OUTPUTS or output not in device.spec.outputs:
                known = ", ".join(device.spec.outputs)
                raise InvalidRequest(
                    f"outputs: {device.name} gives {known}, not {output!r}.", field="outputs"
                )

    async def _read(self, submission: Submission, device: Device) -> Checked:
        if (
            submission.format not in device.spec.formats
            or submission.format not in programs.FORMATS
        ):
            known = ", ".join(device.spec.formats)
            raise InvalidRequest(
                f"format: {device.name} reads {known}, not {submission.format!r}.", field="format"
            )
        if len(submission.source) <= programs.FORMATS[submission.format].inline_bytes:
            checked = programs.read(
                submission.format, submission.source, self._limits, submission.inputs
            )
        else:
            checked = await self._read_apart(submission)
        self._check_width(checked.summary, device)
        return checked

    async def _read_apart(self, submission: Submission) -> Checked:
        answer = await self._readers.read(submission.format, submission.source, submission.inputs)
        if isinstance(answer, programs.Refusal):
            raise answer.error()
        return answer

    def _check_width(self, summary: Summary, device: Device) -> None:
        most = self._most_qubits(device)
        if summary.n_qubits > most:
            raise LimitExceeded(
                f"The program has {summary.n_qubits} qubits, {device.name} takes {most}"
                " (limit qubits).",
                field="qubits",
            )

    def _most_qubits(self, device: Device) -> int:
        return min(device.spec.qubits, self._limits.qubits)

    def _check_cost(self, estimate: engines.Estimate) -> None:
        if estimate.bytes > self._memory_bytes:
            raise LimitExceeded(
                f"The program needs about {estimate.bytes >> 20} MiB,"
                f" {self._memory_bytes >> 20} MiB are allowed (limit memory_bytes).",
                field="program",
            )
        if estimate.seconds > self._limits.run_time_s:
            raise LimitExceeded(
                f"The program needs about {estimate.seconds:.0f} s,"
                f" {self._limits.run_time_s:g} s are allowed (limit run_time_s).",
                field="program",
            )

    def _new_job(
        self, actor: Actor, submission: Submission, checked: Checked, estimate: engines.Estimate
    ) -> NewJob:
        now = self._now_ms()
        seed = secrets.randbits(63) if submission.seed is None else submission.seed
        options = RunOptions(shots=submission.shots, seed=seed, outputs=submission.outputs)
        summary = checked.summary
        return NewJob(
            id=new_id(now),
            account=actor.account,
            project=actor.project,
            device=submission.device,
            door=submission.door,
            name=submission.name,
            tags=submission.tags,
            shots=submission.shots,
            n_circuits=summary.n_circuits,
            n_qubits=summary.n_qubits,
            n_ops_1q=summary.n_ops_1q,
            n_ops_2q=summary.n_ops_2q,
            est_bytes=estimate.bytes,
            est_seconds=estimate.seconds,
            priority=submission.priority,
            format=submission.format,
            source=submission.source,
            circuits=checked.circuits,
            options=_encode(options),
            reader_version=programs.FORMATS[submission.format].version,
            wire=submission.wire,
            now=now,
            idempotency_key=submission.idempotency_key,
            digest=digest(_encode(submission)) if submission.idempotency_key else b"",
        )
