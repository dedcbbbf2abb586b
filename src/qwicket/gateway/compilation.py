"""Compiles circuits of jobs to native gates or a lab's gates, draws them, corrects their counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.circuits.outcomes import encode
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.model.errors import Conflict, NotFound
from qwicket.model.random_bits import random_bits
from qwicket.programs import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.calibrations import Pair
    from qwicket.circuits.outcomes import Outcome
    from qwicket.circuits.qubit import Entangler
    from qwicket.circuits.summary import Checked
    from qwicket.compute import ParserPool
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job, NewJob
    from qwicket.store import Store

_MAX_DRAWN_OPS: Final = 20_000
"""Circuits of more operations take over 0.1 s to draw. The limit is on all circuits of a job."""
_MAX_DRAWN_BYTES: Final = 1 << 20
_MAX_DRAWN_CIRCUITS: Final = 100


async def in_gates_of(
    device: Device,
    connectivity: Sequence[Pair] | None,
    format: str,
    checked: Checked,
    parsers: ParserPool,
    account: str,
    seed: int | None,
) -> Checked:
    """Compile a program to the gates of a lab's device, or of one at another cloud.

    For another cloud, gates are also routed to the pairs of qubits that the device connects, if
    this is possible. A lab gets the runs of estimations in their place. A program stays as it is if
    its device is a simulator, is not for qubits, names neither gates nor a language, or is at
    another cloud that reads the format itself.

    Raises:
        InvalidProgram: A gate cannot be expressed in the device's gates; the detail names it.
        LimitExceeded: The result has too many operations, or compiling takes too long.
    """
    spec = device.spec
    if device.is_simulated or device.family != "qubit" or format in spec.formats_as_written:
        return checked
    expands = device.driver == "agent" and checked.summary.is_estimation
    if not spec.gates and not spec.rewritten_as and not expands:
        return checked
    expand_seed = None
    if expands:
        expand_seed = random_bits(63) if seed is None else seed
    found = await parsers.compile_to_basis(
        checked.circuits,
        gates=(*spec.gates, *spec.native_gates),
        pairs=(connectivity or ()) if spec.rewritten_as else (),
        device=device.name,
        language=spec.rewritten_as,
        account=account,
        expand_seed=expand_seed,
    )
    if isinstance(found, Refusal):
        raise found.error()
    return structs.replace(found, completed=checked.completed)


class Compilation:
    """Compiles circuits of jobs that an actor has just read.

    Args:
        store: Stores the circuits.
        parsers: Compile and render them.
    """

    def __init__(self, store: Store, parsers: ParserPool) -> None:
        self._store = store
        self._parsers = parsers

    async def native(self, job: Job, number: int, entangler: Entangler) -> bytes:
        """Return one circuit of a job in the native gates of trapped ions, as JSON.

        Raises:
            NotFound: The job has no program, or was deleted.
            InvalidProgram: The circuit cannot be compiled exactly.
            LimitExceeded: The result has too many gates, or compiling takes too long.
        """
        circuits = await self._store.jobs.circuits(job.id)
        found = await self._parsers.compile(circuits, number, entangler, account=job.account)
        if isinstance(found, Refusal):
            raise found.error()
        return found

    async def openqasm(self, job: Job, number: int, memory: ResponseMemory) -> str:
        """Return one circuit of a job as its lab's device receives it, in OpenQASM 3.

        Args:
            job: The job.
            number: Index of the circuit.
            memory: Memory for the response; a large circuit waits until it is granted.

        Raises:
            NotFound: As for `native`, or the device is not a lab's qubit device.
            InvalidProgram: OpenQASM 3 cannot express the circuit.
            TooManyRequests: The account has too many large responses.
            Unavailable: All accounts together have too many.
        """
        device = await self._store.devices.get(job.device)
        if device is None or device.driver != "agent" or device.family != "qubit":
            raise NotFound(
                f"There is no compiled circuit of a job on {job.device}: only jobs on labs' devices"
                " have one."
            )
        circuits = await self._store.jobs.circuits(job.id)
        if len(circuits) > SMALL_RESPONSE_BYTES:
            await memory.begin()
        found = await self._parsers.write(circuits, number, account=job.account)
        if isinstance(found, Refusal):
            raise found.error()
        return found

    async def mitigated(self, job: Job, number: int, outcome: Outcome) -> bytes:
        """Return the counts of one circuit with its readout errors mitigated, as JSON.

        The readout errors are those of the calibration with which the job was submitted.

        Args:
            job: The job.
            number: Index of the circuit.
            outcome: Its outcome.

        Raises:
            Conflict: There is no calibration, or the counts cannot be mitigated; the detail says
                why.
            NotFound: The job has no program, or was deleted.
        """
        device = await self._store.devices.get(job.device)
        found = await self._store.calibrations.get(job.calibration) if job.calibration else None
        if device is None or found is None:
            raise Conflict(
                f"mitigation: {job.device} had no calibration when the job was submitted, so its"
                " readout errors are unknown.",
                field="mitigation",
            )
        figures = [found.body.qubits.get(q, found.body.qubit) for q in range(device.spec.qubits)]
        errors = [(each.one_for_zero, each.zero_for_one) for each in figures]
        circuits = await self._store.jobs.circuits(job.id)
        result = await asyncio.to_thread(encode, outcome)
        mitigated = await self._parsers.mitigate(
            circuits, number, result, errors, account=job.account
        )
        if isinstance(mitigated, Refusal):
            raise Conflict(mitigated.detail, field="mitigation")
        return mitigated

    async def drawing(
        self, job: Job, family: str, number: int, max_marks: int
    ) -> tuple[str, str] | None:
        """Return one circuit of a job as SVG, and what was left out; None if the job is too large.

        Args:
            job: The job.
            family: Family of its device.
            number: Index of the circuit.
            max_marks: Limit on marks; later columns are left out.

        Raises:
            NotFound: As for `native`.
        """
        if not _is_drawn(job):
            return None
        circuits = await self._store.jobs.circuits(job.id)
        return await _drawing(circuits, family, number, max_marks)

    async def drawing_of_new(
        self, new: NewJob, family: str, max_marks: int
    ) -> tuple[str, str] | None:
        """Return the first circuit of a job that is not stored; otherwise as `drawing`."""
        return await _drawing(new.circuits, family, 0, max_marks) if _is_drawn(new) else None


def _is_drawn(job: Job | NewJob) -> bool:
    return job.n_ops_1q + job.n_ops_2q <= _MAX_DRAWN_OPS and job.n_circuits <= _MAX_DRAWN_CIRCUITS


async def _drawing(
    circuits: bytes, family: str, number: int, max_marks: int
) -> tuple[str, str] | None:
    if not circuits or len(circuits) > _MAX_DRAWN_BYTES:
        return None
    from qwicket.programs.vector_drawing import draw_packed  # late: only pages need it

    return await asyncio.to_thread(draw_packed, family, circuits, number, max_marks)
