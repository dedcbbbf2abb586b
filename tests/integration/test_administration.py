"""What administrators' commands and `/v1/admin` do, on the data folder and on a running server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket.dialects.native.admin.routes import ROUTES
from qwicket.gateway.admin import Admin
from support.bad_server import BadServer, answer
from support.for_each import for_each
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, run_cli, run_here
from support.waiting import until

pytestmark = pytest.mark.extended

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def admin_token(server: LiveServer) -> str:
    """Return a token of the scope admin, of an account of its own."""
    name = f"chief-{os.urandom(3).hex()}"
    server.admin("user", "add", name, "--role", "admin")
    return server.admin("token", "create", "--user", name, "--scope", "admin")


@pytest.fixture(params=["folder", "server"])
def run(request: pytest.FixtureRequest, server: LiveServer, admin_token: str) -> Run:
    """Run a command on the data folder, or over HTTP."""
    if request.param == "folder":
        place, env = ["--data-dir", str(server.folder / "data")], {}
    else:
        place, env = ["--url", server.url], {"QWICKET_TOKEN": admin_token}

    def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run_here(*words, *place, env=env, stdin=stdin)

    return call


@pytest.fixture
def name() -> str:
    return f"anna.mueller_{os.urandom(3).hex()}"


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def token_of(run: Run, name: str) -> str:
    return done(run("token", "create", "--user", name))


def status(server: LiveServer, token: str) -> int:
    with server.client(token) as client:
        return client.get("/v1/account").status_code


def listed(run: Run, name: str, *options: str) -> dict[str, Any] | None:
    accounts = json.loads(done(run("user", "list", "--json", *options)))
    found: list[dict[str, Any]] = [each for each in accounts if each["name"] == name]
    return found[0] if found else None


# --- one account ----------------------------------------------------------------------------------


def test_an_account_is_disabled_and_enabled_with_its_tokens(
    run: Run, server: LiveServer, name: str
) -> None:
    assert done(run("user", "add", name)) == f"{name} (member)"
    token = token_of(run, name)
    done(run("user", "disable", name))
    assert status(server, token) == 401
    found = listed(run, name)
    assert found is not None
    assert found["disabled_at"]
    done(run("user", "enable", name))
    assert status(server, token) == 200


def test_an_address_is_an_alias_in_any_case_of_letters(
    run: Run, server: LiveServer, name: str
) -> None:
    done(run("user", "add", name, "--email", f"{name}@Uni-Example.org"))
    found = listed(run, name)
    assert found is not None
    assert found["email"] == f"{name}@uni-example.org"
    token = token_of(run, f"{name.upper()}@uni-EXAMPLE.org")
    assert status(server, token) == 200
    taken = run("user", "add", f"other-{name[:20]}", "--email", f"{name}@UNI-example.org")
    assert (taken.returncode, "is taken" in taken.stderr) == (1, True)
    done(run("user", "email", name, "new@example.org" + name))
    done(run("user", "email", name))
    found = listed(run, name)
    assert found is not None
    assert found["email"] == f"{name}@localhost"


def test_who_becomes_a_member_loses_an_administrators_tokens(
    run: Run, server: LiveServer, name: str
) -> None:
    done(run("user", "add", name, "--role", "admin"))
    high = done(run("token", "create", "--user", name, "--scope", "admin"))
    low = token_of(run, name)
    with server.client(high) as client:
        assert client.get("/v1/admin/accounts").status_code == 200
        done(run("user", "role", name, "member"))
        assert client.get("/v1/admin/accounts").status_code == 401
    assert status(server, low) == 200
    refused = run("token", "create", "--user", name, "--scope", "admin")
    assert "is not an admin" in refused.stderr


def test_a_reset_revokes_the_tokens_and_changes_the_password(
    run: Run, server: LiveServer, name: str
) -> None:
    done(run("user", "add", name, "--password-stdin", stdin="old password"))
    token = token_of(run, name)
    done(run("user", "reset", name, "--password-stdin", stdin="new password"))
    assert status(server, token) == 401
    login = f"{server.url}/ibm/api/users/login"

    def signs_in(password: str) -> bool:
        sent = httpx.post(login, json={"email": name, "password": password})
        return sent.status_code == 200

    assert not signs_in("old password")
    assert signs_in("new password")
    done(run("user", "reset", name))
    assert not signs_in("new password")


def test_a_deleted_account_is_gone_and_can_be_restored_with_its_jobs(
    run: Run, server: LiveServer, name: str
) -> None:
    done(run("user", "add", name, "--email", f"{name}@example.org"))
    token = token_of(run, name)
    with server.client(token) as client:
        ended = submit(client, BELL)
        assert client.get(f"/v1/jobs/{ended}", params={"wait": 30}).json()["state"] == "completed"
        waiting = [submit(client, held_job().program) for _ in range(4)]
        done(run("user", "delete", name))
        assert client.get("/v1/account").status_code == 401
    assert listed(run, name) is None
    deleted = listed(run, name, "--deleted")
    assert deleted is not None
    assert deleted["deleted_at"]
    for other in (name, f"{name}@example.org"):
        assert "There is no account" in run("token", "create", "--user", other).stderr
    assert "is taken" in run("user", "add", name).stderr
    done(run("user", "restore", name))
    assert "no deleted account" in run("user", "restore", name).stderr
    with server.client(token) as client:
        assert client.get(f"/v1/jobs/{ended}").json()["state"] == "completed"
        for job in waiting:
            assert_cancelled(client, job)


def assert_cancelled(client: httpx.Client, job: str) -> None:
    until(
        lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled",
        "its unfinished jobs were cancelled",
    )


def submit(client: httpx.Client, program: dict[str, Any]) -> str:
    body = {"program": program, "device": "simulator", "shots": 10}
    return str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])


@for_each(
    "words, said",
    [
        (("add", "Ada"), "name must be 1 to 39 of a-z"),
        (("add", "a@b"), "name must be 1 to 39 of a-z"),
        (("add", "ok", "--email", "nobody"), "email must be an e-mail address"),
        (("add", "ok", "--email", "ada@LocalHost"), "email must not end in @localhost"),
        (("disable", "no-such"), "There is no account no-such."),
        (("enable", "no-such"), "There is no account no-such."),
        (("role", "no-such", "admin"), "There is no account no-such."),
        (("email", "no-such", "x@y"), "There is no account no-such."),
        (("reset", "no-such"), "There is no account no-such."),
        (("delete", "no-such"), "There is no account no-such."),
        (("restore", "no-such"), "There is no deleted account no-such."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run: Run, words: tuple[str, ...], said: str) -> None:
    refused = run("user", *words)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


# --- many accounts --------------------------------------------------------------------------------


def people(folder: Path, text: str, name: str = "people.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_many_accounts_are_added_with_a_token_each(
    run: Run, server: LiveServer, name: str, tmp_path: Path
) -> None:
    project = f"class-{os.urandom(3).hex()}"
    server.admin("project", "add", project)
    rows = "".join(f"{name}{k}, {name}{k}@example.org\n" for k in range(30))
    file = people(tmp_path, f"name,email\n{rows}")
    options = ("--from", str(file), "--tokens", str(tmp_path / "tokens"), "--project", project)
    assert done(run("user", "add", *options)).startswith("30 accounts")
    files = sorted((tmp_path / "tokens").iterdir())
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert [each.name for each in files] == sorted(f"{name}{k}" for k in range(30))
    for each in files[:3]:
        with server.client(each.read_text()) as client:
            found = client.get("/v1/account").json()
        assert (found["name"], found["token"]["project"]) == (each.name, project)
    again = run("user", "add", *options)
    assert (again.returncode, "exists already" in again.stderr) == (1, True)


def test_many_accounts_come_from_json_too(run: Run, name: str, tmp_path: Path) -> None:
    text = json.dumps([{"name": f"{name}0"}, {"name": f"{name}1", "email": f"{name}@x.org"}])
    file = people(tmp_path, text, "people.json")
    done(run("user", "add", "--from", str(file), "--tokens", str(tmp_path / "tokens")))
    assert len(list((tmp_path / "tokens").iterdir())) == 2


@for_each(
    "text, said",
    [
        ("name,email\n{new},\nBad Name,\n", "Account 2: name must be 1 to 39"),
        ("name,email\n{new},nobody\n", "Account 1: email must be an e-mail address"),
        ("name,email\n{new},\n{new},\n", "is taken"),
        ("name,email\n{new},a@{new}\nx{new},A@{new}\n", "is taken"),
        ("name,email\n{new},\n{old},\n", "The name {old} is taken"),
        ("name,group\n{new},x\n", "line 2: it must have a name"),
        ("email\nx@y\n", "must have the columns: name,email"),
        ("name,email\n{new},x@y,z\n", "line 2: it must have a name"),
        ("name,email\n", "names no account"),
        ('[{{"name": 1}}]', "object 1: name and email must be texts"),
        ('[{{"name": "{new}"}}, "x"]', "object 2: it must have a name"),
        ("[", "people.csv: "),
        ("{{}}", "must be a list"),
    ],
)
def test_of_many_accounts_all_are_added_or_none(
    run: Run, server: LiveServer, name: str, tmp_path: Path, text: str, said: str
) -> None:
    server.token()
    text, said = (each.format(new=name, old=server.account) for each in (text, said))
    file = people(tmp_path, text)
    folder = tmp_path / "tokens"
    refused = run("user", "add", "--from", str(file), "--tokens", str(folder))
    assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
    assert refused.stderr.count("\n") == 1
    assert listed(run, name) is None
    assert not folder.exists() or not list(folder.iterdir())


def test_a_servers_names_are_no_paths(tmp_path: Path) -> None:
    file, folder = people(tmp_path, "name,email\neve,\n"), tmp_path / "tokens"
    added = {"accounts": [{"name": "../run-me", "id": "1", "secret": "exit 0"}]}
    with BadServer(answer(201, added)) as bad:
        env = {"QWICKET_URL": bad.url, "QWICKET_TOKEN": "the-token-of-root"}
        refused = run_cli(
            *("user", "add", "--url", bad.url, "--from", str(file), "--tokens", str(folder)),
            env=env,
        )
    assert refused.returncode == 1
    assert "'../run-me', which is not in" in refused.stderr
    assert not (tmp_path / "run-me").exists()


def test_a_servers_names_are_no_formulas() -> None:
    use = {"project": "=1+1", "device": "\n@a", "jobs": 1, "shots": 2, "seconds": 0.5, "cost": 0.0}
    with BadServer(answer(200, {"usage": [use]})) as bad:
        env = {"QWICKET_URL": bad.url, "QWICKET_TOKEN": "the-token-of-root"}
        printed = run_cli("usage", "--url", bad.url, "--csv", env=env).stdout
    assert printed == "project,device,jobs,shots,seconds,cost\n'=1+1,\"'\n@a\",1,2,0.5,0.0\n"


# --- over HTTP ------------------------------------------------------------------------------------


def test_an_administrator_cannot_lock_itself_out(server: LiveServer, admin_token: str) -> None:
    with server.client(admin_token) as client:
        own = client.get("/v1/account").json()["name"]
        for answer in (
            client.patch(f"/v1/admin/accounts/{own}", json={"is_enabled": False}),
            client.patch(f"/v1/admin/accounts/{own}", json={"role": "member"}),
            client.post(f"/v1/admin/accounts/{own}/reset", json={}),
            client.delete(f"/v1/admin/accounts/{own}"),
        ):
            assert answer.status_code == 409
            assert "your own account" in answer.json()["detail"]
        assert client.patch(f"/v1/admin/accounts/{own}", json={"email": None}).status_code == 200


def test_responses_have_the_status_that_is_declared(
    server: LiveServer, admin_token: str, name: str
) -> None:
    base = "/v1/admin/accounts"
    with server.client(admin_token) as client:
        made = client.post(base, json={"name": name, "email": f"{name}@example.org"})
        assert (made.status_code, made.json()["name"]) == (201, name)
        several = {"accounts": [{"name": f"{name}-2"}], "scopes": ["jobs:read"], "life_s": 60}
        bulk = client.post("/v1/admin/bulk/accounts", json=several)
        assert (bulk.status_code, [each["name"] for each in bulk.json()["accounts"]]) == (
            *(201, [f"{name}-2"]),
        )
        read = client.get(f"{base}/{name}@EXAMPLE.org")
        assert (read.status_code, read.json()) == (200, made.json())
        token = client.post(f"{base}/{name}/tokens", json={"scopes": ["jobs:read"]})
        assert (token.status_code, token.json()["scopes"]) == (201, ["jobs:read"])
        tokens = client.get(f"{base}/{name}/tokens").json()["tokens"]
        assert [each["id"] for each in tokens] == [token.json()["id"]]
        assert status(server, token.json()["secret"]) == 200
        revoked = client.delete(f"/v1/admin/tokens/{token.json()['id']}")
        assert (revoked.status_code, revoked.json()) == (200, {"tokens": [token.json()["id"]]})
        assert status(server, token.json()["secret"]) == 401
        assert client.delete(f"{base}/{name}").status_code == 204
        assert client.delete(f"{base}/{name}").status_code == 404
        assert client.post(f"{base}/{name}/restore").status_code == 200


def test_members_may_do_none_of_it(server: LiveServer) -> None:
    with server.client() as client:
        for method, path in (
            ("GET", "/v1/admin/accounts"),
            ("POST", "/v1/admin/accounts"),
            ("POST", "/v1/admin/bulk/accounts"),
            ("POST", "/v1/admin/bulk/people"),
            ("GET", "/v1/admin/accounts/ada"),
            ("PATCH", "/v1/admin/accounts/ada"),
            ("DELETE", "/v1/admin/accounts/ada"),
            ("POST", "/v1/admin/accounts/ada/reset"),
            ("POST", "/v1/admin/accounts/ada/restore"),
            ("GET", "/v1/admin/accounts/ada/tokens"),
            ("POST", "/v1/admin/accounts/ada/tokens"),
            ("DELETE", "/v1/admin/tokens/x"),
        ):
            assert client.request(method, path, json={}).status_code == 403, path


@for_each(
    "path, body, field",
    [
        ("accounts", {"name": "A"}, "name"),
        ("accounts", {"name": "a", "role": "king"}, "role"),
        ("accounts", {"name": "a", "email": 1}, "email"),
        ("accounts", {"name": "a", "password": "short"}, "password"),
        ("accounts", {"name": "a", "more": 1}, "more"),
        ("bulk/accounts", {"accounts": []}, "accounts"),
        ("bulk/accounts", {"accounts": [{"name": "a b"}]}, "accounts[0].name"),
        ("bulk/accounts", {"accounts": [{"name": "q"}], "scopes": ["admin"]}, "scopes"),
        ("bulk/accounts", {"accounts": [{"name": "q"}], "life_s": 0}, "life_s"),
        ("bulk/people", {"csv": "name\nA"}, "csv"),
        ("bulk/people", {"csv": "name\na", "absent": "delete"}, "absent"),
    ],
)
def test_a_wrong_body_is_refused_by_field(
    server: LiveServer, admin_token: str, path: str, body: dict[str, Any], field: str
) -> None:
    with server.client(admin_token) as client:
        refused = client.post(f"/v1/admin/{path}", json=body)
    assert (refused.status_code, refused.json()["field"]) == (400, field)


# --- projects, devices, providers and keys --------------------------------------------------------


def test_a_project_has_shares_and_members(server: LiveServer, run: Run, name: str) -> None:
    project = f"p-{name}"[:39]
    assert done(run("project", "add", project, "--shares", "3")) == f"{project}  3 shares"
    assert "is taken" in run("project", "add", project).stderr
    done(run("project", "shares", project, "4"))
    (found,) = [
        each
        for each in json.loads(done(run("project", "list", "--json")))
        if each["name"] == project
    ]
    assert found == {
        "name": project,
        "shares": 4,
        "stored_bytes": 0,
        "retention_days": None,
    }
    done(run("user", "add", name))
    for _ in range(2):  # a repetition changes nothing
        done(run("project", "member", "add", project, name))
    assert done(run("project", "member", "list", project)) == f"{name}  1 share  member  0.0 MB"
    token = done(run("token", "create", "--user", name, "--project", project))
    assert status(server, token) == 200
    done(run("project", "member", "remove", project, name))
    assert status(server, token) == 401
    assert done(run("project", "member", "list", project)) == ""
    assert "no project" in run("project", "member", "list", "nothing").stderr


def test_a_lead_changes_the_members_of_the_project(server: LiveServer, run: Run, name: str) -> None:
    project, mate = f"p-{name}"[:39], f"m-{name}"[:39]
    done(run("project", "add", project))
    for each in (name, mate):
        done(run("user", "add", each))
    done(run("project", "member", "add", project, name))
    scopes = ("--scope", "jobs:read", "--scope", "tokens:write")
    token = server.admin("token", "create", "--user", name, *scopes)
    plain = server.admin("token", "create", "--user", name)

    def as_lead(*words: str, by: str = token) -> subprocess.CompletedProcess[str]:
        place = ("--url", server.url)
        return run_cli("project", "member", *words, *place, env={"QWICKET_TOKEN": by})

    for of in (project, "none-such"):  # which tells nobody that there is one
        assert "leads of the project" in as_lead("add", of, mate).stderr
    done(run("project", "member", "role", project, name, "lead"))
    assert "tokens:write" in as_lead("add", project, mate, by=plain).stderr
    done(as_lead("add", project, mate))
    done(as_lead("role", project, mate, "reader"))
    done(as_lead("shares", project, mate, "3"))
    assert f"{mate}  3 shares  reader" in done(as_lead("list", project))
    shown = done(run("audit", "list", "--limit", "3"))
    assert (shown.count(name), f"member/{project}/{mate}" in shown) >= (3, True)
    done(as_lead("remove", project, mate))
    assert mate not in done(run("project", "member", "list", project))
    assert "leads of the project" in as_lead("list", mate).stderr


def test_a_device_is_turned_off_with_a_reason_and_on(
    server: LiveServer, admin_token: str, run: Run
) -> None:
    def found() -> dict[str, Any]:
        devices: list[dict[str, Any]] = json.loads(done(run("device", "list", "--json")))
        return next(each for each in devices if each["name"] == "clifford")

    assert found()["is_on"]
    done(run("device", "off", "clifford", "--reason", "new mirrors", "--until", "2099-11-30T08:00"))
    off = found()
    assert (off["is_on"], off["reason"], off["until"]) == (
        *(False, "new mirrors", "2099-11-30T08:00:00Z"),
    )
    listed = done(run("device", "list"))
    assert "off until 2099-11-30 08:00 UTC: new mirrors" in listed
    done(run("device", "on", "clifford"))
    assert found()["is_on"]
    wrong = run("device", "off", "clifford", "--reason", "x", "--until", "2001-01-01T00:00")
    assert "until has passed" in wrong.stderr
    with server.client(admin_token) as client:
        late = {"is_on": False, "until": "9999-12-31T23:59:59-01:00"}
        refused = client.patch("/v1/admin/devices/clifford", json=late)
        assert (refused.status_code, refused.json()["field"]) == (400, "until")
    with server.client() as client:
        assert client.get("/v1/devices").status_code == 200
    assert "no device nothing" in run("device", "on", "nothing").stderr


def test_providers_are_shown_and_hidden(run: Run, name: str) -> None:
    def found() -> dict[str, bool]:
        rows = json.loads(done(run("device", "provider", "list", "--json")))
        return {each["name"]: each["is_active"] for each in rows}

    assert done(run("device", "provider", "add", name)) == name
    assert "is taken" in run("device", "provider", "add", name).stderr
    assert found()[name]
    done(run("device", "provider", "off", name))
    assert not found()[name]
    done(run("device", "provider", "on", name))
    assert found()[name]
    assert "no provider" in run("device", "provider", "on", "nothing").stderr


def test_new_keys_end_all_access_tokens(server: LiveServer, run: Run) -> None:
    with server.client() as client:
        signed_in = client.post("/ibm/api/users/loginWithToken", json={"apiToken": server.token()})
        access = signed_in.json()["id"]

        def read() -> int:
            headers = {"X-Access-Token": access}
            return client.get("/ibm/api/Network", headers=headers).status_code

        assert read() != 401
        done(run("token", "rotate-keys"))
        # A server remembers the key for a moment.
        until(lambda: read() == 401, "the access token has ended")


def test_a_change_with_a_wrong_message_changes_nothing(
    server: LiveServer, admin_token: str
) -> None:
    with server.client(admin_token) as client:
        body = {"is_on": False, "reason": "new mirrors", "message": "two\nlines"}
        refused = client.patch("/v1/admin/devices/clifford", json=body)
        assert (refused.status_code, refused.json()["field"]) == (400, "message")
        devices = client.get("/v1/admin/devices").json()["devices"]
        assert next(each for each in devices if each["name"] == "clifford")["is_on"]


def test_a_device_that_is_turned_on_has_only_the_message_that_came_with_it(
    server: LiveServer, admin_token: str
) -> None:
    with server.client(admin_token) as client:
        for on, message in (({"is_on": True}, ""), ({"is_on": True, "message": "new"}, "new")):
            off = {"is_on": False, "reason": "cold", "message": "until noon"}
            for body in (off, on):
                client.patch("/v1/admin/devices/clifford", json=body).raise_for_status()
            devices = client.get("/v1/admin/devices").json()["devices"]
            (found,) = [each for each in devices if each["name"] == "clifford"]
            assert found["message"] == message
        client.patch("/v1/admin/devices/clifford", json={"message": ""}).raise_for_status()


def test_a_device_that_is_on_has_no_reason(server: LiveServer, admin_token: str) -> None:
    with server.client(admin_token) as client:
        body = {"is_on": True, "reason": "x"}
        refused = client.patch("/v1/admin/devices/clifford", json=body)
        assert (refused.status_code, refused.json()["field"]) == (400, "reason")


def test_commands_on_the_folder_need_no_server_and_no_token(tmp_path: Path) -> None:
    place = ["--data-dir", str(tmp_path / "data")]
    assert done(run_cli("user", "add", "ada", *place)) == "ada (member)"
    assert "simulator" not in done(run_cli("device", "list", *place))  # a server adds them
    refused = run_cli("user", "add", "ada", *place)
    assert (refused.returncode, refused.stderr) == (1, "Error: The name ada is taken.\n")


# --- jobs of everybody ----------------------------------------------------------------------------


@pytest.fixture
def jobs(server: LiveServer, name: str) -> dict[str, list[str]]:
    """Submit jobs of two accounts; return their ids by the name of the account, newest first."""
    made: dict[str, list[str]] = {}
    for owner in (name, f"b{name}"[:39]):
        with server.client(server.token(owner)) as client:
            body = {"program": BELL, "device": "simulator", "shots": 5, "tags": [name[:60]]}
            sent = [client.post("/v1/jobs", json=body).json()["id"] for _ in range(2)]
            for job in sent:
                client.get(f"/v1/jobs/{job}", params={"wait": 60})
            made[owner] = sent[::-1]
    return made


def test_an_administrator_lists_and_reads_jobs_of_everybody(
    server: LiveServer, admin_token: str, name: str, jobs: dict[str, list[str]]
) -> None:
    other = f"b{name}"[:39]
    with server.client(admin_token) as client:

        def listed(**params: Any) -> list[str]:
            page = client.get("/v1/admin/jobs", params={"tag": name[:60], **params})
            return [each["id"] for each in page.raise_for_status().json()["jobs"]]

        assert listed() == [*jobs[other], *jobs[name]]
        assert listed(account=name.upper()) == jobs[name]
        assert listed(project=other, state="completed", device="simulator") == jobs[other]
        assert listed(account=name, project=other) == []
        assert listed(account=name, dialect="native") == jobs[name]
        assert listed(dialect="ionq") == listed(state="failed") == []
        first = client.get("/v1/admin/jobs", params={"tag": name[:60], "limit": 3}).json()
        assert listed(before=first["next"]) == jobs[name][1:]
        found = client.get(f"/v1/admin/jobs/{jobs[name][0]}").json()
        assert (found["account"], found["project"], found["state"]) == (name, name, "completed")
        for wrong, status_code in (
            ({"account": "nothing-of-this-name"}, 404),
            ({"project": "nothing-of-this-name"}, 404),
            ({"state": "asleep"}, 400),
            ({"colour": "red"}, 400),
        ):
            refused = client.get("/v1/admin/jobs", params=wrong)
            assert refused.status_code == status_code, wrong
            assert next(iter(wrong.values())) in refused.json()["detail"] or "colour" in wrong
        assert client.get("/v1/admin/jobs/nothing").status_code == 404


def test_an_administrator_cancels_jobs_one_by_one_or_all_that_fit(
    server: LiveServer, admin_token: str, name: str
) -> None:
    token = server.token(name)
    body = {"program": held_job().program, "device": "simulator", "shots": 5, "tags": [name[:60]]}
    with server.client(token) as member, server.client(admin_token) as client:
        sent = [member.post("/v1/jobs", json=body).json()["id"] for _ in range(4)]
        first = client.post(f"/v1/admin/jobs/{sent[0]}/cancel").json()
        assert first["state"] in ("cancelled", "cancelling")
        fitting = {"action": "cancel", "account": name, "tags": [name[:60]]}
        path = "/v1/admin/bulk/jobs"
        until(lambda: is_cancelled(member, sent[0]), "the first one has stopped")
        tried = client.post(path, json={**fitting, "dry_run": True}).json()
        assert tried == {"number": 3, "ids": sent[:0:-1], "next": None}
        assert not is_cancelled(member, sent[3])
        assert client.post(path, json={**fitting, "device": "clifford"}).json()["number"] == 0
        assert client.post(path, json=fitting).json() == tried
        until(lambda: all(is_cancelled(member, job) for job in sent), "all have stopped")
        assert client.post(path, json=fitting).json()["number"] == 0
        assert client.post(path, json={**fitting, "states": ["completed"]}).json()["number"] == 0
        for wrong, field in (
            ({"action": "cancel", "states": ["asleep"]}, "state"),
            ({"action": "boil"}, "action"),
            ({"action": "priority"}, "priority"),
            ({"action": "hold", "priority": 3}, "priority"),
            ({"action": "priority", "priority": 101}, "priority"),
            ({"action": "cancel", "ids": []}, "ids"),
            ({"action": "cancel", "ids": ["x"], "account": name}, "ids"),
            ({"action": "cancel", "ids": ["x"], "tags": ["x"]}, "ids"),
        ):
            refused = client.post(path, json=wrong)
            assert (refused.status_code, refused.json()["field"]) == (400, field), refused.text


def is_cancelled(client: httpx.Client, job: str) -> bool:
    return bool(client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled")


def test_jobs_all_shows_an_administrator_everybodys_and_a_member_their_own(
    server: LiveServer, admin_token: str, name: str, jobs: dict[str, list[str]]
) -> None:
    def listed(token: str, *options: str) -> list[dict[str, Any]]:
        words = ("jobs", "--all", "--json", "--tag", name[:60], "--url", server.url, *options)
        found: list[dict[str, Any]] = json.loads(
            done(run_cli(*words, env={"QWICKET_TOKEN": token}))
        )
        return found

    everybodys = listed(admin_token)
    assert {each["account"] for each in everybodys} == set(jobs)
    assert [each["id"] for each in listed(admin_token, "--account", name)] == jobs[name]
    assert [each["id"] for each in listed(server.token(name))] == jobs[name]
    oldest = listed(admin_token, "--oldest", "--limit", "2")
    assert oldest == everybodys[:-3:-1]
    waiting = {each["id"] for each in everybodys if each["state"] == "queued"}
    assert {each["id"] for each in listed(admin_token, "--waiting")} == waiting
    for wrong, said in (("--oldest", "needs --all"), ("--waiting --state queued", "not both")):
        refused = run_cli("jobs", *wrong.split(), "--url", server.url)
        assert (refused.returncode, said in refused.stderr) == (2, True)
    refused = run_cli("jobs", "--account", name, "--url", server.url)
    assert (refused.returncode, "need --all" in refused.stderr) == (2, True)


# --- audit ----------------------------------------------------------------------------------------


def test_every_act_is_recorded_with_who_did_it_and_from_where(
    server: LiveServer, run: Run, name: str
) -> None:
    password = f"a secret {os.urandom(4).hex()}"
    done(run("user", "add", name, "--password-stdin", stdin=password))
    done(run("user", "email", name, f"{name}@example.org"))
    token = done(run("token", "create", "--user", name))
    assert "is taken" in run("user", "add", name).stderr
    acts = json.loads(done(run("audit", "list", "--json", "--limit", "3")))
    assert [each["action"] for each in acts] == [
        *("create_token_for", "change_account", "create_account"),
    ]
    assert {each["subject"] for each in acts} == {f"account/{name}"}
    is_remote = acts[0]["address"] != ""
    assert acts[0]["actor"].startswith("chief-") == is_remote
    assert acts[1]["before"]["email"] is None
    assert acts[1]["after"]["email"] == f"{name}@example.org"
    assert acts[2]["before"] is None
    text = done(run("audit", "list", "--json", "--limit", "1000"))
    assert password not in text
    assert token not in text
    number, _, noted = done(run("audit", "verify")).partition(" acts  ")
    assert int(number) >= 3
    assert run("audit", "verify", "--hash", noted).returncode == 0
    assert "acts were removed" in run("audit", "verify", "--hash", "0" * 64).stderr
    assert "64 hexadecimal digits" in run("audit", "verify", "--hash", "x").stderr
    shown = done(run("audit", "list", "--limit", "2"))
    assert name in shown
    assert f'email="{name}@example.org"' in shown


def test_refused_sign_ins_are_listed(server: LiveServer, run: Run) -> None:
    now = time.time_ns() // 60_000_000_000 * 60_000

    async def add(admin: Admin) -> None:
        await admin.store.maintenance.add_refusals([(now, "192.0.2.7", 3)])

    server.as_admin(add)
    rows = json.loads(done(run("audit", "refusals", "--json", "--limit", "100")))
    assert {"address": "192.0.2.7"}.items() <= rows[0].items()
    assert rows[0]["number"] >= 3
    assert "192.0.2.7" in done(run("audit", "refusals"))


def test_pages_of_the_audit_lead_to_the_first_act(server: LiveServer, admin_token: str) -> None:
    with server.client(admin_token) as client:
        for number in range(5):
            client.post("/v1/admin/accounts", json={"name": f"p{number}-{os.urandom(3).hex()}"})
        seen: list[int] = []
        params: dict[str, int] = {"limit": 2}
        while True:
            page = client.get("/v1/admin/audit", params=params).json()
            seen += [each["number"] for each in page["acts"]]
            if page["next"] is None:
                break
            params["before"] = page["next"]
    assert seen == list(range(len(seen), 0, -1))
    assert len(seen) >= 5


def test_every_route_that_changes_something_is_recorded() -> None:
    changing = [each for each in ROUTES if each.method != "GET"]
    assert len(changing) > 10
    assert all(hasattr(each.handler, "__wrapped__") for each in changing)
