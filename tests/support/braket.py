"""Amazon Braket's API over plain HTTP: requests signed by Signature Version 4, and programs.

Each answer to a signed request is held to the dialect's description.

The signature follows AWS's description of it ("Create a signed AWS API request", Amazon IAM's user
guide), and not our own code.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx

from qwicket.vendors.braket.dialect.routes import BRAKET, S3
from support.described import Described

DIALECT = "/braket"
SERVICES = {"/braket": "braket", "/s3": "s3", "/sts": "sts"}
SV1 = "arn:aws:braket:::device/quantum-simulator/qwicket/sv1"
RYDBERG = "arn:aws:braket:us-east-1::device/qpu/qwicket/rydberg"
BUCKET = "amazon-braket-test"
PREFIX = "tasks"
DESCRIBED: Final = {"braket": Described("/braket", BRAKET), "s3": Described("/s3", S3)}
"""Hold answers to the description, by service."""


def action(source: str, name: str = "braket.ir.openqasm.program") -> str:
    header = {"name": name, "version": "1"}
    return json.dumps({"braketSchemaHeader": header, "source": source, "inputs": {}})


def analog_action(**changes: Any) -> str:
    """Return a program of two atoms, with these parts changed."""

    def constant(value: str) -> dict[str, Any]:
        series = {"times": ["0", "1e-7"], "values": [value, value]}
        return {"time_series": series, "pattern": "uniform"}

    fields = {"amplitude": constant("1e7"), "phase": constant("0"), "detuning": constant("0")}
    program = {
        "braketSchemaHeader": {"name": "braket.ir.ahs.program", "version": "1"},
        "setup": {"ahs_register": {"sites": [["0", "0"], ["5e-6", "0"]], "filling": [1, 1]}},
        "hamiltonian": {"drivingFields": [fields], "localDetuning": []},
        **changes,
    }
    return json.dumps(program)


BELL = "OPENQASM 3.0;\nqubit[2] q;\nh q[0];\ncnot q[0], q[1];"


def body(**changes: Any) -> dict[str, Any]:
    return {
        "deviceArn": SV1,
        "action": action(BELL),
        "shots": 10,
        "outputS3Bucket": BUCKET,
        "outputS3KeyPrefix": PREFIX,
        "clientToken": hashlib.sha256(str(datetime.now(UTC)).encode()).hexdigest(),
        **changes,
    }


class Signature(httpx.Auth):
    """Signs requests with a key pair.

    Args:
        pair: Key id and secret, as `qwicket token create --aws` prints them.
        service: In the scope of the signature.
        region: In the scope.
        age_s: Seconds since it was made; negative for one that is ahead.
    """

    requires_request_body = True
    requires_response_body = True

    def __init__(
        self, pair: str, service: str, region: str = "us-east-1", *, age_s: int = 0
    ) -> None:
        self._key_id, self._secret = pair.split()
        self._service = service
        self._region = region
        self._age = timedelta(seconds=age_s)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        now = (datetime.now(UTC) - self._age).strftime("%Y%m%dT%H%M%SZ")
        body_hash = hashlib.sha256(request.content).hexdigest()
        signed = {"host": request.headers["host"], "x-amz-date": now}
        if self._service == "s3":
            signed["x-amz-content-sha256"] = body_hash
        raw, _, query = request.url.raw_path.decode().partition("?")
        path = raw if self._service == "s3" else quote(raw, safe="/~")
        pairs = "&".join(sorted(each if "=" in each else f"{each}=" for each in query.split("&")))
        names = ";".join(sorted(signed))
        lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
        canonical = "\n".join(
            [request.method, path, pairs if query else "", *lines, "", names, body_hash]
        )
        scope = f"{now[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
        value = hmac.digest(key, text.encode(), "sha256").hex()
        request.headers.update({name: text for name, text in signed.items() if name != "host"})
        request.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key_id}/{scope}, SignedHeaders={names},"
            f" Signature={value}"
        )
        response: httpx.Response | None = yield request
        if response is None:  # a test that wants the signature alone
            return
        is_json = response.headers.get("content-type") == "application/json"  # lists are XML
        is_part = response.status_code == 206
        if self._service in DESCRIBED and is_json and not is_part:
            DESCRIBED[self._service](response)


def account_number(http: httpx.Client, pair: str) -> str:
    """Return the twelve digits of an account."""
    form = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
    answer = http.post("/sts/", data=form, auth=Signature(pair, "sts"))
    found = re.search("<Account>([0-9]{12})</Account>", answer.text)
    assert found, answer.text
    return found[1]


def task_arn(account: str, job: str) -> str:
    return f"arn:aws:braket:us-east-1:{account}:quantum-task/{job}"
