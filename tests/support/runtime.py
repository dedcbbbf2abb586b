"""Both channels of IBM's Runtime API over plain HTTP; answers are held to their descriptions."""

from __future__ import annotations

from typing import Any, Final

import httpx

from qwicket.vendors.ibm.dialect.runtime.platform.routes import ACCOUNT_ROUTES
from qwicket.vendors.ibm.dialect.runtime.platform.routes import ROUTES as PLATFORM_ROUTES
from qwicket.vendors.ibm.dialect.runtime.routes import ROUTES
from support import ibm, pubs
from support.described import Described
from support.ibm import SIMULATOR
from support.waiting import until

DIALECT = "/ibm/runtime/classic"
ACCOUNT = "/ibm/runtime"
PLATFORM = "/ibm/runtime/api/v1"
ROUTES_BY_PREFIX: Final = {
    DIALECT: ROUTES,
    PLATFORM: PLATFORM_ROUTES,
    f"{ACCOUNT}/experimental/api/v1": PLATFORM_ROUTES,
    ACCOUNT: ACCOUNT_ROUTES,
}
FINAL = ("Completed", "Failed", "Cancelled")


def sampler(*entries: list[Any], **options: Any) -> dict[str, Any]:
    """Return the parameters of a sampler; by default those of a Bell pair."""
    return pubs.params(*(entries or ([pubs.circuit(pubs.bell()), pubs.array(), 10],)), **options)


def body(**fields: Any) -> dict[str, Any]:
    return {"program_id": "sampler", "backend": SIMULATOR, "params": sampler(), **fields}


def exchange(http: httpx.Client, **form: str) -> httpx.Response:
    """Ask the platform channel for an access token."""
    return http.post(f"{ACCOUNT}/iam/identity/token", data=form)


def access_token(http: httpx.Client, token: str) -> str:
    """Return an access token of the platform channel."""
    grant = "urn:ibm:params:oauth:grant-type:apikey"
    answer = exchange(http, grant_type=grant, apikey=token)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def hold_to_description(http: httpx.Client) -> dict[str, Described]:
    """Check each answer that a client receives; return what checks them, by prefix of paths."""
    described = {prefix: Described(prefix, routes) for prefix, routes in ROUTES_BY_PREFIX.items()}
    http.event_hooks = {"response": [*http.event_hooks["response"], *described.values()]}
    return described


class Client:
    """A client without a library; it signs in at the older dialect, as all do on this channel.

    Each answer is held to the description of its dialect.
    """

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.other_dialect = ibm.Client(http, token)
        self.described = hold_to_description(http)
        self.token = self.other_dialect.token

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"X-Access-Token": self.token, **options.pop("headers", {})}
        return self.http.request(method, DIALECT + path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def submit(self, **fields: Any) -> str:
        answer = self.call("POST", "/jobs", json=body(**fields))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def ended(self, job: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(f"/jobs/{job}", params={"exclude_params": "true"})
            return found if found["state"]["status"] in FINAL else None

        return until(end, f"job {job} ends", timeout_s=60)

    def results(self, job: str) -> list[dict[str, Any]]:
        """Return what each pub gave: its fields and metadata."""
        assert self.ended(job)["status"] == "Completed"
        found = self.get(f"/jobs/{job}/results")
        assert found["__type__"] == "PrimitiveResult"
        return [each["__value__"] for each in found["__value__"]["pub_results"]]
