"""Invitations: made by an administrator, used at the page and over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.pages import PASSWORD, Browser, add_account, error_of
from support.server import IDLE, LiveServer, run_here, server_on

pytestmark = pytest.mark.extended

Invite = Callable[..., str]
NOT_VALID = "The invitation does not exist, or has ended, or was used up. Ask for a new one."


@pytest.fixture(scope="module")
def inviting(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp(f"inviting_{database_kind}")
    with server_on(database_kind, request, folder, *IDLE, "--limit", "wrong_tokens=500") as live:
        yield live


@pytest.fixture
def name() -> str:
    return f"anna-{os.urandom(3).hex()}"


@pytest.fixture
def project(inviting: LiveServer) -> str:
    name = f"class-{os.urandom(3).hex()}"
    inviting.admin("project", "add", name)
    return name


@pytest.fixture
def chief(inviting: LiveServer) -> str:
    name = f"chief-{os.urandom(3).hex()}"
    inviting.admin("user", "add", name, "--role", "admin")
    return inviting.admin("token", "create", "--user", name, "--scope", "admin")


@pytest.fixture
def run(inviting: LiveServer, chief: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return run_here(*words, "--url", inviting.url, env={"QWICKET_TOKEN": chief})

    return call


@pytest.fixture
def invite(run: Callable[..., subprocess.CompletedProcess[str]]) -> Invite:
    """Make an invitation with the command; return its code."""

    def made(*options: str) -> str:
        done = run("invitation", "add", *options)
        assert done.returncode == 0, done.stderr
        found = re.search(r"/ui/invitation\?code=(qw_\w{43})$", done.stdout.strip())
        assert found, done.stdout
        return found[1]

    return made


@pytest.fixture
def browser(inviting: LiveServer) -> Iterator[Browser]:
    with Browser(inviting.url) as made:
        yield made


def accept(server: LiveServer, code: str, name: str, **fields: Any) -> httpx.Response:
    body = {"invitation": code, "name": name, **fields}
    return httpx.post(f"{server.url}/v1/accounts", json=body)


@pytest.mark.both_databases
def test_a_person_creates_an_account_at_the_page_and_is_signed_in(
    inviting: LiveServer, browser: Browser, invite: Invite, project: str, name: str
) -> None:
    code = invite("--project", project)
    page = f"/ui/invitation?code={code}"
    assert project in browser.get(page).text
    email = f"{name}@example.org"
    made = browser.submit(
        page, "/ui/invitation", code=code, name=name, email=email, password=PASSWORD
    )
    assert (made.status_code, made.headers["location"]) == (303, "/ui")
    assert browser.account() == name
    assert project in browser.get("/ui/account").text
    with Browser(inviting.url) as later:
        assert later.sign_in(email, PASSWORD).status_code == 303
    refused = browser.get(page)
    assert (refused.status_code, NOT_VALID in refused.text) == (403, True)


def test_a_program_creates_an_account_with_a_token_of_the_project(
    inviting: LiveServer, invite: Invite, project: str, name: str
) -> None:
    made = accept(inviting, invite("--project", project), name)
    assert made.status_code == 201, made.text
    assert (made.json()["name"], made.json()["project"]) == (name, project)
    with inviting.client(made.json()["secret"]) as client:
        account = client.get("/v1/account").json()
    assert (account["name"], account["token"]["project"]) == (name, project)
    alone = accept(inviting, invite(), f"{name}-2").json()
    assert alone["project"] == f"{name}-2"


def test_an_account_that_is_signed_in_joins_the_project(
    inviting: LiveServer, browser: Browser, invite: Invite, project: str
) -> None:
    name = add_account(inviting, "anna")
    assert browser.sign_in(name, PASSWORD).status_code == 303
    code = invite("--project", project, "--uses", "2")
    page = f"/ui/invitation?code={code}"
    assert f"Join as {name}" in browser.get(page).text
    for _ in range(3):
        assert browser.submit(page, "/ui/invitation/join", code=code).status_code == 303
    assert project in browser.get("/ui/account").text
    assert accept(inviting, code, f"{name}-2").status_code == 201, "joining twice is one use"
    assert accept(inviting, code, f"{name}-3").status_code == 403


def test_a_person_who_has_to_sign_in_first_comes_back_to_the_invitation(
    inviting: LiveServer, browser: Browser, invite: Invite, project: str
) -> None:
    name = add_account(inviting, "anna")
    page = f"/ui/invitation?code={invite('--project', project)}"
    assert 'href="/ui/sign-in"' in browser.get(page).text
    assert browser.sign_in(name, PASSWORD).headers["location"] == page
    assert f"Join as {name}" in browser.get(page).text
    browser.set_cookie("qwicket_session", "")  # it ends before the person joins
    assert browser.post("/ui/invitation/join", data={"csrf": "x"}).status_code == 401
    assert browser.sign_in(name, PASSWORD).headers["location"] == page
    joined = browser.submit(page, "/ui/invitation/join", code=page.partition("=")[2])
    assert (joined.status_code, project in browser.get("/ui/account").text) == (303, True)
    assert browser.sign_in(name, PASSWORD).headers["location"] == "/ui"


@pytest.mark.parametrize("path", ["//evil.example", "/a?b\\", "/" + "a" * 200])
def test_after_sign_in_nobody_is_sent_to_another_site(
    inviting: LiveServer, browser: Browser, path: str
) -> None:
    browser.set_cookie("qwicket_next", path)
    name = add_account(inviting, "anna")
    assert browser.sign_in(name, PASSWORD).headers["location"] == "/ui"


@pytest.mark.both_databases
def test_an_invitation_creates_as_many_accounts_as_it_has_uses(
    inviting: LiveServer, invite: Invite, name: str
) -> None:
    code = invite("--uses", "5")
    with ThreadPoolExecutor(12) as pool:
        found = pool.map(lambda n: accept(inviting, code, f"{name}-{n}").status_code, range(12))
    assert sorted(found) == [201] * 5 + [403] * 7


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"name": "A B"}, 400, "name"),
        ({"name": "support."}, 400, "name"),
        ({"email": "nowhere"}, 400, "email"),
        ({"password": "short"}, 400, "password"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_what_is_invalid_uses_nothing(
    inviting: LiveServer, invite: Invite, name: str, fields: dict[str, str], status: int, field: str
) -> None:
    code = invite()
    refused = accept(inviting, code, **{"name": name, **fields})
    assert (refused.status_code, refused.json()["field"]) == (status, field), refused.text
    assert accept(inviting, code, name).status_code == 201


def test_a_taken_name_uses_nothing_and_is_said_at_the_page(
    inviting: LiveServer, browser: Browser, invite: Invite, name: str
) -> None:
    inviting.token(name)
    code = invite()
    assert accept(inviting, code, name).status_code == 409
    page = f"/ui/invitation?code={code}"
    fields = {"code": code, "email": "", "password": PASSWORD}
    refused = browser.submit(page, "/ui/invitation", name=name, **fields)
    assert (refused.status_code, "is taken" in error_of(refused)) == (409, True)
    hostile = browser.submit(page, "/ui/invitation", name='"><script>', **fields)
    assert (hostile.status_code, "<script>" in hostile.text) == (400, False)
    assert browser.submit(page, "/ui/invitation", name=f"{name}-2", **fields).status_code == 303


@pytest.mark.parametrize("code", ["", "x", "qw_" + "A" * 43, "x" * 65, "\ud800"])
def test_a_wrong_code_is_refused(
    inviting: LiveServer, browser: Browser, name: str, code: str
) -> None:
    content = json.dumps({"invitation": code, "name": name})
    refused = httpx.post(f"{inviting.url}/v1/accounts", content=content)
    assert refused.status_code in (400, 403)
    if not code.startswith("\ud800"):
        page = browser.get("/ui/invitation", params={"code": code})
        assert (page.status_code, NOT_VALID in page.text) == (403, True)


def test_wrong_codes_are_limited_by_address(tmp_path: Path, name: str) -> None:
    server = LiveServer(tmp_path, *IDLE, "--limit", "wrong_tokens=3")
    statuses = [accept(server, "x", name).status_code for _ in range(8)]
    assert statuses[:3] == [403] * 3
    assert 429 in statuses
    assert server.stop() == 0


def test_without_passwords_an_account_has_tokens_alone(tmp_path: Path, name: str) -> None:
    server = LiveServer(tmp_path, *IDLE, "--no-passwords")
    path = server.admin("invitation", "add", "--uses", "2")
    assert path.startswith("/ui/invitation?code=qw_"), "without a server the address is a path"
    code = path.partition("=")[2]
    refused = accept(server, code, name, password=PASSWORD)
    assert (refused.status_code, refused.json()["field"]) == (400, "password")
    with Browser(server.url) as browser:
        assert "password" not in browser.get(path).text.replace("no passwords", "")
        made = browser.submit(path, "/ui/invitation", code=code, name=name, email="")
        assert made.status_code == 303
        assert browser.account() == name
    assert server.stop() == 0


def test_a_form_of_another_site_uses_nothing(
    inviting: LiveServer, browser: Browser, invite: Invite, name: str
) -> None:
    code = invite()
    fields = {"code": code, "name": name, "password": PASSWORD, "csrf": "0" * 64}
    assert browser.post("/ui/invitation", data=fields).status_code == 403
    assert browser.post("/ui/invitation/join", data=fields).status_code in (401, 403)
    assert accept(inviting, code, name).status_code == 201


def test_invitations_are_listed_and_deleted_and_the_code_is_shown_once(
    inviting: LiveServer,
    run: Callable[..., subprocess.CompletedProcess[str]],
    invite: Invite,
    project: str,
    name: str,
) -> None:
    code = invite("--project", project, "--uses", "3", "--expires", "12h")
    assert accept(inviting, code, name).status_code == 201
    listed = run("invitation", "list", "--json").stdout
    assert code not in listed
    (found,) = [each for each in json.loads(listed) if each["project"] == project]
    assert (found["used"], found["uses"]) == (1, 3)
    assert run("invitation", "remove", found["id"]).returncode == 0
    assert accept(inviting, code, f"{name}-2").status_code == 403
    again = run("invitation", "remove", found["id"])
    assert (again.returncode, "no such invitation" in again.stderr) == (1, True)
    audit = run("audit", "list", "--json", "--limit", "100").stdout
    assert code not in audit
    assert {"create_invitation", "delete_invitation"} <= {
        each["action"] for each in json.loads(audit)
    }


@pytest.mark.both_databases
def test_the_audit_says_who_invited_those_who_join(
    inviting: LiveServer,
    run: Callable[..., subprocess.CompletedProcess[str]],
    browser: Browser,
    invite: Invite,
    project: str,
    name: str,
) -> None:
    code = invite("--project", project, "--uses", "3")
    assert accept(inviting, code, name).status_code == 201
    member = add_account(inviting, "anna")
    browser.sign_in(member, PASSWORD)
    page = f"/ui/invitation?code={code}"
    for _ in range(2):  # who is a member already joins nothing
        browser.submit(page, "/ui/invitation/join", code=code)
    audit = run("audit", "list", "--json", "--limit", "100").stdout
    found = {each["subject"]: each for each in json.loads(audit) if each["actor"] in (name, member)}
    for who, subject, action in (
        (name, f"account/{name}", "accept_invitation"),
        (member, f"member/{project}/{member}", "join_project"),
    ):
        entry = found.pop(subject)
        assert (entry["actor"], entry["action"], entry["before"]) == (who, action, None)
        given = entry["details"]
        assert (given["project"], given["role"]) == (project, "member")
        assert given["invited_by"].startswith("chief-")
    assert found == {}
    assert code not in audit


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--uses", "0"), "1<=x<=10000"),
        (("--expires", "soon"), "not a duration"),
        (("--expires", "400d"), "life_s"),
        (("--project", "no-such-project"), "no-such-project"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Callable[..., subprocess.CompletedProcess[str]], options: tuple[str, ...], said: str
) -> None:
    refused = run("invitation", "add", *options)
    assert refused.returncode in (1, 2)
    assert said in refused.stderr, refused.stderr
