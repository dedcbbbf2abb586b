"""No token and no custom header in any repr, any text of an error, or any formatted traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import RequestException

from qwicket.vendors.xanadu.client import Connection, Device, Job, Settings
from support.bad_server import BadServer, Request, Step, answer, raw
from support.pairwise import pairs
from support.secrets import assert_silent, troubles
from vendors.xanadu.unit.client.making import PASS, TOKEN, connecting

CUSTOM = "ThisHeaderMustNeverBeSeenEither6789"


def sent(request: Request) -> str:
    return f"{request.headers.get('authorization')} {request.headers.get('x-lab')} {request.body!r}"


TROUBLES: dict[str, Step] = {
    **troubles(sent, {}, PASS),
    "no HTTP": raw(f"{TOKEN} {PASS} {CUSTOM}\r\n\r\n".encode()),
    "repeats it in an error": answer(400, lambda request: {"detail": sent(request)}),
    "repeats it in meta": answer(
        400, lambda request: {"code": "validation-error", "meta": {"x": [sent(request)]}}
    ),
    "repeats it in a grant": answer(401, lambda request: {"error_description": sent(request)}),
    "repeats it as a reason": raw(
        f"HTTP/1.1 500 {TOKEN} {PASS} {CUSTOM}\r\nContent-Length: 0\r\n\r\n".encode()
    ),
    "repeats it as a header": raw(f"HTTP/1.1 200 OK\r\n{TOKEN} {PASS}\r\n\r\n".encode()),
    "repeats it as JSON of the wrong kind": answer(200, lambda request: {"id": [sent(request)]}),
    "redirects with it": answer(302, b"", {"Location": f"http://{PASS}.invalid/?t={TOKEN}"}),
}
CALLS: dict[str, Callable[[Connection], Any]] = {
    "devices": lambda made: Device.list(made),
    "renew": lambda made: made.update_access_token(),
    "submit": lambda made: Job.submit(made, None, "x", "y"),
    "result": lambda made: Job("7", made).result,
}


@pytest.mark.parametrize(("call", "trouble"), pairs(CALLS, TROUBLES))
def test_no_error_holds_a_secret(trouble: str, call: str) -> None:
    options = {"headers": {"X-Lab": CUSTOM}, "timeout_s": 0.2}
    with BadServer(TROUBLES[trouble]) as server, connecting(server.url, **options) as made:
        with pytest.raises(RequestException) as caught:
            CALLS[call](made)
        assert_silent(caught.value, (TOKEN, PASS, CUSTOM))


@pytest.mark.parametrize("bad", [f"{PASS}\nX: y", f"{PASS}ü\u2603", f" {PASS}\0", f"{PASS}\r"])
def test_no_error_about_a_token_holds_the_token(bad: str) -> None:
    made = Connection(TOKEN, bad, host="127.0.0.1", port=1, tls=False)
    with pytest.raises(RequestException) as caught:
        made.ping()
    assert_silent(caught.value, (TOKEN, PASS, CUSTOM))


def test_no_repr_shows_a_secret() -> None:
    made = Connection(TOKEN, PASS, headers={"X-Lab": CUSTOM})
    things = [made, made.ping, Job("7", made), Device("x", made), Settings(TOKEN, PASS)]
    text = "".join(f"{thing!r} {thing!s}" for thing in things)
    for secret in (TOKEN, PASS, CUSTOM):
        assert secret not in text
    assert repr(made).startswith("<Connection: refresh_token=..., access_token=..., url=https://")
    assert "access_token=None" in repr(Connection(TOKEN))
