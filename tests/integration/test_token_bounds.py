"""Tokens with bounds over HTTP: how they are made and shown, and how each dialect refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from abuse.every_route import SUBMISSIONS, SUBMIT_PATHS, SignedIn
from abuse.refusals import SHAPES, STATUSES
from support.for_each import for_each
from support.pages import TOKEN, Person
from support.programs import BELL
from support.server import LiveServer, cli

JOB = {"device": "simulator", "program": BELL, "shots": 100}
BOUNDS = {
    "daily_shots": 250,
    "daily_cost": 1.5,
    "ask_above_shots": 200,
    "ask_above_cost": 0.25,
}


@pytest.fixture
def manager(server: LiveServer) -> Iterator[httpx.Client]:
    """A client with a token that may make others."""
    with server.client(server.managing_token()) as http:
        yield http


def make(manager: httpx.Client, *scopes: str, **bounds: Any) -> Any:
    return manager.post("/v1/tokens", json={"scopes": scopes or ["jobs:write"], "bounds": bounds})


def bounded(server: LiveServer, manager: httpx.Client, **bounds: Any) -> httpx.Client:
    made = make(manager, "jobs:read", "jobs:write", "devices:read", **bounds)
    assert made.status_code == 201, made.text
    return server.client(made.json()["secret"])


def test_bounds_are_shown_where_a_token_is_made_listed_and_used(
    server: LiveServer, manager: httpx.Client
) -> None:
    made = make(manager, **BOUNDS).json()
    assert made["bounds"] == BOUNDS
    listed = manager.get("/v1/tokens").json()["tokens"]
    assert {each["id"]: each["bounds"] for each in listed}[made["id"]] == BOUNDS
    with server.client(made["secret"]) as http:
        assert http.get("/v1/account").json()["token"]["bounds"] == BOUNDS
    assert manager.get("/v1/account").json()["token"]["bounds"] is None


@for_each(
    "scopes, bounds, field",
    [
        (["jobs:write", "tokens:write"], {"daily_shots": 1}, "bounds"),
        (["jobs:write"], {}, "bounds"),
        (["jobs:write"], {"daily_shots": -1}, "bounds.daily_shots"),
        (["jobs:write"], {"daily_cost": 1e10}, "bounds.daily_cost"),
        (["jobs:write"], {"ask_above_shots": 1.5}, "bounds.ask_above_shots"),
        (["jobs:write"], {"daily_hours": 1}, "bounds.daily_hours"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(
    manager: httpx.Client, scopes: list[str], bounds: dict[str, Any], field: str
) -> None:
    refused = make(manager, *scopes, **bounds)
    assert (refused.status_code, refused.json()["field"]) == (400, field), refused.text


def test_commands_make_a_token_for_an_assistant_and_list_its_bounds(server: LiveServer) -> None:
    server.token()
    user = ("--user", server.account)
    secret = server.admin("token", "create", *user, "--assistant", "--daily-cost", "2.5")
    with server.client(secret) as http:
        shown = http.get("/v1/account").json()["token"]
    usual = {"daily_shots": 100_000, "ask_above_shots": 10_000, "ask_above_cost": 1}
    assert shown["bounds"] == usual | {"daily_cost": 2.5}
    assert shown["expires_at"] is not None
    listed = server.admin("token", "list", *user)
    words = "100,000 shots and 2.5 credits a day; asks first above 10,000 shots or 1 credit a job"
    assert words in listed
    audited = server.admin("audit", "list", "--limit", "5", "--json")
    assert "daily_cost" in audited
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": secret}
    assert f"bounds   {words}" in cli("account", env=env)
    server.admin("token", "create", *user, "--ask-above-shots", "5")
    assert "  asks first above 5 shots a job  no expiry" in server.admin("token", "list", *user)


def test_the_page_makes_a_token_with_bounds_and_shows_them(server: LiveServer) -> None:
    with Person(server, "ada") as ada:
        fields = {"project": ada.name, "days": "7", "daily_shots": "500", "daily_cost": " 1.5 "}
        page = ada.browser.submit("/ui/account", "/ui/tokens", **fields)
        with server.client(TOKEN.findall(page.text)[0]) as http:
            shown = http.get("/v1/account").json()["token"]["bounds"]
        assert shown == dict.fromkeys(BOUNDS) | {"daily_shots": 500, "daily_cost": 1.5}
        assert "500 shots and 1.5 credits a day" in ada.browser.get("/ui/account").text
        for wrong in ("many", "nan", "-1", "1e99", "9" * 30):
            fields["daily_cost"] = wrong
            refused = ada.browser.submit("/ui/account", "/ui/tokens", **fields)
            assert refused.status_code == 400
            assert "daily_cost must be a number from 0 to" in refused.text


def test_an_estimate_says_what_the_bounds_leave(server: LiveServer, manager: httpx.Client) -> None:
    with bounded(server, manager, daily_shots=250, ask_above_shots=150) as http:
        assert http.post("/v1/jobs", json=JOB).status_code == 201
        left = {"shots_left": 150, "cost_left": None, "refusal": "", "asks_first": False}
        assert http.post("/v1/estimates", json=JOB).json()["bounds"] == left
        more = http.post("/v1/estimates", json=JOB | {"shots": 151}).json()["bounds"]
        assert more["asks_first"]
        assert "150 shots left, and this job needs 151 shots" in more["refusal"]
    assert manager.post("/v1/estimates", json=JOB).json()["bounds"] is None


@pytest.mark.parametrize("prefix", SHAPES)
def test_each_dialect_refuses_a_job_beyond_the_day_of_a_token(
    server: LiveServer, manager: httpx.Client, prefix: str
) -> None:
    with bounded(server, manager, daily_shots=0) as http:
        secret = http.headers["authorization"].removeprefix("Bearer ")
    with httpx.Client(base_url=server.url, timeout=60) as http:
        headers = SignedIn(http, secret).headers(prefix)
        path = prefix + SUBMIT_PATHS.get(prefix, "/jobs")
        answer = http.post(path, json=SUBMISSIONS[prefix], headers=headers)
    assert answer.status_code == STATUSES[prefix], answer.text
    assert "retry-after" not in answer.headers
    assert "This token may use 0 shots a day (bound daily_shots)" in SHAPES[prefix](answer)


def test_a_command_prints_what_the_bounds_leave(
    server: LiveServer, manager: httpx.Client, tmp_path: Any
) -> None:
    program = tmp_path / "bell.qasm"
    program.write_text("OPENQASM 3.0; qubit q; bit c; c = measure q;")
    with bounded(server, manager, daily_shots=250, ask_above_shots=10) as http:
        secret = http.headers["authorization"].removeprefix("Bearer ")
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": secret}
    arguments = ("submit", str(program), "--device", "simulator", "--shots", "100")
    printed = cli(*arguments, "--dry-run", env=env)
    assert "250 shots left today, asks a person first" in printed
