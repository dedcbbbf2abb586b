"""Account, projects and tokens of the native API, against a live server."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from qwicket.model.ids import new_id
from support.server import LiveServer

READ = "jobs:read"


def made(http: httpx.Client, **wish: Any) -> httpx.Response:
    return http.post("/v1/tokens", json={"scopes": [READ], **wish})


def test_an_account_tells_who_asks_and_with_which_token(http: httpx.Client) -> None:
    account = http.get("/v1/account").json()
    assert (account["name"], account["role"]) == ("ada", "member")
    assert account["token"]["project"] == "ada"
    assert account["token"]["scopes"] == ["jobs:read", "jobs:write", "devices:read"]
    assert "secret" not in str(account)


def test_an_account_of_its_own_has_one_project(server: LiveServer) -> None:
    with server.client(server.token("lone")) as http:
        (project,) = http.get("/v1/projects").json()["projects"]
    assert (project["name"], project["shares"]) == ("lone", 1)


def test_a_token_is_made_shown_once_listed_and_refused_at_once_when_revoked(
    http: httpx.Client, server: LiveServer
) -> None:
    answer = made(http, devices=["simulator"], life_s=3600, project="ada")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    token = answer.json()
    secret = token.pop("secret")
    assert token["devices"] == ["simulator"]
    assert token["expires_at"] > token["created_at"]
    listed = http.get("/v1/tokens")
    assert token in listed.json()["tokens"]
    assert secret not in listed.text
    with server.client(secret) as other:
        assert other.get("/v1/jobs").status_code == 200
        assert other.get("/v1/devices").status_code == 403
        assert http.delete(f"/v1/tokens/{token['id']}").status_code == 204
        assert other.get("/v1/jobs").status_code == 401  # at once, and not in half a second
    assert http.delete(f"/v1/tokens/{token['id']}").status_code == 404
    assert token not in http.get("/v1/tokens").json()["tokens"]


@pytest.mark.parametrize(
    ("wish", "status", "field"),
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
    http: httpx.Client, wish: dict[str, Any], status: int, field: str
) -> None:
    answer = made(http, **wish)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text


def test_a_foreign_token_looks_like_none(http: httpx.Client, server: LiveServer) -> None:
    with server.client(server.token("grace")) as grace:
        foreign = grace.get("/v1/account").json()["token"]["id"]
        answers = [http.delete(f"/v1/tokens/{id_}") for id_ in (foreign, new_id(0), "x")]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.text for answer in answers}) == 1
        assert grace.get("/v1/account").status_code == 200


def test_anyone_may_read_what_the_api_is(server: LiveServer) -> None:
    document = httpx.get(f"{server.url}/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert "/v1/jobs/{id}/stream" in document["paths"]
