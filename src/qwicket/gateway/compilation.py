"""Compiled circuits of jobs: in IonQ's native gates, or as a lab's device got them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.model.errors import NotFound
from qwicket.programs import Refusal

if TYPE_CHECKING:
    from qwicket.circuits.summary import Checked
    from qwicket.compute import Readers
    from qwicket.gateway.answers import Answer
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job
    from qwicket.programs import Entangler
    from qwicket.store import Store


async def in_gates_of(device: Device, checked: Checked, readers: Readers, account: str) -> Checked:
    """Return a program in the gates that its device announces: a lab's; simulations take any gate.

    Raises:
        InvalidProgram: A gate cannot be made of those; it is named.
        LimitExceeded: It becomes too many operations, or takes too long.
    """
    if device.driver != "agent" or device.family != "qubit" or not device.spec.gates:
        return checked
    gates = (*device.spec.gates, *device.spec.native_gates)
    answer = await readers.compile_to_basis(checked.circuits, gates, device.name, account=account)
    if isinstance(answer, Refusal):
        raise answer.error()
    return answer


class Compilation:
    """Reads circuits of jobs that an actor was given just now.

    Args:
        store: Has the circuits.
        readers: Compile and write them.
    """

    def __init__(self, store: Store, readers: Readers) -> None:
        self._store = store
        self._readers = readers

    async def native(self, job: Job, number: int, entangler: Entangler) -> bytes:
        """Return one circuit of a job in the native gates of trapped ions, `ionq.native.v1`.

        Raises:
            InvalidProgram: There is no exact way to compile it.
            LimitExceeded: It becomes too many gates, or takes too long.
        """
        circuits = await self._store.jobs.circuits(job.id)
        answer = await self._readers.compile(circuits, number, entangler, account=job.account)
        if isinstance(answer, Refusal):
            raise answer.error()
        return answer

    async def openqasm(self, job: Job, number: int, answer: Answer) -> str:
        """Return one circuit of a job as its lab's device gets it, in OpenQASM 3.

        Args:
            job: The job.
            number: The circuit's.
            answer: What it is for: a large one waits until there is room for it.

        Raises:
            NotFound: The device compiles nothing, or the job was deleted since it was read.
            InvalidProgram: The language has no words for the circuit.
            TooManyRequests: The account has too many large answers.
            Unavailable: All accounts together have.
        """
        device = await self._store.devices.get(job.device)
        if device is None or device.driver != "agent" or device.family != "qubit":
            raise NotFound(
                f"There is no compiled circuit: {job.device} takes programs as they are."
                " Circuits are compiled for labs' devices that announce their gates."
            )
        circuits = await self._store.jobs.circuits(job.id)
        if len(circuits) > SMALL_ANSWER_BYTES:
            await answer.begin()
        found = await self._readers.write(circuits, number, account=job.account)
        if isinstance(found, Refusal):
            raise found.error()
        return found
