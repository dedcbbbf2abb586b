"""Requests without the necessary rights are refused on every route, and reveal nothing."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from abuse.dialects import ADMIN, DIALECTS, IONQ, IONQ_AT_ROOT, NATIVE, WAYS, Dialect, Way, harmless
from abuse.fixtures import Tokens
from qwicket.model.accounts import Scope
from qwicket.model.ids import new_id, part_id
from support.for_each import for_each
from support.pairwise import by_row, pairs

SIGNED = [way for way in WAYS if not way.is_public]
OF_A_JOB = [
    way for way in WAYS if "{id}" in way.path and not way.is_an_agents and way.access != Scope.ADMIN
]
PUBLIC = [way for way in WAYS if way.is_public and "{secret}" not in way.path]
"""Those with a secret in the path are tested in features/shares/integration/test_job_shares.py."""

WRONG_HEADERS = {
    "absent": None,
    "empty": "",
    "scheme alone": "{scheme}",
    "token alone": "{good}",
    "other scheme": "Basic {good}",
    "unknown token": "{scheme} qw_" + 43 * "x",
    "prefix of the token": "{scheme} {good:.20}",
    "token and more": "{scheme} {good}x",
    "token twice": "{scheme} {good} {good}",
    "token in quotes": '{scheme} "{good}"',
    "revoked": "{scheme} {revoked}",
    "expired": "{scheme} {expired}",
    "disabled account": "{scheme} {disabled}",
    "not ASCII": "{scheme} t\xf6k\xe9n\xff",
    "scheme of another dialect": "{other} {good}",
    "in the query": None,
    "512 characters": "{scheme} " + 512 * "x",
    "100 kB": "{scheme} " + 100_000 * "x",
}


def prefix(way: Way) -> str:
    return way.dialect.prefix


def closed(dialect: Dialect) -> list[tuple[Way, str]]:
    return pairs(
        [way for way in SIGNED if way.dialect is dialect],
        # Where there is no scheme, a token alone is right.
        [wrong for wrong in WRONG_HEADERS if dialect.scheme or wrong != "token alone"],
        always={"absent", "revoked"},
    )


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_without_a_valid_token_every_route_is_closed(
    subtests: pytest.Subtests,
    client: httpx.Client,
    tokens: Tokens,
    jobs: dict[str, str],
    dialect: Dialect,
) -> None:
    found = closed(dialect)
    assert found
    for way, wrong in found:
        with subtests.test(f"{way}-{wrong}"):
            form, url = WRONG_HEADERS[wrong], way.url(jobs[way.dialect.prefix])
            headers: dict[bytes, bytes] = {}
            if form is not None:
                other = IONQ if way.dialect is NATIVE else NATIVE
                value = form.format(
                    scheme=way.dialect.scheme, other=other.scheme, **tokens._asdict()
                )
                headers[way.dialect.header.encode()] = value.strip().encode("latin-1")
            if wrong == "in the query":
                url += f"?token={tokens.good}&access_token={tokens.good}&apiKey={tokens.good}"
            response = way.send(client, url, headers)
            way.dialect.refused(response, 401)
            assert response.headers["www-authenticate"]


@pytest.mark.parametrize("wrong", ["absent", "revoked", "unknown token"])
def test_public_routes_need_no_token_and_mind_no_bad_one(
    subtests: pytest.Subtests, client: httpx.Client, tokens: Tokens, wrong: str
) -> None:
    assert PUBLIC
    for way in PUBLIC:
        with subtests.test(repr(way)):
            form = WRONG_HEADERS[wrong]
            auth = form.format(scheme="apiKey", **tokens._asdict()) if form else ""
            response = way.send(client, way.url("x"), {"Authorization": auth} if auth else {})
            harmless(response)
            # What is sent is a submission, and so no invitation and no ID token.
            assert response.status_code == (400 if way.holds_credentials else 200)


by_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=repr)


@for_each("dialect", [*DIALECTS, ADMIN])
def test_a_token_without_the_scope_is_refused_by_name_of_the_scope(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], dialect: Dialect
) -> None:
    for way in (way for way in SIGNED if way.dialect is dialect and not way.needs_no_scope):
        token = tokens.good if way.is_an_agents else tokens.unscoped
        answer = way.send(client, way.url(jobs[dialect.prefix]), dialect.auth(token))
        # The token has the scopes with which leads change their projects.
        is_leads = dialect is ADMIN and isinstance(way.access, tuple)
        said = "leads of the project" if is_leads else "lacks the scope"
        assert said in dialect.refused(answer, 403), way


@by_dialect
def test_without_the_scope_a_job_that_exists_looks_like_one_that_does_not(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], dialect: Dialect
) -> None:
    auth = dialect.auth(tokens.unscoped)
    for way in (way for way in OF_A_JOB if way.dialect is dialect):
        there = way.send(client, way.url(jobs[dialect.prefix]), auth)
        absent = way.send(client, way.url(absent_id()), auth)
        assert there.content == absent.content, way


@for_each("dialect", DIALECTS)
def test_a_body_is_not_looked_at_before_the_token_and_its_scope(
    client: httpx.Client, tokens: Tokens, dialect: Dialect
) -> None:
    for content in (b"no JSON", dialect.text(**{"unheard of": 1}), b" " * (17 << 20)):
        dialect.refused(client.post(dialect.jobs, content=content), 401)
        auth = dialect.auth(tokens.unscoped)
        dialect.refused(client.post(dialect.jobs, content=content, headers=auth), 403)


def absent_id() -> str:
    return new_id(time.time_ns() // 1_000_000)


def told(response: httpx.Response, job: str) -> tuple[object, ...]:
    """Return the content of a response without its time, its own id and the job's id."""
    headers = {k: v for k, v in response.headers.items() if k not in ("date", "x-request-id")}
    return response.status_code, headers, response.text.replace(job, "ID")


@by_dialect
def test_anothers_job_looks_exactly_like_an_absent_one(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], dialect: Dialect
) -> None:
    auth, job = dialect.auth(tokens.stranger), jobs[dialect.prefix]
    for way in (way for way in OF_A_JOB if way.dialect is dialect):
        absent = absent_id()
        theirs = way.send(client, way.url(job), auth)
        dialect.refused(theirs, 404)
        assert told(theirs, job) == told(way.send(client, way.url(absent), auth), absent), way


def listed(client: httpx.Client, token: str) -> set[str]:
    """Return the ids of all jobs that a token's lists show, page by page."""
    found: set[str] = set()
    params = {"limit": 1000}
    while True:
        page = client.get("/v1/jobs", params=params, headers=NATIVE.auth(token)).json()
        found |= {job["id"] for job in page["jobs"]}
        if page["next"] is None:
            return found
        params["before"] = page["next"]


def test_anothers_jobs_are_in_no_list(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str]
) -> None:
    assert set(jobs.values()) <= listed(client, tokens.good)
    assert not set(jobs.values()) & listed(client, tokens.stranger)


@pytest.mark.parametrize("dialect", [IONQ, IONQ_AT_ROOT], ids=repr)
def test_a_job_of_another_dialect_looks_exactly_like_an_absent_one(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str], dialect: Dialect
) -> None:
    job, absent = jobs[NATIVE.prefix], absent_id()
    for way in OF_A_JOB:
        if way.dialect is dialect:
            other = way.send(client, way.url(job), dialect.auth(tokens.good))
            dialect.refused(other, 404)
            nothing = way.send(client, way.url(absent), dialect.auth(tokens.good))
            assert told(other, job) == told(nothing, absent)


def test_a_refused_stranger_changes_nothing(
    client: httpx.Client, tokens: Tokens, jobs: dict[str, str]
) -> None:
    url, auth = f"/v1/jobs/{jobs[NATIVE.prefix]}", NATIVE.auth(tokens.good)
    before = client.get(url, headers=auth).content
    for way in OF_A_JOB:
        way.send(client, way.url(jobs[NATIVE.prefix]), way.dialect.auth(tokens.stranger))
    assert client.get(url, headers=auth).content == before


# --- ids ------------------------------------------------------------------------------------------

MALFORMED = {
    "one letter": "x",
    "number": "0",
    "minus one": "-1",
    "null": "null",
    "star": "*",
    "30 kB": 30_000 * "a",
    "36 letters": 36 * "z",
    "NUL": "%00",
    "NUL within": "a%00b",
    "newline": "%0d%0aX-Evil:%201",
    "space": "%20",
    "not UTF-8": "%ff%fe",
    "surrogate": "%ed%a0%80",
    "snowman": quote("☃"),
    "right to left": quote("\u202edi"),
    "dots": "%2e%2e",
    "dots and slash": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "dots and encoded percent": "%252e%252e%252f",
    "backslashes": "..%5c..%5cetc",
    "slashes": "%2f%2f",
    "SQL": quote("' or 1=1; drop table job; --"),
    "LIKE": "%25",
    "template": quote("{{7*7}}${7*7}<script>"),
    "UUID 4": "0d7c2f5e-1111-4222-8333-444455556666",
    "UUID without dashes": "0d7c2f5e111172228333444455550000",
    "UUID of zeros": "00000000-0000-0000-0000-000000000000",
    "UUID in braces": "%7b0d7c2f5e-1111-7222-8333-44445555%7d",
}


def by_dialect_of(found: list[tuple[Way, str]]) -> list[Any]:
    return by_row((way.dialect, (way, text)) for way, text in found)


@pytest.mark.parametrize(
    ("dialect", "found"),
    by_dialect_of(
        # PostgreSQL takes no NUL, so each route must refuse one before it asks.
        pairs(OF_A_JOB, MALFORMED, per=prefix, always={"NUL within"})
    ),
)
def test_a_text_that_is_no_id_is_an_unknown_id(
    subtests: pytest.Subtests,
    client: httpx.Client,
    tokens: Tokens,
    dialect: Dialect,
    found: list[tuple[Way, str]],
) -> None:
    for way, text in found:
        with subtests.test(f"{way}-{text}"):
            response = way.send(client, way.url(MALFORMED[text]), dialect.auth(tokens.good))
            dialect.refused(response, 404)
            assert "x-evil" not in response.headers


@pytest.mark.parametrize(
    ("dialect", "found"),
    by_dialect_of(
        pairs(
            OF_A_JOB,
            ["a NUL after it", "a space after it", "its first part"],
            per=prefix,
            always={"its first part"},  # an id, but of no job
        )
    ),
)
def test_a_text_beside_an_id_is_an_unknown_id(
    subtests: pytest.Subtests,
    client: httpx.Client,
    tokens: Tokens,
    jobs: dict[str, str],
    dialect: Dialect,
    found: list[tuple[Way, str]],
) -> None:
    for way, change in found:
        with subtests.test(f"{way}-{change}"):
            job = jobs[dialect.prefix]
            changed = {
                "a NUL after it": f"{job}%00",
                "a space after it": f"{job}%20",
                "its first part": part_id(job, 0),
            }[change]
            dialect.refused(way.send(client, way.url(changed), dialect.auth(tokens.good)), 404)


@pytest.mark.parametrize(
    ("path", "texts"),
    by_row(
        pairs(
            ["/v1/devices/", "/v0.4/backends/", "/ionq/v0.4/backends/"],
            MALFORMED,
            per=lambda path: path.startswith("/v1"),
        )
    ),
)
def test_an_unknown_device_is_not_found(
    subtests: pytest.Subtests, client: httpx.Client, tokens: Tokens, path: str, texts: list[str]
) -> None:
    for text in texts:
        with subtests.test(text):
            dialect = NATIVE if path.startswith("/v1") else IONQ
            response = client.get(path + MALFORMED[text], headers=dialect.auth(tokens.good))
            dialect.refused(response, 404)
            assert len(response.content) < 2_000


def test_one_key_of_two_accounts_is_two_keys(client: httpx.Client, tokens: Tokens) -> None:
    ids = set()
    for token in (tokens.good, tokens.stranger):
        headers = {**NATIVE.auth(token), "Idempotency-Key": "shared"}
        sent = client.post("/v1/jobs", content=NATIVE.text(), headers=headers)
        assert sent.status_code == 201
        ids.add(sent.json()["id"])
    assert len(ids) == 2
