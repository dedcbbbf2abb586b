"""A project at its limit of stored bytes: refused in every dialect, until it deletes something."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from abuse.dialects import harmless
from abuse.every_route import SUBMISSIONS, SUBMIT_PATHS, SignedIn, signed_in
from support import ibm
from support.server import LiveServer


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, SignedIn, str]]:
    """A server where one account has stored more than it may; with its last job."""
    server = LiveServer(tmp_path_factory.mktemp("full"), "--limit", "stored_bytes=5000")
    with httpx.Client(base_url=server.url, timeout=60) as http:
        who = signed_in(server, http, "ada")
        yield http, who, fill(http, who)
    assert server.stop() == 0
    server.assert_calm()


def fill(http: httpx.Client, who: SignedIn) -> str:
    """Submit jobs until one is refused; return the last job."""
    job, headers = "", {"Authorization": f"Bearer {who.secret}"}
    while (sent := http.post("/v1/jobs", json=SUBMISSIONS["/v1"], headers=headers)).is_success:
        job = sent.json()["id"]
        http.get(f"/v1/jobs/{job}", params={"wait": 60}, headers=headers)
    return job


@pytest.mark.parametrize("prefix", SUBMISSIONS)
def test_every_dialect_refuses_finally_and_names_the_limit(
    full: tuple[httpx.Client, SignedIn, str], prefix: str
) -> None:
    http, who, _ = full
    path = prefix + SUBMIT_PATHS.get(prefix, "/jobs")
    # A shorter program may still fit once.
    for _ in range(3):
        answer = http.post(
            path, json=SUBMISSIONS[prefix], headers=who.headers(prefix), auth=who.auth(prefix)
        )
        harmless(answer)
        if not answer.is_success:
            break
    assert answer.is_client_error
    assert answer.status_code not in (408, 409, 425, 429), "clients repeat these"
    assert "limit stored_bytes" in answer.text


@pytest.mark.parametrize("prefix", ["/ionq/v0.4", "/ionq/v0.3"])
def test_metadata_of_jobs_counts(full: tuple[httpx.Client, SignedIn, str], prefix: str) -> None:
    """It is as large as programs; jobs with a MB of it once filled the disk."""
    http, who, _ = full
    body = SUBMISSIONS[prefix] | {"metadata": {"note": "x" * 5_000}}
    answer = http.post(prefix + "/jobs", json=body, headers=who.headers(prefix))
    assert answer.status_code == 400
    assert "limit stored_bytes" in answer.text


def test_drafts_and_groups_count(full: tuple[httpx.Client, SignedIn, str]) -> None:
    http, who, _ = full
    headers = {"Authorization": f"Bearer {who.secret}"}
    for _ in range(6):
        answer = http.post("/v1/groups", json={"name": "x" * 200}, headers=headers)
        if not answer.is_success:
            break
    assert answer.status_code == 400
    assert "limit stored_bytes" in answer.text
    body = {"backend": {"name": ibm.SIMULATOR}, "allowObjectStorage": True}
    draft = ibm.Client(http, who.secret).call("POST", "/jobs", json=body)
    harmless(draft)
    assert draft.status_code == 400
    assert "limit stored_bytes" in draft.text


def test_a_project_shows_what_it_stores_and_deleting_makes_room(
    full: tuple[httpx.Client, SignedIn, str],
) -> None:
    http, who, job = full
    headers = {"Authorization": f"Bearer {who.secret}"}
    (before,) = http.get("/v1/projects", headers=headers).json()["projects"]
    assert 4_000 < before["stored_bytes"] <= 6_000
    assert http.delete(f"/v1/jobs/{job}", headers=headers).status_code == 204
    (after,) = http.get("/v1/projects", headers=headers).json()["projects"]
    assert after["stored_bytes"] < before["stored_bytes"]
    assert fill(http, who), "one more job is taken"
