"""What leads of a project do by commands and pages, and what they do not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from qwicket.gateway.admin import Admin
from qwicket.model.accounts import MemberRole, Scope
from support.pages import PASSWORD, Browser
from support.programs import BELL
from support.server import ROOT, LiveServer, run_here

ONLY = "Only administrators and leads of the project may do this."


class Lab(NamedTuple):
    """A project with a lead and a member, each with a token, and one of the lead without rights."""

    server: LiveServer
    project: str
    lead: str
    mate: str
    lead_token: str
    mate_token: str
    limited_token: str

    def run(self, *words: str, by: str = "") -> subprocess.CompletedProcess[str]:
        env = {"QWICKET_TOKEN": by or self.lead_token}
        return run_here(*words, "--url", self.server.url, env=env)

    def done(self, *words: str, by: str = "") -> str:
        result = self.run(*words, by=by)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture
def lab(server: LiveServer) -> Lab:
    project, lead, mate = (server.unused(each) for each in ("lab", "lead", "mate"))
    scopes = (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ, Scope.TOKENS_WRITE)

    async def make(admin: Admin) -> list[str]:
        await admin.add_project(project)
        secrets = []
        for name in (lead, mate):
            await admin.add_account(name, email=None, password=PASSWORD)
            await admin.add_member(project, name)
            secrets.append((await admin.create_token(name, project=project, scopes=scopes)).secret)
        await admin.change_member(project, lead, role="lead")
        secrets.append((await admin.create_token(lead, scopes=scopes[:3])).secret)
        return secrets

    return Lab(server, project, lead, mate, *server.as_admin(make))


def ran(server: LiveServer, token: str) -> str:
    """Run a job to its end; return its id."""
    with server.client(token) as client:
        body = {"device": "simulator", "program": BELL, "shots": 100}
        job = client.post("/v1/jobs?wait=30", json=body).json()
    assert job["state"] == "completed", job
    return str(job["id"])


def accept(server: LiveServer, code: str) -> tuple[str, httpx.Response]:
    name = server.unused("new")
    body = {"invitation": code, "name": name}
    return name, httpx.post(f"{server.url}/v1/accounts", json=body)


def test_a_lead_invites_readers_and_members_but_no_lead(lab: Lab) -> None:
    made = lab.done("invitation", "add", "--project", lab.project, "--role", "reader")
    name, accepted = accept(lab.server, made.partition("code=")[2])
    assert (accepted.status_code, accepted.json()["project"]) == (201, lab.project)
    assert f"{name}  1 share  reader" in lab.done("project", "member", "list", lab.project)
    assert "lead" in lab.run("invitation", "add", "--project", lab.project, "--role", "lead").stderr
    with lab.server.client(lab.lead_token) as client:
        body = {"project": lab.project, "role": "lead"}
        assert client.post("/v1/admin/invitations", json=body).status_code == 400
    listed = lab.done("invitation", "list", "--project", lab.project)
    assert "reader  1  1" in listed
    invitation = listed.split()[0]
    other = lab.run("invitation", "remove", invitation, "--project", lab.lead)
    assert "no such invitation" in other.stderr, "it is of another project that the person leads"
    lab.done("invitation", "remove", invitation, "--project", lab.project)
    assert lab.done("invitation", "list", "--project", lab.project) == ""


def test_a_lead_invites_to_no_project_of_one_person_and_to_none(lab: Lab) -> None:
    own = lab.run("invitation", "add", "--project", lab.lead)
    assert f"{lab.lead} is a person's own project" in own.stderr
    assert "Name the project that you lead" in lab.run("invitation", "add").stderr
    for _ in range(64):
        with lab.server.client(lab.lead_token) as client:
            made = client.post("/v1/admin/invitations", json={"project": lab.project})
            assert made.status_code == 201
    assert "has 64 invitations" in lab.run("invitation", "add", "--project", lab.project).stderr


def test_the_invitations_of_a_former_lead_end(lab: Lab) -> None:
    def invite() -> str:
        return lab.done("invitation", "add", "--project", lab.project).partition("code=")[2]

    def change(role: MemberRole) -> None:
        lab.server.as_admin(lambda admin: admin.change_member(lab.project, lab.lead, role=role))

    first = invite()
    change("reader")
    assert accept(lab.server, first)[1].status_code == 403
    change("lead")
    second = invite()
    lab.server.as_admin(lambda admin: admin.remove_member(lab.project, lab.lead))
    assert accept(lab.server, second)[1].status_code == 403


def test_a_lead_sets_budgets_of_members_within_those_of_the_project(lab: Lab) -> None:
    set_budget = ("budget", "set", lab.project, "--jobs")
    assert "only administrators set budgets of a whole project" in lab.run(*set_budget, "5").stderr
    lab.server.admin(*set_budget, "10")
    assert "at most 10 jobs" in lab.run(*set_budget, "11", "--member", "each").stderr
    lab.done(*set_budget, "11", "--member", "each", "--per", "day")  # the project has none a day
    lab.done(*set_budget, "1", "--member", lab.mate)
    ran(lab.server, lab.mate_token)
    with lab.server.client(lab.mate_token) as client:
        body = {"device": "simulator", "program": BELL, "shots": 100}
        refused = client.post("/v1/jobs", json=body)
    assert (refused.status_code, lab.mate in refused.json()["detail"]) == (403, True)
    assert f"for {lab.mate}" in lab.done("budget", "show", lab.project)
    whole = lab.run("budget", "clear", lab.project)
    assert "only administrators remove budgets of a whole project" in whole.stderr
    assert lab.done("budget", "show", lab.project).count("for ") == 2, "none was removed"
    lab.done("budget", "clear", lab.project, "--member", lab.mate)
    ran(lab.server, lab.mate_token)
    assert "10 jobs" in lab.done("budget", "show", lab.project), "that of administrators stays"


def test_a_lead_who_names_no_server_learns_where_the_project_was_looked_for(
    lab: Lab, tmp_path: Path
) -> None:
    words = ("budget", "show", lab.project, "--data-dir", str(tmp_path))
    lost = run_here(*words, env={"QWICKET_TOKEN": lab.lead_token})
    expected = f"There is no project {lab.project}. The command used the data in {tmp_path}; with"
    assert f"{expected} --url it asks a running server." in lost.stderr
    assert "--url" not in run_here(*words, env={"QWICKET_TOKEN": ""}).stderr


def test_a_member_sees_of_which_project_and_time_a_budget_is(lab: Lab) -> None:
    lab.server.admin("budget", "set", lab.project, "--jobs", "10", "--per", "week")
    lab.done("budget", "set", lab.project, "--shots", "50", "--per", "day", "--member", "each")
    shown = lab.done("account", by=lab.mate_token)
    assert f"budget   {lab.project}: 10 of 10 jobs left this week\n" in shown
    assert shown.endswith(f"budget   {lab.project}: 50 of 50 shots left today for you")
    assert "for each member" in lab.done("budget", "show", lab.project)


def test_a_form_changes_of_a_member_only_what_is_filled_in(lab: Lab, browser: Browser) -> None:
    at = f"/ui/projects/{lab.project}/lead"
    form = browser.get(at).text.partition('value="change_member"')[2].partition("</form>")[0]
    assert '<option value="" selected>As it is' in form
    fields = {"act": "change_member", "project": lab.project, "account": lab.lead}
    changed = browser.submit(at, at, **fields, role="", shares="3")
    assert changed.status_code == 303
    assert f"{lab.lead}  3 shares  lead" in lab.done("project", "member", "list", lab.project)
    nothing = browser.submit(at, at, **fields, role="", shares="")
    assert (nothing.status_code, "Give shares, role or both" in nothing.text) == (400, True)


def test_a_lead_sees_use_and_jobs_of_each_person(lab: Lab) -> None:
    job = ran(lab.server, lab.mate_token)
    ran(lab.server, lab.lead_token)
    used = lab.done("usage", "--project", lab.project, "--by", "project,account")
    assert re.findall(rf"{lab.project}\s+(\S+)\s+1 job", used) == sorted([lab.lead, lab.mate])
    listed = lab.done("jobs", "--all", "--project", lab.project)
    assert lab.mate in listed
    assert job in lab.done("jobs", "--all", "--project", lab.project, "--account", lab.mate)


COMMANDS = (
    ("invitation", "list", "--project", "P"),
    ("invitation", "add", "--project", "P"),
    ("invitation", "remove", "x", "--project", "P"),
    ("budget", "show", "P"),
    ("budget", "set", "P", "--member", "each", "--jobs", "1"),
    ("usage", "--project", "P"),
    ("jobs", "--all", "--project", "P"),
    ("job", "cancel", "--all", "--project", "P", "--dry-run"),
)


def test_others_learn_nothing_and_change_nothing(lab: Lab) -> None:
    for words in COMMANDS:
        for project in (lab.project, "none-such"):
            given = [project if word == "P" else word for word in words]
            assert ONLY in lab.run(*given, by=lab.mate_token).stderr, words
        if words[0] not in ("jobs", "job"):
            given = [lab.project if word == "P" else word for word in words]
            assert "tokens:write" in lab.run(*given, by=lab.limited_token).stderr, words
    for text in ("invitation list", "budget show", "usage"):
        assert "Name the project that you lead" in lab.run(*text.split()).stderr, text


@pytest.fixture
def browser(lab: Lab) -> Iterator[Browser]:
    with Browser(lab.server.url) as made:
        assert made.sign_in(lab.lead, PASSWORD).status_code == 303
        yield made


def test_a_lead_does_the_same_on_the_page_of_the_project(lab: Lab, browser: Browser) -> None:
    at = f"/ui/projects/{lab.project}/lead"
    assert at in browser.get(f"/ui/projects/{lab.project}").text
    ran(lab.server, lab.mate_token)

    def send(act: str, **fields: str) -> httpx.Response:
        return browser.submit(at, at, act=act, project=lab.project, **fields)

    role = send("change_member", account=lab.mate, role="reader")
    assert role.status_code == 303, role.text
    made = send("create_invitation", role="reader", uses="2", life_s="1")
    code = re.search(r"code=(qw_\w{43})", made.text)
    assert code, made.text
    assert accept(lab.server, code[1])[1].status_code == 201
    budget = send("set_budget", member="each", unit="jobs", period="day", maximum="7")
    assert budget.status_code == 303, budget.text
    page = browser.get(at).text
    for shown in (f'{lab.mate}</div><span class="muted">reader', "1 of 2", "7 jobs each day"):
        assert shown in page
    (budget_id,) = re.findall(r'name="budget" value="(.*?)"', page)
    (invitation,) = re.findall(r'name="invitation" value="(.*?)"', page)
    assert "Remove this budget?" in send("delete_budget", budget=budget_id).text
    send("delete_budget", budget=budget_id, confirmed="yes")
    send("delete_invitation", invitation=invitation, confirmed="yes")
    page = browser.get(at).text
    assert ("7 jobs each day" in page, "1 of 2" in page) == (False, False)
    whole = send("set_budget", unit="jobs", period="day", maximum="7")
    assert (whole.status_code, "whole project" in whole.text) == (403, True)
    assert send("create_project", name="x").status_code == 403
    shown = lab.server.admin("audit", "list", "--limit", "20", "--json")
    for act in ("create_invitation", "set_budget", "delete_budget", "delete_invitation"):
        assert re.search(rf'"{lab.lead}".*"{act}"|"{act}".*"{lab.lead}"', shown), act


def test_the_page_is_for_leads_alone(lab: Lab, browser: Browser) -> None:
    at = f"/ui/projects/{lab.project}/lead"
    csrf = browser.csrf(at)
    lab.server.as_admin(lambda admin: admin.change_member(lab.project, lab.lead, role="member"))
    assert browser.get(at).status_code == 403
    fields = {"csrf": csrf, "act": "add_member", "project": lab.project, "account": lab.lead}
    assert browser.post(at, data=fields).status_code == 403
    assert at not in browser.get(f"/ui/projects/{lab.project}").text


@pytest.fixture
def paused(lab: Lab) -> Iterator[str]:
    """A device on which jobs wait."""
    pause = partial(Admin.turn_off, device="clifford", reason="paused", takes_jobs=True)
    lab.server.as_admin(pause)
    yield "clifford"
    lab.server.as_admin(lambda admin: admin.turn_on("clifford"))


def submitted(server: LiveServer, token: str, device: str) -> str:
    with server.client(token) as client:
        body = {"device": device, "program": BELL, "shots": 100}
        return str(client.post("/v1/jobs", json=body).json()["id"])


def test_a_lead_holds_and_cancels_a_members_job_on_its_page(
    lab: Lab, browser: Browser, paused: str
) -> None:
    job = submitted(lab.server, lab.mate_token, paused)
    at = f"/ui/jobs/{job}"
    assert 'value="hold"' in browser.get(at).text
    assert browser.submit(at, at, action="hold").status_code == 303
    with lab.server.client(lab.mate_token) as client:
        assert client.get(f"/v1/jobs/{job}").json()["held_by"] == "owner"
        assert "held by a lead of its project" in client.get(f"/v1/jobs/{job}/events").text
        assert "Cancel" in browser.get(f"{at}/confirm?action=cancel").text
        assert browser.submit(at, at, action="cancel").status_code == 303
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert browser.get(f"{at}/confirm?action=delete").status_code == 404


class Tree(NamedTuple):
    """Waiting jobs: of members of a project, of one below it, and of the same person elsewhere."""

    of_mate: str
    of_lead: str
    below: str
    elsewhere: str


@pytest.fixture
def tree(lab: Lab, paused: str) -> Tree:
    below = f"{lab.project}/x"

    async def make(admin: Admin) -> list[str]:
        await admin.add_project(below)
        await admin.add_member(below, lab.mate)
        # A project whose name begins alike is not below.
        await admin.add_project(f"{lab.project}-2")
        await admin.add_member(f"{lab.project}-2", lab.mate)
        of = (below, f"{lab.project}-2")
        return [(await admin.create_token(lab.mate, project=each)).secret for each in of]

    tokens = (lab.mate_token, lab.lead_token, *lab.server.as_admin(make))
    return Tree(*(submitted(lab.server, each, paused) for each in tokens))


def states(lab: Lab, tree: Tree) -> list[str]:
    """Return the state of each job, or who holds it."""
    with lab.server.client(lab.mate_token) as client:
        found = [client.get(f"/v1/jobs/{each}").json() for each in tree]
    return [each["held_by"] or each["state"] for each in found]


def test_a_lead_changes_many_jobs_of_the_project_and_below_and_no_others(
    lab: Lab, tree: Tree
) -> None:
    of_project = ("--all", "--project", lab.project)
    listed = lab.done("jobs", *of_project, "--json")
    assert [each in listed for each in tree] == [True, True, True, False]
    of_mate = (*of_project, "--account", lab.mate)
    assert lab.done("job", "hold", *of_mate, "--dry-run") == "2 jobs to be held"
    assert lab.done("job", "hold", *of_mate, "--yes") == "2 jobs held"
    assert states(lab, tree) == ["owner", "queued", "owner", "queued"]
    lab.server.as_admin(lambda admin: admin.change_job(ROOT, tree.below, is_held=True))
    assert lab.done("job", "hold", *of_project, "--yes") == "1 job held"
    assert lab.done("job", "release", *of_project, "--yes") == "2 jobs released"
    assert states(lab, tree) == ["queued", "queued", "admin", "queued"], "it holds one itself"
    for action in ("delete", "requeue"):
        refused = lab.run("job", action, *of_project, "--yes")
        assert f"only administrators {action} jobs of others" in refused.stderr
    assert lab.done("job", "cancel", *of_project, "--yes") == "3 jobs cancelled"
    assert states(lab, tree) == ["cancelled", "cancelled", "cancelled", "queued"]
    shown = lab.server.admin("audit", "list", "--limit", "20", "--json")
    acts = [each for each in json.loads(shown) if each["actor"] == lab.lead]
    done = [(each["action"], each["details"]["action"]) for each in acts]
    assert done == [("change_jobs", each) for each in ("cancel", "release", "hold", "hold")]
    with lab.server.client(lab.lead_token) as client:
        body = {"action": "hold", "project": lab.project, "ids": [tree.elsewhere]}
        both = client.post("/v1/admin/bulk/jobs", json=body)
        assert (both.status_code, both.json()["field"]) == (400, "ids")
        del body["project"]
        assert client.post("/v1/admin/bulk/jobs", json=body).status_code == 403
    assert states(lab, tree)[3] == "queued"


def test_a_lead_changes_many_jobs_on_the_page_of_the_project(
    lab: Lab, tree: Tree, browser: Browser
) -> None:
    at = f"/ui/projects/{lab.project}/lead"
    fields = {"act": "change_jobs", "project": lab.project, "device": "clifford", "account": ""}
    for action in ("hold", "release", "cancel"):
        assert f'<option value="{action}"' in browser.get(at).text
        asked = browser.submit(at, at, **fields, action=action)
        assert f"<h1>{action.capitalize()}: 3 jobs?</h1>" in asked.text
        done = browser.submit(at, at, **fields, action=action, confirmed="yes")
        assert "<dt>Number</dt><dd>3</dd>" in done.text
    assert states(lab, tree) == ["cancelled", "cancelled", "cancelled", "queued"]
