"""Devices and jobs of qBraid's API before v1, which the original package (`qbraid.api`) lacks."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from requests import Session

from qwicket.clients.http import SYSTEM_CLOCK, Polling
from qwicket.clients.http.polling import rest_of_wait, wait_deadline
from qwicket.vendors.qbraid.client.errors import ApiError, JobTimeoutError, RequestsApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.http import Clock

_FINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_POLL_S: Final = 0.5


class JobsSession(Session):
    """Methods for devices and jobs, which `QbraidSession` has beside those of the original package.

    The registry of `init_job` only records jobs that ran elsewhere. These methods run jobs.

    Attributes:
        clock: Clock for the deadlines and pauses of waits.
    """

    clock: Clock = SYSTEM_CLOCK

    def devices(self, **filters: Any) -> list[dict[str, Any]]:
        """Return the devices as the server describes them, one dict each.

        Args:
            **filters: Only devices whose fields have these values, such as `type="Simulator"`.

        Raises:
            RequestsApiError: The request failed.
            ApiError: The response is not a list of JSON objects.
        """
        return self._list(self.get("/quantum-devices", params=filters))

    def submit(
        self,
        device: str,
        program: str | Mapping[str, Any],
        shots: int | None = None,
        *,
        tags: Mapping[str, str | int | bool] | None = None,
        seed: int | None = None,
        memory: bool = False,
        noise_model: str | None = None,
    ) -> str:
        """Submit a program.

        Args:
            device: Id of the device, its field `qbraid_id`.
            program: OpenQASM 2 or 3; IonQ's JSON with a `circuit`; or an analog program with a
                `register` and a `hamiltonian`, in the format of Amazon Braket.
            shots: Number of shots; None for the device's default.
            tags: Tags of the job, for filters.
            seed: Seed of a simulator's random numbers; None for a random one.
            memory: Whether the result has the outcome of each shot.
            noise_model: Name of one of the device's noise models.

        Returns:
            Id of the job.

        Raises:
            ApiError: The program has another format, or the request failed.
        """
        body = {
            "qbraidDeviceId": device,
            "shots": shots,
            "seed": seed,
            "memory": memory,
            "noiseModel": noise_model,
            "tags": json.dumps(dict(tags or {})),
            **_program(program),
        }
        job = self._json(self.post("/quantum-jobs", json=body)).get("qbraidJobId")
        if not isinstance(job, str):
            raise ApiError("The server accepted the job, but returned no id.")
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as the server describes it.

        Args:
            job_id: Id of the job, as `submit` returns it.

        Raises:
            ApiError: The job does not exist, or the request failed.
        """
        found = self._list(self.get("/quantum-jobs", params={"qbraidJobId": job_id}))
        if not found:
            raise ApiError(f"There is no job {job_id}.")
        return found[0]

    def wait(
        self, job_id: str, timeout: float | None = None, poll_interval: float = _POLL_S
    ) -> dict[str, Any]:
        """Wait until a job has ended, and return it as the server describes it.

        Args:
            job_id: Id of the job, as `submit` returns it.
            timeout: Seconds to wait; None for no limit. The job is read at least once.
            poll_interval: Seconds between two polls.

        Raises:
            JobTimeoutError: The job has not ended in time.
            ApiError: The job does not exist, or the request failed.
        """
        polling = Polling(timeout, poll_interval, poll_interval, clock=self.clock)
        last = "unknown"
        while True:
            found = polling.ask(lambda: self.job(job_id), RequestsApiError)
            if found is not None:
                last = str(found.get("status"))
                if last in _FINAL:
                    return found
            if not polling.pause():
                raise JobTimeoutError(
                    f"Job {job_id} has not ended within {timeout} s. Its last status is {last}."
                )

    def result(self, job_id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait for a job, and return its result.

        Args:
            job_id: Id of the job, as `submit` returns it.
            timeout: Seconds for the wait and the result; None for no limit. If the job ends at the
                last moment, its result still has half a second to arrive.

        Returns:
            Dict with `measurementCounts`, and with `measurements` of a job with `memory=True`.

        Raises:
            JobTimeoutError: The job has not ended, or its result has not arrived, in time.
            ApiError: The job failed, was cancelled or does not exist, or the request failed.
        """
        ends_at = wait_deadline(timeout, self.clock)
        found = self.wait(job_id, timeout)
        if found["status"] != "COMPLETED":
            reason = found.get("statusText") or "it has no result"
            raise ApiError(f"Job {job_id} is {found['status']}: {reason}.")
        late = JobTimeoutError(f"The result of job {job_id} has not arrived within {timeout} s.")
        with rest_of_wait(ends_at, RequestsApiError, late, self.clock):
            response = self.get(f"/quantum-jobs/result/{quote(job_id, safe='')}")
        data = self._json(response).get("data")
        if not isinstance(data, dict):
            raise ApiError(f"Job {job_id} has no result.")
        return data

    def cancel(self, job_id: str) -> None:
        """Request the cancellation of a job.

        Args:
            job_id: Id of the job, as `submit` returns it.

        Raises:
            ApiError: The job has ended or does not exist, or the request failed.
        """
        self.put(f"/quantum-jobs/cancel/{quote(str(self.job(job_id).get('_id')), safe='')}")

    def _json(self, response: Any) -> dict[str, Any]:
        found = decode_response(response)
        if not isinstance(found, dict):
            raise ApiError("The response is not a JSON object. Is the base URL right?")
        return found

    def _list(self, response: Any) -> list[dict[str, Any]]:
        found = decode_response(response)
        if isinstance(found, dict):
            found = found.get("jobsArray")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise ApiError("The response is not a list of JSON objects. Is the base URL right?")
        return found


def decode_response(response: Any) -> Any:
    """Decode the JSON of a response.

    Raises:
        ApiError: The response is not JSON.
    """
    with suppress(ValueError):
        return response.json()
    # Raised outside the handler: the decoder's error has the text, which may repeat an API key.
    raise ApiError("The response is not JSON. Is the base URL right?")


def _program(program: str | Mapping[str, Any]) -> dict[str, str]:
    """Return a program under its field name in a submission."""
    if isinstance(program, str):
        return {"openQasm": program}
    for key, name in (("circuit", "ionqCircuit"), ("register", "ahs")):
        if key in program:
            return {name: json.dumps(dict(program))}
    raise ApiError("A program is OpenQASM text, or a dict with a `circuit` or a `register`.")
