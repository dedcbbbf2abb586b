"""The control client: scenarios of localqpu as faults and scenarios of the test bed."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

from qwicket.testing.guard import Guard

IBM = "/ibm/runtime"
JOBS = f"{IBM}/experimental/api/v1"
BACKEND = "ibm_brisbane"
"""The one backend of localqpu: a virtual device, beside which the dialect's others are off."""
OTHERS = ("qwicket_simulator", "qwicket_line5", "qwicket_heavyhex27")
QUBITS = 127
_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
GUARD = Guard()
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LISTED_S = 0.2
"""Time for which a server may still show the devices as they were."""


class RunningServer(NamedTuple):
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


def call(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Any:
    """Send a request without a proxy, and return the JSON of its response."""
    request = urllib.request.Request(url, body, headers or {}, method=method)  # our own server
    try:
        with _DIRECT.open(request, timeout=60) as response:
            return json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.read().decode()}") from error


class LocalqpuControl:
    def __init__(self, base_url: str) -> None:
        self._url = base_url

    def control(self, command: str, **body: Any) -> Any:
        """Send a command of `qwicket.testing.Cloud`."""
        headers = {
            "X-Qwicket-Testing": os.environ["QWICKET_TESTING_SECRET"],
            "Content-Type": "application/json",
        }
        content = json.dumps(body).encode()
        return call("POST", f"{self._url}/_testing/{command}", content, headers)

    def account(self) -> Any:
        return self.control("account", name="tester", life_s=None)

    def reset(self) -> None:
        self.control("reset")
        for name in OTHERS:
            self.control("device", name=name, is_on=False)
        self._device()

    def set_scenario(self, scenario: dict[str, Any]) -> None:
        """Replace the scenario."""
        self.control("clear")
        given = dict(scenario)
        given.pop("seed", None)
        for each in given.pop("next_jobs", ()):
            self._next_job(**each)
        for each in given.pop("http_faults", ()):
            self._http_fault(**each)
        if "polls_before_running" in (queue := given.pop("queue", {})):
            polls = queue["polls_before_running"]
            self.control("scenario", kind="stay_queued", polls=polls, times=None)
        if given.pop("auth", {}).get("reject_tokens"):
            self.control("fault", kind="status", status=400, path=f"{IBM}/iam/*")
        if usage := given.pop("usage", None):
            left = usage["limit_seconds"] - usage["consumed_seconds"]
            self.control("budget", name="tester", maximum=left, unit="seconds", device=None)
        status = given.pop("backends", {}).get(BACKEND, {}).get("status", "online")
        options: dict[str, Any] = {"is_paused": status != "online"}
        if given.pop("noise", False):
            options["noise"] = {"two_qubit": 0.05, "readout": 0.02}
            self.control("reset")  # so that the device is made anew
        self._device(**options)
        assert not given, f"no mapping of {given}"

    def _device(self, **options: Any) -> None:
        self.control(
            "device",
            name=BACKEND,
            **{"is_on": True, "qubits": QUBITS, "topology": "line", **options},
        )
        time.sleep(_LISTED_S)

    def _next_job(self, outcome: str, reason: str = "", reason_code: int | None = None) -> None:
        kind = {"failed": "fail", "cancelled": "cancel"}[outcome]
        code = "" if reason_code is None else str(reason_code)
        self.control("scenario", kind=kind, code=code, message=reason)

    def _http_fault(
        self,
        path: str,
        method: str = "",
        times: int = 1,
        status: int = 0,
        phase: str = "before",
        drop_connection: bool = False,
        **options: Any,
    ) -> None:
        path = path.replace("/api/v1", JOBS).replace("localqpu-*", "*")
        fault: dict[str, Any] = {"kind": "drop"} if drop_connection else {"kind": "status"}
        if status:
            fault |= {"status": status, "handled": phase == "after"}
        self.control("fault", **fault, path=path, method=method, times=times, **options)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the submitted jobs, the oldest first, as IBM's list has them."""
        form = {"grant_type": _GRANT, "apikey": self.account()["token"]}
        content = urllib.parse.urlencode(form).encode()
        signed_in = call("POST", f"{self._url}{IBM}/iam/identity/token", content)
        headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
        found = call("GET", f"{self._url}{JOBS}/jobs?limit=200", headers=headers)["jobs"]
        return [{**each, "is_stub": False} for each in reversed(found)]

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests to IBM's dialect."""
        return [
            {
                "method": each["method"],
                "path": each["path"].replace(JOBS, "/api/v1"),
                "status": each["status"],
                "fault": {"drop": "drop_connection"}.get(each["fault"], each["fault"]),
            }
            for each in self.control("journal")["exchanges"]
            if each["path"].startswith(IBM)
        ]

    def health(self) -> dict[str, Any]:
        """Return how many connections to other machines were refused."""
        return {"blocked_connect_requests": len(GUARD.leaks)}
