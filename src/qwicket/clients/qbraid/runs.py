"""Jobs that really run: what a gateway offers beside the registry, on the same base URL."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from requests import Session

from qwicket.clients.http import Polling
from qwicket.clients.qbraid.errors import ApiError, JobTimeoutError, RequestsApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_POLL_S: Final = 0.5


class Runs(Session):
    """Devices, and jobs on them: what `QbraidSession` adds to the surface it is made after."""

    def devices(self, **filters: Any) -> list[dict[str, Any]]:
        """Return the documents of the devices, or of those with these values.

        Raises:
            RequestsApiError: The server refused.
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
        """Run a program.

        Args:
            device: Its `qbraid_id`.
            program: OpenQASM 2 or 3; IonQ's JSON with a `circuit`; or an analog program with a
                `register` and a `hamiltonian`, as Amazon Braket has it.
            shots: Shots; None is the device's default.
            tags: What to find the job by.
            seed: Makes a simulator repeat itself.
            memory: Whether the result has each shot.
            noise_model: One of the device's.

        Returns:
            The job's id.

        Raises:
            ApiError: The program is none of these, or the server refused.
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
            raise ApiError("The server took the job and gave no id.")
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job's document.

        Raises:
            ApiError: There is no such job, or the server refused.
        """
        found = self._list(self.get("/quantum-jobs", params={"qbraidJobId": job_id}))
        if not found:
            raise ApiError(f"There is no job {job_id}.")
        return found[0]

    def wait(
        self, job_id: str, timeout: float | None = None, poll_interval: float = _POLL_S
    ) -> dict[str, Any]:
        """Return a job's document once it has ended.

        Args:
            job_id: The job.
            timeout: Seconds to wait, None for as long as it takes.
            poll_interval: Seconds between two looks.

        Raises:
            JobTimeoutError: It has not ended in time.
            ApiError: There is no such job, or the server refused.
        """
        polling = Polling(timeout, poll_interval, poll_interval)
        last = "not known"
        while True:
            found = polling.ask(lambda: self.job(job_id), RequestsApiError)
            if found is not None:
                last = str(found.get("status"))
                if last in _FINAL:
                    return found
            if not polling.pause():
                raise JobTimeoutError(f"The job {job_id} is {last} after {timeout} s.")

    def result(self, job_id: str, timeout: float | None = None) -> dict[str, Any]:
        """Return what a job gave: `measurementCounts`, and `measurements` if they were asked for.

        Raises:
            JobTimeoutError: It has not ended in time.
            ApiError: It failed or was cancelled, there is no such job, or the server refused.
        """
        found = self.wait(job_id, timeout)
        if found["status"] != "COMPLETED":
            why = found.get("statusText") or "it has no result"
            raise ApiError(f"The job {job_id} is {found['status']}: {why}.")
        data = self._json(self.get(f"/quantum-jobs/result/{quote(job_id, safe='')}")).get("data")
        if not isinstance(data, dict):
            raise ApiError(f"The job {job_id} has no result.")
        return data

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be stopped.

        Raises:
            ApiError: It has ended, there is no such job, or the server refused.
        """
        self.put(f"/quantum-jobs/cancel/{quote(str(self.job(job_id).get('_id')), safe='')}")

    def _json(self, response: Any) -> dict[str, Any]:
        found = decoded(response)
        if not isinstance(found, dict):
            raise ApiError("The answer is no object. Is the base URL right?")
        return found

    def _list(self, response: Any) -> list[dict[str, Any]]:
        found = decoded(response)
        if isinstance(found, dict):
            found = found.get("jobsArray")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise ApiError("The answer is no list of objects. Is the base URL right?")
        return found


def decoded(response: Any) -> Any:
    """Return the JSON of an answer.

    Raises:
        ApiError: It is none.
    """
    with suppress(ValueError):
        return response.json()
    # Raised out here: the decoder's error carries the text, in which a server may repeat a key.
    raise ApiError("The answer is no JSON. Is the base URL right?")


def _program(program: str | Mapping[str, Any]) -> dict[str, str]:
    """Return a program under the name that its kind has in a submission."""
    if isinstance(program, str):
        return {"openQasm": program}
    for key, name in (("circuit", "ionqCircuit"), ("register", "ahs")):
        if key in program:
            return {name: json.dumps(dict(program))}
    raise ApiError("A program is a text in OpenQASM, or has a `circuit` or a `register`.")
