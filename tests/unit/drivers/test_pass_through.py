"""What the response to a submission that passes through says of the job."""

from __future__ import annotations

from typing import Any, cast

import pytest

from qwicket.devices.remotes import Remote
from qwicket.drivers.remote.clouds import (
    Cloud,
    Forbidden,
    KeyRefused,
    OutcomeUnknown,
    Refused,
    RemoteProgram,
    TryLater,
)
from qwicket.drivers.remote.pass_through import PassThroughCloud, Sender
from qwicket.model.pass_through import HTTP_REQUEST, VendorRequest, VendorResponse, to_program
from support.bad_server import BadServer, Step, answer, cut, reset

pytestmark = pytest.mark.needs_vendors


GOOD = {"id": "theirs"}


def submit(step: Step, responses: dict[str, VendorResponse]) -> tuple[str, BadServer]:
    with BadServer(step) as server:
        remote = Remote(kind="ionq", url=f"{server.url}/v0.4", device="d", key_env="K", timeout_s=2)
        sender = Sender(remote, "the-secret-key")
        cloud = PassThroughCloud(cast("Cloud", None), sender, "d", responses)
        request = VendorRequest(method="POST", path="/v0.4/jobs?a=1", body=b'{"x": 1}')
        source = to_program(request, "id")
        program = RemoteProgram(HTTP_REQUEST, source, {}, b"", "qubit", (), cast("Any", None))
        try:
            return cloud.submit(program, "mark", lambda: None), server
        finally:
            sender.close()


def test_a_response_with_an_id_is_for_the_client() -> None:
    responses: dict[str, VendorResponse] = {}
    id, server = submit(answer(201, GOOD), responses)
    assert id == "theirs"
    assert (responses["mark"].status, responses["mark"].body) == (201, b'{"id": "theirs"}')
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/v0.4/jobs?a=1", b'{"x": 1}')
    assert request.headers["authorization"] == "apiKey the-secret-key"


NO_IDS: list[Any] = [{}, [], {"id": 1}, {"id": ""}]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (answer(429, b"later"), TryLater),
        *((answer(status, b"no"), Refused) for status in (400, 402, 404, 422)),
        *((answer(status, b"?"), OutcomeUnknown) for status in (408, 409, 425, 500, 502, 503)),
        *((answer(200, body), OutcomeUnknown) for body in NO_IDS),
        (answer(302, GOOD), OutcomeUnknown),
        (answer(200, b"<html>"), OutcomeUnknown),
        (answer(401, b"who"), KeyRefused),
        (answer(403, b"not you"), Forbidden),
        (cut(30, GOOD), OutcomeUnknown),
        (reset(), OutcomeUnknown),
    ],
)
def test_only_what_certainly_was_not_taken_may_be_sent_again(
    step: Step, error: type[Exception]
) -> None:
    responses: dict[str, VendorResponse] = {}
    with pytest.raises(error) as raised:
        submit(step, responses)
    assert type(raised.value) is error
    assert not responses
    if isinstance(raised.value, Refused):
        assert raised.value.response is not None
