"""`qwicket jobs`, `job`, `result` and `cancel` against a server of which each answer is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qwicket.cli import main
from support.bad_server import BadServer, answer

TOKEN = "qw_ThisTokenMustNeverBeSeenInAnyTextAtAll012345"
ID = "0198f3a0-0000-7000-8000-000000000000"
JOB = {
    "id": ID,
    "state": "queued",
    "version": 1,
    "device": "simulator",
    "dialect": "native",
    "name": "bell",
    "tags": ["a", "b"],
    "shots": 1000,
    "circuits": 1,
    "qubits": 2,
    "created_at": "2026-11-20T12:00:00.000+00:00",
    "queue": {"position": 1234, "starts_in_s": 12.0},
}
GOOD = {"counts": {"11": 2, "00": 3}, "seed": 7, "engine": "qulacs", "engine_version": "1"}


def run(server: BadServer, *arguments: str) -> Result:
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": TOKEN}
    result = CliRunner().invoke(main, arguments, env=env)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert TOKEN not in result.output
    return result


def page(jobs: Sequence[object], following: int | None = None) -> Any:
    return answer(200, {"jobs": jobs, "next": following})


# --- jobs ------------------------------------------------------------------------------------


def test_jobs_are_a_line_each() -> None:
    with BadServer(page([JOB, {"id": "x", "state": "completed"}])) as server:
        result = run(server, "jobs")
    assert result.stdout.splitlines() == [
        f"{ID}  simulator  queued, position 1,234, starts in about 12 s  bell  2026-11-20 12:00:00",
        "x  completed",
    ]
    assert result.exit_code == 0


def test_jobs_as_json_are_what_the_server_said_in_one_line() -> None:
    with BadServer(page([JOB])) as server:
        result = run(server, "jobs", "--json")
    assert json.loads(result.stdout) == [JOB]
    assert result.stdout.count("\n") == 1


def test_the_wishes_become_parameters() -> None:
    asked = ["--state", "queued,running", "--device", "d&", "--tag", "a", "--tag", "b"]
    with BadServer(page([])) as server:
        run(server, "jobs", *asked, "--limit", "7", "--since", "3d")
        path = server.requests[0].path
    assert path.startswith(
        "/v1/jobs?state=queued%2Crunning&device=d%26&tag=a&tag=b&created_from=20"
    )
    assert path.endswith("%2B00%3A00&limit=7")


def test_pages_are_turned_until_there_are_enough() -> None:
    many = [{"id": f"j{n}", "state": "completed"} for n in range(600)]
    with BadServer(page(many[:500], 101), page(many[500:], 1)) as server:
        result = run(server, "jobs", "--limit", "600")
        assert [each.path for each in server.requests] == [
            "/v1/jobs?limit=500",
            "/v1/jobs?limit=100&before=101",
        ]
    assert result.stdout.count("\n") == 600


@pytest.mark.parametrize("each", [{"id": 7, "state": "x"}, {"id": "x"}, {**JOB, "queue": [1]}])
def test_what_is_no_job_is_one_line(each: dict[str, Any]) -> None:
    with BadServer(page([each])) as server:
        result = run(server, "jobs")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not one of Qwicket's API" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_server_that_draws_on_the_terminal_is_harmless() -> None:
    with BadServer(page([{**JOB, "name": "\x1b[2J\nGone."}])) as server:
        assert "\x1b" not in run(server, "jobs").stdout


# --- job, cancel -----------------------------------------------------------------------------


def test_a_job_is_shown_by_its_fields() -> None:
    with BadServer(answer(200, JOB)) as server:
        result = run(server, "job", "show", ID)
        assert server.requests[0].path == f"/v1/jobs/{ID}"
        page = f"{server.url}/ui/jobs/{ID}"
    fields = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    told = {name.strip(): value.strip() for name, value in fields.items()}
    assert (told["job"], told["tags"], told["shots"]) == (ID, "a, b", "1,000")
    assert told["page"] == page
    assert told["state"] == "queued, position 1,234, starts in about 12 s"


def test_a_job_as_json_is_what_the_server_said() -> None:
    with BadServer(answer(200, JOB)) as server:
        assert json.loads(run(server, "job", "show", ID, "--json").stdout) == JOB


def test_a_job_that_is_not_there_is_one_line() -> None:
    problem = {"code": "not_found", "detail": "There is no such job.", "remedy": "Look again."}
    with BadServer(answer(404, problem)) as server:
        result = run(server, "job", "show", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: There is no such job. (not_found, HTTP 404) Look again.\n"


def test_cancel_prints_the_resulting_state() -> None:
    cancelled = answer(200, {"id": ID, "state": "cancelled"})
    with BadServer(answer(200, JOB), cancelled) as server:
        result = run(server, "job", "cancel", ID)
        assert server.requests[1].path == f"/v1/jobs/{ID}/cancel"
    assert (result.exit_code, result.stdout) == (0, f"{ID}  cancelled\n")
    with BadServer(answer(200, JOB), cancelled) as server:
        assert json.loads(run(server, "job", "cancel", ID, "--json").stdout) == {
            "id": ID,
            "state": "cancelled",
        }


# --- result ----------------------------------------------------------------------------------


def ended(state: str) -> Any:
    return answer(200, {"id": ID, "state": state})


def test_a_result_is_bars_or_json() -> None:
    parts = answer(200, {"parts": [GOOD | {"memory": ["00", "11"]}]})
    with BadServer(ended("completed"), parts) as server:
        result = run(server, "result", ID)
    assert result.stdout.splitlines()[:2] == [f"{ID}  completed", f"  00        3  {'█' * 24}"]
    assert result.exit_code == 0
    with BadServer(ended("completed"), parts) as server:
        (part,) = json.loads(run(server, "result", ID, "--json").stdout)["parts"]
    assert (part["counts"], part["memory"]) == (GOOD["counts"], ["00", "11"])


def test_samples_are_shown_where_outcomes_are_no_bits() -> None:
    parts = answer(200, {"parts": [{"samples": [[1, 2.5]] * 10}]})
    with BadServer(ended("completed"), parts) as server:
        told = run(server, "result", ID).stdout.splitlines()
    assert told[1] == "  1  2.5"
    assert told[-1] == "  … and 2 more shots"


@pytest.mark.parametrize(("state", "status"), [("failed", 3), ("cancelled", 4)])
def test_a_job_without_a_result_prints_the_reason_and_sets_the_exit_status(
    state: str, status: int
) -> None:
    nothing = answer(409, {"code": "no_result", "detail": "It took too long."})
    with BadServer(ended(state), nothing) as server:
        result = run(server, "result", ID)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr == f"Error: Job {ID}: It took too long.\n"
    with BadServer(ended(state), nothing) as server:
        told = json.loads(run(server, "result", ID, "--json").stdout)
    assert (told["state"], told["parts"]) == (state, [])


def test_a_result_that_is_not_there_yet_is_status_1() -> None:
    with BadServer(answer(200, JOB)) as server:
        result = run(server, "result", ID)
        assert len(server.requests) == 1
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert f"Job {ID} is queued" in result.stderr
