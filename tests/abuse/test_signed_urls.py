"""Signed URLs of uploads: for one method, one job and one purpose, while their token lives."""

from __future__ import annotations

import json

import httpx

from abuse.dialects import harmless, ibm_json
from abuse.every_route import token
from support import ibm
from support.server import LiveServer


def put(http: httpx.Client, url: str) -> httpx.Response:
    answer = http.put(url, content=json.dumps(ibm.qobj()).encode())
    harmless(answer)
    return answer


def test_a_signed_url_is_for_one_method_job_and_purpose(
    server: LiveServer, client: httpx.Client
) -> None:
    owner = ibm.Client(client, token(server, "signer"))
    first, second = owner.draft(), owner.draft()
    url = first["objectStorageInfo"]["uploadUrl"]
    for method in ("GET", "POST", "DELETE", "PATCH"):
        refused = client.request(method, url)
        assert refused.status_code == 405
        ibm_json(refused)
    assert put(client, url.replace(first["id"], second["id"])).status_code == 403
    read = client.get(url.replace("/upload/", "/program/"))
    assert read.status_code == 403
    ibm_json(read)


def test_a_signed_url_that_was_used_changes_no_job(
    server: LiveServer, client: httpx.Client
) -> None:
    owner = ibm.Client(client, token(server, "signer"))
    draft = owner.draft()
    url = draft["objectStorageInfo"]["uploadUrl"]
    assert put(client, url).status_code == 200
    assert put(client, url).status_code == 200, "until its program is submitted it may be replaced"
    assert owner.call("POST", f"/jobs/{draft['id']}/jobDataUploaded").status_code == 200
    assert put(client, url).status_code == 409
    assert owner.ended(draft["id"])["status"] == "COMPLETED"
    assert put(client, url).status_code == 409


def test_a_signed_url_ends_with_the_token_that_it_was_made_with(
    server: LiveServer, client: httpx.Client
) -> None:
    secret = token(server, "signer")
    draft = ibm.Client(client, secret).draft()
    with server.client(secret) as http:
        own = http.get("/v1/account").json()["token"]["id"]
        assert http.delete(f"/v1/tokens/{own}").status_code == 204
    assert put(client, draft["objectStorageInfo"]["uploadUrl"]).status_code == 403
