"""What the clients do, each as a plan: the same for threads and for event loops."""

from __future__ import annotations

import math
import secrets
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from qwicket import schema
from qwicket.clients.http.polling import LAST_S
from qwicket.clients.native import wire
from qwicket.clients.native.errors import (
    ApiError,
    BadAnswer,
    JobFailed,
    ServerBusy,
    Unreachable,
    WaitTimeout,
)
from qwicket.clients.native.plans import HOLD_S, Pause, Plan
from qwicket.clients.native.programs import bound, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.clients.native.plans import Api
    from qwicket.clients.native.programs import Program
    from qwicket.clients.native.results import Result
    from qwicket.clients.native.views import JobView

J = TypeVar("J", bound="JobView")

WAIT_S: Final = 3600.0
"""How long to wait for a job's end where nothing else is asked for."""
_NPZ_TYPE: Final = "application/x-npz"
_SPACING_S: Final = 1.0
_WATCHED_HOLD_S: Final = 1.0
"""How long the server may hold answers back from somebody who watches the place in the queue."""
_PAGE: Final = 500
_ANY: Final = dict[str, Any]


def path_of(job: str) -> str:
    """Return the path of a job."""
    return f"/v1/jobs/{quote(job, safe='')}"


def path_of_device(name: str) -> str:
    """Return the path of a device."""
    return f"/v1/devices/{quote(name, safe='')}"


def account(api: Api) -> Plan[dict[str, Any]]:
    return (yield from api.get("/v1/account", _ANY))


def devices(api: Api) -> Plan[list[dict[str, Any]]]:
    return (yield from api.get("/v1/devices", wire.DevicesBody)).devices


def device(api: Api, name: str) -> Plan[dict[str, Any]]:
    return (yield from api.get(path_of_device(name), _ANY))


def calibration(api: Api, name: str, at: str | None) -> Plan[dict[str, Any]]:
    asked = f"?{urlencode({'at': at})}" if at else ""
    return (yield from api.get(f"{path_of_device(name)}/calibration{asked}", _ANY))


def job(api: Api, name: str) -> Plan[dict[str, Any]]:
    return (yield from api.get(path_of(name), _ANY))


def jobs(api: Api, limit: int, filters: Mapping[str, Any]) -> Plan[list[dict[str, Any]]]:
    """List the newest jobs, page by page, until there are `limit`."""
    found: list[dict[str, Any]] = []
    asked = {name: value for name, value in filters.items() if value is not None}
    while len(found) < limit:
        asked["limit"] = min(limit - len(found), _PAGE)
        page = yield from api.get(f"/v1/jobs?{urlencode(asked, doseq=True)}", wire.JobsBody)
        found += page.jobs
        if page.next is None:
            break
        asked["before"] = page.next
    return found


def submit(
    api: Api,
    program: Program,
    device: str,
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
    key: str | None = None,
) -> Plan[dict[str, Any]]:
    """Submit; every try bears the same idempotency key."""
    program, values = bound(program, inputs or {})
    source, told = read(program, format)
    body = {
        "program": source,
        "device": device,
        "shots": shots,
        "format": told,
        "seed": seed,
        "noise": noise,
        "engine": engine,
        "inputs": values,
        "outputs": list(outputs),
        "name": name,
        "tags": list(tags),
    }
    key = key or secrets.token_hex(16)
    return (yield from api.post("/v1/jobs", body, _ANY, key=key))


def check_options(function: str, options: Mapping[str, Any]) -> None:
    """Refuse words that no submission knows.

    Args:
        function: What the user called.
        options: What they gave by name.

    Raises:
        TypeError: There is one; the nearest right one is named.
    """
    known = submit.__kwdefaults__ or {}
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{function}() has no argument {name!r}.{hint}")


def cancel(api: Api, job: JobView) -> Plan[dict[str, Any]]:
    return (yield from api.post(f"{path_of(job.id)}/cancel", None, _ANY))


def delete(api: Api, job: JobView) -> Plan[None]:
    """Delete; a job that is gone is deleted, by a try whose answer was lost or by somebody else."""
    try:
        yield from api.delete(path_of(job.id))
    except ApiError as error:
        if error.status != 404:
            raise


def wait(
    api: Api,
    job: J,
    timeout: float | None,
    watch: Callable[[J], None] | None,
    longest_hold_s: Callable[[], float] = lambda: HOLD_S,
) -> Plan[None]:
    """Wait until the job has ended; see `Job.wait`.

    Args:
        api: Where it is.
        job: Is told each news.
        timeout: Seconds to wait at most; None is without end.
        watch: Is called with the job after each news; the server is asked about once a second.
        longest_hold_s: For how long the server may hold an answer back at present.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    has_ended = job.is_final
    while not has_ended:
        hold_s = min(longest_hold_s(), _WATCHED_HOLD_S) if watch else longest_hold_s()
        has_ended = yield from _ask(api, job, deadline - time.monotonic(), hold_s)
        if watch:
            watch(job)
        if not has_ended and time.monotonic() >= deadline:
            raise WaitTimeout(
                f"Job {job.id} has not ended within {timeout:g} s (last seen: {job.state})"
                f" and goes on; find it again with client.job({job.id!r})."
            )


def _ask(api: Api, job: JobView, left_s: float, hold_s: float) -> Plan[bool]:
    """Ask once for news, for at most `left_s` seconds; return whether the job has ended."""
    asked_at = time.monotonic()
    hold_s = max(0.0, min(left_s - LAST_S, hold_s))
    try:
        job.see((yield from api.get_news(path_of(job.id), _ANY, hold_s=hold_s, within_s=left_s)))
    except (Unreachable, ServerBusy):
        if time.monotonic() < asked_at + left_s:
            raise
    if not job.is_final:
        # A server that stops, or a proxy in between, may not hold its answers back.
        sooner_s = asked_at + min(_SPACING_S, left_s) - time.monotonic()
        yield Pause(max(0.0, sooner_s))
    return job.is_final


def result(api: Api, job: JobView, *, with_arrays: bool) -> Plan[Result]:
    """Return what an ended job gave; see `Job.result`."""
    from qwicket.clients.native.results import Part, Result

    try:
        body = yield from api.get(f"{path_of(job.id)}/result", schema.results.ResultBody)
    except ApiError as error:
        if error.code != "no_result":
            raise
        detail = error.detail
    else:
        parts = tuple(Part.from_body(part) for part in body.parts)
        if with_arrays:
            for number, part in enumerate(parts):
                if part.error is None:
                    part.fill((yield from archive(api, job.id, number)))
        return Result(job.id, parts, job.body.device)
    raise JobFailed(f"Job {job.id}: {detail}")


def compiled(api: Api, job: str, part: int) -> Plan[str]:
    """Return one circuit as its lab's device gets it, in OpenQASM 3."""
    content = yield from api.get_raw(f"{path_of(job)}/parts/{part}/compiled", "text/plain")
    return content.decode("utf-8", "replace")


def archive(api: Api, job: str, part: int) -> Plan[bytes]:
    """Return the archive of arrays of one circuit."""
    content = yield from api.get_raw(f"{path_of(job)}/parts/{part}?format=npz", _NPZ_TYPE)
    if not content.startswith(b"PK"):
        raise BadAnswer("The answer is no archive of NumPy. Is the address right?")
    return content
