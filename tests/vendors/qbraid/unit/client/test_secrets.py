"""No key and no token in any repr, any text of an error, or any formatted traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwicket.vendors.qbraid.client import ApiError, QbraidSession
from support.bad_server import BadServer, Request, Step, answer, drop, raw, reset
from support.pairwise import pairs
from support.secrets import assert_silent, chain

KEY = "ThisKeyMustNeverBeSeenInAnyText012345"
REFRESH = "ThisTokenMustNeverBeSeenEither6789"


def sent(request: Request) -> str:
    return f"{request.headers['api-key']} {request.headers['refresh-token']}"


TROUBLES: dict[str, Step] = {
    "dropped": drop(),
    "reset": reset(),
    "no HTTP": raw(b"nonsense\r\n\r\n"),
    "repeats it in the line": raw(f"HTTP/1.1 400 {KEY}\r\nContent-Length: 0\r\n\r\n".encode()),
    "repeats it in no HTTP": raw(f"{KEY}\r\n\r\n".encode()),
    "repeats it in an error": answer(
        400, lambda request: {"error": {"message": sent(request), "code": sent(request)}}
    ),
    "repeats it as a page": answer(404, lambda request: sent(request).encode()),
    "repeats it as JSON": answer(200, lambda request: [sent(request)]),
    "repeats it as no JSON": answer(200, lambda request: sent(request).encode()),
    "redirects with it": answer(302, b"", {"Location": f"gopher://{KEY}.invalid/?t={KEY}"}),
    "redirects for ever": answer(302, b"", {"Location": f"/?t={KEY}"}),
}
CALLS: dict[str, Callable[[QbraidSession], Any]] = {
    "devices": lambda session: session.devices(),
    "submit": lambda session: session.submit("qbraid_statevector", "OPENQASM 3.0;"),
    "result": lambda session: session.result("x", timeout=0),
    "save": lambda session: session.save_config(),
}


@pytest.mark.parametrize(("call", "trouble"), pairs(CALLS, TROUBLES))
def test_no_secret_is_in_what_an_error_says(trouble: str, call: str) -> None:
    with BadServer(TROUBLES[trouble]) as server:
        session = QbraidSession(
            api_key=KEY, refresh_token=REFRESH, base_url=server.url, retries_total=0
        )
        with pytest.raises(ApiError) as caught:
            CALLS[call](session)
    assert_silent(caught.value, (KEY, REFRESH))
    for error in chain(caught.value):
        carried = str(getattr(getattr(error, "request", None), "headers", ""))
        assert KEY not in carried
        assert REFRESH not in carried


def test_no_secret_is_in_the_repr_of_a_session() -> None:
    session = QbraidSession("ada@example.org", KEY, REFRESH, base_url="http://a.example/api")
    assert repr(session) == "<QbraidSession for http://a.example as ada@example.org>"
