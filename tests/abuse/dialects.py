"""What hostile tests need of each dialect: its routes, its sign-in, the shape of its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html import unescape
from typing import Any, Final, NamedTuple, cast
from xml.etree import ElementTree

import httpx
import msgspec

from qwicket.dialects import descriptions, mounts
from qwicket.dialects import native as native_dialect
from qwicket.dialects.routing import ANY_TOKEN, Access, Open
from qwicket.model.accounts import Scope
from qwicket.registrations import of_features
from qwicket.schema.jobs import SubmitBody
from qwicket.server.docs import File, files
from qwicket.vendors.ionq.dialect import wire as ionq
from qwicket.vendors.qbraid.dialect import submissions as qbraid
from support.programs import BELL

LEAK = re.compile(
    r'Traceback|File "|\.py[cix]?\b|site-packages|/qwicket/|sqlite|0x7f[0-9a-f]{8}|<html'
)
"""What shows the server's inside. A file's name ends there and an address in memory is long: random
ids and signatures have .py and 0x7f in them now and then."""


def problem_json(response: httpx.Response) -> str:
    """Check an RFC 9457 body; return what it says."""
    body = _body(response, "application/problem+json")
    assert body.keys() - {"field"} == {"type", "title", "status", "code", "detail", "remedy"}
    assert body["status"] == response.status_code
    return str(body["detail"])


def ionq_json(response: httpx.Response) -> str:
    """Check a body of IonQ's shape (its API reference); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() == {"statusCode", "error", "message"}
    assert body["statusCode"] == response.status_code
    assert isinstance(body["error"], str)
    return str(body["message"])


def qlued_json(response: httpx.Response) -> str:
    """Check a StatusMsg, or what stands for a missing field; return what it says."""
    body = _body(response, "application/json")
    if response.status_code == 422:
        (entry,) = body["detail"]
        assert entry.keys() == {"type", "loc", "msg"}
        return f"{'.'.join(entry['loc'])}: {entry['msg']}"
    assert list(body) == ["job_id", "status", "detail", "error_message"]
    assert all(isinstance(value, str) for value in body.values())
    assert body["status"] in ("ERROR", "error")
    assert body["error_message"] not in ("", "None")
    return str(body["detail"])


def ibm_json(response: httpx.Response) -> str:
    """Check a body of IBM's shape (as its clients read it); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() == {"error"}
    error = body["error"]
    assert error.keys() == {"status", "message", "code", "name"}
    assert error["status"] == response.status_code
    assert isinstance(error["code"], int)
    assert isinstance(error["name"], str)
    return str(error["message"])


def platform_json(response: httpx.Response) -> str:
    """Check a body of IBM's later shape (as its client reads it); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() - {"errorCode", "errorMessage"} == {"errors", "error"}
    error = body["error"]
    assert body["errors"] == [error]
    assert error.keys() == {"code", "message"}
    assert isinstance(error["code"], int)
    return str(error["message"])


def xanadu_json(response: httpx.Response) -> str:
    """Check a body of Xanadu's shape (as its client reads it); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() == {"status", "status_code", "code", "detail", "meta"}
    assert body["status"] == body["status_code"] == response.status_code
    assert isinstance(body["code"], str)
    return str(body["detail"])


def iqm_json(response: httpx.Response) -> str:
    """Check a body of IQM's shape (as its client reads it); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() == {"message", "error_code", "source"}
    assert isinstance(body["error_code"], str)
    assert body["source"] == "qwicket"
    return str(body["message"])


def qbraid_json(response: httpx.Response) -> str:
    """Check a body that qBraid's clients of all generations read; return what it says."""
    body = _body(response, "application/json")
    assert body.keys() == {"success", "message", "error"}
    assert body["success"] is False
    assert body["error"].keys() - {"field"} == {"message", "code"}
    assert body["message"] == body["error"]["message"]
    return str(body["message"])


def braket_json(response: httpx.Response) -> str:
    """Check a body of Braket's shape (as botocore reads it); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() - {"reason"} == {"__type", "message"}
    assert body["__type"].endswith("Exception")
    return str(body["message"])


def s3_xml(response: httpx.Response) -> str:
    """Check a body of S3's shape (as botocore reads it); return what it says."""
    return _xml(response, "application/xml", "Error")


def sts_xml(response: httpx.Response) -> str:
    """Check a body of STS's shape (as botocore reads it); return what it says."""
    return _xml(response, "text/xml; charset=utf-8", "ErrorResponse/Error")


def _xml(response: httpx.Response, content_type: str, path: str) -> str:
    assert response.headers["content-type"] == content_type, response.text[:200]
    text = re.sub(' xmlns="[^"]*"', "", response.text)
    root = ElementTree.fromstring(text)
    error = root if path == "Error" else root.find("Error")
    assert root.tag == path.partition("/")[0]
    assert error is not None
    assert error.findtext("Code")
    return error.findtext("Message") or ""


def docs_html(response: httpx.Response) -> str:
    """Check a page for people; return its text."""
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "location" not in response.headers
    text = response.text
    assert text.startswith("<!doctype html>\n")
    assert text.endswith("</html>\n")
    return unescape(re.sub(r"<[^>]+>", "", text))


def _body(response: httpx.Response, content_type: str) -> dict[str, Any]:
    assert response.headers["content-type"] == content_type, response.text[:200]
    assert "location" not in response.headers
    body = response.json()
    assert isinstance(body, dict)
    return body


class Dialect(NamedTuple):
    """A mount where jobs are submitted.

    Attributes:
        prefix: Where it is mounted.
        scheme: The word before the token.
        said: Checks the shape of an error and returns its text.
        body: Type of a submission.
        valid: A submission that is taken.
        program: Key of the program in it.
        header: What the token is sent in.
        ids: Where the id of a job is in the answer to its submission.
    """

    prefix: str
    scheme: str
    said: Callable[[httpx.Response], str]
    body: type[msgspec.Struct]
    valid: dict[str, Any]
    program: str
    header: str = "Authorization"
    ids: tuple[str, ...] = ("id",)

    def __repr__(self) -> str:
        return self.prefix

    @property
    def jobs(self) -> str:
        return f"{self.prefix}/{'quantum-jobs' if self.prefix == '/qbraid/api' else 'jobs'}"

    def auth(self, token: str) -> dict[str, str]:
        return {self.header: f"{self.scheme} {token}".strip()}

    def job(self, submitted: httpx.Response) -> str:
        """Return the id of a job that was submitted."""
        found = submitted.json()
        for key in self.ids:
            found = found[key]
        return str(found)

    def text(self, **changes: Any) -> bytes:
        """Return a submission with some fields changed; bytes go in as they are."""
        fields = {**self.valid, **changes}
        pairs = (
            json.dumps(key).encode()
            + b":"
            + (v if isinstance(v, bytes) else json.dumps(v).encode())
            for key, v in fields.items()
        )
        return b"{" + b",".join(pairs) + b"}"

    def refused(self, response: httpx.Response, status: int | None = None) -> str:
        """Check that a request was refused well; return what the answer says."""
        harmless(response)
        is_refusal = response.is_client_error or response.status_code == 501
        assert response.status_code == status or (status is None and is_refusal), (
            response.status_code,
            response.text[:500],
        )
        return self.said(response)

    def names(self, response: httpx.Response, field: str) -> bool:
        """Return whether a refusal says which field is at fault."""
        said = self.refused(response)
        if self.said is problem_json and response.json().get("field", "").startswith(field):
            return True
        return field in said


def harmless(response: httpx.Response) -> None:
    """Check that an answer is no failure and shows nothing of the server's inside."""
    is_failure = response.status_code >= 500 and response.status_code != 501  # not offered
    assert not is_failure, (response.status_code, response.text[:500])
    text = re.sub(r"arn:aws:braket:[^\"\\]*", "", response.text)  # they name us as the provider
    sent = _sent(response)
    leaks = [each[0] for each in LEAK.finditer(text) if each[0] not in sent]
    assert not leaks, (leaks, text[:1000])


def _sent(response: httpx.Response) -> str:
    """Return the body that was sent, which answers may quote; Hypothesis makes names of our words.

    It is empty for a response without a request, and for a streamed body.
    """
    try:
        return response.request.content.decode(errors="replace")
    except RuntimeError:
        return ""


_NATIVE: dict[str, Any] = {"device": "simulator", "program": BELL, "shots": 10}
_IONQ: dict[str, Any] = {"type": "ionq.circuit.v1", "backend": "simulator", "input": BELL}

NATIVE = Dialect("/v1", "Bearer", problem_json, SubmitBody, _NATIVE, "program")
IONQ = Dialect("/ionq/v0.4", "apiKey", ionq_json, ionq.V04Body, _IONQ, "input")
_PROGRAM = {"format": "ionq.circuit.v0", "data": BELL}
_QBRAID: dict[str, Any] = {"deviceQrn": "qbraid:qbraid:sim:statevector", "program": _PROGRAM}
QBRAID = Dialect(
    *("/qbraid/api/v1", "", qbraid_json, qbraid.V1Body, _QBRAID, "program"),
    header="X-API-Key",
    ids=("data", "jobVrn"),
)
FORMER_QBRAID = QBRAID._replace(
    prefix="/qbraid/api",
    body=qbraid.V0Body,
    valid={"qbraidDeviceId": "qbraid_statevector", "ionqCircuit": BELL},
    program="ionqCircuit",
    header="api-key",
    ids=("vendorJobId",),
)
IONQ_AT_ROOT = IONQ._replace(prefix="/v0.4")
DIALECTS = (NATIVE, IONQ, IONQ_AT_ROOT, QBRAID, FORMER_QBRAID)
ADMIN = NATIVE._replace(prefix="/v1/admin")
"""No jobs are submitted there."""


_OF_LEADS: Final = {
    "/bulk/jobs": b'{"action": "hold", "project": "nobody"}',
    "/invitations": b'{"project": "nobody"}',
    "/budgets": b'{"project": "nobody", "unit": "jobs", "maximum": 1}',
}
"""Bodies of routes of administrators and leads, which are read before who is a lead."""


class Way(NamedTuple):
    """A method of a route of a dialect."""

    dialect: Dialect
    method: str
    path: str

    def __repr__(self) -> str:
        return f"{self.method} {self.dialect.prefix}{self.path}"

    @property
    def access(self) -> Access:
        return ACCESS[self.dialect.prefix, self.method, self.path]

    @property
    def is_public(self) -> bool:
        return isinstance(self.access, Open)

    @property
    def holds_credentials(self) -> bool:
        """Whether its body is the credential, which integration tests of their own send."""
        return (self.method, self.path) in {("POST", "/sign-in"), ("POST", "/accounts")}

    @property
    def is_an_agents(self) -> bool:
        """Whether a lab's token is for it, and none of an ordinary user."""
        return self.access == Scope.DEVICES_SERVE or isinstance(self.access, tuple)

    @property
    def needs_no_scope(self) -> bool:
        """Whether each token of an account may ask. A token may revoke itself, but no other."""
        return self.access == ANY_TOKEN and self.path != "/tokens/{id}"

    @property
    def is_endless(self) -> bool:
        """Whether its answer ends with the connection alone."""
        return self.dialect is NATIVE and self.path == "/events"

    def url(self, job: str) -> str:
        names = {"name": "simulator", "backend": "simulator", "agent": "0123456789abcdef"}
        names |= {"group": job, "device": "x", "rest": "", "part": "0", "token": job}
        names |= {"account": "nobody", "project": "nobody", "provider": "nobody"}
        names |= {"budget": job, "organization": "x"}
        names |= {
            "reservation": job,
            "invitation": job,
            "confirmation": job,
            "share": job,
            "session": job,
            "secret": "x",
        }
        path = self.path.replace(":path", "").format(id=job, uuid=job, **names)
        return self.dialect.prefix + path

    def send(
        self, client: httpx.Client, url: str, headers: dict[str, str] | dict[bytes, bytes]
    ) -> httpx.Response:
        body = b'{"life_s": 60}' if self.path.endswith("/shares") else self.dialect.text()
        if self.dialect is ADMIN:
            body = _OF_LEADS.get(self.path, body)
        content = {"POST": body, "PUT": body, "PATCH": b"{}"}.get(self.method)
        return client.request(self.method, url, headers=headers, content=content)


_NEVER = cast(Any, None)
MOUNTS: dict[str, Any] = mounts(_NEVER) | {
    at: app for made in of_features("mounts") for at, app in made(_NEVER).items()
}
ACCESS: dict[tuple[str, str, str], Access] = {
    (prefix, route.method, route.path): route.access
    for prefix, dialect in MOUNTS.items()
    for route in dialect.routes
}


def routes(prefix: str) -> dict[str, set[str]]:
    """Return the paths of a mount with their methods, as the dialect declares them."""
    found: dict[str, set[str]] = {}
    for route in MOUNTS[prefix].routes:
        methods = {"GET", "HEAD"} if route.method == "GET" else {route.method}
        found.setdefault(route.path, set()).update(methods)
    return found


def _ways() -> Iterator[Way]:
    for dialect in (*DIALECTS, ADMIN):
        for path, methods in routes(dialect.prefix).items():
            if "{rest" in path and path[:4] not in ("/lab", "/pro"):
                continue  # one family of what is refused stands for all
            for method in sorted(methods - {"HEAD"}):
                yield Way(dialect, method, path)


WAYS = tuple(_ways())


@cache
def docs_files() -> dict[str, File]:
    """Return the files under `/docs`, by path: for people, who need no token."""
    return files(native_dialect.description(), descriptions(MOUNTS))
