"""Jobs that others may read: an account, or whoever has a link. On both databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import qwicket
from qwicket.clients.native import ApiError
from qwicket.gateway.signin import digest, new_secret
from qwicket.model.ids import new_id
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, cli, run_cli, server_on
from support.waiting import until

pytestmark = pytest.mark.extended

NOTHING = (404, 429)
"""Responses to a secret that is none, or no longer: 429 after many by this address."""

READS = ("", "/result", "/events", "/parts/0", "/archive", "/stream")


@pytest.fixture(scope="module")
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    options = ("--limit", "job_shares=20", "--limit", "wrong_tokens=5")
    with server_on(database_kind, request, tmp_path_factory.mktemp("shares"), *options) as live:
        yield live


@pytest.fixture
def ada(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client(live.token(live.unused("ada"))) as http:
        yield http


@pytest.fixture
def ben(live: LiveServer) -> str:
    """Return the name of an account that has no jobs."""
    name = live.unused("ben")
    live.token(name)
    return name


def run(http: httpx.Client, **fields: Any) -> str:
    body = {"program": BELL, "device": "simulator", "shots": 10, **fields}
    answer = http.post("/v1/jobs", params={"wait": 60}, json=body)
    assert answer.json()["state"] == "completed", answer.text
    return str(answer.json()["id"])


def share(http: httpx.Client, job: str, **fields: Any) -> dict[str, Any]:
    answer = http.post(f"/v1/jobs/{job}/shares", json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.both_databases
def test_an_account_reads_a_job_that_is_shared_with_it_and_changes_nothing(
    live: LiveServer, ada: httpx.Client, ben: str
) -> None:
    job, other = run(ada), run(ada)
    with live.client(live.token(ben)) as http:
        assert {http.get(f"/v1/jobs/{job}{path}").status_code for path in READS} == {404}
        made = share(ada, job, account=ben)
        assert (made["account"], made["expires_at"], made["url"]) == (ben, None, None)
        assert {http.get(f"/v1/jobs/{job}{path}").status_code for path in READS} == {200}
        assert http.get(f"/v1/jobs/{job}/result").json() == ada.get(f"/v1/jobs/{job}/result").json()
        for method, path in [
            ("DELETE", ""),
            ("POST", "/cancel"),
            ("POST", "/shares"),
            ("GET", "/shares"),
        ]:
            body = {"account": ben} if path == "/shares" and method == "POST" else None
            answer = http.request(method, f"/v1/jobs/{job}{path}", json=body)
            assert answer.status_code == 403, (method, path, answer.text)
        assert answer.json()["detail"].endswith("submitted a job may list the shares of it.")
        assert http.get("/v1/jobs").json()["jobs"] == []
        assert http.get(f"/v1/jobs/{other}").status_code == 404
        assert http.delete(f"/v1/shares/{made['id']}").status_code == 404
        assert http.get("/v1/shares").json() == {"shares": []}
    with live.client(live.token(live.unused("carl"))) as http:
        absent = http.get(f"/v1/jobs/{new_id(0)}")
        assert http.get(f"/v1/jobs/{job}").content == absent.content


@pytest.mark.both_databases
def test_a_share_ends_when_its_owner_ends_it_or_deletes_the_job(
    live: LiveServer, ada: httpx.Client, ben: str
) -> None:
    first, second = run(ada), run(ada)
    shares = [share(ada, job, account=ben) for job in (first, second)]
    link = share(ada, second, life_s=600)
    with live.client(live.token(ben)) as http:
        assert ada.delete(f"/v1/shares/{shares[0]['id']}").status_code == 204
        assert http.get(f"/v1/jobs/{first}").status_code == 404
        assert ada.delete(f"/v1/shares/{shares[0]['id']}").status_code == 404
        assert http.get(f"/v1/jobs/{second}").status_code == 200
        assert ada.delete(f"/v1/jobs/{second}").status_code == 204
        assert http.get(f"/v1/jobs/{second}").status_code == 404
        assert http.get(link["url"]).status_code in NOTHING
    assert ada.get("/v1/shares").json() == {"shares": []}


def test_a_link_shows_the_job_and_its_result_to_anyone_and_nothing_else(
    live: LiveServer, ada: httpx.Client
) -> None:
    job = run(ada, name="for the paper")
    made = share(ada, job, life_s=3600)
    assert made["url"].startswith(f"{live.url}/v1/shared/qw_")
    secret = made["url"].rpartition("/")[2]
    with httpx.Client() as anyone:
        shown = anyone.get(made["url"])
        assert shown.json() == {
            "job": ada.get(f"/v1/jobs/{job}").json(),
            "result": ada.get(f"/v1/jobs/{job}/result").json(),
        }
        assert shown.headers["cache-control"] == "no-store"
        assert shown.headers["referrer-policy"] == "no-referrer"
        for method in ("POST", "DELETE", "PUT", "PATCH"):
            assert anyone.request(method, made["url"]).status_code == 405
        for path in ("/v1/account", "/v1/jobs", f"/v1/jobs/{job}", f"/v1/jobs/{job}/result"):
            auth = {"Authorization": f"Bearer {secret}"}
            assert anyone.get(live.url + path, headers=auth).status_code in (401, 429)
    assert secret not in live.log.read_text()
    assert secret not in ada.get("/v1/shares").text


def test_a_link_shows_a_job_that_runs_and_one_without_a_result(
    live: LiveServer, ada: httpx.Client
) -> None:
    body = {"program": held_job().program, "device": "simulator"}
    job = ada.post("/v1/jobs", json=body).json()["id"]
    url = share(ada, job, life_s=3600)["url"]
    assert httpx.get(url).json()["job"]["state"] in ("queued", "running")
    ada.post(f"/v1/jobs/{job}/cancel")
    shown = until(
        lambda: found if (found := httpx.get(url).json())["job"]["state"] == "cancelled" else None,
        "the link shows that the job was cancelled",
    )
    assert shown["result"] is None


def test_a_large_result_is_shown_whole(live: LiveServer, ada: httpx.Client) -> None:
    job = run(ada, shots=200_000, outputs=["memory"])
    shown = httpx.get(share(ada, job, life_s=60)["url"], timeout=60)
    assert len(shown.content) > 1_000_000
    assert shown.json()["result"] == ada.get(f"/v1/jobs/{job}/result").json()


def test_a_link_expires_and_is_listed_no_more(live: LiveServer, ada: httpx.Client) -> None:
    job = run(ada)
    made = share(ada, job, life_s=4)
    assert httpx.get(made["url"]).status_code == 200
    until(lambda: httpx.get(made["url"]).status_code != 200, "the link has expired")
    assert httpx.get(made["url"]).status_code in NOTHING


def test_links_of_a_disabled_account_show_nothing(live: LiveServer) -> None:
    name = live.unused("leaver")
    with live.client(live.token(name)) as http:
        url = share(http, run(http), life_s=600)["url"]
    assert httpx.get(url).status_code == 200
    live.admin("user", "disable", name)
    assert httpx.get(url).status_code in NOTHING
    live.admin("user", "enable", name)
    assert httpx.get(url).status_code == 200


def test_guesses_of_secrets_are_counted_and_valid_links_are_not_locked_out(
    live: LiveServer, ada: httpx.Client
) -> None:
    url = share(ada, run(ada), life_s=600)["url"]
    guesses = [httpx.get(f"{live.url}/v1/shared/{new_secret()}") for _ in range(8)]
    assert guesses[-1].status_code == 429
    assert {each.status_code for each in guesses} <= {*NOTHING}
    assert httpx.get(url).status_code == 200
    malformed = httpx.get(f"{live.url}/v1/shared/x")
    assert malformed.status_code == 404
    assert malformed.json()["detail"] == "There is no such link, or it has expired."


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "account"),
        ({"account": "x", "life_s": 5}, 400, "account"),
        ({"account": "nobody-has-this-name"}, 404, "account"),
        ({"account": "a\0b"}, 400, "account"),
        ({"account": ""}, 400, "account"),
        ({"life_s": 0}, 400, "life_s"),
        ({"life_s": 365 * 86_400 + 1}, 400, "life_s"),
        ({"life_s": "x"}, 400, "life_s"),
        ({"with": "ben"}, 400, "with"),
    ],
)
def test_a_wrong_share_is_refused_by_name(
    ada: httpx.Client, body: dict[str, Any], status: int, field: str
) -> None:
    answer = ada.post(f"/v1/jobs/{run(ada)}/shares", json=body)
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text


def test_sharing_twice_or_with_oneself_adds_nothing(
    live: LiveServer, ada: httpx.Client, ben: str
) -> None:
    job = run(ada)
    assert share(ada, job, account=ben) == share(ada, job, account=ben.upper())
    assert len(ada.get(f"/v1/jobs/{job}/shares").json()["shares"]) == 1
    me = ada.get("/v1/account").json()["name"]
    assert ada.post(f"/v1/jobs/{job}/shares", json={"account": me}).status_code == 400


@pytest.mark.both_databases
def test_an_account_has_a_limit_of_shares(live: LiveServer, ada: httpx.Client) -> None:
    job = run(ada)
    for _ in range(20):
        share(ada, job, life_s=600)
    refused = ada.post(f"/v1/jobs/{job}/shares", json={"life_s": 600})
    assert refused.status_code in (400, 413, 422)
    assert "limit job_shares" in refused.json()["detail"]


def test_a_token_for_one_device_shares_and_lists_jobs_of_that_device_alone(
    live: LiveServer, ada: httpx.Client, ben: str
) -> None:
    job, name = run(ada), ada.get("/v1/account").json()["name"]
    made = share(ada, job, account=ben)
    limited = live.admin("token", "create", "--user", name, "--device", "clifford")
    with live.client(limited) as http:
        assert http.post(f"/v1/jobs/{job}/shares", json={"life_s": 60}).status_code == 404
        assert http.get("/v1/shares").json() == {"shares": []}
        assert http.delete(f"/v1/shares/{made['id']}").status_code == 404
    limited = live.admin("token", "create", "--user", ben, "--device", "clifford")
    with live.client(limited) as http:
        assert http.get(f"/v1/jobs/{job}").status_code == 404


def test_the_client_and_the_commands_share_list_and_end(
    live: LiveServer, ada: httpx.Client, ben: str, tmp_path: Path
) -> None:
    name = ada.get("/v1/account").json()["name"]
    env = {"QWICKET_URL": live.url, "QWICKET_TOKEN": live.token(name)}
    job = run(ada)
    assert cli("share", "add", job, "--with", ben, env=env).endswith(f"  {ben}")
    url = cli("share", "add", job, "--link", "--expires", "2h", env=env)
    assert httpx.get(url).json()["job"]["id"] == job
    listed = cli("share", "list", env=env).splitlines()
    assert [line.split()[1:3] for line in listed] == [[job, ben], [job, "link"]]
    with qwicket.connect(live.url, live.token(name)) as client:
        found = client.shares()
        assert client.job(job).shares() == found
        client.unshare(found[0]["id"])
        with pytest.raises(ApiError, match="no such share"):
            client.unshare(found[0]["id"])
    cli("share", "remove", found[1]["id"], env=env)
    assert json.loads(cli("share", "list", job, "--json", env=env)) == []
    assert httpx.get(url).status_code in NOTHING
    for words in (("share", "add", job), ("share", "add", job, "--with", ben, "--link")):
        assert "Give either --with NAME or --link" in run_cli(*words, env=env).stderr


def stored(live: LiveServer) -> Iterator[tuple[Any, ...]]:
    """Yield all rows of all tables."""
    database: Any
    if live.database_url:
        database = psycopg.connect(live.database_url)
        names = "select tablename from pg_tables where schemaname = 'public'"
    else:
        database = sqlite3.connect(live.folder / "data" / "qwicket.db")
        names = "select name from sqlite_master where type = 'table'"
    with closing(database):
        for (name,) in database.execute(names).fetchall():
            yield from database.execute(f'select * from "{name}"').fetchall()


def test_only_the_hash_of_a_secret_is_stored(live: LiveServer, ada: httpx.Client) -> None:
    secret = share(ada, run(ada), life_s=600)["url"].rpartition("/")[2]
    rows = list(stored(live))
    assert any(digest(secret) in row for row in rows)
    assert secret not in repr(rows)
