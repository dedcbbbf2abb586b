"""The operations that the clients for threads and for event loops share.

Each is a generator of requests and pauses; `protocol.py` describes them.
"""

from __future__ import annotations

import math
import os
import re
import secrets
from difflib import get_close_matches
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from qwicket import schema
from qwicket.clients.http import deadlines, polling
from qwicket.clients.native import wire
from qwicket.clients.native.errors import (
    ApiError,
    ClientError,
    JobFailed,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
    WaitTimeout,
)
from qwicket.clients.native.programs import bound, estimation, read
from qwicket.clients.native.protocol import HOLD_S, Operation, Pause
from qwicket.schema.jobs import SLURM_ACCOUNT, SLURM_JOB, SLURM_NAME, EstimateBody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from qwicket.clients.native.programs import Observables, Program
    from qwicket.clients.native.protocol import Api
    from qwicket.clients.native.results import Result
    from qwicket.clients.native.views import JobView

J = TypeVar("J", bound="JobView")

WAIT_S: Final = 3600.0
"""Default of `timeout` when waiting for a job, in seconds."""
RUN_WAIT_S: Final = 0.05
"""Default of `wait` in seconds when running a program: a small job takes one request."""
LINK_S: Final = 7 * 86_400
"""Default life of a link to a job, in seconds."""
_ZIP_TYPE: Final = "application/zip"
_NPZ_TYPE: Final = "application/x-npz"
_SPACING_S: Final = 1.0
"""Shortest time in seconds between the beginnings of two polls."""
_WATCHED_HOLD_S: Final = 1.0
"""Longest long poll in seconds with a progress display: a new queue position does not end one."""
_PAGE: Final = 500
"""Maximum number of jobs in one response."""
_SHOWN_IDS: Final = 1_000
"""Ids of changed jobs that are returned."""
_ANY: Final = dict[str, Any]
_SLURM_VARIABLES: Final = {SLURM_JOB: "SLURM_JOB_ID", SLURM_ACCOUNT: "SLURM_JOB_ACCOUNT"}
_is_slurm_name: Final = re.compile(SLURM_NAME).fullmatch


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _management_path(job_id: str, *, everybody: bool) -> str:
    """Return the path of a job for its owner, or for administrators if `everybody` is true."""
    return f"/v1/admin/jobs/{quote(job_id, safe='')}" if everybody else job_path(job_id)


def device_path(name: str) -> str:
    """Return the path of a device."""
    return f"/v1/devices/{quote(name, safe='')}"


def webhook_path(id: str) -> str:
    """Return the path of a webhook."""
    return f"/v1/webhooks/{quote(id, safe='')}"


def account(api: Api) -> Operation[dict[str, Any]]:
    return (yield from api.get("/v1/account", _ANY))


def set_preferences(api: Api, **changes: str | None) -> Operation[dict[str, Any]]:
    return (yield from api.send("PATCH", "/v1/account", changes, _ANY))


def change_password(api: Api, old: str, new: str) -> Operation[None]:
    yield from api.change_once("PUT", "/v1/account/password", {"old": old, "new": new})


def sessions(api: Api) -> Operation[list[dict[str, Any]]]:
    return (yield from api.get("/v1/account/sessions", wire.SessionsBody)).sessions


def end_session(api: Api, id: str) -> Operation[None]:
    yield from api.delete(f"/v1/account/sessions/{quote(id, safe='')}")


def devices(api: Api) -> Operation[list[dict[str, Any]]]:
    return (yield from api.get("/v1/devices", wire.DevicesBody)).devices


def device(api: Api, name: str) -> Operation[dict[str, Any]]:
    return (yield from api.get(device_path(name), _ANY))


def calibration(api: Api, name: str, at: str | None) -> Operation[dict[str, Any]]:
    query = f"?{urlencode({'at': at})}" if at else ""
    return (yield from api.get(f"{device_path(name)}/calibration{query}", _ANY))


def job(api: Api, job_id: str, *, everybody: bool = False) -> Operation[dict[str, Any]]:
    return (yield from api.get(_management_path(job_id, everybody=everybody), _ANY))


def jobs(
    api: Api,
    limit: int,
    filters: Mapping[str, Any],
    *,
    everybody: bool = False,
    oldest_first: bool = False,
) -> Operation[list[dict[str, Any]]]:
    """List the newest or the oldest jobs, page by page, until there are `limit`."""
    path = "/v1/admin/jobs" if everybody else "/v1/jobs"
    found: list[dict[str, Any]] = []
    query = {name: value for name, value in filters.items() if value is not None}
    if oldest_first:
        query["after"] = 0
    while len(found) < limit:
        query["limit"] = min(limit - len(found), _PAGE)
        page = yield from api.get(f"{path}?{urlencode(query, doseq=True)}", wire.JobsBody)
        found += page.jobs
        if page.next is None:
            break
        query["after" if oldest_first else "before"] = page.next
    return found


def webhooks(api: Api) -> Operation[list[dict[str, Any]]]:
    return (yield from api.get("/v1/webhooks", wire.WebhooksBody)).webhooks


def add_webhook(
    api: Api, url: str, events: Sequence[str] | None, device: str | None
) -> Operation[dict[str, Any]]:
    body: dict[str, Any] = {"url": url, "device": device}
    if events is not None:
        body["events"] = list(events)
    return (yield from api.post_once("/v1/webhooks", body, _ANY))


def rotate_webhook(api: Api, id: str) -> Operation[dict[str, Any]]:
    return (yield from api.post_once(f"{webhook_path(id)}/rotate", None, _ANY))


def test_webhook(api: Api, id: str) -> Operation[dict[str, Any]]:
    return (yield from api.post_once(f"{webhook_path(id)}/test", None, _ANY))


def submit(
    api: Api,
    program: Program,
    device: str | Sequence[str],
    *,
    shots: int = 1000,
    format: str | None = None,
    seed: int | None = None,
    noise: str | None = None,
    engine: str = "",
    inputs: Mapping[str, float] | None = None,
    outputs: Sequence[str] = ("counts",),
    name: str = "",
    tags: Sequence[str] = (),
    observables: Observables | None = None,
    mitigation: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    key: str | None = None,
    wait: float = 0.0,
) -> Operation[dict[str, Any]]:
    """Submit a program; every attempt has the same idempotency key.

    In a job of Slurm, the submission names that job and its account.

    Raises:
        ClientError: `wait` is not a number of seconds, or the request failed.
    """
    if not 0.0 <= wait < math.inf:
        raise ClientError(f"wait must be a number of seconds from 0, not {wait!r}.")
    options: dict[str, Any] = {
        "format": format,
        "seed": seed,
        "noise": noise,
        "engine": engine,
        "inputs": inputs,
    }
    options |= {"outputs": outputs, "name": name, "tags": tags}
    options |= {"observables": observables, "mitigation": mitigation, "weights": weights}
    body = _submission(program, device, shots, **options)
    key = key or secrets.token_hex(16)
    hold_s = min(wait, HOLD_S)
    path = f"/v1/jobs?wait={hold_s:.3f}&include=result" if hold_s else "/v1/jobs"
    headers = slurm_headers(os.environ)
    return (yield from api.post(path, body, _ANY, key=key, headers=headers, hold_s=hold_s))


def slurm_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that name the job of Slurm in which this process runs, if it does.

    A name that servers would refuse is left out: it must not keep a program from running.
    """
    found = {header: environment.get(name, "") for header, name in _SLURM_VARIABLES.items()}
    return {header: name for header, name in found.items() if _is_slurm_name(name)}


def estimate(
    api: Api,
    program: Program,
    device: str | Sequence[str],
    *,
    shots: int = 1000,
    **options: Any,
) -> Operation[EstimateBody]:
    """Estimate a job with the options of a submission; nothing is stored."""
    for name in ("key", "wait"):
        options.pop(name, None)
    body = _submission(program, device, shots, **options)
    return (yield from api.post("/v1/estimates", body, EstimateBody))


def _submission(
    program: Program,
    device: str | Sequence[str],
    shots: int,
    *,
    format: str | None = None,
    seed: int | None = None,
    noise: str | None = None,
    engine: str = "",
    inputs: Mapping[str, float] | None = None,
    outputs: Sequence[str] = ("counts",),
    name: str = "",
    tags: Sequence[str] = (),
    observables: Observables | None = None,
    mitigation: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the body of a submission."""
    program, values = bound(program, inputs or {})
    source, format = read(program, format)
    if observables is not None:
        source, format = estimation(source, format, observables, shots, mitigation)
        shots = max(1, shots)  # that of exact values is 0, but only inside an estimation
    elif mitigation is not None:
        raise ClientError("mitigation needs observables: it mitigates expectation values.")
    body = {
        "program": source,
        "device": device if isinstance(device, str) else list(device),
        "shots": shots,
        "format": format,
        "seed": seed,
        "noise": noise,
        "engine": engine,
        "inputs": values,
        "outputs": list(outputs),
        "name": name,
        "tags": list(tags),
    }
    # A server of version 1.0 refuses the field.
    return body if weights is None else {**body, "weights": dict(weights)}


def check_options(function: str, options: Mapping[str, Any]) -> None:
    """Check the names of a submission's options.

    Args:
        function: Name of the called function, for the error.
        options: Options by name.

    Raises:
        TypeError: An option is unknown; the text suggests the nearest name.
    """
    known = submit.__kwdefaults__ or {}
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{function}() has no argument {name!r}.{hint}")


def cancel(api: Api, job: JobView) -> Operation[dict[str, Any]]:
    path = _management_path(job.id, everybody=job.everybody)
    return (yield from api.post(f"{path}/cancel", None, _ANY))


def change(
    api: Api, job: JobView, *, held: bool | None = None, priority: int | None = None
) -> Operation[dict[str, Any]]:
    """Hold or release a waiting job, or change its priority; None leaves them."""
    body = {"held": held, "priority": priority}
    path = _management_path(job.id, everybody=job.everybody)
    return (yield from api.send("PATCH", path, body, _ANY))


def requeue(api: Api, job: JobView) -> Operation[dict[str, Any]]:
    """Take a running job from its runner and queue it again, as an administrator."""
    path = _management_path(job.id, everybody=True)
    return (yield from api.post_once(f"{path}/requeue", None, _ANY))


def change_jobs(
    api: Api,
    action: str,
    filters: Mapping[str, Any],
    *,
    priority: int | None,
    dry_run: bool,
    watch: Callable[[int], None] | None = None,
) -> Operation[dict[str, Any]]:
    """Apply one action to all jobs that match the filters, as an administrator or a lead.

    A request of many jobs is answered after some seconds, and a further one goes on.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    states, tags = given.pop("state", ""), given.pop("tag", ())
    body = given | {
        "action": action,
        "states": states.split(",") if states else [],
        "tags": [tags] if isinstance(tags, str) else list(tags),
        "priority": priority,
        "dry_run": dry_run,
    }
    from qwicket.schema.admin import ChangedJobsBody  # late: only administrators need it

    number, ids = 0, list[str]()
    while True:
        path, headers = "/v1/admin/bulk/jobs", {"Prefer": "respond-async"}
        found = yield from api.post_once(path, body, ChangedJobsBody, headers=headers)
        number += found.number
        ids += found.ids[: _SHOWN_IDS - len(ids)]
        if watch is not None:
            watch(number)
        if found.next is None or found.next >= body.get("before", found.next + 1):
            return {"number": number, "ids": ids}
        body["before"] = found.next


def delete(api: Api, job: JobView) -> Operation[None]:
    """Delete a job; one that does not exist counts as deleted, perhaps by an earlier attempt.

    Raises:
        ClientError: An administrator's job was not found, or has not ended.
    """
    if job.everybody:
        ids = {"ids": [job.id]}
        found = yield from change_jobs(api, "delete", ids, priority=None, dry_run=False)
        if not found["number"]:
            raise ClientError(f"There is no job {job.id} that has ended.")
        return
    try:
        yield from api.delete(job_path(job.id))
    except ApiError as error:
        if error.status != 404:
            raise


def wait(
    api: Api,
    job: J,
    timeout: float | None,
    watch: Callable[[J], None] | None,
    max_hold_s: Callable[[], float] = lambda: HOLD_S,
) -> Operation[None]:
    """Wait until the job has ended; see `Job.wait`.

    Args:
        api: The server's API.
        job: Job that is updated with each response.
        timeout: Seconds; None waits without a limit.
        watch: Function that is called with the job after each response, about once a second.
        max_hold_s: Function that returns how long a long poll may be at present, in seconds.
    """
    clock = api.clock
    deadline = math.inf if timeout is None else clock.monotonic() + timeout
    has_ended = job.is_final
    while not has_ended:
        hold_s = min(max_hold_s(), _WATCHED_HOLD_S) if watch else max_hold_s()
        has_ended = yield from _poll(api, job, deadline - clock.monotonic(), hold_s)
        if watch:
            watch(job)
        if not has_ended and clock.monotonic() >= deadline:
            raise WaitTimeout(
                f"Job {job.id} has not ended within {timeout:g} s (last state: {job.state})."
                f" It continues on the server: client.job({job.id!r}) returns it."
            )


def _poll(api: Api, job: JobView, left_s: float, hold_s: float) -> Operation[bool]:
    """Poll a job once, for at most `left_s` seconds; return whether it has ended."""
    began_at = api.clock.monotonic()
    hold_s = max(0.0, min(left_s - polling.LAST_S, hold_s))
    try:
        job.update(
            (yield from api.get_change(job_path(job.id), _ANY, hold_s=hold_s, within_s=left_s))
        )
    except (Unreachable, ServerBusy):
        # An error at the deadline only ends the wait. `Job.wait` has also set a deadline for all
        # requests, which may be a little earlier than the one here.
        if api.clock.monotonic() < began_at + left_s and not deadlines.has_passed():
            raise
    if not job.is_final:
        # A stopping server or a proxy may respond at once, without the long poll.
        pause_s = began_at + min(_SPACING_S, left_s) - api.clock.monotonic()
        yield Pause(max(0.0, pause_s))
    return job.is_final


def result(api: Api, job: JobView, *, with_arrays: bool) -> Operation[Result]:
    """Return the result of a job that has ended; see `Job.result`."""
    from qwicket.clients.native.results import Part, Result

    try:
        body = job.result_body or (
            yield from api.get(f"{job_path(job.id)}/result", schema.results.ResultBody)
        )
    except ApiError as error:
        if error.code != "no_result":
            raise
        detail = error.detail
    else:
        parts = tuple(Part.from_body(part) for part in body.parts)
        if with_arrays:
            for number, part in enumerate(parts):
                if part.error is None:
                    part.fill((yield from part_arrays(api, job.id, number)))
        return Result(job.id, parts, job.body.device)
    raise JobFailed(f"Job {job.id}: {detail}")


def rest_of_wait(
    api: Api, ends_at: float, job: JobView, timeout: float | None
) -> AbstractContextManager[None]:
    """Apply the deadline of a wait for a job to the request for its result; see `Job.result`."""
    late = WaitTimeout(
        f"The result of job {job.id} has not arrived within {timeout} s."
        f" It stays on the server: client.job({job.id!r}) returns the job."
    )
    return polling.rest_of_wait(ends_at, (Unreachable, ServerBusy), late, api.clock)


def fetch_compiled(api: Api, job_id: str, part: int) -> Operation[str]:
    """Return one circuit, compiled for its lab's device, as OpenQASM 3."""
    content = yield from api.get_raw(f"{job_path(job_id)}/parts/{part}/compiled", "text/plain")
    return content.decode("utf-8", "replace")


def mitigated(api: Api, job_id: str, part: int) -> Operation[dict[str, float]]:
    """Return the quasi-probabilities of one circuit's outcomes."""
    path = f"{job_path(job_id)}/parts/{part}?mitigation=readout"
    found = yield from api.get(path, schema.results.PartResultBody)
    return found.quasi_probabilities or {}


def part_arrays(api: Api, job_id: str, part: int) -> Operation[bytes]:
    """Return one circuit's arrays as an npz file."""
    content = yield from api.get_raw(f"{job_path(job_id)}/parts/{part}?format=npz", _NPZ_TYPE)
    if not content.startswith(b"PK"):
        raise UnexpectedResponse(
            "The response is not an archive of NumPy arrays. Is the address right?"
        )
    return content


def job_archive(api: Api, job_id: str, file: IO[bytes]) -> Operation[None]:
    """Write the archive of a job to a file."""
    yield from api.download(f"{job_path(job_id)}/archive", _ZIP_TYPE, file)


def share(
    api: Api, job_id: str, *, account: str | None = None, life_s: int | None = None
) -> Operation[dict[str, Any]]:
    """Share a job with an account, or by a link that expires."""
    body = {"account": account} if life_s is None else {"life_s": life_s}
    send = api.post if life_s is None else api.post_once  # a repetition would make a second link
    return (yield from send(f"{job_path(job_id)}/shares", body, _ANY))


def shares(api: Api, job_id: str | None = None) -> Operation[list[dict[str, Any]]]:
    path = "/v1/shares" if job_id is None else f"{job_path(job_id)}/shares"
    return (yield from api.get(path, wire.SharesBody)).shares


def confirmations(api: Api) -> Operation[list[dict[str, Any]]]:
    return (yield from api.get("/v1/confirmations", wire.ConfirmationsBody)).confirmations


def answer_confirmation(api: Api, id: str, is_confirmed: bool) -> Operation[dict[str, Any]]:
    """Answer a question, which may be repeated."""
    body = {"answer": "confirm" if is_confirmed else "refuse"}
    return (yield from api.post(f"/v1/confirmations/{quote(id, safe='')}", body, _ANY))


def unshare(api: Api, id: str) -> Operation[None]:
    yield from api.delete(f"/v1/shares/{quote(id, safe='')}")
