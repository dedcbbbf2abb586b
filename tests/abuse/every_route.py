"""A request that would succeed for every route of every dialect, made from the lists of routes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx

from abuse.dialects import ACCESS, routes
from qwicket.dialects import offered
from qwicket.dialects.routing import Open
from qwicket.model.accounts import Scope
from support import braket, ibm, iqm, runtime, xanadu
from support.programs import BELL
from support.server import LiveServer

XANADU = ""
ADMIN = "/v1/admin"
BRAKET, S3, STS = braket.SERVICES
IBM, RUNTIME, PLATFORM = ibm.DIALECT, runtime.DIALECT, runtime.PLATFORM
ACCOUNT = runtime.ACCOUNT
QLUED = "/qlued"
IQM = iqm.DIALECT
MCP = "/mcp"
PREFIXES = (
    *("/v1", ADMIN, MCP),
    *(at for each in offered() for at in each.mounts if routes(at)),
)
"""Every address of a dialect, aliases left out; `SUBMISSIONS` has those that take jobs."""
GROUPS = ("/v1", "/ionq/v0.4", RUNTIME, PLATFORM, "/qbraid/api/v1")
"""Dialects that have groups, which are for one device but at qBraid."""
DEVICES = {
    **dict.fromkeys(("/v1", "/v1/admin", MCP), "simulator"),
    "/ionq/v0.4": "simulator",
    "/ionq/v0.3": "simulator",
    "/qbraid/api/v1": "qbraid:qbraid:sim:statevector",
    "/qbraid/api": "qbraid_statevector",
    IBM: ibm.SIMULATOR,
    **dict.fromkeys((RUNTIME, PLATFORM, ACCOUNT), ibm.SIMULATOR),
    QLUED: "singlequdit",
    XANADU: "simulon_gaussian",
    IQM: iqm.COMPUTER,
    **dict.fromkeys(braket.SERVICES, "statevector"),
}
_PROGRAM = {"format": "ionq.circuit.v0", "data": BELL}
_V0 = {"gateset": "qis", "qubits": 1, "circuit": [{"gate": "x", "target": 0}]}
_EXPERIMENT = {
    "instructions": [["rlx", [0], [1.0]], ["measure", [0], []]],
    "num_wires": 1,
    "shots": 5,
    "wire_order": "interleaved",
}
SUBMISSIONS: dict[str, dict[str, Any]] = {
    "/v1": {"device": "simulator", "program": BELL, "shots": 10},
    "/ionq/v0.4": {"type": "ionq.circuit.v1", "backend": "simulator", "input": BELL},
    "/ionq/v0.3": {"target": "simulator", "input": BELL},
    "/qbraid/api/v1": {"deviceQrn": DEVICES["/qbraid/api/v1"], "program": _PROGRAM},
    "/qbraid/api": {"qbraidDeviceId": DEVICES["/qbraid/api"], "ionqCircuit": _V0},
    IBM: {"qObject": ibm.qobj(), "backend": {"name": ibm.SIMULATOR}},
    **dict.fromkeys((RUNTIME, PLATFORM), runtime.body()),
    QLUED: {"payload": {"experiment_0": _EXPERIMENT}},
    XANADU: {
        "name": None,
        "target": "simulon_gaussian",
        "circuit": xanadu.pair(),
        "language": "blackbird:1.0",
    },
    IQM: iqm.body(),
    BRAKET: braket.body(),
}
SUBMIT_PATHS = {
    BRAKET: "/quantum-task",
    "/qbraid/api": "/quantum-jobs",
    QLUED: "/api/v3/singlequdit/post_job",
    IQM: f"/v1/jobs/{iqm.COMPUTER}/circuit",
}
_IDS = {
    "/qbraid/api/v1": ("data", "jobVrn"),
    "/qbraid/api": ("vendorJobId",),
    QLUED: ("job_id",),
    BRAKET: ("quantumTaskArn",),
}
_GROUP_ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1": ("/groups", {"device": "simulator"}),
    "/ionq/v0.4": ("/sessions", {"backend": "simulator"}),
    **dict.fromkeys((RUNTIME, PLATFORM), ("/sessions", {"backend": ibm.SIMULATOR})),
    "/qbraid/api/v1": ("/jobs/group", {}),
}


LINK = {"life_s": 60}
_SEEDS = count(1)
WEBHOOK = {"url": "https://webhook.invalid/"}
"""No name ends with `.invalid` (RFC 2606), so nothing is sent."""


class Ask(NamedTuple):
    """A method of a route.

    Attributes:
        prefix: Where the dialect is mounted.
        method: The method.
        path: The route's path, with its parameters in braces.
    """

    prefix: str
    method: str
    path: str

    def __repr__(self) -> str:
        return f"{self.method} {self.prefix}{self.path}"

    @property
    def names_a_job(self) -> bool:
        if self.prefix == BRAKET:
            return self.path.startswith(("/quantum-task/", "/tags/"))
        if self.prefix == S3:
            return "{key" in self.path
        if self.prefix not in SUBMISSIONS:
            return False  # an administrator's; for other tokens every job is forbidden
        return any(each in self.path for each in ("{id}", "{group}", "_job_")) or self.is_bulk

    @property
    def names_a_webhook(self) -> bool:
        return self.path.startswith("/webhooks/")

    @property
    def names_a_share(self) -> bool:
        return self.path.startswith("/shares/")

    @property
    def is_bulk(self) -> bool:
        """Whether its body lists jobs."""
        return (self.method, self.path) in {("DELETE", "/jobs"), ("PUT", "/jobs/status/cancel")}

    @property
    def is_public(self) -> bool:
        """Whether anyone may ask, whatever token comes with the request."""
        is_checked = (
            self.path == "/devices/{device}/queue/status"
        )  # a token that comes must be right
        return isinstance(ACCESS[self], Open) and not (self.has_secret_in_path or is_checked)

    @property
    def is_an_agents(self) -> bool:
        """Whether it is for a lab's token, and none of an ordinary user."""
        return ACCESS[self] == Scope.DEVICES_SERVE or isinstance(ACCESS[self], tuple)

    @property
    def has_secret_in_path(self) -> bool:
        """Whether a signed URL signs in, in place of a token."""
        return "{signature}" in self.path or "{secret}" in self.path

    def send(
        self,
        http: httpx.Client,
        secret: str,
        headers: dict[str, str],
        job: str,
        group: str,
        pair: str = "",
        account: str = "",
    ) -> httpx.Response:
        """Ask about a job or group, signed in with these headers or with the secret in a query."""
        of_group = self.path.startswith(("/sessions", "/groups"))
        device = DEVICES[self.prefix]
        names = dict.fromkeys(
            ("name", "backend", "backend_name", "device", "target", "alias"), device
        )
        names |= {"id": group if of_group else job, "group": group, "uuid": job, "part": "0"}
        names |= {"rest": "", "signature": "x", "agent": "0123456789abcdef"}
        names |= {"account": "nobody", "project": "nobody", "provider": "nobody", "token": job}
        names |= {"plan": "qwicket-open", "calibration": "default"}
        names |= {"budget": job, "organization": "x"}
        names |= {
            "reservation": job,
            "invitation": job,
            "confirmation": job,
            "share": job,
            "session": job,
            "secret": "x",
        }
        names |= {"reservation": job, "bucket": braket.BUCKET}
        names["key"] = f"{braket.PREFIX}/{job}/results.json"
        is_device = self.path.startswith("/device/")
        names["arn"] = braket.SV1 if is_device else braket.task_arn(account, job)
        path = self.path.replace(":path", "").format(**names)
        query = {"job_id": job} if "get_job" in path else {}
        if self.is_bulk and self.prefix.startswith("/qbraid"):
            query["qrns"] = job
        if path.startswith("/api/v2"):
            query["token"] = secret
        body = self._body(job, secret)
        service = braket.SERVICES.get(self.prefix)
        return http.request(
            self.method,
            self.prefix + path,
            params=query,
            headers=headers,
            content=self._content(body),
            auth=braket.Signature(pair, service) if service else None,
        )

    def _content(self, body: Any) -> str | None:
        if self.prefix == STS:
            return "Action=GetCallerIdentity&Version=2011-06-15"
        if self.prefix == "/qbraid/api" and self.path in ("/init-job", "/update-job"):
            return urlencode(body)
        return None if body is None else json.dumps(body)

    def _body(self, job: str, secret: str) -> Any:
        if self.method == "GET":
            return None
        if self.is_bulk:
            return {"ids": [job]}
        if self.prefix == MCP:
            return mcp_call("submit_job", SUBMISSIONS["/v1"])
        if self.prefix == ADMIN:
            return _ADMIN_BODIES.get((self.method, self.path), {})
        if (self.prefix, self.path) == (BRAKET, "/quantum-task"):
            return braket.body()
        if self.prefix not in SUBMISSIONS:
            return _BODIES.get((self.method, self.path), {})
        if self.method == "POST" and self.path.endswith(("/jobs", "/quantum-jobs", "/circuit")):
            return SUBMISSIONS[self.prefix]
        if self.path.endswith("post_job"):
            sent = {"job": json.dumps(SUBMISSIONS[QLUED]["payload"]), "token": secret}
            return sent if "/v2/" in self.path else SUBMISSIONS[QLUED]
        opens = _GROUP_ASKS.get(self.prefix, ("", {}))
        if self.path == opens[0]:
            return opens[1]
        return _BODIES.get((self.method, self.path), {})


def mcp_call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a call of a tool of the Model Context Protocol."""
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", "/jobs/{id}"): {"name": "changed"},
    ("PUT", "/jobs/{id}/tags"): {"tags": ["changed"]},
    ("PATCH", "/sessions/{id}"): {"accepting_jobs": False},
    ("PATCH", "/jobs/{id}"): {"status": "cancelled"},
    ("POST", "/devices"): {"filters": []},
    ("POST", "/quantum-tasks"): {"filters": []},
    ("POST", "/tags/{arn:path}"): {"tags": {"name": "changed"}},
    ("PUT", "/quantum-task/{arn:path}/cancel"): {"clientToken": "x"},
    ("POST", "/tokens"): {"scopes": ["jobs:read"]},
    ("POST", "/sessions"): {"backend": "simulator"},
    ("POST", "/jobs/{id}/shares"): LINK,
    ("POST", "/confirmations/{confirmation}"): {"answer": "confirm"},
    ("POST", "/estimates"): SUBMISSIONS["/v1"],
    ("POST", "/webhooks"): WEBHOOK,
    ("POST", "/search/v3/resources/search"): {"query": "service_name:quantum-computing"},
    ("PUT", "/update-job"): {"qbraidJobId": "x-1", "status": "DONE", "qbraidStatus": "COMPLETED"},
}


_ADMIN_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/devices/{name}"): {"message": "A test."},
    ("PATCH", "/jobs/{id}"): {"priority": 1},
    ("POST", "/jobs/{id}/resolve"): {"sent_as": None},
    ("POST", "/bulk/jobs"): {"action": "hold", "dry_run": True},
    ("POST", "/bulk/people"): {"csv": "name\nsomebody\n", "dry_run": True},
}


def _asks() -> Iterator[Ask]:
    for prefix in PREFIXES:
        for path, methods in routes(prefix).items():
            if "{rest" in path or path.startswith(("/auth/", "/iam/identity/token")):
                continue  # what is refused to everybody, and signing in
            for method in sorted(methods - {"HEAD"}):
                yield Ask(prefix, method, path)


ASKS = tuple(dict.fromkeys(_asks()))


def _unequal(prefix: str) -> dict[str, Any]:
    """Return a submission that no server takes for a repetition of an earlier one."""
    if prefix == BRAKET:
        return braket.body()  # each has a token of its own
    if prefix in (RUNTIME, PLATFORM):  # equal content is the same job while its answer may be lost
        return runtime.body(params=runtime.sampler(simulator={"seed_simulator": next(_SEEDS)}))
    return SUBMISSIONS[prefix]


class SignedIn:
    """How a token signs in at each dialect, and a key pair where requests are signed."""

    def __init__(self, http: httpx.Client, secret: str, pair: str = "") -> None:
        self.secret = secret
        self._pair = pair
        self._account = braket.account_number(http, pair) if pair else ""
        access = ibm.Client(http, secret).token
        key = {"X-API-Key": secret}
        of_platform = {"Authorization": f"Bearer {runtime.access_token(http, secret)}"}
        bearer = {"Authorization": f"Bearer {secret}"}
        self._headers: dict[str, dict[str, str]] = {
            **dict.fromkeys(("/v1", "/v1/admin", QLUED, IQM, MCP), bearer),
            "/ionq/v0.4": {"Authorization": f"apiKey {secret}"},
            "/ionq/v0.3": {"Authorization": f"apiKey {secret}"},
            "/qbraid/api/v1": key,
            "/qbraid/api": {"api-key": secret},
            IBM: {"X-Access-Token": access},
            RUNTIME: {"X-Access-Token": access},
            **dict.fromkeys((PLATFORM, ACCOUNT), of_platform),
            XANADU: {"Authorization": f"Bearer {xanadu.fetch_access_token(http, secret)}"},
            **{each: {} for each in braket.SERVICES},
        }

    def auth(self, prefix: str) -> httpx.Auth:
        """Return what signs requests where a dialect asks for a signature, else nothing."""
        service = braket.SERVICES.get(prefix)
        return braket.Signature(self._pair, service) if service else httpx.Auth()

    def headers(self, prefix: str) -> dict[str, str]:
        return self._headers[prefix]

    def send(self, http: httpx.Client, ask: Ask, job: str, group: str) -> httpx.Response:
        headers = self._headers[ask.prefix]
        return ask.send(http, self.secret, headers, job, group, self._pair, self._account)

    def post(self, http: httpx.Client, prefix: str, path: str, body: Any) -> Any:
        headers = self._headers[prefix]
        done = http.post(prefix + path, json=body, headers=headers, auth=self.auth(prefix))
        assert done.is_success, (prefix, path, done.text)
        return done.json()

    def submit(self, http: httpx.Client, prefix: str) -> str:
        """Submit a job to the dialect's device of `DEVICES`; return its id."""
        prefix = BRAKET if prefix == S3 else prefix
        found = self.post(http, prefix, SUBMIT_PATHS.get(prefix, "/jobs"), _unequal(prefix))
        for key in _IDS.get(prefix, ("id",)):
            found = found[key]
        return str(found).rpartition("/")[2]

    def webhook(self, http: httpx.Client) -> str:
        """Add a webhook for all devices; return its id."""
        return str(self.post(http, "/v1", "/webhooks", WEBHOOK)["id"])

    def share(self, http: httpx.Client, job: str) -> str:
        """Make a link to a job; return the id of the share."""
        return str(self.post(http, "/v1", f"/jobs/{job}/shares", LINK)["id"])

    def group(self, http: httpx.Client, prefix: str) -> str:
        """Open a group for that device; return its id."""
        found = self.post(http, prefix, *_GROUP_ASKS[prefix])
        found = found.get("data", found)
        return str(next(found[key] for key in ("id", "groupJobQrn") if key in found))


def signed_in(server: LiveServer, http: httpx.Client, name: str, *options: str) -> SignedIn:
    """Return how a fresh token and a key pair with the same rights sign in."""
    secret = token(server, name, *options)
    return SignedIn(http, secret, token(server, name, "--aws", *options))


def token(server: LiveServer, name: str, *options: str) -> str:
    """Return a fresh token of an account that may be there."""
    server.token(name)
    return server.admin("token", "create", "--user", name, *options)
