"""No token in any repr, any text of an error, or any formatted traceback, though it is in URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.qlued.client import QluedClient, QluedError
from support.bad_server import BadServer, Request, Step, answer
from support.pairwise import pairs
from support.secrets import assert_silent, troubles

TOKEN = "This token/must+never be=seen%in any&text?at#all"
FORMS = (TOKEN, quote(TOKEN, safe=""), quote_plus(TOKEN))
STATUS = {"job_id": "7", "status": "QUEUED", "detail": "", "error_message": "None"}
QUICK = RetryPolicy(max_attempts=2, total_s=1.0, first_pause_s=0.01, max_pause_s=0.02)


def sent(request: Request) -> str:
    """Return what came, in every form."""
    return f"{request.path} {request.body.decode()} {TOKEN}"


def failed(request: Request) -> dict[str, Any]:
    return {"job_id": None, "status": "ERROR", "error_message": sent(request), "detail": ""}


TROUBLES: dict[str, Step] = {
    **troubles(sent, STATUS, "elsewhere"),
    "repeats it in an error": answer(401, failed),
    "repeats it in a job's error": answer(406, failed),
    "repeats it with 200": answer(200, failed),
    "repeats it in a detail": answer(422, lambda request: {"detail": [{"msg": sent(request)}]}),
    "repeats it as a header": answer(500, {}, lambda request: {"X-Echo": quote(sent(request))}),
    "redirects with it": answer(302, b"", {"Location": f"http://x.invalid/?t={quote(TOKEN)}"}),
    "asks to retry after it": answer(503, b"", lambda request: {"Retry-After": request.path}),
}
CALLS: dict[str, Callable[[QluedClient], Any]] = {
    "post": lambda made: made.post("rydberg", {}),
    "result": lambda made: made.result("rydberg", "7"),
    "wait": lambda made: made.wait("rydberg", "7", timeout=0.1),
}


def client(url: str, token: str = TOKEN) -> QluedClient:
    made = QluedClient(f"{url}/api/v2", token)
    made.retry_policy, made.timeout_s = QUICK, 0.2
    return made


@pytest.mark.parametrize(("call", "trouble"), pairs(CALLS, TROUBLES))
def test_no_error_holds_a_token(trouble: str, call: str) -> None:
    with BadServer(TROUBLES[trouble]) as server, client(server.url) as made:
        with pytest.raises(QluedError) as caught:
            CALLS[call](made)
        assert_silent(caught.value, FORMS)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_no_error_without_a_connection_holds_a_token(call: Callable[[QluedClient], Any]) -> None:
    with pytest.raises(QluedError) as caught:
        call(client("http://127.0.0.1:1"))
    assert_silent(caught.value, FORMS)


def test_no_repr_shows_a_token() -> None:
    with BadServer(answer(200, STATUS)) as server, client(server.url) as made:
        things = [made, made._http, made.post, made.wait, made.status("rydberg", "7")]
        text = "".join(f"{thing!r} {thing!s}" for thing in things)
    assert TOKEN not in text
