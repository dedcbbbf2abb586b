"""What hostile tests know of a door: its routes, how one signs in, the shape of its errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import httpx
import msgspec

from qwicket.dialects import mounts
from qwicket.dialects.ionq import wire as ionq
from qwicket.dialects.native import wire as native
from support.programs import BELL

LEAKS = ("Traceback", 'File "', ".py", "site-packages", "/qwicket/", "sqlite", "0x7f", "<html")


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


def xanadu_json(response: httpx.Response) -> str:
    """Check a body of Xanadu's shape (as its client reads it); return what it says."""
    body = _body(response, "application/json")
    assert body.keys() == {"status", "status_code", "code", "detail", "meta"}
    assert body["status"] == body["status_code"] == response.status_code
    assert isinstance(body["code"], str)
    return str(body["detail"])


def _body(response: httpx.Response, content_type: str) -> dict[str, Any]:
    assert response.headers["content-type"] == content_type, response.text[:200]
    assert "location" not in response.headers
    body = response.json()
    assert isinstance(body, dict)
    return body


class Door(NamedTuple):
    """A mount where jobs are submitted.

    Attributes:
        prefix: Where it is mounted.
        scheme: The word before the token.
        said: Checks the shape of an error and returns its text.
        body: Type of a submission.
        valid: A submission that is taken.
        program: Key of the program in it.
    """

    prefix: str
    scheme: str
    said: Callable[[httpx.Response], str]
    body: type[msgspec.Struct]
    valid: dict[str, Any]
    program: str

    def __repr__(self) -> str:
        return self.prefix

    @property
    def jobs(self) -> str:
        return f"{self.prefix}/jobs"

    def auth(self, token: str) -> dict[str, str]:
        return {"Authorization": f"{self.scheme} {token}"}

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
        assert response.status_code == status or (status is None and response.is_client_error), (
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
    assert response.status_code < 500, (response.status_code, response.text[:500])
    text = response.text
    for leak in LEAKS:
        assert leak not in text, text[:1000]


_NATIVE: dict[str, Any] = {"device": "simulator", "program": BELL, "shots": 10}
_IONQ: dict[str, Any] = {"type": "ionq.circuit.v1", "backend": "simulator", "input": BELL}

NATIVE = Door("/v1", "Bearer", problem_json, native.SubmitBody, _NATIVE, "program")
IONQ = Door("/ionq/v0.4", "apiKey", ionq_json, ionq.SubmitBody, _IONQ, "input")
IONQ_AT_ROOT = IONQ._replace(prefix="/v0.4")
DOORS = (NATIVE, IONQ, IONQ_AT_ROOT)


class Way(NamedTuple):
    """A method of a route of a door."""

    door: Door
    method: str
    path: str

    def __repr__(self) -> str:
        return f"{self.method} {self.door.prefix}{self.path}"

    @property
    def is_public(self) -> bool:
        is_of_backends = self.door is not NATIVE and self.path.startswith("/backends")
        return is_of_backends and "{uuid}" not in self.path

    def url(self, job: str) -> str:
        path = self.path.format(id=job, uuid=job, name="simulator", backend="simulator")
        return self.door.prefix + path

    def send(self, client: httpx.Client, url: str, headers: dict[str, str]) -> httpx.Response:
        content = self.door.text() if self.method == "POST" else None
        return client.request(self.method, url, headers=headers, content=content)


def routes(prefix: str) -> dict[str, set[str]]:
    """Return the paths of a mount with their methods, read off the door itself."""
    door = cast(Any, mounts(cast(Any, None))[prefix])
    return {
        route.path: set(getattr(route.endpoint, "_methods", ())) for route in door._router.routes
    }


def _ways() -> Iterator[Way]:
    for door in DOORS:
        for path, methods in routes(door.prefix).items():
            for method in sorted(methods - {"HEAD"}):
                yield Way(door, method, path)


WAYS = tuple(_ways())
