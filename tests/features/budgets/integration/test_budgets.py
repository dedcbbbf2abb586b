"""Budgets over HTTP: how administrators set them, members see them and clients are refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import httpx
import pytest

from abuse.every_route import SUBMISSIONS, SUBMIT_PATHS, SignedIn
from abuse.refusals import SHAPES, STATUSES
from qwicket.model.budgets import BudgetPeriod, BudgetUnit
from support import ibm, runtime
from support.budgets import budgets as administration
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, run_cli
from support.waiting import until

JOB: Final = {"device": "simulator", "program": BELL, "shots": 100}


class Spender:
    """An account with a project and a token of its own."""

    def __init__(self, server: LiveServer) -> None:
        self.name = server.unused("spender")
        self.server = server
        self.token = server.token(self.name)

    def set(
        self,
        maximum: float,
        unit: BudgetUnit = "jobs",
        period: BudgetPeriod = "total",
        device: str | None = None,
    ) -> str:
        made = self.server.as_admin(
            lambda admin: administration(admin).put(self.name, unit, period, maximum, device=device)
        )
        return made.budget.id


@pytest.fixture
def spender(server: LiveServer) -> Spender:
    return Spender(server)


@pytest.fixture
def client(spender: Spender) -> Iterator[httpx.Client]:
    with spender.server.client(spender.token) as client:
        yield client


@pytest.fixture
def chief(server: LiveServer) -> Iterator[httpx.Client]:
    """A client with the scope admin."""
    name = server.unused("chief")

    async def make(admin: Any) -> str:
        await admin.add_account(name, "admin", email=None, password=None)
        return str((await admin.create_token(name, scopes=["admin"])).secret)

    with server.client(server.as_admin(make)) as client:
        yield client


def budgets(client: httpx.Client) -> list[dict[str, Any]]:
    found = client.get("/v1/account")
    assert found.status_code == 200, found.text
    shown: list[dict[str, Any]] = found.json()["budgets"]
    return shown


def used(client: httpx.Client) -> list[float]:
    return [each["used"] for each in budgets(client)]


@pytest.mark.parametrize("prefix", SHAPES)
def test_each_dialect_refuses_in_its_own_shape_with_the_name_of_the_budget(
    server: LiveServer, spender: Spender, prefix: str
) -> None:
    spender.set(0)
    with httpx.Client(base_url=server.url, timeout=60) as http:
        headers = SignedIn(http, spender.token).headers(prefix)
        path = prefix + SUBMIT_PATHS.get(prefix, "/jobs")
        answer = http.post(path, json=SUBMISSIONS[prefix], headers=headers)
    assert answer.status_code == STATUSES[prefix], answer.text
    assert "retry-after" not in answer.headers
    said = SHAPES[prefix](answer)
    assert f"The budget of 0 jobs in total for the project {spender.name} is not enough" in said


def test_an_uploaded_program_beyond_the_budget_fails_its_job_and_ends_the_waiting(
    server: LiveServer, spender: Spender
) -> None:
    spender.set(0)
    with httpx.Client(base_url=server.url, timeout=60) as http:
        client = ibm.Client(http, spender.token)
        draft = client.draft()
        address = draft["objectStorageInfo"]["uploadUrl"]
        assert http.put(address, json=ibm.qobj()).is_success
        client.call("POST", f"/Jobs/{draft['id']}/jobDataUploaded")
        ended = client.ended(draft["id"])
        assert ended["status"] in ibm.FINAL
        assert ended["status"] != "COMPLETED"
        assert "is not enough" in str(ended["error"])


def test_the_problem_has_its_code_and_the_docs_a_page_for_it(
    client: httpx.Client, spender: Spender
) -> None:
    spender.set(50, "shots")
    answer = client.post("/v1/jobs", json=JOB)
    assert answer.json()["code"] == "budget_spent"
    page = client.get(answer.json()["type"].removeprefix(str(client.base_url).rstrip("/")))
    assert page.status_code == 200
    assert "budget" in page.text


def test_members_see_what_is_left_and_what_was_really_used(
    client: httpx.Client, spender: Spender
) -> None:
    assert budgets(client) == []
    spender.set(1_000, "shots", "day", "simulator")
    job = client.post("/v1/jobs", json=JOB).json()["id"]
    (shown,) = budgets(client)
    assert shown == {
        "id": shown["id"],
        "project": spender.name,
        "device": "simulator",
        "member": None,
        "unit": "shots",
        "period": "day",
        "maximum": 1_000,
        "used": 100,
        "left": 900,
        "ends_at": shown["ends_at"],
    }
    assert shown["ends_at"].endswith("T00:00:00.000+00:00")
    assert client.get(f"/v1/jobs/{job}?wait=30").json()["state"] == "completed"
    assert used(client) == [100]


def test_what_waits_gives_back_all_when_it_is_cancelled_and_what_runs_its_shots(
    client: httpx.Client, spender: Spender
) -> None:
    spender.set(10, "jobs")
    spender.set(1_000, "shots")
    jobs = [
        client.post("/v1/jobs", json=JOB | {"program": held_job().program}).json()["id"]
        for _ in range(3)
    ]

    def states() -> list[str]:
        return [client.get(f"/v1/jobs/{job}").json()["state"] for job in jobs]

    until(lambda: states() == ["running", "running", "queued"], "both workers run", timeout_s=30)
    assert used(client) == [3, 300]
    client.post(f"/v1/jobs/{jobs[2]}/cancel")
    assert used(client) == [2, 200]
    for job in jobs[:2]:
        client.post(f"/v1/jobs/{job}/cancel")
    until(lambda: states() == ["cancelled"] * 3, "all are cancelled", timeout_s=30)
    assert used(client) == [2, 0], "they ran, and brought no shots"


def test_seconds_are_settled_by_the_measured_time(client: httpx.Client, spender: Spender) -> None:
    spender.set(1_000, "seconds")
    held = held_job()
    job = client.post("/v1/jobs", json=JOB | {"program": held.program}).json()["id"]
    (reserved,) = used(client)
    held.release()
    assert client.get(f"/v1/jobs/{job}?wait=30").json()["state"] == "completed"
    (settled,) = used(client)
    assert 0 < settled != reserved


def test_groups_and_batches_count_each_job(client: httpx.Client, spender: Spender) -> None:
    spender.set(2, "jobs")
    group = client.post("/v1/groups", json={"device": "simulator"}).json()["id"]
    answers = [client.post("/v1/jobs", json=JOB | {"group": group}) for _ in range(3)]
    assert [each.status_code for each in answers] == [201, 201, 403]


# --- administrators -------------------------------------------------------------------------------


def test_administrators_set_list_and_remove_budgets(
    chief: httpx.Client, client: httpx.Client, spender: Spender
) -> None:
    body = {"project": spender.name, "unit": "shots", "period": "week", "maximum": 250}
    made = chief.put("/v1/admin/budgets", json=body)
    assert made.status_code == 200, made.text
    assert (made.json()["left"], made.json()["device"]) == (250, None)
    for status in (201, 201, 403):
        assert client.post("/v1/jobs", json=JOB).status_code == status
    again = chief.put("/v1/admin/budgets", json=body | {"maximum": 300}).json()
    assert (again["id"], again["used"], again["left"]) == (made.json()["id"], 200, 100)
    listed = chief.get("/v1/admin/budgets").json()["budgets"]
    assert again in listed
    at = f"/v1/admin/budgets/{again['id']}"
    assert chief.delete(at).status_code == 204
    assert chief.delete(at).status_code == 404
    removed, changed = chief.get("/v1/admin/audit?limit=2").json()["acts"]
    assert (removed["action"], removed["before"]["used"]) == ("delete_budget", 200)
    assert removed["after"] is None
    assert (changed["action"], changed["subject"]) == (
        "set_budget",
        f"budget/{spender.name}//shots/week",
    )
    assert [changed[when]["maximum"] for when in ("before", "after")] == [250, 300]
    assert budgets(client) == []
    assert client.post("/v1/jobs", json=JOB | {"shots": 1_000}).status_code == 201


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"project": "nowhere"}, 404, "no project nowhere"),
        ({"device": "simulater"}, 404, "no device simulater"),
        ({"unit": "hours"}, 400, "unit"),
        ({"period": "year"}, 400, "period"),
        ({"maximum": -1}, 400, "maximum"),
        ({"maximum": 1e16}, 400, "maximum"),
        ({"unit": "cost", "maximum": 1e10}, 400, "maximum must be at most 1e+09 cost"),
        ({"unit": "seconds", "maximum": 1e-7}, 400, "0 or at least 0.000001 seconds, not 1e-07."),
        ({"maximum": 1.5}, 400, "maximum must be a whole number of shots, not 1.5."),
        ({"more": 1}, 400, "more"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(
    chief: httpx.Client, spender: Spender, changes: dict[str, Any], status: int, said: str
) -> None:
    body = {"project": spender.name, "unit": "shots", "maximum": 250, **changes}
    answer = chief.put("/v1/admin/budgets", json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.text


def test_members_cannot_set_budgets(client: httpx.Client, spender: Spender) -> None:
    body = {"project": spender.name, "unit": "shots", "maximum": 250}
    assert client.put("/v1/admin/budgets", json=body).status_code == 403
    assert client.get("/v1/admin/budgets").status_code == 403


# --- what vendors' clients show -------------------------------------------------------------------


def test_vendors_apis_show_what_is_left(server: LiveServer, spender: Spender) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        signed = SignedIn(http, spender.token)

        def get(prefix: str, path: str) -> Any:
            answer = http.get(prefix + path, headers=signed.headers(prefix))
            assert answer.status_code == 200, answer.text
            return answer.json()

        def shown() -> tuple[Any, ...]:
            (usage,) = get(runtime.DIALECT, "/usage")["byInstance"]
            report = get("/ionq/v0.3", "/report/organizations/mine")
            instance = get(runtime.PLATFORM, "/instances/usage")
            return (
                instance.get("usage_limit_seconds"),
                get("/qbraid/api/v1", "/billing/credits/balance")["data"]["qbraidCredits"],
                get("/qbraid/api", "/billing/credits/get-user-credits")["qbraidCredits"],
                usage.get("quota"),
                (report["budget"], report["balance"]),
            )

        assert shown() == (None, 0, 0, None, (0, 0))
        spender.set(12.5, "cost", "month")
        spender.set(600, "seconds", "month")
        assert shown() == (600, 12.5, 12.5, 600, (12.5, 12.5))
        spender.set(60, "seconds", "day")
        instance = get(runtime.PLATFORM, "/instances/usage")
        assert instance["usage_limit_seconds"] == 60
        start, end = (
            datetime.fromisoformat(instance["usage_period"][name])
            for name in ("start_time", "end_time")
        )
        assert start == end.replace(hour=0, minute=0, second=0, microsecond=0)


# --- usage ----------------------------------------------------------------------------------------


def test_usage_adds_up_also_when_jobs_were_deleted(
    chief: httpx.Client, client: httpx.Client, spender: Spender
) -> None:
    def usage(**query: str) -> list[dict[str, Any]]:
        answer = chief.get("/v1/admin/usage", params=query)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["usage"]
        return [row for row in rows if row["project"] in (spender.name, None)]

    def finished(device: str, shots: int) -> dict[str, Any]:
        body = JOB | {"device": device, "shots": shots}
        job = client.post("/v1/jobs", json=body).json()["id"]
        ended: dict[str, Any] = client.get(f"/v1/jobs/{job}?wait=30").json()
        assert ended["state"] == "completed"
        return ended

    assert usage() == []
    jobs = [finished("simulator", 100), finished("simulator", 11), finished("clifford", 7)]
    today = jobs[0]["ended_at"][:10]
    before = usage(to=today)
    assert [(row["device"], row["jobs"], row["shots"]) for row in before] == [
        ("clifford", 1, 7),
        ("simulator", 2, 111),
    ]
    assert client.delete(f"/v1/jobs/{jobs[1]['id']}").status_code == 204
    assert usage(**{"from": today}) == before
    (of_project,) = usage(by="project")
    assert (of_project["device"], of_project["jobs"], of_project["shots"]) == (None, 3, 118)
    assert of_project["seconds"] == pytest.approx(sum(row["seconds"] for row in before))
    assert usage(to="2020-01-01") == []
    for_all = [row for row in usage(by="device") if row["device"] == "simulator"]
    assert for_all[0]["shots"] >= 111


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=today", "from"), ("from=2026-02-01&to=2026-01-31", "to"), ("by=user", "by")],
)
def test_usage_of_what_cannot_be_is_refused(chief: httpx.Client, query: str, field: str) -> None:
    answer = chief.get(f"/v1/admin/usage?{query}")
    assert answer.status_code == 400
    assert answer.json()["field"] == field


# --- commands -------------------------------------------------------------------------------------


@pytest.fixture(params=["folder", "server"])
def run(
    request: pytest.FixtureRequest, server: LiveServer, chief: httpx.Client
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command on the data folder, or over HTTP."""
    place, env = ["--data-dir", str(server.folder / "data")], {}
    if request.param == "server":
        token = chief.headers["Authorization"].partition(" ")[2]
        place, env = ["--url", server.url], {"QWICKET_TOKEN": token}
    return lambda *words: run_cli(*words, *place, env=env)


def test_commands_set_show_and_clear_budgets(
    run: Callable[..., subprocess.CompletedProcess[str]], client: httpx.Client, spender: Spender
) -> None:
    name = spender.name
    done = run("budget", "set", name, "--shots", "250", "--cost", "1.5", "--per", "week")
    assert done.returncode == 0, done.stderr
    shots, cost = done.stdout.splitlines()
    assert shots.startswith(f"{name}  all devices  250 shots  week  0 used  250 left  until ")
    assert cost.startswith(f"{name}  all devices  1.5 cost  week  0 used  1.5 left  until ")
    assert client.post("/v1/jobs", json=JOB).status_code == 201
    shown = json.loads(run("budget", "show", name, "--json").stdout)
    assert [(each["unit"], each["used"], each["left"]) for each in shown] == [
        ("cost", 0, 1.5),
        ("shots", 100, 150),
    ]
    assert name in run("budget", "show").stdout
    mine = run_cli(
        "account", env={"QWICKET_URL": spender.server.url, "QWICKET_TOKEN": spender.token}
    )
    assert "150 of 250 shots left" in mine.stdout
    assert run("budget", "clear", name, "--unit", "cost").stdout == "1 budget removed\n"
    assert run("budget", "clear", name).stdout == "1 budget removed\n"
    again = run("budget", "clear", name)
    assert (again.returncode, again.stderr) == (
        1,
        f"Error: The project {name} has no such budget.\n",
    )
    wrong = run("budget", "set", name)
    assert (wrong.returncode, "Give --jobs" in wrong.stderr) == (2, True)
    wrong = run("budget", "set", name, "--shots", "1.5")
    assert wrong.returncode == 1
    assert "maximum must be a whole number of shots, not 1.5." in wrong.stderr


def test_the_command_usage_prints_tables_json_and_csv(
    run: Callable[..., subprocess.CompletedProcess[str]], client: httpx.Client, spender: Spender
) -> None:
    job = client.post("/v1/jobs", json=JOB).json()["id"]
    today = client.get(f"/v1/jobs/{job}?wait=30").json()["ended_at"][:10]
    name = spender.name
    rows = json.loads(run("usage", "--by", "project", "--json").stdout)
    (mine,) = [row for row in rows if row["project"] == name]
    assert mine == {
        "project": name,
        "jobs": 1,
        "shots": 100,
        "seconds": mine["seconds"],
        "cost": 0,
    }
    lines = run("usage", "--from", today, "--to", today, "--csv").stdout.splitlines()
    assert lines[0] == "project,device,jobs,shots,seconds,cost"
    assert f"{name},simulator,1,100,{mine['seconds']},0.0" in lines
    table = run("usage").stdout
    assert f"{name}  simulator  1 job  100 shots  {mine['seconds']:.3f} s  0 credits" in table
    lines = run("usage", "--by", "day,account", "--csv").stdout.splitlines()
    assert lines[0] == "day,account,jobs,shots,seconds,cost"
    assert f"{today},{name},1,100,{mine['seconds']},0.0" in lines
    wrong = run("usage", "--by", "day,user")
    assert "by must be some of project, account, device, day, slurm_account," in wrong.stderr
    wrong = run("usage", "--csv", "--json")
    assert (wrong.returncode, "not both" in wrong.stderr) == (2, True)
