from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from requests.exceptions import HTTPError, RequestException

from qwicket.vendors.xanadu.client import Connection, Settings
from support.bad_server import BadServer, Step, answer, drop, raw, silent
from vendors.xanadu.unit.client.making import PASS, TOKEN, connecting

OK = answer(200, {"status": "ok"})
UNAUTHORIZED = answer(401, {"detail": "no"})
GIVEN = answer(200, {"access_token": "fresh.pass"})


def test_one_token_is_enough_and_none_is_too_few() -> None:
    Connection("")
    Connection(access_token="")
    with pytest.raises(ValueError, match="refresh token or an access token"):
        Connection()
    with pytest.raises(ValueError, match="refresh token or an access token"):
        Connection(host="127.0.0.1", port=1, tls=False, headers={"Authorization": "x"})


def test_properties_say_what_was_given_or_is_usual() -> None:
    made = Connection("a", "b")
    assert (made.refresh_token, made.access_token) == ("a", "b")
    assert (made.scheme, made.host, made.port) == ("https", "platform.strawberryfields.ai", 443)
    assert (made.tls, made.api_version) == (True, "0.4.0")
    assert made.headers == {
        "Accept-Version": "0.4.0",
        "Authorization": "Bearer b",
        "User-Agent": made.user_agent,
    }
    assert made.user_agent.endswith(" (API)")
    assert Connection("a").headers["Authorization"] == "Bearer None"


def test_given_headers_win() -> None:
    given = {"Accept-Version": "0.1.0", "User-Agent": "me", "Authorization": "x", "X-Lab": "y"}
    made = Connection("a", tls=False, headers=given)
    assert (made.api_version, made.user_agent, made.scheme) == ("0.1.0", "me", "http")
    assert made.headers == given


@pytest.mark.parametrize(
    ("path", "end"), [("", "/"), ("/", "/"), ("x", "/x"), ("//x/y", "/x/y"), ("/x/", "/x/")]
)
def test_an_address_always_has_its_port_and_one_slash(path: str, end: str) -> None:
    assert Connection("a", host="h", port=80, tls=False).url(path) == f"http://h:80{end}"
    assert Connection("a", host="h").url(path) == f"https://h:443{end}"
    assert Connection("a", host="::1").url(path) == f"https://[::1]:443{end}"


def test_a_ping_returns_the_response() -> None:
    with BadServer(OK) as server, connecting(server.url) as made:
        response = made.ping()
        assert isinstance(response, requests.Response)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/healthz")
    assert request.headers["authorization"] == f"Bearer {PASS}"
    assert request.headers["accept-version"] == "0.4.0"
    assert request.headers["user-agent"] == made.user_agent


def test_a_refused_pass_is_renewed_and_the_same_request_sent_again() -> None:
    with BadServer(UNAUTHORIZED, GIVEN, OK) as server, connecting(server.url) as made:
        made.request("POST", "/jobs", json={"a": 1}, headers={"X-Lab": "7"}, params={"n": 2})
        assert made.access_token == "fresh.pass"
        first, grant, second = server.requests
    assert (first.method, first.path) == (second.method, second.path) == ("POST", "/jobs?n=2")
    assert first.json == second.json == {"a": 1}
    assert first.headers["x-lab"] == second.headers["x-lab"] == "7"
    assert first.headers["authorization"] == f"Bearer {PASS}"
    assert second.headers["authorization"] == "Bearer fresh.pass"
    assert (grant.method, grant.path) == (
        "POST",
        "/auth/realms/platform/protocol/openid-connect/token",
    )
    assert "authorization" not in grant.headers
    assert grant.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(grant.body.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": [TOKEN],
        "client_id": ["public"],
    }


def test_a_second_refusal_is_final() -> None:
    with BadServer(UNAUTHORIZED, GIVEN, UNAUTHORIZED) as server, connecting(server.url) as made:
        with pytest.raises(HTTPError, match=r"^no$") as caught:
            made.ping()
        assert caught.value.response is not None
        assert caught.value.response.status_code == 401
        assert len(server.requests) == 3


def test_without_a_refresh_token_the_first_refusal_is_final() -> None:
    """To ask for an access token with nothing would only replace the reason with a worse one."""
    refused = answer(401, {"code": "unauthorized", "detail": "The access token has expired."})
    with (
        BadServer(refused) as server,
        connecting(server.url, refresh_token=None) as made,
    ):
        with pytest.raises(HTTPError, match=r"^The access token has expired\.$"):
            made.ping()
        with pytest.raises(RequestException, match="needs a refresh token"):
            made.update_access_token()
        assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{"])
def test_a_renewal_that_is_no_json_is_a_value_error_as_well(body: bytes) -> None:
    """xcc raises ValueError, and documents RequestException: this is both."""
    with BadServer(answer(200, body)) as server, connecting(server.url) as made:
        with pytest.raises(ValueError, match="did not return a JSON object") as caught:
            made.update_access_token()
        assert isinstance(caught.value, RequestException)
        assert made.access_token == PASS


META = {"target": ["no such device", "too long"], "circuit": {"0": ["line 1"], "1": ["line 2"]}}
ERRORS: list[tuple[int, Any, str]] = [
    (
        400,
        {"code": "validation-error", "meta": META, "detail": "x"},
        "no such device; too long; line 1; line 2",
    ),
    (400, {"code": "validation-error", "meta": {}, "detail": "wrong"}, "wrong"),
    (400, {"code": "validation-error", "meta": [], "detail": 5}, "400 Client Error"),
    (404, {"detail": "Job not found"}, "Job not found"),
    (404, {"code": "validation-error", "meta": META}, "404 Client Error"),
    (404, {"detail": ["x"]}, "404 Client Error"),
    (500, [], "500 Server Error"),
    (502, b"<html>", "502 Server Error"),
    (503, b"[" * 100_000, "503 Server Error"),
    (400, None, "400 Client Error"),
    (302, {}, "redirects elsewhere"),
]


@pytest.mark.parametrize(("status", "body", "text"), ERRORS)
def test_a_refusal_says_what_the_server_said(status: int, body: Any, text: str) -> None:
    headers = {"Location": "http://127.0.0.1:1/"}
    with BadServer(answer(status, body, headers)) as server, connecting(server.url) as made:
        with pytest.raises(HTTPError) as caught:
            made.request("GET", "/jobs")
        assert str(caught.value).startswith(text) or text in str(caught.value)
        assert caught.value.response is not None
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [300, 302, 304])
def test_a_redirect_to_nowhere_is_an_error(status: int) -> None:
    with (
        BadServer(answer(status, b"")) as server,
        connecting(server.url) as made,
        pytest.raises(HTTPError, match="redirects elsewhere"),
    ):
        made.request("PATCH", "/jobs/1", json={"status": "cancelled"})


def test_a_streamed_refusal_is_not_read() -> None:
    with (
        BadServer(answer(404, {"detail": "Job not found"})) as server,
        connecting(server.url) as made,
        pytest.raises(HTTPError, match="404 Client Error"),
    ):
        made.request("GET", "/jobs/1/result", stream=True)


def test_silence_ends_with_the_timeout() -> None:
    with BadServer(silent()) as server, connecting(server.url) as made:
        with pytest.raises(RequestException) as caught:
            made.request("GET", "/jobs", timeout=0.1)
        assert str(caught.value) == f"GET request to '{server.url}/jobs' timed out"


def test_an_unknown_host_name_is_reported() -> None:
    made = Connection(TOKEN, host="nobody.invalid", port=80, tls=False)
    with pytest.raises(RequestException, match=r"^Failed to resolve hostname 'nobody\.invalid'$"):
        made.ping()


@pytest.mark.parametrize("trouble", [drop(), raw(b"nonsense\r\n\r\n")])
def test_no_answer_is_an_error_of_requests(trouble: Step) -> None:
    with (
        BadServer(trouble) as server,
        connecting(server.url) as made,
        pytest.raises(requests.exceptions.ConnectionError),
    ):
        made.ping()


GRANTS: list[tuple[int, Any, type[Exception], str]] = [
    (400, {"error": "invalid_grant"}, HTTPError, "API key.* is invalid"),
    (400, {"error": "invalid_request"}, HTTPError, "400 Client Error"),
    (429, {"detail": "slowly"}, HTTPError, "slowly"),
    (500, b"<html>", HTTPError, "500 Server Error"),
    (200, b"<html>", RequestException, "JSON object"),
    (200, [], RequestException, "JSON object"),
    (200, {}, RequestException, "has no access_token"),
    (200, {"access_token": 5}, RequestException, "has no access_token"),
    (307, {}, HTTPError, "redirects elsewhere"),
    (308, {}, HTTPError, "redirects elsewhere"),
]


@pytest.mark.parametrize(("status", "body", "kind", "text"), GRANTS)
def test_a_renewal_that_fails_says_why_and_changes_nothing(
    status: int, body: Any, kind: type[Exception], text: str
) -> None:
    with BadServer(OK) as elsewhere:
        headers = {"Location": f"{elsewhere.url}/token"}
        with BadServer(answer(status, body, headers)) as server, connecting(server.url) as made:
            with pytest.raises(kind, match=text):
                made.update_access_token()
            assert made.access_token == PASS
        assert elsewhere.requests == []  # the key goes nowhere else


def test_redirects_are_followed_where_that_is_asked_for() -> None:
    with BadServer(OK) as elsewhere:
        moved = answer(302, b"", {"Location": f"{elsewhere.url}/healthz"})
        with BadServer(moved) as server, connecting(server.url) as made:
            assert made.request("GET", "/x", allow_redirects=True).status_code == 200
        assert "authorization" not in elsewhere.requests[0].headers


def test_a_redirect_gets_no_credentials_of_a_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login eve password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with BadServer(OK) as elsewhere:
        moved = answer(302, b"", {"Location": f"{elsewhere.url}/healthz"})
        with BadServer(moved) as server, connecting(server.url) as made:
            made.request("GET", "/x", allow_redirects=True)
        assert "authorization" not in elsewhere.requests[0].headers


def test_a_netrc_replaces_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login eve password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with BadServer(UNAUTHORIZED, GIVEN, OK) as server, connecting(server.url) as made:
        made.ping()
        first, grant, second = (each.headers.get("authorization") for each in server.requests)
    assert (first, grant, second) == (f"Bearer {PASS}", None, "Bearer fresh.pass")


def test_cookies_are_not_kept() -> None:
    with BadServer(answer(200, {}, {"Set-Cookie": "a=b"})) as server:
        with connecting(server.url) as made:
            made.ping()
            made.ping()
        assert "cookie" not in server.requests[1].headers


def test_a_connection_is_made_from_settings() -> None:
    settings = Settings(REFRESH_TOKEN="a", HOST="h", PORT=80, TLS=False)
    made = Connection.load(settings, port=81)
    assert (made.refresh_token, made.access_token) == ("a", None)
    assert made.url() == "http://h:81/"
