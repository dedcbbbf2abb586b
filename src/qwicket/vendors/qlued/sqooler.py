"""Storage provider for labs with sqooler: `Storage` connects their spooler to this server.

    from sqooler.utils import main, update_backends
    from qwicket.vendors.qlued.sqooler import Storage

    storage = Storage("https://qwicket.example.org", token)
    update_backends(storage, {"mymachine": spooler})
    main(storage, {"mymachine": spooler})

It has the six methods that these two functions call, without importing sqooler. While the spooler
works on a job, a thread renews its lease.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from qwicket.agents.api import AgentAPI, HeldLease, Lease, deliver, is_transient, renew_until
from qwicket.agents.circuits import UnknownCircuit, unpack
from qwicket.agents.outcomes import InvalidOutcome, encode_outcomes
from qwicket.agents.program import Failed, Program, Samples
from qwicket.clients.native import ApiError, ClientError

_NO_JOB: Final = "None"
_FORMAT: Final = "qlued.lab"
_FAILED: Final = "device_failed"

_log = logging.getLogger(__name__)


class NextJob(NamedTuple):
    """Fields of a claim for sqooler's main loop; the text "None" means that there is no job."""

    job_id: str = _NO_JOB
    job_json_path: str = _NO_JOB


class _Work(NamedTuple):
    """A claimed job. `ended` stops the thread that renews its lease."""

    api: AgentAPI
    lease: Lease
    program: Program
    ended: threading.Event
    began: float


class Storage:
    """The server as sqooler's storage.

    Args:
        url: Address of the server.
        token: A token that serves all devices of the spoolers.
        wait_s: Seconds for which a claim waits for a job. With one spooler, some seconds save
            requests. With several, the main loop claims for one after the other, so each claim
            delays the others.
        shot_s: Time of one shot in seconds, for estimates.
        retry_s: Seconds for which sending a result is repeated while the server is unavailable.

    Raises:
        ClientError: The address or the token is invalid.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        wait_s: float = 0.0,
        shot_s: float = 0.001,
        retry_s: float = 3600.0,
    ) -> None:
        self._make: Callable[[str], AgentAPI] = lambda device: AgentAPI(url, token, device)
        self._url = self._make("").url
        self._apis: dict[str, AgentAPI] = {}
        self._works: dict[str, _Work] = {}
        self._wait_s = wait_s
        self._shot_s = shot_s
        self._retry_s = retry_s

    def __repr__(self) -> str:
        return f"<Storage at {self._url}>"

    # --- methods that sqooler calls ---------------------------------------------------------------

    def update_config(self, config: Any, name: str, private_jwk: Any = None) -> None:
        """Announce a spooler's device, or its changes.

        Raises:
            ClientError: The server refuses it or is unavailable.
        """
        self._api(name).announce(self._document(_plain(config)))

    def upload_config(self, config: Any, name: str, private_jwk: Any = None) -> None:
        """Do the same as `update_config`."""
        self.update_config(config, name)

    def upload_public_key(self, public_jwk: Any, name: str) -> None:
        """Do nothing, because the device's token replaces signatures."""

    def get_next_job_in_queue(self, name: str, private_jwk: Any = None) -> NextJob:
        """Claim a job for a device. Return no job while the server is unavailable.

        Raises:
            ApiError: The server refuses this agent.
        """
        api = self._api(name)
        try:
            claimed = api.claim(self._wait_s)
        except ClientError as error:
            if not is_transient(error):
                raise
            _log.warning("no job could be claimed: %s", error)
            return NextJob()
        if claimed is None:
            return NextJob()
        lease, program = claimed
        try:
            circuits = unpack(program.family, program.packed, program.shots)
        except UnknownCircuit as error:
            _log.error("job %s: %s", lease.job, error)
            text = "The device cannot read this program; see the lab's log."
            work = _Work(api, lease, program, threading.Event(), time.monotonic())
            self._fail(work, text, 0.0, time.monotonic() + self._retry_s)
            return NextJob()
        work = _Work(
            api, lease, replace(program, circuits=circuits), threading.Event(), time.monotonic()
        )
        self._works[lease.job] = work
        threading.Thread(
            target=renew_until, args=(work.ended, api, HeldLease(lease)), daemon=True
        ).start()
        return NextJob(lease.job, name)

    def get_job(self, storage_path: str, job_id: str) -> dict[str, Any]:
        """Return a claimed job in sqooler's format.

        The server also accepts experiments without `wire_order` and with whole numbers as floats;
        sqooler does not.
        """
        job: dict[str, Any] = json.loads(self._works[job_id].program.source)
        for experiment in job.values():
            experiment.setdefault("wire_order", "sequential")
            for key in ("num_wires", "shots"):
                experiment[key] = int(experiment[key])
        return job

    def update_in_database(
        self, result: Any, status: Any, job_id: str, name: str, private_jwk: Any = None
    ) -> None:
        """Deliver a result or an error; drop it if the lease is lost, or after `retry_s`.

        Raises:
            ApiError: The server refuses this agent, or the report of an error.
        """
        work = self._works.pop(job_id)
        seconds = time.monotonic() - work.began
        deadline = time.monotonic() + self._retry_s
        status = _plain(status)
        try:
            if status["status"] != "DONE":
                self._fail(work, _reason(status), seconds, deadline)
                return
            try:
                parts = encode_outcomes(_outcomes(_plain(result)), work.program, seconds)
            except InvalidOutcome as error:
                text = f"The spooler returned an unsuitable result: {error}."
                self._fail(work, text, seconds, deadline)
                return
            try:
                self._deliver(lambda: work.api.finish(work.lease, parts, seconds), job_id, deadline)
            except ApiError as error:
                if error.status in {401, 403}:  # not about this job
                    raise
                text = f"The server refused the result: {error.detail}"
                self._fail(work, text, seconds, deadline)
        finally:
            work.ended.set()

    # --- internals --------------------------------------------------------------------------------

    def _api(self, name: str) -> AgentAPI:
        """Return a device's agent API, one per device, because an agent serves one."""
        if name not in self._apis:
            self._apis[name] = self._make(name)
        return self._apis[name]

    def _fail(self, work: _Work, text: str, seconds: float, deadline: float) -> None:
        failed = Failed(text, _FAILED)
        self._deliver(lambda: work.api.fail(work.lease, failed, seconds), work.lease.job, deadline)

    def _deliver(self, send: Callable[[], bool], job: str, deadline: float) -> None:
        def pause(seconds: float) -> bool:
            time.sleep(seconds)
            return time.monotonic() < deadline

        deliver(send, pause, f"the result of job {job}")

    def _document(self, config: Mapping[str, Any]) -> dict[str, Any]:
        gates = [_gate_spec(gate) for gate in config["gates"]]
        names = [gate["name"] for gate in gates]
        others = [each for each in config["supported_instructions"] if each not in names]
        return {
            "family": "atoms",
            "dialects": ["native", "qlued"],
            "spec": {
                "description": config["description"],
                "qubits": config["num_wires"],
                "formats": [_FORMAT],
                "gates": names,
                "max_shots": config["max_shots"],
                "outputs": ["samples"],
                "shot_s": self._shot_s,
                "atoms": {
                    "version": config["version"],
                    "kind": config["cold_atom_type"],
                    "species": config["num_species"],
                    "wire_order": config["wire_order"],
                    "gates": gates,
                    "instructions": others,
                    "max_experiments": config["max_experiments"],
                    "is_simulator": config["simulator"],
                },
            },
        }


def _plain(value: Any) -> dict[str, Any]:
    """Return a pydantic model or a mapping as a mapping."""
    return dict(value.model_dump(mode="json") if hasattr(value, "model_dump") else value)


def _gate_spec(gate: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a gate from sqooler, which has several parameters in one text."""
    names = [name.strip() for text in gate["parameters"] for name in text.split(",")]
    definition = gate.get("qasm_def", "")
    return {
        "name": gate["name"],
        "description": gate["description"],
        "parameters": [name for name in names if name],
        "wires": gate["coupling_map"],
        "definition": "" if definition == "{}" else definition,
    }


def _outcomes(result: Mapping[str, Any]) -> list[Samples]:
    try:
        return [Samples(_rows(each["data"]["memory"], each["shots"])) for each in result["results"]]
    except (KeyError, TypeError, AttributeError):
        raise InvalidOutcome("the result has another form than sqooler's") from None


def _rows(memory: Sequence[str], shots: int) -> list[list[int]]:
    """Return shots as numbers. Without measurements sqooler has no texts, so each shot is empty."""
    if not memory:
        return [[] for _ in range(shots)]
    try:
        return [[int(number) for number in text.split()] for text in memory]
    except ValueError:
        raise InvalidOutcome("a shot is not a list of numbers") from None


def _reason(status: Mapping[str, Any]) -> str:
    """Return the cause of a failure, on one line; sqooler writes "None;" before the text."""
    text = " ".join(str(status.get("error_message", "")).split())
    return text.removeprefix("None;").strip() or "The spooler failed."
