"""Projects in a tree, with commands, over HTTP and on pages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Person
from qwicket.model.budgets import DefaultBudget
from support import ibm
from support.pages import PASSWORD, Browser
from support.programs import BELL
from support.server import LiveServer, run_here

JOB = {"device": "simulator", "program": BELL, "shots": 100}


@pytest.fixture
def top(server: LiveServer) -> str:
    return server.unused("physics")


def test_a_file_makes_a_project_with_a_budget_below_for_each_person(
    server: LiveServer, top: str, tmp_path: Path
) -> None:
    lead, anna, ben = (server.unused(each) for each in ("lead", "anna", "ben"))
    people = tmp_path / "people.csv"
    people.write_text(f"name,email\n{anna},\n{ben},\n")
    for name in (top, f"{top}/lab-1"):
        server.admin("project", "add", name)
    adding = ("user", "add", "--from", str(people), "--tokens", str(tmp_path / "tokens"))
    budget = ("--budget", "shots", "150", "month")
    made = server.admin(*adding, "--below", f"{top}/lab-1", *budget)
    assert "2 accounts" in made
    listed = server.admin("budget", "show", f"{top}/lab-1/{anna}")
    assert "150 shots" in listed
    server.admin("budget", "set", top, "--shots", "250")
    token = (tmp_path / "tokens" / anna).read_text().strip()
    with server.client(token) as client:
        assert client.get("/v1/account").json()["token"]["project"] == f"{top}/lab-1/{anna}"
        found = client.get("/v1/account").json()["budgets"]
        assert [each["project"] for each in found] == [top, f"{top}/lab-1/{anna}"]
        needs = client.post("/v1/estimates", json=JOB).json()["budgets"]
        assert [each["left"] for each in needs] == [250, 150]
        job = client.post("/v1/jobs?wait=30", json=JOB).json()
        assert job["state"] == "completed"
        refused = client.post("/v1/jobs", json=JOB)
        assert f"the project {top}/lab-1/{anna}" in refused.json()["detail"]
        access = ibm.Client(client, token).token
        (network,) = client.get("/ibm/api/Network", headers={"X-Access-Token": access}).json()
        assert f"{top}:lab-1:{anna}" in json.dumps(network["groups"])
    server.token(lead)

    async def make(admin: Admin) -> str:
        await admin.add_member(top, lead)
        await admin.change_member(top, lead, role="lead")
        scopes = ("jobs:read", "jobs:write", "tokens:write")
        return (await admin.create_token(lead, scopes=scopes)).secret

    lead_token = server.as_admin(make)

    def run(*words: str) -> str:
        env = {"QWICKET_TOKEN": lead_token}
        result: subprocess.CompletedProcess[str] = run_here(*words, "--url", server.url, env=env)
        assert result.returncode == 0, result.stderr
        return result.stdout

    by_tree = run("usage", "--project", top, "--by", "project", "--tree", "--json")
    used = {each["project"]: each["jobs"] for each in json.loads(by_tree)}
    assert used == dict.fromkeys((top, f"{top}/lab-1", f"{top}/lab-1/{anna}"), 1)
    plain = run("usage", "--project", top, "--by", "project")
    assert re.findall(rf"^{top}\S*", plain, re.MULTILINE) == [f"{top}/lab-1/{anna}"]
    run("project", "member", "add", f"{top}/lab-1/{ben}", lead)
    assert "lead" not in run("project", "member", "list", f"{top}/lab-1/{anna}")
    assert job["id"] in run("jobs", "--all", "--project", f"{top}/lab-1/{anna}", "--json")
    with server.client(lead_token) as client:
        assert client.get(f"/v1/jobs/{job['id']}").status_code == 200
        found = client.get(f"/v1/admin/projects/{top}:lab-1/members")
        assert (found.status_code, found.json()["accounts"]) == (200, [])


def test_pages_of_a_tree_have_addresses_with_colons(server: LiveServer, top: str) -> None:
    lead, chief = server.unused("lead"), server.unused("chief")

    async def make(admin: Admin) -> None:
        for name in (top, f"{top}/lab"):
            await admin.add_project(name)
        for name in (lead, chief):
            await admin.add_account(
                name, "admin" if name == chief else "member", email=None, password=PASSWORD
            )
        await admin.add_member(top, lead)
        await admin.change_member(top, lead, role="lead")

    server.as_admin(make)
    with Browser(server.url) as browser:
        browser.sign_in(lead, PASSWORD)
        page = browser.get(f"/ui/projects/{top}/lead").text
        below = f"/ui/projects/{top}:lab/lead"
        assert below in page
        assert f"Lead {top}/lab" in browser.get(below).text
        fields = {"act": "add_member", "project": f"{top}/lab", "account": lead}
        done = browser.submit(below, below, **fields)
        assert (done.status_code, f"/ui/projects/{top}:lab/lead?" in done.headers["location"]) == (
            *(303, True),
        )
        assert f"/ui/projects/{top}:lab" in browser.get("/ui/projects").text
        assert f"{top}/lab" in browser.get(f"/ui/projects/{top}:lab").text
    with Browser(server.url) as browser:
        browser.sign_in(chief, PASSWORD)
        at = "/ui/admin/projects"
        made = browser.submit(at, at, act="create_project", name=f"{top}/lab/x", shares="1")
        assert f"/ui/admin/projects/{top}:lab:x?" in made.headers["location"]
        assert f"{top}/lab/x" in browser.get(made.headers["location"]).text
        activity = browser.get(f"/ui/admin/activity?q={top}/lab/x").text
        assert f'<a href="/ui/admin/projects/{top}:lab:x">{top}/lab/x</a>' in activity
        assert f"/ui/admin/projects/{top}:lab:x" in browser.get(f"{at}/{top}").text
        lost = browser.submit(at, at, act="create_project", name=f"{top}/none/x", shares="1")
        assert f"There is no project {top}/none" in lost.text


def test_a_thousand_people_are_one_transaction(
    server: LiveServer, top: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [Person(server.unused("s"), None) for _ in range(30)]

    async def make(admin: Admin) -> int:
        await admin.add_project(top)
        writes, database = 0, admin.store._database
        write = database.write

        async def counted(*given: Any, **named: Any) -> Any:
            nonlocal writes
            writes += 1
            return await write(*given, **named)

        monkeypatch.setattr(database, "write", counted)
        await admin.add_accounts(people, below=top, budget=DefaultBudget("jobs", "month", 10))
        return writes

    assert server.as_admin(make) == 1
