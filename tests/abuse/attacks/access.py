"""Attacks on credentials and on the rights that they give."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import httpx

from abuse.attacks import Outcome, Target
from abuse.dialects import DIALECTS, NATIVE, WAYS, Way, routes
from abuse.fixtures import run_bell
from abuse.test_access import absent_id
from abuse.test_agents import outcome, part
from qwicket.gateway.signin import new_secret
from support import ibm, runtime
from support.ibm import Client as IBMClient
from support.pilots import offer
from support.runtime import Client as RuntimeClient
from support.waiting import until
from support.xanadu import Caller as Xanadu
from support.xanadu import pair

SIGNED_IN = [way for way in WAYS if not way.is_public]
OF_A_JOB = [
    way
    for way in WAYS
    if "{id}" in way.path and not way.is_an_agents and "/tokens/" not in way.path
]
READS_BY_POST = ("/get-user-jobs",)
MUTATING = [
    way
    for way in SIGNED_IN
    if way.method in ("POST", "PUT", "PATCH", "DELETE") and way.path not in READS_BY_POST
]


MAX_PER_MINUTE = 10
"""Unknown tokens of one address that are answered normally."""
UPDATES_A_DOCUMENT = "/update-job"
"""qBraid's route looks the document up before it changes it, which a token may that reads; here is
none. `test_every_route.py` has a document, and 403."""
MAX_DIFFERENCE = 0.2
"""Share by which the times for foreign and absent ids may differ."""
BODIES = {
    "PATCH /sessions/{id}": {"accepting_jobs": False},
    "PATCH /jobs/{id}": {"status": "cancelled"},
    "PUT /jobs/{id}/tags": {"tags": []},
}
"""What these routes want before they look at the id."""


def wrong_tokens(target: Target) -> Outcome:
    """Guess tokens; the right token keeps working beside them."""
    statuses, began = [], time.monotonic()
    for _ in range(target.size(400, 6_000)):
        answer = target.http.get("/v1/jobs", headers=NATIVE.auth(new_secret()))
        statuses.append(answer.status_code)
        if len(statuses) % 100 == 0:
            right = target.http.get("/v1/jobs", headers=target.as_victim())
            assert right.status_code == 200, right.text
    assert set(statuses) <= {401, 429}
    minutes = 1 + (time.monotonic() - began) // 60
    assert statuses.count(401) <= MAX_PER_MINUTE * minutes
    assert statuses[-1] == 429
    return Outcome(
        f"{len(statuses)} unknown tokens from one address",
        f"{statuses.count(401)} answered 401, {statuses.count(429)} answered 429",
    )


def revoked_token(target: Target) -> Outcome:
    """Use a token after it was revoked, on every route."""
    made = target.live.as_admin(lambda admin: admin.create_token("eve"))
    secret = made.secret
    assert target.http.get("/v1/jobs", headers=NATIVE.auth(secret)).status_code == 200
    target.live.admin("token", "revoke", made.token.id)
    began = time.monotonic()
    until(
        lambda: target.http.get("/v1/jobs", headers=NATIVE.auth(secret)).status_code == 401,
        "the revoked token is refused",
    )
    waited_s = time.monotonic() - began
    for way in SIGNED_IN:
        answer = way.send(target.http, way.url(absent_id()), way.dialect.auth(secret))
        assert answer.status_code == 401, (way, answer.status_code)
    return Outcome(
        f"a revoked token on {len(SIGNED_IN)} routes", f"refused after {1000 * waited_s:.0f} ms"
    )


def others_ids(target: Target) -> Outcome:
    """Ask with a victim's ids as somebody else: each looks like an absent one."""
    pairs = list(_pairs(target))
    for route, there, absent in pairs:
        assert (there.status, there.text) == (absent.status, absent.text), route
        assert there.status in (404, 406), (route, there)  # 406 is qlued's
    middle = len(pairs) // 2
    theirs_s = sorted(there.seconds for _, there, _ in pairs)[middle]
    absent_s = sorted(absent.seconds for _, _, absent in pairs)[middle]
    name = "A3 time for a foreign id / for an absent id, difference from 1"
    target.note(name, abs(theirs_s / absent_s - 1), at_most=MAX_DIFFERENCE, unit="")
    return Outcome(
        f"{len(pairs)} pairs of a foreign and an absent id, in 9 dialects",
        f"0 differences, median time foreign / absent {theirs_s / absent_s:.2f}",
    )


class Seen(NamedTuple):
    """An answer, with the id that was asked for taken out."""

    status: int
    text: str
    seconds: float


def _pairs(target: Target) -> Iterator[tuple[str, Seen, Seen]]:
    for dialect in DIALECTS:
        job = run_bell(target.http, dialect, target.victim)
        for way in OF_A_JOB:
            if way.dialect is dialect:
                send = partial(_send, target, way, dialect.auth(target.attacker))
                yield f"{way}", send(job), send(absent_id())
    for route, call, job in _signed_routes(target):
        method, path = route.split(" ")
        yield route, _call(call, method, path, job), _call(call, method, path, absent_id())


def _send(target: Target, way: Way, auth: dict[str, str], job: str) -> Seen:
    began = time.perf_counter()
    answer = way.send(target.http, way.url(job), auth)
    return Seen(answer.status_code, answer.text.replace(job, "ID"), time.perf_counter() - began)


def _call(call: Callable[..., httpx.Response], method: str, path: str, job: str) -> Seen:
    has_body = method in ("PUT", "POST", "PATCH")
    body = {"json": BODIES.get(f"{method} {path}", {})} if has_body else {}
    began = time.perf_counter()
    answer = call(method, path.format(id=job), **body)
    return Seen(answer.status_code, answer.text.replace(job, "ID"), time.perf_counter() - began)


def _signed_routes(target: Target) -> Iterator[tuple[str, Callable[..., httpx.Response], str]]:
    """Yield the routes of dialects with access tokens, the attacker's call, a victim's job."""
    http = target.http
    qx, classic = IBMClient(http, target.attacker), RuntimeClient(http, target.attacker)
    photonic = Xanadu(http, target.attacker)
    jobs = {
        ibm.DIALECT: (IBMClient(http, target.victim).submit(), qx.call),
        runtime.DIALECT: (RuntimeClient(http, target.victim).submit(), classic.call),
        "": (Xanadu(http, target.victim).submit(pair()), photonic.call),
    }
    for prefix, (job, call) in jobs.items():
        for path, methods in routes(prefix).items():
            if "{id}" not in path or "{signature}" in path:
                continue
            for method in sorted(methods - {"HEAD"}) or ["GET"]:
                yield f"{method} {path}", call, job


def scope_escape(target: Target) -> Outcome:
    """Change things with a token that may only read."""
    weak = target.live.admin("token", "create", "--user", "eve", "--scope", "jobs:read")
    job = run_bell(target.http, NATIVE, target.attacker)
    n_refused = 0
    for way in MUTATING:
        answer = way.send(target.http, way.url(job), way.dialect.auth(weak))
        statuses = (404,) if way.path == UPDATES_A_DOCUMENT else (403,)
        assert answer.status_code in statuses, (way, answer.status_code, answer.text)
        n_refused += answer.status_code == 403
    after = target.http.get(f"/v1/jobs/{job}", headers=target.as_attacker())
    assert after.json()["state"] == "completed"
    return Outcome(
        f"a jobs:read token on {len(MUTATING)} routes that change something",
        f"{n_refused} answered 403, the others 404",
    )


def token_in_url(target: Target) -> Outcome:
    """Put a token into the URL where no vendor's API does, and look for it in the log."""
    for way in SIGNED_IN:
        url = way.url(absent_id())
        for name in ("token", "access_token", "api_key"):
            answer = way.send(target.http, f"{url}?{name}={target.victim}", {})
            assert answer.status_code == 401, way
    qlued = f"/qlued/api/v2/rydberg/get_job_status?token={target.victim}&job_id=x&json={{}}"
    target.http.get(qlued)
    log = target.live.log.read_text()
    assert target.victim not in log
    assert target.victim[:16] not in log
    return Outcome(f"{3 * len(SIGNED_IN)} URLs with a token", "0 accepted, 0 in the log")


def forged_access_tokens(target: Target) -> Outcome:
    """Forge the signed tokens of the dialects that have them."""
    issued = IBMClient(target.http, target.attacker).token
    head, body, signature = issued.split(".")
    forged = [
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body[:-4]}AAAA.{signature}",
        secrets.token_urlsafe(200),
    ]
    for text in forged:
        for path in ("/ibm/api/users/me", "/ibm/api/jobs", "/ibm/runtime/classic/jobs"):
            answer = target.http.get(path, headers={"X-Access-Token": text})
            assert answer.status_code in (401, 429), (text, answer.text)
        for path in ("/jobs", f"{runtime.PLATFORM}/jobs"):
            answer = target.http.get(path, headers={"Authorization": f"Bearer {text}"})
            assert answer.status_code in (401, 429)
    for path in ("/jobs", f"{runtime.PLATFORM}/jobs"):
        crossed = target.http.get(path, headers={"Authorization": f"Bearer {issued}"})
        assert crossed.status_code in (401, 429)
    return Outcome(
        f"{len(forged)} forged tokens at 5 routes, and one of another dialect", "0 accepted"
    )


def false_agent(target: Target) -> Outcome:
    """Deliver results for jobs that an agent does not hold."""
    lab = target.live.admin(
        *("token", "create", "--user", "eve", "--scope", "devices:serve", "--device", "evil")
    )
    job = run_bell(target.http, NATIVE, target.victim)
    auth = NATIVE.auth(lab)
    before = target.http.get(f"/v1/jobs/{job}/result", headers=target.as_victim()).text
    forged = {"id": job, "fence": 1, "nonce": "0" * 32}
    for body in (
        {"results": [{**forged, "parts": [part(outcome())]}]},
        {"releases": [{**forged, "reason": "x"}]},
    ):
        for device in ("evil", "simulator"):
            sent = {"offer": offer(request=1, devices=[device]), **body}
            answer = target.http.post("/v1/pilots/evil/results", json=sent, headers=auth)
            assert answer.status_code in (403, 404), answer.text
    stolen = target.http.put(
        "/v1/agent/devices/simulator",
        json={
            "family": "qubit",
            "spec": {
                "description": "x",
                "qubits": 2,
                "formats": ["openqasm3"],
                "outputs": ["counts"],
                "shot_s": 0.001,
            },
        },
        headers=auth,
    )
    assert stolen.status_code == 403, stolen.text
    after = target.http.get(f"/v1/jobs/{job}/result", headers=target.as_victim()).text
    assert after == before
    return Outcome("well-formed results for a foreign job, and a foreign device", "0 taken")
