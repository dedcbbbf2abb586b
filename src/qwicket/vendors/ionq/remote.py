"""A device of IonQ's cloud, or of a cloud that speaks its API v0.4."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.qubit import QubitCircuit, unpack
from qwicket.clients.http.retries import RetryPolicy
from qwicket.drivers.remote import results
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.clouds import (
    CloudError,
    InvalidResult,
    ListedDevice,
    NoProof,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import SERVICE_ERRORS, read_one_by_one, submission_error
from qwicket.drivers.remote.pass_through import Key
from qwicket.programs.rewriting import measured_qubits
from qwicket.vendors.ionq.client.client import IonQClient
from qwicket.vendors.ionq.client.errors import IonQError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qwicket.circuits.frames import Frame
    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RequireLease, Statuses
    from qwicket.model.failures import Failure

_ONCE: Final = RetryPolicy(max_attempts=1)
"""The driver repeats requests, not the client."""
_MARKER: Final = "qwicket_job"
"""Key of the marker in a job's metadata."""
_IDEAL: Final = "simulator"
"""Device that returns exact probabilities, because no noise is sent with a program."""
_PAGE: Final = 100
_SKEW_S: Final = 86_400.0
"""Seconds by which the clocks may differ. It also covers times without a zone, which may be half a
day off."""
_GATES: Final = (
    "x",
    "y",
    "z",
    "h",
    "not",
    "cnot",
    "s",
    "si",
    "t",
    "ti",
    "v",
    "vi",
    "rx",
    "ry",
    "rz",
    "swap",
    "xx",
    "yy",
    "zz",
)
_STATES: Final = {
    "submitted": "waiting",
    "ready": "waiting",
    "started": "running",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "canceled": "cancelled",
    "deleted": "failed",
}


class IonQCloud:
    """One device of one account.

    A job's name and metadata have its marker, by which it is found if the response to its
    submission is lost.

    Args:
        remote: Address, name and timeout of the device.
        key: Key of the account.
        max_pages: Maximum number of pages that are read of a list of jobs.
    """

    formats = ("ionq.circuit.v1",)
    language: str | None = "ionq.circuit.v1"
    is_simulated = False  # counts only: also the probabilities of `_IDEAL` become counts

    def __init__(
        self, remote: Remote, key: str, _formats: tuple[str, ...] = (), *, max_pages: int = 1000
    ) -> None:
        self._max_pages = max_pages
        self._device = remote.device
        self._client = IonQClient(key, remote.url)
        self._client.retry_policy = _ONCE
        self._client.timeout_s = remote.timeout_s

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        content = msgspec.json.decode(program.source)
        n_circuits = len(content.get("circuits") or ()) or 1
        body = {
            "type": "ionq.multi-circuit.v1" if content.get("circuits") else "ionq.circuit.v1",
            "backend": self._device,
            "shots": program.options.shots,
            "name": marker,
            "metadata": {_MARKER: marker},
            "input": content,
        }
        assert n_circuits == len(program.frames)
        try:
            return str(self._client.submit_job(body)["id"])
        except IonQError as error:
            raise submission_error(error) from None

    def find(self, marker: str, since_ms: int) -> str | None:
        earliest, last_submitted, n_older = since_ms / 1000 - _SKEW_S, inf, 0
        for document in self._listed():
            if marker == _marker(document):
                return str(document["id"])
            submitted = _unix_seconds(document.get("submitted_at"))
            # The search ends after `_PAGE` jobs in a row that are each no newer than the one before
            # and were submitted before the job we look for. Then the list is sorted, the newest
            # first, so that no later entry can be that job.
            is_older = submitted is not None and submitted <= min(earliest, last_submitted)
            n_older = n_older + 1 if is_older else 0
            if n_older == _PAGE:
                break
            last_submitted = last_submitted if submitted is None else submitted
        return None

    def _listed(self) -> Iterator[dict[str, Any]]:
        """Yield all jobs, page by page.

        Raises:
            CloudError: A page could not be read, is empty but names a next one, or names an earlier
                one as the next.
            NoProof: The list has more than `max_pages` pages.
        """
        query: dict[str, Any] = {"limit": _PAGE}
        cursors: set[Any] = set()
        for _ in range(self._max_pages):
            with SERVICE_ERRORS.reading(on_404=CloudError):
                page = self._client.list_page(**query)
            jobs, cursor = page.get("jobs"), page.get("next") or None
            if not isinstance(jobs, list) or (cursor and (not jobs or cursor in cursors)):
                raise CloudError("its list of jobs is incomplete, or has a page twice")
            yield from jobs
            if cursor is None:
                return
            cursors.add(cursor)
            query["next"] = cursor
        raise NoProof(f"its list of jobs has more than {self._max_pages} pages")

    def statuses(self, ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, self._status)

    def _status(self, id: str) -> RemoteStatus:
        with SERVICE_ERRORS.reading():
            return _status(self._client.retrieve_job(id), id)

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        circuits = unpack(program.circuits)
        try:
            with SERVICE_ERRORS.reading():
                job = self._client.retrieve_job(id)
                distributions = [self._client.get_results(id)]
            if len(circuits) > 1:
                children = job.get("child_job_ids") or ()
                distributions = [distributions[0][child] for child in children]
        except (KeyError, TypeError, ValueError):
            raise InvalidResult("it has no result for each circuit") from None
        if job.get("id") != id or _marker(job) is None:
            raise InvalidResult("it belongs to another job")
        if len(distributions) != len(circuits):
            raise InvalidResult(f"it has {len(distributions)} results, not {len(circuits)}")
        seconds = _number(job.get("execution_duration_ms")) / 1000
        outcomes: list[Outcome | Failure] = [
            self._outcome(distribution, circuit, frame, program, seconds / len(circuits))
            for distribution, circuit, frame in zip(
                distributions, circuits, program.frames, strict=True
            )
        ]
        return outcomes, seconds

    def _outcome(
        self,
        distribution: Any,
        circuit: QubitCircuit,
        frame: Frame,
        program: RemoteProgram,
        seconds: float,
    ) -> Outcome:
        qubit_of_clbit = measured_qubits(circuit)
        options = program.options
        probabilities: dict[bytes, float] = {}
        try:
            for text, probability in dict(distribution).items():
                bits, state = 0, int(text)
                if not 0 <= state < 1 << circuit.n_qubits:
                    raise InvalidResult(
                        f"{text[:40]!r} is not a state of {circuit.n_qubits} qubits"
                    )
                for clbit, qubit in qubit_of_clbit.items():
                    bits |= (state >> qubit & 1) << clbit
                key = results.key_of(bits)
                probabilities[key] = probabilities.get(key, 0.0) + float(probability)
        except (TypeError, ValueError):
            raise InvalidResult("it has no probabilities by state") from None
        is_exact = self._device == _IDEAL
        counts = results.draw_counts(probabilities, options.shots, options.seed, is_exact=is_exact)
        return results.of_bits(
            frame,
            options,
            engine=self._device,
            seconds=seconds,
            counts=counts,
            seed=options.seed,
        )

    def cancel(self, id: str) -> None:
        with SERVICE_ERRORS.cancelling():
            self._client.cancel_job(id)

    def device_status(self) -> RemoteDeviceStatus:
        backends = self._backends()
        names = []
        for each in backends:
            names.append(str(each.get("backend")))
            if names[-1] == self._device:
                status = str(each.get("status") or "unknown")
                is_online = status in ("available", "running", "online")
                waiting = each.get("queue_depth")
                found = calibration(
                    SERVICE_ERRORS, partial(self._client.get_calibration_data, self._device)
                )
                return RemoteDeviceStatus(
                    is_online,
                    "" if is_online else f"it is {status} there",
                    waiting if isinstance(waiting, int) else None,
                    found,
                )
        raise Refused(f"there is no backend {self._device}; there are {', '.join(names)[:300]}")

    def list_devices(self) -> list[ListedDevice]:
        found = []
        for each in self._backends():
            name, qubits = str(each.get("backend")), each.get("qubits")
            width = qubits if isinstance(qubits, int) and qubits > 0 else 1
            spec = {
                "description": f"IonQ's {name}",
                "qubits": width,
                "formats": ("openqasm3", "openqasm2", "ionq.circuit.v1"),
                "gates": _GATES,
                "max_shots": 10_000,
            }
            found.append(ListedDevice(name, str(each.get("status") or ""), "qubit", width, spec))
        return found

    def _backends(self) -> list[dict[str, Any]]:
        with SERVICE_ERRORS.reading(on_404=CloudError):
            # The list of backends is public; this request fails if the key is wrong.
            next(self._client.list_jobs(limit=1), None)
            return self._client.list_backends()

    def close(self) -> None:
        self._client.close()


def _status(document: Mapping[str, Any], id: str) -> RemoteStatus:
    if document.get("id") != id:
        raise CloudError(f"the response is about another job than {id}")
    state: Any = _STATES.get(str(document.get("status")))
    if state is None:
        raise CloudError(f"the job has the unknown state {str(document.get('status'))[:40]!r}")
    failure = document.get("failure")
    text = ""
    if isinstance(failure, dict):
        text = str(failure.get("message") or failure.get("error") or failure.get("code") or "")
    return RemoteStatus(state, text, _marker(document))


def _marker(document: Mapping[str, Any]) -> str | None:
    """Return a job's marker: in its metadata, else its name; None if it has neither."""
    metadata = document.get("metadata")
    found = metadata.get(_MARKER) if isinstance(metadata, dict) else None
    found = found or document.get("name")
    return str(found) if found else None


def _unix_seconds(text: object) -> float | None:
    try:
        at = datetime.fromisoformat(str(text))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0.0


def pass_through_key(_remote: Remote, key: str) -> Key:
    """Return what requests that are passed on are signed with."""
    return Key(key, "apiKey ")
