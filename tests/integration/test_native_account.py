"""Account, projects and tokens of the native API, against a live server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from qwicket.model.accounts import DEFAULT_SCOPES
from qwicket.model.ids import new_id
from support.for_each import for_each
from support.pages import PASSWORD, Browser, add_account
from support.server import LiveServer, cli
from support.waiting import until

READ = "jobs:read"


@pytest.fixture(scope="module")
def maker(server: LiveServer) -> Iterator[httpx.Client]:
    """A client whose token may make and revoke others."""
    with server.client(server.managing_token()) as client:
        yield client


def made(http: httpx.Client, **wish: Any) -> httpx.Response:
    return http.post("/v1/tokens", json={"scopes": [READ], **wish})


def test_an_account_shows_its_name_and_the_token_of_the_request(
    server: LiveServer, http: httpx.Client
) -> None:
    account = http.get("/v1/account").json()
    assert (account["name"], account["role"]) == (server.account, "member")
    assert account["token"]["project"] == server.account
    assert account["token"]["scopes"] == ["jobs:read", "jobs:write", "devices:read"]
    assert "secret" not in str(account)


def test_an_account_of_its_own_has_one_project(server: LiveServer) -> None:
    with server.client(server.token("lone")) as http:
        (project,) = http.get("/v1/projects").json()["projects"]
    assert (project["name"], project["shares"]) == ("lone", 1)


def test_a_token_is_made_shown_once_listed_and_refused_at_once_when_revoked(
    maker: httpx.Client, server: LiveServer
) -> None:
    answer = made(maker, devices=["simulator"], life_s=3600, project=server.account)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    token = answer.json()
    secret = token.pop("secret")
    assert token.pop("aws_key_id") is None
    assert token["devices"] == ["simulator"]
    assert token["expires_at"] > token["created_at"]
    listed = maker.get("/v1/tokens")
    assert token in listed.json()["tokens"]
    assert secret not in listed.text
    with server.client(secret) as other:
        assert other.get("/v1/jobs").status_code == 200
        assert other.get("/v1/devices").status_code == 403
        assert maker.delete(f"/v1/tokens/{token['id']}").status_code == 204
        assert other.get("/v1/jobs").status_code == 401  # at once, and not in half a second
    assert maker.delete(f"/v1/tokens/{token['id']}").status_code == 404
    assert token not in maker.get("/v1/tokens").json()["tokens"]


@for_each(
    "wish, status, field",
    [
        ({"scopes": [READ, "admin"]}, 403, "scopes"),
        ({"scopes": []}, 400, "scopes"),
        ({"scopes": ["jobs:everything"]}, 400, "scopes[0]"),
        ({"scopes": READ}, 400, "scopes"),
        ({"scopes": [READ] * 1_000}, 400, "scopes"),
        ({"devices": ["nowhere"]}, 404, "devices"),
        ({"devices": [1]}, 400, "devices[0]"),
        ({"devices": ["d" * 65]}, 400, "devices[0]"),
        ({"devices": ["d"] * 65}, 400, "devices"),
        ({"project": "grace"}, 403, "project"),
        ({"life_s": 0}, 400, "life_s"),
        ({"life_s": -1}, 400, "life_s"),
        ({"life_s": 10**30}, 400, "life_s"),
        ({"life_s": 1.5}, 400, "life_s"),
        ({"life_s": True}, 400, "life_s"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_field(
    maker: httpx.Client, wish: dict[str, Any], status: int, field: str
) -> None:
    answer = made(maker, **wish)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text


def test_a_person_changes_their_password_and_ends_a_session(server: LiveServer) -> None:
    ada = add_account(server, "ada")
    scopes = [*DEFAULT_SCOPES, "tokens:write"]
    token = server.as_admin(lambda admin: admin.create_token(ada, scopes=scopes)).secret
    with Browser(server.url) as browser, server.client(token) as http:
        assert browser.sign_in(ada, PASSWORD).status_code == 303
        ((id_, seen),) = [
            (each.pop("id"), each) for each in http.get("/v1/account/sessions").json()["sessions"]
        ]
        assert seen["browser"].startswith("python-httpx")
        assert http.delete(f"/v1/account/sessions/{id_}").status_code == 204
        assert browser.account() is None
        assert http.delete(f"/v1/account/sessions/{id_}").status_code == 404
        wrong = http.put("/v1/account/password", json={"old": "x", "new": "battery staple"})
        assert (wrong.status_code, wrong.json()["field"]) == (400, "old")
        run = partial(cli, "account", env={"QWICKET_URL": server.url, "QWICKET_TOKEN": token})
        assert run("password", "--password-stdin", stdin=f"{PASSWORD}\nbattery staple\n") == ""
        assert browser.sign_in(ada, "battery staple").status_code == 303
        assert "python-httpx" in run("sessions")
        assert run("prefer", "--time-zone", "Europe/Vienna").endswith("Europe/Vienna")
        assert http.get("/v1/account").json()["time_zone"] == "Europe/Vienna"


def test_a_foreign_token_looks_like_none(maker: httpx.Client, server: LiveServer) -> None:
    with server.client(server.token("grace")) as grace:
        foreign = grace.get("/v1/account").json()["token"]["id"]
        answers = [maker.delete(f"/v1/tokens/{id_}") for id_ in (foreign, new_id(0), "x")]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.text for answer in answers}) == 1
        assert grace.get("/v1/account").status_code == 200


def test_making_and_revoking_tokens_needs_a_scope_of_its_own(
    http: httpx.Client, maker: httpx.Client
) -> None:
    other = made(maker).json()["id"]
    for answer in (made(http), http.delete(f"/v1/tokens/{other}")):
        assert answer.status_code == 403
        assert "tokens:write" in answer.json()["detail"]
    assert other in [each["id"] for each in maker.get("/v1/tokens").json()["tokens"]]


def test_a_token_that_only_reads_uses_up_no_quota(
    server: LiveServer, http: httpx.Client, maker: httpx.Client
) -> None:
    reader = made(maker).json()
    before = len(maker.get("/v1/tokens").json()["tokens"])
    with server.client(reader["secret"]) as weak:
        assert {made(weak).status_code for _ in range(20)} == {403}
    assert len(maker.get("/v1/tokens").json()["tokens"]) == before


def test_revoking_a_token_revokes_all_that_were_made_from_it(
    server: LiveServer, maker: httpx.Client
) -> None:
    rights = {"scopes": [READ, "tokens:write"]}
    tree = [made(maker, **rights).json()]
    for _ in range(3):
        with server.client(tree[-1]["secret"]) as parent:
            tree.append(made(parent, **rights).json())
            assert tree[-1]["parent"] == tree[-2]["id"]
    beside = made(maker, **rights).json()

    def status(token: dict[str, Any]) -> int:
        with server.client(token["secret"]) as http:
            return http.get("/v1/jobs").status_code

    assert [status(token) for token in tree] == [200] * 4
    assert maker.delete(f"/v1/tokens/{tree[1]['id']}").status_code == 204
    assert [status(token) for token in tree] == [200, 401, 401, 401]
    server.admin("token", "revoke", tree[0]["id"])
    until(lambda: status(tree[0]) == 401, "it is refused")
    assert status(beside) == 200


def test_a_token_may_revoke_itself_without_any_scope(
    server: LiveServer, maker: httpx.Client
) -> None:
    own = made(maker, scopes=["devices:read"]).json()
    with server.client(own["secret"]) as http:
        assert http.delete(f"/v1/tokens/{own['id']}").status_code == 204
        assert http.get("/v1/account").status_code == 401


def test_anyone_may_read_what_the_api_is(server: LiveServer) -> None:
    document = httpx.get(f"{server.url}/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert "/v1/jobs/{id}/stream" in document["paths"]
