"""What Runtime's platform channel promises beside its document: sign-in, instances, errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import jwt
import pytest

from abuse.dialects import platform_json
from qwicket.model.limits import Limits
from qwicket.vendors.ibm.dialect.runtime.platform.routes import ACCOUNT_ROUTES
from qwicket.vendors.ibm.dialect.runtime.platform.routes import ROUTES as PLATFORM_ROUTES
from support.described import described_by
from support.ibm import SIMULATOR, TWIN
from support.runtime import (
    ACCOUNT,
    PLATFORM,
    Client,
    access_token,
    body,
    exchange,
    hold_to_description,
)
from support.server import LiveServer
from support.waiting import until

KEY = "urn:ibm:params:oauth:grant-type:apikey"
QUERY = {"query": "service_name:quantum-computing", "fields": ["crn", "doc"]}


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        hold_to_description(client)
        yield client


@pytest.fixture(scope="module")
def token(server: LiveServer) -> str:
    return server.token("platform")


@pytest.fixture(scope="module")
def headers(http: httpx.Client, token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token(http, token)}"}


def own_crn(http: httpx.Client, headers: dict[str, str]) -> str:
    found = http.post(f"{ACCOUNT}/search/v3/resources/search", json=QUERY, headers=headers).json()
    return str(found["items"][0]["crn"])


def test_the_answer_of_every_route_is_as_described(server: LiveServer) -> None:
    """The answers in the other tests are held to the description, too."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        described = hold_to_description(http)
        http.headers["Authorization"] = f"Bearer {access_token(http, server.token('described'))}"
        for path in ("/iam/identity/keys", "/catalog/qwicket-open"):
            http.get(ACCOUNT + path)
        own_crn(http, {})
        for device in (SIMULATOR, TWIN):
            for path in ("configuration", "properties", "defaults", "status"):
                http.get(f"{PLATFORM}/backends/{device}/{path}")
        session = http.post(f"{PLATFORM}/sessions", json={"backend": SIMULATOR}).json()["id"]
        sent = body(session_id=session, cost=600, tags=["a"])
        job = http.post(f"{PLATFORM}/jobs", json=sent).json()["id"]
        for path in (f"/jobs/{job}", f"/jobs/{job}/metrics", f"/sessions/{session}"):
            http.get(PLATFORM + path)
        for path in ("/backends", "/jobs", "/instances/usage"):
            http.get(PLATFORM + path)
        assert described[ACCOUNT].checked == described_by(ACCOUNT_ROUTES)
        assert described[PLATFORM].checked == described_by(PLATFORM_ROUTES)


# --- sign-in --------------------------------------------------------------------------------------


def test_an_access_token_says_how_long_it_lives(http: httpx.Client, token: str) -> None:
    answer = exchange(http, grant_type=KEY, apikey=token)
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    claims = jwt.decode(found["access_token"], options={"verify_signature": False})
    assert found["expires_in"] == 300
    assert 300 <= claims["exp"] - claims["iat"] <= 301  # the end is rounded up
    assert abs(found["expiration"] - claims["exp"]) <= 1
    assert (found["token_type"], found["scope"]) == ("Bearer", "ibm openid")


@pytest.mark.parametrize("key", ["", "wrong", "qw_" + "x" * 43, "é\0"])
def test_a_wrong_key_gets_the_code_that_clients_know(http: httpx.Client, key: str) -> None:
    answer = exchange(http, grant_type=KEY, apikey=key)
    assert answer.status_code == 400
    said = platform_json(answer)
    assert answer.json()["errorCode"] == "BXNIM0415E"
    assert answer.json()["errorMessage"] == said


@pytest.mark.parametrize("grant", ["", "password", "q" * 10_000])
def test_an_unknown_grant_is_refused_with_those_there_are(http: httpx.Client, grant: str) -> None:
    answer = exchange(http, grant_type=grant)
    assert answer.status_code == 400
    assert f"grant_type must be {KEY} or refresh_token" in platform_json(answer)
    assert "errorCode" not in answer.json()


def test_a_form_that_is_far_larger_than_a_token_is_refused(http: httpx.Client) -> None:
    answer = exchange(http, grant_type=KEY, apikey="k" * Limits().requests.document_bytes)
    assert answer.status_code == 400
    assert "document_bytes" in platform_json(answer)


def test_a_refresh_token_gives_an_access_token_and_is_none(http: httpx.Client, token: str) -> None:
    first = exchange(http, grant_type=KEY, apikey=token).json()
    again = exchange(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again.status_code == 200
    for text, status in ((again.json()["access_token"], 200), (first["refresh_token"], 401)):
        answer = http.get(f"{PLATFORM}/jobs", headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == status, answer.text
    crossed = exchange(http, grant_type="refresh_token", refresh_token=first["access_token"])
    assert crossed.json()["errorCode"] == "BXNIM0415E"


def test_a_revoked_token_ends_its_access_and_refresh_tokens(
    server: LiveServer, http: httpx.Client
) -> None:
    token = server.token("platform-revoked")
    found = exchange(http, grant_type=KEY, apikey=token).json()
    listed = server.admin("token", "list", "--user", "platform-revoked")
    server.admin("token", "revoke", re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)[0])
    signed = {"Authorization": f"Bearer {found['access_token']}"}
    asked = f"{PLATFORM}/jobs"
    until(lambda: http.get(asked, headers=signed).status_code == 401, "the token is refused")
    again = exchange(http, grant_type="refresh_token", refresh_token=found["refresh_token"])
    assert again.json()["errorCode"] == "BXNIM0415E"
    # What the client sends when its sign-in is refused; the hint would be wrong.
    answer = http.get(asked, headers={"Authorization": f"apikey {token}"})
    assert (answer.status_code, platform_json(answer)) == (401, "The token was revoked.")


def test_the_set_of_public_keys_is_empty(http: httpx.Client) -> None:
    assert http.get(f"{ACCOUNT}/iam/identity/keys").json() == {"keys": []}


@pytest.mark.parametrize("scheme", ["apikey", "Bearer"])
def test_a_token_without_sign_in_gets_a_hint_and_nothing_else(
    http: httpx.Client, server: LiveServer, token: str, scheme: str
) -> None:
    for path in (f"{PLATFORM}/jobs", f"{ACCOUNT}/catalog/qwicket-open"):
        answer = http.get(path, headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 401
        said = platform_json(answer)
        assert f"IAM_URL is not {server.url}/ibm/runtime/iam" in said
        assert token not in answer.text


def test_a_wrong_token_without_sign_in_gets_no_hint(http: httpx.Client) -> None:
    answer = http.get(f"{PLATFORM}/jobs", headers={"Authorization": "apikey qw_" + "y" * 43})
    assert answer.status_code == 401
    assert platform_json(answer) == "The token is not valid."


def test_access_tokens_of_the_two_channels_do_not_cross(
    http: httpx.Client, token: str, headers: dict[str, str]
) -> None:
    classic = Client(http, token)
    platform = headers["Authorization"].removeprefix("Bearer ")
    crossed = {"Authorization": f"Bearer {classic.token}"}
    assert http.get(f"{PLATFORM}/jobs", headers=crossed).status_code == 401
    answer = http.get("/ibm/runtime/classic/jobs", headers={"X-Access-Token": platform})
    assert answer.status_code == 401


# --- instances ------------------------------------------------------------------------------------


def test_the_members_of_a_project_know_it_by_the_same_name(
    server: LiveServer, http: httpx.Client
) -> None:
    found = set()
    server.token("platform-ann")
    server.token("platform-bob")
    server.admin("project", "add", "platform-shared")
    for name in ("platform-ann", "platform-bob"):
        server.admin("project", "member", "add", "platform-shared", name)
        secret = server.admin("token", "create", "--user", name, "--project", "platform-shared")
        signed = {"Authorization": f"Bearer {access_token(http, secret)}"}
        found.add(own_crn(http, signed))
    assert len(found) == 1


def test_another_instance_is_refused_with_both_names(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    crn = own_crn(http, headers)
    for given, status in ((crn, 200), ("", 200), ("crn:v1:other", 403), (crn + "x", 403)):
        answer = http.get(f"{PLATFORM}/jobs", headers={**headers, "Service-CRN": given})
        assert answer.status_code == status, answer.text
        if status == 403:
            assert crn in platform_json(answer)
            assert repr(given) in platform_json(answer)
    opened = {"backend": SIMULATOR, "instance": "crn:v1:other"}
    answer = http.post(f"{PLATFORM}/sessions", json=opened, headers=headers)
    assert answer.status_code == 403


def test_other_services_and_plans_are_not_there(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    asked = {"query": "service_name:cloud-object-storage"}
    at = f"{ACCOUNT}/search/v3/resources/search"
    assert http.post(at, json=asked, headers=headers).json()["items"] == []
    answer = http.get(f"{ACCOUNT}/catalog/other", headers=headers)
    assert answer.status_code == 404
    assert "qwicket-open" in platform_json(answer)


# --- jobs -----------------------------------------------------------------------------------------


def test_both_channels_show_the_same_jobs_and_sessions(
    http: httpx.Client, token: str, headers: dict[str, str]
) -> None:
    classic = Client(http, token)
    opened = http.post(f"{PLATFORM}/sessions", json={"backend": SIMULATOR}, headers=headers).json()
    sent = http.post(f"{PLATFORM}/jobs", json=body(session_id=opened["id"]), headers=headers)
    assert sent.status_code == 200, sent.text
    mine, theirs = sent.json()["id"], classic.submit()
    assert classic.results(mine)
    assert classic.get(f"/sessions/{opened['id']}")["state"] == "active"
    classic.ended(theirs)
    shown = http.get(f"{PLATFORM}/jobs/{theirs}", headers=headers).json()
    assert shown["status"] == "Completed"
    assert "hub" not in shown
    listed = http.get(f"{PLATFORM}/jobs", headers=headers).json()
    assert {mine, theirs} <= {job["id"] for job in listed["jobs"]}


def test_a_list_shows_the_jobs_of_the_tokens_project_alone(
    server: LiveServer, http: httpx.Client
) -> None:
    name = "platform-two"
    tokens = [server.token(name)]
    server.admin("project", "add", name + "-b")
    server.admin("project", "member", "add", name + "-b", name)
    tokens.append(server.admin("token", "create", "--user", name, "--project", name + "-b"))
    signed = [{"Authorization": f"Bearer {access_token(http, each)}"} for each in tokens]
    sent = [http.post(f"{PLATFORM}/jobs", json=body(), headers=each).json() for each in signed]
    ids = [{each["id"]} for each in sent]
    for each, own in zip(signed, ids, strict=True):
        listed = http.get(f"{PLATFORM}/jobs", headers=each).json()
        assert {job["id"] for job in listed["jobs"]} == own
        assert listed["count"] == 1


def test_the_address_that_clients_take_as_it_is_serves_the_same(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    for path in ("/jobs", "/backends", f"/backends/{SIMULATOR}/configuration"):
        answers = [
            http.get(f"/ibm/runtime/{at}{path}", headers=headers)
            for at in ("api/v1", "experimental/api/v1")
        ]
        assert answers[0].status_code == 200
        assert answers[0].content == answers[1].content


def test_every_response_has_its_id_where_clients_look_for_it(http: httpx.Client) -> None:
    """Without this header, the client shows the whole body of an error after its sentence."""
    for path in (f"{PLATFORM}/jobs", f"{PLATFORM}/nothing", f"{ACCOUNT}/iam/identity/keys"):
        answer = http.get(path)
        assert answer.headers["uber-trace-id"] == answer.headers["x-request-id"]


def test_usage_has_no_limit_and_names_the_instance(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    found = http.get(f"{PLATFORM}/instances/usage", headers=headers).json()
    assert found["instance_id"] == own_crn(http, headers)
    assert found["usage_limit_reached"] is False
    assert "usage_limit_seconds" not in found


@pytest.mark.parametrize("path", ["/jobs/{id}/interim_results", "/jobs/{id}/transpiled_circuits"])
def test_what_no_client_asks_for_is_not_there(
    path: str, http: httpx.Client, headers: dict[str, str]
) -> None:
    job = http.post(f"{PLATFORM}/jobs", json=body(), headers=headers).json()["id"]
    answer = http.get(PLATFORM + path.format(id=job), headers=headers)
    assert answer.status_code == 404
    assert platform_json(answer)
    assert http.get(f"{PLATFORM}/workloads", headers=headers).status_code == 404


def test_results_are_text_as_at_ibm(http: httpx.Client, headers: dict[str, str]) -> None:
    job = http.post(f"{PLATFORM}/jobs", json=body(), headers=headers).json()["id"]
    until(
        lambda: http.get(f"{PLATFORM}/jobs/{job}", headers=headers).json()["status"] == "Completed",
        "the job ends",
    )
    answer = http.get(f"{PLATFORM}/jobs/{job}/results", headers=headers)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.json()["__type__"] == "PrimitiveResult"


def test_a_session_reserves_no_device_so_it_has_no_interactive_time(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    sent = {"backend": SIMULATOR, "mode": "dedicated", "max_ttl": 300, "interactive_ttl": 60}
    opened = http.post(f"{PLATFORM}/sessions", json=sent, headers=headers).json()
    shown = http.get(f"{PLATFORM}/sessions/{opened['id']}", headers=headers).json()
    assert (shown["max_ttl"], shown["active_ttl"], shown["interactive_ttl"]) == (300, 300, None)
